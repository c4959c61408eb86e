"""Layers looked for in repositories of others: whoever is told that a layer is there knows who has the hole that is in it.

Notices: an account (an address, where no account is named) that asks whether layers are there, in four repositories within three
days to which it never pushed and does not within the hour after. A build asks where it is about to push, and clients that pull do
not ask. Needs: logs that tell of questions about layers (HEAD); a week of history. Method: exact bookkeeping of who pushes where.
Leaves out nodes, mirrors and scanners, by their tool. Quiet for who did so on two days, a week and more ago: then it is its task.
Never sees: fewer repositories, and questions by way of whole manifests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.account_day import with_day
from analytics.detector import Suspicion
from analytics.ledger import home
from analytics.replay import EPOCH
from analytics.walk import Event, Memory, Walk
from analytics.wording import names, plain, several
from store.contract import EventReader
from store.event import NOT_USE, Action, Outcome, Traffic
from store.finding import Severity

KIND = "layers_looked_for"  # the kinds of its findings
_STORES = (Action.PUSH, Action.LAYER_UPLOAD, Action.MOUNT)
_NO_BUILD = frozenset((*NOT_USE, Traffic.CLUSTER))
SETTLED = timedelta(days=7)  # of history, before it is known who pushes where
PATIENCE = timedelta(hours=1)  # in which a push follows its questions
LATELY = timedelta(days=3)  # over which repositories add up
FEWEST = 4
MANY = 20  # repositories, for which nobody has an everyday reason
HABIT, LONG_AGO = 2, timedelta(days=7)
MOST = 500  # repositories and days remembered of one account
MOST_EVIDENCE = 200


@dataclass(slots=True)
class _Own:
    """That somebody stores things in a repository."""

    seen: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class _Look:
    """The first question of somebody about layers of a repository; a push is waited for."""

    at: datetime
    who: str
    named: bool
    client: str | None
    home: str
    repository: str
    event_id: str


@dataclass(slots=True)
class _Asker:
    """Repositories whose layers somebody asked for lately and stored nothing. Days on which these were many."""

    asked: dict[str, datetime] = field(default_factory=dict)  # when last; a push may still follow
    looked: dict[str, _Look] = field(default_factory=dict)
    days: list[datetime] = field(default_factory=list)
    seen: datetime = EPOCH


@dataclass(slots=True)
class LayerSoundings:
    """See the top of the file."""

    name: str = "layer_soundings"
    subject: str = "actor"
    every: timedelta = timedelta(minutes=5)
    history: timedelta = timedelta(days=28)
    next_step: str = "Ask the account's owner; look at which layer was asked for, and mend the images that have it."
    walk: Walk = field(init=False)

    def __post_init__(self) -> None:
        columns = (
            "event_id", "timestamp", "action", "outcome", "registry", "repository", "actor", "actor_kind", "client_ip",
            "traffic_class",
        )  # fmt: skip
        outcomes = (Outcome.SUCCESS, Outcome.FAILURE)
        actions = (Action.LAYER_CHECK, *_STORES)
        self.walk = Walk(self.name, actions, self.history, _see, _late, outcomes=outcomes, columns=columns)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return self.walk.between(store, since, now)


def _see(memory: Memory, event: Event) -> Iterator[Suspicion]:
    who, at = event["actor"] or event["client_ip"], event["timestamp"]
    if not who or not event["repository"] or event["actor_kind"] == "internal":
        return
    there, whose = home(event), (event["actor"], event["client_ip"])
    if event["action"] in _STORES:
        if event["outcome"] == Outcome.SUCCESS:
            _stores(memory, whose, there, at)
        return
    if event["traffic_class"] in _NO_BUILD or _owns(memory, whose, there):
        return
    asker = memory.table("askers", _Asker)[who]
    if at - asker.asked.get(there, EPOCH) > PATIENCE and len(asker.asked) < MOST:
        asker.asked[there] = asker.seen = at
        look = _Look(at, who, bool(event["actor"]), event["client_ip"], there, event["repository"], event["event_id"])
        memory.wait(at + PATIENCE, look)
    yield from ()


def _stores(memory: Memory, whose: Iterable[str | None], there: str, at: datetime) -> None:
    """As an account and at an address: where a log names who asks, it need not name who pushes."""
    own = memory.table("own", _Own)
    for name in filter(None, whose):
        known = own.look((name, there))
        if known is None or known.seen.date() != at.date():
            own[name, there] = _Own(at)


def _owns(memory: Memory, whose: Iterable[str | None], there: str) -> bool:
    own = memory.table("own", _Own)
    return any(own.look((name, there)) is not None for name in filter(None, whose))


def _late(memory: Memory, at: datetime, look: _Look) -> Iterator[Suspicion]:
    """Whether nothing was stored where the layers were asked for."""
    asker = memory.table("askers", _Asker)[look.who]
    asker.asked = {there: when for there, when in asker.asked.items() if at - when <= PATIENCE}
    if _owns(memory, (look.who, look.client), look.home):
        return
    asker.looked = {there: one for there, one in asker.looked.items() if look.at - one.at <= LATELY}
    again = look.home in asker.looked
    if not again and len(asker.looked) < MOST:
        asker.looked[look.home] = look
    asker.seen = at
    if len(asker.looked) < FEWEST:
        return
    usual = sum(at - one >= LONG_AGO for one in asker.days) >= HABIT
    asker.days = with_day(asker.days, at, MOST)
    if again or not memory.reaches_back(at, SETTLED):
        return
    yield _suspicion(look, list(asker.looked.values()), usual, at)


def _suspicion(last: _Look, looks: list[_Look], usual: bool, at: datetime) -> Suspicion:
    repositories, many = sorted({one.repository for one in looks}), len(looks)
    severity = Severity.LOW if usual else Severity.HIGH if many >= MANY else Severity.MEDIUM
    return Suspicion(
        kind=KIND,
        cause=(KIND, last.who, f"{at:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(last.who)} asked for layers in {several(many, 'repository', 'repositories')} of others and pushed to none",
        start=min(one.at for one in looks),
        end=at,
        subjects={
            "actor": [last.who] if last.named else [],
            "client": sorted({one.client for one in looks if one.client}),
            "repository": repositories,
        },
        score=10.0 * severity.rank + min(many, 9),
        expected="who asks whether layers are there pushes there within the hour, or did before",
        observed=f"questions about layers of {names(repositories, 4)}, within {LATELY.days} days",
        evidence=[one.event_id for one in looks][:MOST_EVIDENCE],
        explanation="A layer with a known hole is looked for: where it is answered for, the images on it can be attacked."
        + (" It has been asking so for a while." if usual else ""),
    )


DETECTOR = LayerSoundings
