"""Accounts used from where they never were: a token in other hands, a person in two places, a newcomer from nowhere.

Notices: a machine's account (robot, build, cluster, scanner; or one that works at all hours of the day) that always came from a
few networks and now comes from another, louder if with another tool or from far off; a person who works from the usual place and
from one never seen in turns, or on one day at places of several others; machines' accounts of several projects at one address
that is new to them, while they go on at home; a person at an unknown place with a script's tool, or who makes a first push there,
to a project of others; an account nobody knew, from a network nobody used, that reaches into several projects at once. Needs:
logs with accounts and addresses, and a week of each account's past. Method: exact bookkeeping of networks (/24, /64; an account
with three of them in one /16 is at home in all of it), judged only for accounts to which a new network is rare; of people who
come seldom, only what nobody does who travels. Wakes nobody where many accounts move to one new network (an office, a proxy),
whether or not they got what they asked for there, for a person at a place that many colleagues use, for one account at many new
addresses (more nodes), or for one of many places while another of them is silent (a new address for it). Never sees: an intruder
at a place that the account uses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby, pairwise
from typing import Any

from analytics.daily import days_before, each_day, learned
from analytics.day_events import BEFORE, MOST_EVENTS, done_exactly_by
from analytics.detector import Suspicion
from analytics.gathered import Gathering, gatherings
from analytics.ledger import network
from analytics.passed_round import MANY as MANY_PLACES
from analytics.passed_round import Round, passed_round
from analytics.places import SETTLED_DAYS, Account, Days, Past, Seen, day_of_places, seen
from analytics.replay import horizon, remember
from analytics.windows import CELL, DAY, HOUR, MOMENT
from analytics.wording import names, plain, several
from store.contract import EventReader
from store.event import Action, Outcome
from store.finding import Severity

CROWD = 3  # accounts for which a network is new on the same day: they moved
FLEET = 3  # new addresses of one account in one network: more machines
SECOND_PLACE = 1  # network that a person took up in the time that is known: a home, a new desk
COMMON = 1 / 3  # of all accounts use a project that is nobody's own
TURNS = BEFORE
QUICK = timedelta(minutes=20)  # from one place to the other
WAIT = CELL  # for others to show that everybody moved
# After a request, when its place is looked at: a crowd may take some minutes to show.
AGAIN = (timedelta(0), WAIT, 2 * WAIT)
MANY_GATHERED = 4
_DONE = frozenset(
    (
        Action.PULL,
        Action.PUSH,
        Action.DELETE,
        Action.TAG,
        Action.UNTAG,
        Action.SIGN,
        Action.PERMISSION,
        Action.CONFIG,
        Action.REPLICATE,
    )
)
_CAME = frozenset((Action.LOGIN, Action.TOKEN, Action.CATALOG, Action.LIST_TAGS))
_TOOLS = frozenset(
    ("curl", "wget", "python", "java", "go", "go-containerregistry", "skopeo", "crane", "regclient", "oras")
)


@dataclass(slots=True)
class NewPlace:
    """See the top of the file."""

    name: str = "new_place"
    subject: str = "actor"
    every: timedelta = MOMENT
    history: timedelta = timedelta(days=35)
    next_step: str = (
        "Ask the account's owner whether it is them at this address; if nobody knows it, revoke its tokens and passwords "
        "before anything else."
    )
    _kept: dict[datetime, Days] = field(default_factory=dict)
    _learned: dict[datetime, Past] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            start, end = max(since, day), min(day + DAY, now)
            past = self._past(store, day)
            strangers = [one for one in self._strange(store, past, day, end) if one.at < end]
            if any(one.at >= start - AGAIN[-1] for one in strangers):
                found += _judge(store, past, strangers, day, start, end)
        return found

    def _strange(self, store: EventReader, past: Past, day: datetime, end: datetime) -> list[Seen]:
        """Whoever is seen today where it never was; in a replay worked out once for the day."""
        until = min(day + DAY, horizon(store, end))
        return remember(store, f"{self.name} today", day, lambda: seen(store, past, day, until))

    def _past(self, store: EventReader, day: datetime) -> Past:
        def known() -> Past:
            days = days_before(store, f"{self.name} days", day, self.history, self._kept, partial(day_of_places, store))
            span = store.span()
            return Past(days, day, span[0] if span else None)

        return learned(store, self.name, day, self._learned, known)


def _judge(
    store: EventReader, past: Past, strangers: list[Seen], day: datetime, start: datetime, now: datetime
) -> Iterator[Suspicion]:
    strange: dict[str, dict[str, datetime]] = defaultdict(dict)  # account → address → when last
    moved: dict[str, set[str]] = defaultdict(set)  # network → accounts that are new there today
    for one in strangers:
        if one.served:
            strange[one.actor][one.client] = one.at
        moved[network(one.client)].add(one.actor)
    yield from map(_gathered, gatherings(store, past, strangers, day, start, now))
    for actor in sorted(strange):
        places = {
            client for client, last in strange[actor].items() if any(start <= last + wait < now for wait in AGAIN)
        }
        account = past.accounts.get(actor)
        if not places:
            continue
        if account is None:
            yield from _newcomer(store, actor, past, strange[actor], moved, day, now)
        elif account.settled(day, least=0 if account.machine else SECOND_PLACE) or (
            account.seldom(day) and not account.machine
        ):
            if not account.machine:
                known = [client for client in strange[actor] if len(moved[network(client)]) < CROWD]
                yield from _shared(actor, passed_round(store, actor, account, past, known, day, now))
            crowds = {client: moved[network(client)] for client in places}
            same = {client: sum(network(other) == network(client) for other in strange[actor]) for client in places}
            for client in sorted(places):
                if len(crowds[client]) < CROWD and same[client] < FLEET:
                    yield from _elsewhere(store, actor, account, past, client, day, now)


def _gathered(one: Gathering) -> Suspicion:
    severity = Severity.HIGH if len(one.accounts) >= MANY_GATHERED else Severity.MEDIUM
    return _suspicion(
        "accounts_gathered",
        (one.client,),
        severity,
        one.accounts,
        one.events,
        _telling(one.events),
        title=f"{several(len(one.accounts), 'account')} of machines came to {plain(one.client)}, and are at home as well",
        expected="a runner that is moved leaves its old place; each project has its own",
        observed=f"{names(one.accounts, 4)}, none of which was ever there",
        explanation="Tokens of several projects are used from one place: somebody has gathered them.",
        weight=len(one.accounts),
    )


def _shared(actor: str, gone: Round | None) -> Iterator[Suspicion]:
    if gone is None:
        return
    severity = Severity.HIGH if len(gone.places) >= MANY_PLACES else Severity.MEDIUM
    whose = f", where {names(gone.owners, 3)} work as a rule" if gone.owners else ""
    with_tools = f", with {names(gone.tools, 3)}, which it never used" if gone.tools else ""
    yield _suspicion(
        "account_shared",
        (actor,),
        severity,
        [actor],
        gone.events,
        _telling(gone.events),
        title=f"{plain(actor)} works from {several(len(gone.places), 'place')} of others on one day",
        expected="a person works from one place after another, with the own tools",
        observed=f"{names(gone.places, 4)}{whose}{with_tools}",
        explanation="The password goes round among colleagues, or somebody hides behind many addresses.",
        weight=len(gone.places),
    )


def _elsewhere(
    store: EventReader, actor: str, account: Account, past: Past, client: str, day: datetime, now: datetime
) -> Iterator[Suspicion]:
    events = shown = done_exactly_by(store, day, day, now, actor=actor, client=client)
    if not events:
        return
    tools = {event["client_class"] for event in events if event["client_class"]} - account.tools
    others = past.networks.get(network(client), set()) - {actor}
    far = not account.near(client)
    signs = [f"with {', '.join(sorted(tools))}, which it never used"] if tools else []
    signs += ["far from all its places"] if far else []
    if account.machine:
        first = events[0]["timestamp"]
        if not tools and (now - first < WAIT or _crowded(store, day, client, first, now)):
            return  # give others time to show that everybody moved
        severity = Severity.HIGH if tools and not others else Severity.MEDIUM
        told = "a machine's account at a place where it never ran"
        if account.spread and not tools and (silent := _silent(store, actor, past, account, events, day, now)):
            severity = Severity.LOW
            signs.append(f"since when nothing came from {names(silent, 2)}")
            told = "one of its places has another address, or somebody took it up while that one rests"
    else:
        turns = [] if len(others) >= CROWD else _turns(store, day, actor, account, client, now)
        if turns:
            shown = turns
            signs.append(f"in turns with its usual place, {len(turns) - 1} times within {TURNS // HOUR} hours")
            severity = Severity.HIGH if tools else Severity.MEDIUM
            told = "nobody is in two places at once"
        elif others or account.seldom(day):
            return
        elif tools & _TOOLS:
            severity, told = Severity.MEDIUM, "a person at an unknown place, with a tool for scripts"
        elif beyond := _first_pushes(account, events):
            severity, told = Severity.MEDIUM, "a person at an unknown place, who pushes where nobody knows them"
            signs.append(f"its first push, to {names(sorted({one['repository'] for one in beyond}), 3)}")
            shown = beyond
        else:
            return
    yield _suspicion(
        "account_elsewhere",
        (actor, network(client)),
        severity,
        [actor],
        events,
        _telling(shown),
        title=f"{plain(actor)} works from {plain(client)}, where it never was",
        expected=f"one of {several(len(account.networks), 'network')}: {names(sorted(account.networks), 4)}",
        observed=f"{several(len(events), 'request')} from {plain(client)}" + (f", {'; '.join(signs)}" if signs else ""),
        explanation=f"{told.capitalize()}: its token or password may be in other hands.",
        weight=len(signs),
    )


def _silent(
    store: EventReader,
    actor: str,
    past: Past,
    account: Account,
    events: list[dict[str, Any]],
    day: datetime,
    now: datetime,
) -> list[str]:
    """The usual places at which nothing is seen since the account came to the new one, if it does there what it always did:
    then it may be one of them.
    """
    if not {one["project"] for one in events if one["project"]} <= account.projects:
        return []
    since = done_exactly_by(store, day, events[0]["timestamp"], now, actor=actor)
    return sorted(past.lately(actor) - {network(one["client_ip"]) for one in since if one["client_ip"]})


def _crowded(store: EventReader, day: datetime, client: str, since: datetime, now: datetime) -> bool:
    """Whether others are at the address, as at a proxy that everybody goes through."""
    seen = done_exactly_by(store, day, since - WAIT, now, client=client)
    accounts = {event["actor"] for event in seen if event["actor"]}
    return len(accounts) > 1 or len({event["client_class"] for event in seen}) >= CROWD


def _first_pushes(account: Account, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pushes of an account that never pushed, to projects of which it never used anything."""
    if account.pushed:
        return []
    return [one for one in events if one["action"] == Action.PUSH and one["project"] not in account.projects]


def _turns(
    store: EventReader, day: datetime, actor: str, account: Account, client: str, now: datetime
) -> list[dict[str, Any]]:
    """The stays of a person who went from the usual place to the new one and back, faster than anybody travels: what tells
    of each (the first event, in order); else nothing. Of who comes seldom, the new place may be a usual one: they must go
    to and fro.
    """
    seen = [one for one in done_exactly_by(store, day, now - TURNS, now, actor=actor) if _counts(account, one, client)]
    stays = [list(stay) for _, stay in groupby(seen, key=lambda one: bool(one["client_ip"] == client))]
    quick = sum(later[0]["timestamp"] - stay[-1]["timestamp"] <= QUICK for stay, later in pairwise(stays))
    often = quick >= 3 if account.seldom(day) else len(stays) > 3 or quick >= 2
    return [_telling(stay)[0] for stay in stays] if often else []


def _counts(account: Account, event: dict[str, Any], client: str) -> bool:
    at = event["client_ip"]
    if not at or event["outcome"] != Outcome.SUCCESS:
        return False
    if at == client:
        return True
    # Another network of the house where it works as a rule is its usual place too, beside one that is far from all of them.
    usual = account.covers(at) or (account.near(at) and not account.near(client))
    # One machine has an address of either sort, and goes by both: that is no other place.
    return usual and (":" in at) == (":" in client)


def _telling(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fewest that show what was done: images and settings, not each layer and handshake; logins where nothing else was."""
    for wanted in (_DONE, _CAME):
        if told := [one for one in events if one["action"] in wanted]:
            return told
    return events


def _newcomer(
    store: EventReader,
    actor: str,
    past: Past,
    places: Collection[str],
    moved: dict[str, set[str]],
    day: datetime,
    now: datetime,
) -> Iterator[Suspicion]:
    """An account of which nothing is known, at a network of which nothing is known, in several projects of others."""
    if past.began is None or day - past.began < SETTLED_DAYS or not past.accounts:
        return
    unknown = sorted(client for client in places if network(client) not in past.networks)
    if not unknown or any(len(moved[network(client)]) >= CROWD for client in unknown):
        return
    events = [one for client in unknown for one in done_exactly_by(store, day, day, now, actor=actor, client=client)]
    common = {name for name, many in past.projects.items() if many >= max(COMMON * len(past.accounts), 3)}
    reached = {
        one["project"]
        for one in events
        if one["action"] in (Action.PULL, Action.PUSH) and one["project"] in past.projects
    } - common
    if len(reached) < 2:
        return
    events.sort(key=lambda one: one["timestamp"])
    yield _suspicion(
        "unknown_account_reaches",
        (actor,),
        Severity.MEDIUM,
        [actor],
        events,
        _telling(events),
        title=f"{plain(actor)} is new, comes from {plain(unknown[0])}, and reaches into {len(reached)} projects",
        expected="a new account works in one project, or from a network of this registry's users",
        observed=f"{several(len(events), 'request')} in {names(sorted(map(str, reached)), 5)}",
        explanation="Nobody knew the account, nobody was ever at this address: it may have been made to get in and stay.",
        weight=len(reached),
    )


def _suspicion(
    kind: str,
    cause: tuple[str, ...],
    severity: Severity,
    actors: list[str],
    events: list[dict[str, Any]],
    evidence: list[dict[str, Any]],
    *,
    weight: int,
    title: str,
    expected: str,
    observed: str,
    explanation: str,
) -> Suspicion:
    start = events[0]["timestamp"]
    return Suspicion(
        kind=kind,
        cause=(kind, *cause, f"{start:%Y-%m-%d}"),
        severity=severity,
        start=start,
        end=events[-1]["timestamp"],
        subjects={
            "actor": actors,
            "client": sorted({one["client_ip"] for one in events if one["client_ip"]}),
            "repository": sorted({one["repository"] for one in events if one["repository"]})[:MOST_EVENTS],
        },
        score=10.0 * severity.rank + min(weight, 9),
        evidence=[one["event_id"] for one in evidence],
        title=title,
        expected=expected,
        observed=observed,
        explanation=explanation,
    )


DETECTOR = NewPlace
