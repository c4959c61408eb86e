"""A clean-up that takes what is young and leaves what is old: it has been told to, or somebody else has its password.

Notices: an account that deleted versions before, all of them behind a good number of newer ones, and now deletes at least two,
within a week, that have less than half as many newer ones behind them as any it took before in the same repository (or in any, if
it is its first there), while older ones stay, more than it ever left. Needs: logs that name the digest (or tag) of pushes and
deletes; a clean-up of five versions, a day ago at least, whose pushes are in the log. Method: bookkeeping of the order in which
versions came and went. Wakes nobody for a rule that was made stricter: what is older goes as well. Never sees: a first clean-up,
and versions of which the log has no push.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, takewhile

from analytics.detector import Suspicion
from analytics.ledger import COLUMNS, home
from analytics.replay import EPOCH
from analytics.walk import Event, Memory, Walk
from analytics.windows import DAY
from analytics.wording import duration, names, plain, several
from store.contract import EventReader
from store.event import Action, Outcome
from store.finding import Severity

KIND = "young_versions_deleted"  # the kinds of its findings
ACTIONS = (Action.PUSH, Action.DELETE)
LATELY = timedelta(days=7)  # deletes that belong together; then they are what the account does
FEWEST_BEFORE = 5  # deletes of which it is known how young they were, before it is known what an account takes
FEWEST = 2
LEAST_BEHIND = 4  # newer versions; whoever always took those with fewer behind them has no such custom
SHARE = 0.5
LEFT = 4  # older versions that stay, at least; those that something needs always stay
MANY = 10
MOST_VERSIONS = 500  # remembered of one repository
MOST_LATELY = 5_000  # deletes of one account in a day
MOST_REPOSITORIES = 500


@dataclass(slots=True)
class _Repository:
    """How many versions came so far, and of each which one it was and when."""

    count: int = 0
    versions: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    seen: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class _Deleted:
    at: datetime
    event_id: str
    home: str
    repository: str
    client: str | None
    behind: int  # versions that came after it
    left: int  # versions that came before it and are still there
    age: timedelta


@dataclass(slots=True)
class _Cleaner:
    """What an account takes: how many it took, behind how few newer ones (by repository), how many older ones it left at most. What
    it took lately is not its custom yet: what was like it for a day, what was not for a week. Oldest first.
    """

    deletes: int = 0
    least: dict[str, int] = field(default_factory=dict)
    left: int = 0
    usual: list[_Deleted] = field(default_factory=list)
    odd: list[_Deleted] = field(default_factory=list)
    seen: datetime = EPOCH

    @property
    def behind(self) -> int:
        """Newer versions that what it took had behind it, at least."""
        return min(self.least.values(), default=0)

    def enter(self, one: _Deleted) -> bool:
        """Whether it is not what the account takes."""
        fewest = self.behind
        strange = (
            self.deletes >= FEWEST_BEFORE
            and fewest >= LEAST_BEHIND
            and one.behind < SHARE * self.least.get(one.home, fewest)
            and one.left >= max(LEFT, 2 * self.left + 1)
        )
        lately = self.odd if strange else self.usual
        if len(lately) < MOST_LATELY:
            lately.append(one)
        return strange

    def learn(self, now: datetime) -> None:
        """Make what is over its custom."""
        for lately, span in ((self.usual, DAY), (self.odd, LATELY)):
            over = bisect_right(lately, now - span, key=lambda one: one.at)
            for one in lately[:over]:
                if one.home in self.least or len(self.least) < MOST_REPOSITORIES:
                    self.least[one.home] = min(self.least.get(one.home, one.behind), one.behind)
                self.left = max(self.left, one.left)
            self.deletes += over
            del lately[:over]


@dataclass(slots=True)
class YoungDeletes:
    """See the top of the file."""

    name: str = "young_deletes"
    subject: str = "actor"
    every: timedelta = timedelta(minutes=5)
    history: timedelta = timedelta(days=35)
    next_step: str = "Stop the clean-up, look at its rules and at who changed them, and put garbage collection off."
    walk: Walk = field(init=False)

    def __post_init__(self) -> None:
        columns = (*COLUMNS, "actor_kind")
        self.walk = Walk(self.name, ACTIONS, self.history, _see, outcomes=(Outcome.SUCCESS,), columns=columns)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return self.walk.between(store, since, now)


def _see(memory: Memory, event: Event) -> Iterator[Suspicion]:
    version, at = event["digest"] or event["tag"], event["timestamp"]
    if not version or not event["repository"] or event["actor_kind"] == "internal":
        return
    repositories = memory.table("repositories", _Repository)
    if event["action"] == Action.PUSH:
        _pushed(repositories[home(event)], version, at)
        return
    repository = repositories.look(home(event))
    if repository is None or version not in repository.versions:
        return
    order, came = repository.versions[version]
    left = sum(1 for _ in takewhile(lambda other: other != version, repository.versions))
    del repositories[home(event)].versions[version]
    if not event["actor"]:
        return
    cleaner = memory.table("cleaners", _Cleaner)[event["actor"]]
    cleaner.seen = at
    cleaner.learn(at)
    behind, where = repository.count - order, event["repository"]
    one = _Deleted(at, event["event_id"], home(event), where, event["client_ip"], behind, left, at - came)
    many = len(cleaner.odd) + 1
    # Told when there are enough, when there are many, and whenever there are twice as many as there were.
    if cleaner.enter(one) and many >= FEWEST and (many == MANY or many & (many - 1) == 0):
        yield _suspicion(event["actor"], cleaner)


def _pushed(repository: _Repository, version: str, at: datetime) -> None:
    repository.seen = at
    if version in repository.versions:
        return
    repository.count += 1
    repository.versions[version] = (repository.count, at)
    if len(repository.versions) > MOST_VERSIONS:
        for old in list(islice(repository.versions, MOST_VERSIONS // 5)):
            del repository.versions[old]


def _suspicion(actor: str, cleaner: _Cleaner) -> Suspicion:
    odd = cleaner.odd
    severity = Severity.HIGH if len(odd) >= MANY else Severity.MEDIUM
    where = sorted({one.repository for one in odd})
    newest, youngest = min(one.behind for one in odd), min(one.age for one in odd)
    most = max(one.left for one in odd)
    return Suspicion(
        kind=KIND,
        cause=(KIND, actor, f"{odd[0].at:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor)} deleted {several(len(odd), 'version')} of {names(where, 2)} and left older ones",
        start=odd[0].at,
        end=odd[-1].at,
        subjects={
            "actor": [actor],
            "client": sorted({one.client for one in odd if one.client})[:20],
            "repository": where[:50],
        },
        score=10.0 * severity.rank + min(len(odd) / FEWEST, 9),
        expected=f"versions with at least {cleaner.behind} newer ones behind them, and no older ones left"
        + (f" but {cleaner.left}" if cleaner.left else ""),
        observed=f"down to {newest} newer ones behind them, {duration(youngest)} old; up to {most} older ones left",
        evidence=[one.event_id for one in odd],
        explanation="A clean-up takes what many newer versions have made old. What it takes now is what one goes back to.",
    )


DETECTOR = YoungDeletes
