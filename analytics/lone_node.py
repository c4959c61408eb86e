"""One node of a cluster that fetches what no other node of it runs: somebody sits on it and uses the cluster's account.

What is new to a cluster comes to several of its nodes, or, one copy each, to any of them; what one node alone takes up, one
repository after the other, was put there by nobody who deploys. A node that was added lately gets what is deployed since, and an
address at which several accounts are is a proxy's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from analytics.acts import CELL
from analytics.detector import Suspicion
from analytics.pullers import FLEET
from analytics.reach_today import New, Today
from analytics.windows import DAY
from analytics.wording import names, number, plain
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

KIND = "node_beyond_cluster"  # the kinds of its findings
LATELY = timedelta(days=3)  # before today, over which new repositories add up
HOMES = timedelta(days=14)  # before that, in which a node that is known was seen
GRACE = timedelta(minutes=30)  # in which the other nodes come as well
FEWEST = 3
MANY = 10
CHANCE = 0.02  # that new work of one copy each falls so often on one node
COLD = 5  # repositories that the cluster runs, beside the new ones, within `GRACE`
SHARED = 3  # other accounts at an address: it is no node's
MOST_NEW = 60  # of one account that are looked at; a cluster that takes up more was moved


def lone_nodes(
    store: EventReader, today: Today, start: datetime, now: datetime, told: Collection[str]
) -> Iterator[Suspicion]:
    """What was complete in [start, now), save of accounts of which more was `told` already."""
    for actor in sorted(today.touched(start - GRACE, now - GRACE) - set(told)):
        account = today.account(actor)
        earlier = [one for one in account.new if one[0] >= today.day - LATELY]
        new = [*earlier, *(one for one in account.fresh if one[0] < now - GRACE)]
        enough = FEWEST + (LATELY + DAY) / DAY * account.rate
        if not any(start - GRACE - timedelta(minutes=CELL) < at < now - GRACE for at, *_ in new):
            continue  # no repository, but an image is new: that was judged before
        if enough <= len(new) <= MOST_NEW and (nodes := today.homes(actor)) >= FLEET:
            yield from _judge(store, actor, nodes, enough, new, now)


def _judge(
    store: EventReader, actor: str, nodes: int, enough: float, new: Sequence[New], now: datetime
) -> Iterator[Suspicion]:
    pulls = _pulls(store, actor, {repository: at for at, _, repository in new}, now)
    alone = {
        repository: events[0]["client_ip"]
        for repository, events in pulls.items()
        if len({one["client_ip"] for one in events}) == 1 and events[0]["client_ip"]
    }
    if not alone:
        return
    node, many = max(Counter(alone.values()).items(), key=lambda one: (one[1], one[0]))
    from scipy.special import bdtrc  # type: ignore[import-untyped]

    chance = nodes * float(bdtrc(many - 1, len(alone), 1 / nodes))  # binomial: so many of them or more
    if many < enough or chance > CHANCE:
        return
    repositories = sorted(repository for repository, client in alone.items() if client == node)
    events = sorted((one for name in repositories for one in pulls[name]), key=lambda one: one["timestamp"])
    start = events[0]["timestamp"]
    if not _is_node(store, actor, node, start, now):
        return
    cold = _fills_cache(store, actor, node, events, set(repositories))
    severity = Severity.LOW if cold else Severity.HIGH if many >= MANY else Severity.MEDIUM
    yield Suspicion(
        kind=KIND,
        cause=(KIND, actor, node, f"{start:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor)}: {plain(node)} alone pulled from {many} repositories new to all {nodes} nodes",
        start=start,
        end=now,
        subjects={"actor": [actor], "client": [node], "repository": repositories},
        score=10.0 * severity.rank + min(many, 9),
        expected=f"new work comes to several nodes, or to any of them; {number(enough)} of one node alone are too many",
        observed=f"{names(repositories, 4)}; no other node asked for them within {GRACE.seconds // 60} minutes",
        evidence=[one["event_id"] for one in events],
        explanation=f"Chance would give one of {nodes} nodes so many with {chance:.1g}. Whoever is on a node has its pull secret."
        + (" It fetched what the cluster runs at the same time: a node that starts anew." if cold else ""),
        next_step="Look at what runs on this node and who logged in there; renew the cluster's pull secret.",
    )


def _is_node(store: EventReader, actor: str, address: str, start: datetime, now: datetime) -> bool:
    """Whether the address is one of many of the cluster, its own, and was so before."""
    columns = ("actor", "client_ip")
    before = EventQuery(
        since=start - LATELY - HOMES, until=start - LATELY, actor=actor, client=address, limit=1, columns=columns
    )
    if not any(store.events(before)):
        return False
    here = EventQuery(
        since=start, until=now, client=address, action=(Action.PULL,), outcome=(Outcome.SUCCESS,), columns=columns
    )
    return len({one["actor"] for one in store.events(here)} - {actor, None}) < SHARED


def _fills_cache(
    store: EventReader, actor: str, address: str, events: Sequence[dict[str, Any]], new: Collection[str]
) -> bool:
    """Whether it fetched more of what others of the cluster run around these pulls: a node without a cache asks for everything,
    also for what the others have had since before the log begins."""
    times = [one["timestamp"] for one in events]
    query = EventQuery(
        since=times[0] - GRACE,
        until=times[-1] + GRACE,
        actor=actor,
        client=address,
        action=(Action.PULL,),
        outcome=(Outcome.SUCCESS,),
        columns=("timestamp", "repository"),
    )
    beside = {
        one["repository"]
        for one in store.events(query)
        if one["repository"] not in new and any(abs(one["timestamp"] - at) <= GRACE for at in times)
    }
    return len(beside) >= max(COLD, len(new))


def _pulls(
    store: EventReader, actor: str, since: Mapping[str, datetime], until: datetime
) -> dict[str, list[dict[str, Any]]]:
    """The account's pulls from these repositories, each since its moment, by time."""
    query = EventQuery(
        since=min(since.values()),
        until=until,
        actor=actor,
        action=(Action.PULL,),
        outcome=(Outcome.SUCCESS,),
        columns=("event_id", "timestamp", "actor", "client_ip", "repository"),
    )
    found: dict[str, list[dict[str, Any]]] = {repository: [] for repository in since}
    for one in store.events(query):
        at = since.get(one["repository"])
        if at is not None and one["actor"] == actor and one["timestamp"] >= at:
            found[one["repository"]].append(one)
    return found
