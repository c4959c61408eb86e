"""Images that were deleted though they run, and images that were deleted and are there again.

Notices: a digest that is deleted within a day of its last pull by a cluster (where no tools are logged, its second one by an
account that never pushes), or that somebody who ran it asks for in vain within a week; a digest that one account took away and
another one put back, told by the push or by the first answer under it. Needs: logs that name the digest of what is deleted, and
of what is pulled; a week of history, and of the account's. Method: exact bookkeeping of deletes, pulls and answers, per repository
and digest. Low: an account that only cleans up, or that deletes at this hour on three days of a month, until somebody misses what
it took; what comes back after it was missed or went
with many others, for that is repair. Quiet for what a clean-up deleted and a build or mirror brings again, and for who puts back
what was its own to delete. Never sees: deletes by tag alone, and a digest that comes back in another repository.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.account_day import AccountDay
from analytics.clean_ups import HISTORY, CleanUps
from analytics.detector import Suspicion
from analytics.ledger import PULL, SUCCESS, home
from analytics.replay import EPOCH
from analytics.walk import Event, Memory, Walk
from analytics.wording import names, plain, several
from store.contract import EventReader
from store.event import NOT_USE, Action, Outcome, Traffic
from store.finding import Severity

IN_USE, BACK = "image_in_use_deleted", "deleted_image_returns"  # the kinds of its findings
LATELY = timedelta(days=1)  # since a pull: what was pulled so lately runs
MISSED = timedelta(days=7)  # after a delete, in which somebody may ask for what is gone
MANY = 5  # deletes of one account on a day: damage or tidying up, nothing that was withdrawn
SURE = 2  # pulls of one account, each within a day, where no tool says that it is a cluster: several nodes
AT_ONCE = timedelta(minutes=1)  # lines of one moment in any order
SETTLED = timedelta(days=7)  # of history, and of an account's: one that was made for a migration tidies up behind it
_ASKS = (Action.PULL, Action.CHECK)
_PUSH, _DELETE = Action.PUSH.value, Action.DELETE.value  # plain words, as `analytics.ledger.PULL`


@dataclass(slots=True)
class _Use:
    """The last pull of a digest by who runs images, and how many there were of that account's in a row, each within a day."""

    who: str = ""
    pulls: int = 0
    at: datetime = EPOCH

    @property
    def seen(self) -> datetime:
        """So that it is forgotten when nobody is told of it any more: there are as many as images that were pulled."""
        return self.at - HISTORY + LATELY + MISSED


@dataclass(slots=True)
class _Gone:
    """A digest that was deleted. `missed`: whether it ran, or somebody asked for it since."""

    who: str = ""
    cleaner: bool = False
    seen: datetime = EPOCH
    event_id: str = ""
    missed: bool = False
    asked: bool = False  # in vain, and that was told
    back: bool = False


@dataclass(slots=True)
class _Account:
    """Since when it is known, whether it ever pulled and pushed; what it deleted today, what of it runs, what it brought back."""

    first: datetime = EPOCH
    pulls: bool = False
    pushes: bool = False
    day: datetime = EPOCH  # of the last delete
    deletes: int = 0  # on that day
    clean_ups: CleanUps = field(default_factory=CleanUps)
    taken: AccountDay = field(default_factory=AccountDay)
    missing: int = 0  # of the events of `taken`: somebody asked in vain
    brought: AccountDay = field(default_factory=AccountDay)
    seen: datetime = EPOCH

    def delete(self, at: datetime) -> None:
        """Enter that it deleted something."""
        self.deletes = self.deletes + 1 if self.day.date() == at.date() else 1
        self.day = at
        self.clean_ups.enter(at)

    def take(self, event: Event, *, missing: bool) -> None:
        """Enter what tells of a delete of what runs: the delete, or that somebody misses it."""
        taken = self.taken.enter(event)
        self.missing = (self.missing if taken is self.taken else 0) + missing
        self.taken = taken


@dataclass(slots=True)
class _Push:
    """The last push to a repository."""

    event: Event = field(default_factory=dict)
    seen: datetime = EPOCH


@dataclass(slots=True)
class RemovedImages:
    """See the top of the file."""

    name: str = "removed_images"
    subject: str = "actor"
    every: timedelta = timedelta(minutes=1)
    history: timedelta = HISTORY
    next_step: str = (
        "Ask whoever deleted it. What runs: push the same digest again. What came back: look at why it was taken away, and at "
        "what runs it (`regsight blast --digest`)."
    )
    walk: Walk = field(init=False)

    def __post_init__(self) -> None:
        columns = (
            "event_id", "timestamp", "action", "outcome", "reason", "registry", "repository", "digest", "actor", "actor_kind",
            "client_ip", "traffic_class",
        )  # fmt: skip
        actions = (*_ASKS, Action.PUSH, Action.TAG, Action.DELETE)
        outcomes = (Outcome.SUCCESS, Outcome.FAILURE)
        self.walk = Walk(self.name, actions, self.history, _see, outcomes=outcomes, columns=columns)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return self.walk.between(store, since, now)


def _see(memory: Memory, event: Event) -> Iterable[Suspicion]:
    who = event["actor"] or event["client_ip"]
    if not who or not event["repository"] or event["actor_kind"] == "internal":
        return ()
    key, served = (home(event), event["digest"]), event["outcome"] == SUCCESS
    if served:
        _enter(memory, event, who)
    if event["action"] == _DELETE:
        return _deleted(memory, event, who, key) if served and event["digest"] else ()
    if not event["digest"]:
        return ()
    found: list[Suspicion] = []
    gone = memory.table("gone", _Gone).look(key)
    if gone is not None and not gone.back and event["timestamp"] - gone.seen > AT_ONCE:
        if served:
            found += _returned(memory, event, who, key)
        elif event["reason"] == "not_found" and event["timestamp"] - gone.seen <= MISSED:
            found += _missed(memory, event, who, key)
    if served and event["action"] == PULL and _runs(memory, event, who):
        _used(memory, event, who, key)
    return found


def _used(memory: Memory, event: Event, who: str, key: tuple[str, str]) -> None:
    use, sure = memory.table("uses", _Use)[key], bool(event["traffic_class"])
    again = use.who == who and event["timestamp"] - use.at <= LATELY
    use.pulls = SURE if sure else use.pulls + 1 if again else 1
    use.who, use.at = who, event["timestamp"]


def _runs(memory: Memory, event: Event, who: str) -> bool:
    if event["traffic_class"]:
        return bool(event["traffic_class"] == Traffic.CLUSTER)
    account = memory.table("accounts", _Account).look(who)
    return account is None or not account.pushes


def _enter(memory: Memory, event: Event, who: str) -> None:
    """That the account is there, and works with images; written down once a day."""
    at, action = event["timestamp"], event["action"]
    known = memory.table("accounts", _Account).look(who)
    if known is not None and at - known.seen <= LATELY:
        news = (not known.pushes and action == _PUSH) or (not known.pulls and action == PULL)
    else:
        news = True
    if news:
        account = memory.table("accounts", _Account)[who]
        account.first = at if known is None else account.first
        account.seen = at
        account.pushes = account.pushes or action == _PUSH
        account.pulls = account.pulls or action == PULL
    if action == _PUSH:
        there = memory.table("pushes", _Push)[home(event)]
        there.event, there.seen = event, at


def _deleted(memory: Memory, event: Event, who: str, key: tuple[str, str]) -> Iterator[Suspicion]:
    at, account = event["timestamp"], memory.table("accounts", _Account)[who]
    cleaner = not account.pulls and not account.pushes
    young = at - account.first < SETTLED or not memory.reaches_back(at, SETTLED)
    use = memory.table("uses", _Use).look(key)
    runs = use is not None and use.pulls >= SURE and use.who != who and at - use.at <= LATELY
    gone = memory.table("gone", _Gone)[key]
    usual = account.clean_ups.usual(at)
    account.delete(at)
    gone.who, gone.cleaner, gone.seen, gone.event_id = who, cleaner, at, event["event_id"]
    gone.missed, gone.asked, gone.back = runs, False, False
    if runs:
        account.take(event, missing=False)
        yield _in_use(event, who, account, Severity.LOW if cleaner or young or usual else Severity.MEDIUM, at)


def _missed(memory: Memory, event: Event, who: str, key: tuple[str, str]) -> Iterator[Suspicion]:
    """Somebody who ran it asks for it in vain."""
    at, gone, use = event["timestamp"], memory.table("gone", _Gone)[key], memory.table("uses", _Use).look(key)
    if use is None or use.who != who or gone.who == who or gone.asked:
        return
    account = memory.table("accounts", _Account)[gone.who]
    gone.missed = gone.asked = True
    account.take(event, missing=True)
    yield _in_use(event, gone.who, account, Severity.MEDIUM, at)


def _returned(memory: Memory, event: Event, who: str, key: tuple[str, str]) -> Iterator[Suspicion]:
    """It is there again: by a push that says so, or by one before that names no digest."""
    at, gone = event["timestamp"], memory.table("gone", _Gone)[key]
    push = memory.table("pushes", _Push).look(key[0])
    put = event if event["action"] == Action.PUSH else None
    if put is None and push is not None and push.seen > gone.seen and not push.event["digest"]:
        put = push.event
    gone.back = True
    if put is None or gone.cleaner or put["traffic_class"] in NOT_USE:
        return
    bringer = put["actor"] or put["client_ip"]
    if bringer == gone.who:
        return
    account = memory.table("accounts", _Account)[bringer]
    account.brought = account.brought.enter(put)
    if event is not put:
        account.brought = account.brought.enter(event | {"client_ip": None})  # whoever asked brought nothing
    thief = memory.table("accounts", _Account).look(gone.who)
    many = thief is not None and thief.deletes >= MANY and thief.day.date() == gone.seen.date()
    yield _back(put, bringer, gone, account, at, repair=gone.missed or many)


def _in_use(event: Event, who: str, account: _Account, severity: Severity, at: datetime) -> Suspicion:
    taken, asked = account.taken, account.missing
    many = len(taken.evidence) - asked
    seen = f"{several(max(many, 1), 'delete')} in {names(sorted(taken.repositories), 4)}"
    return Suspicion(
        kind=IN_USE,
        cause=(IN_USE, who, f"{taken.day:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(who)} deleted images that run, of {names(sorted(taken.repositories), 2)}",
        start=taken.start,
        end=at,
        subjects=taken.subjects(who if event["actor"] else None),
        score=10.0 * severity.rank + min(len(taken.evidence), 9),
        expected="what clusters pulled within a day, or still ask for, is kept",
        observed=seen + (f"; {several(asked, 'of them is', 'of them are')} asked for in vain since" if asked else ""),
        evidence=list(taken.evidence),
        explanation="Nodes that start anew cannot get it: an outage that waits for the next restart. Somebody does damage, or "
        "cleans up without knowing what runs.",
    )


def _back(put: Event, bringer: str, gone: _Gone, account: _Account, at: datetime, *, repair: bool) -> Suspicion:
    severity = Severity.LOW if repair else Severity.MEDIUM
    brought = account.brought
    why = (
        "It was missed, or one of many that went at once: this is most likely the repair."
        if repair
        else "What is taken away by its digest is meant to be gone, as an image with a hole is. A build makes another digest: "
        "whoever puts the same one back has kept it."
    )
    return Suspicion(
        kind=BACK,
        cause=(BACK, bringer, f"{brought.day:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(bringer)} brought back what {plain(gone.who)} had deleted from {names(sorted(brought.repositories), 2)}",
        start=brought.start,
        end=at,
        subjects=brought.subjects(bringer if put["actor"] else None),
        score=10.0 * severity.rank + min(len(brought.evidence), 9),
        expected="a digest that was deleted stays away",
        observed=f"{plain(str(put['digest'] or 'the same digest'))}, deleted {gone.seen:%Y-%m-%d %H:%M} UTC",
        evidence=[*brought.evidence, gone.event_id],
        explanation=why,
    )


DETECTOR = RemovedImages
