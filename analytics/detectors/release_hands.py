"""A version number set by who never releases there: whoever takes the highest version takes what a stranger put under it.

Notices: a whole version number (`v2.0.0`) that is pushed, for the first time, by an account that set none in the repository before,
where others set all of them; medium if it releases nothing else in the project either and nothing stands behind the number
(`1.2.3-hotfix` comes before `1.2.3`: who takes the highest version does not take it). No tag moves by it: who moves it later is
the rightful job (`tag_ledger` tells of that, and names the stranger). Needs: logs that name accounts; a week of history and four
releases of the repository. Method: bookkeeping of who sets version numbers where. Wakes nobody for a robot that was renewed
(the same name up to a number, the old one silent since), nor where several accounts began to release in repositories of others
lately: then hands change here. Never sees: a release by the rightful account with a wrong image in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.detector import Suspicion
from analytics.hands import follows_kin
from analytics.ledger import COLUMNS, home, is_prerelease, is_release, project_of
from analytics.replay import EPOCH
from analytics.walk import Event, Memory, Walk
from analytics.wording import plain, several
from store.contract import EventReader
from store.event import Action, Outcome
from store.finding import Severity

KIND = "release_by_stranger"  # the kinds of its findings
ACTIONS = (Action.PUSH, Action.TAG)
SETTLED = timedelta(days=7)  # of history, before anybody is a stranger
FEWEST = 4  # releases of others, before a repository has its usual hands
STILL = timedelta(days=1)  # a stranger's further releases belong to the first
CUSTOM = 3  # accounts that began to release where others do, within the history: then hands change here
MOST_TAGS = 2_000
HISTORY = timedelta(days=45)


@dataclass(slots=True)
class _Releaser:
    """An account that sets version numbers: since when, until when, how many."""

    first: datetime
    last: datetime
    releases: int = 0


@dataclass(slots=True)
class _Repository:
    """Version numbers that were set, and by whom."""

    tags: set[str] = field(default_factory=set)
    releasers: dict[str, _Releaser] = field(default_factory=dict)
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Project:
    """Account → its first and last release in any repository of the project."""

    releasers: dict[str, _Releaser] = field(default_factory=dict)
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Began:
    """Account → when it last began to release in a repository of others."""

    accounts: dict[str, datetime] = field(default_factory=dict)
    seen: datetime = EPOCH


@dataclass(slots=True)
class ReleaseHands:
    """See the top of the file."""

    name: str = "release_hands"
    subject: str = "repository"
    every: timedelta = timedelta(minutes=1)
    history: timedelta = HISTORY
    next_step: str = (
        "Ask the account, and whoever releases here; until it is clear remove the tag, and let nothing run it."
    )
    walk: Walk = field(init=False)

    def __post_init__(self) -> None:
        columns = (*COLUMNS, "project", "actor_kind")
        self.walk = Walk(self.name, ACTIONS, self.history, _see, outcomes=(Outcome.SUCCESS,), columns=columns)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return self.walk.between(store, since, now)


def _see(memory: Memory, event: Event) -> Iterator[Suspicion]:
    tag, actor, at = event["tag"], event["actor"], event["timestamp"]
    if not tag or not actor or not event["repository"] or event["actor_kind"] == "internal" or not is_release(tag):
        return
    repository = memory.table("repositories", _Repository)[home(event)]
    project = memory.table("projects", _Project)[event.get("registry"), project_of(event)]
    mine = repository.releasers.get(actor)
    others = sum(one.releases for name, one in repository.releasers.items() if name != actor)
    stranger = mine is None or (at - mine.first <= STILL and mine.releases < others)
    if stranger and others >= FEWEST and tag not in repository.tags and memory.reaches_back(at, SETTLED):
        yield _suspicion(memory, event, repository, project, others)
    for releasers in (repository.releasers, project.releasers):
        own = releasers.setdefault(actor, _Releaser(at, at))
        own.last, own.releases = at, own.releases + 1
    if len(repository.tags) < MOST_TAGS:
        repository.tags.add(tag)
    repository.seen = project.seen = at


def _suspicion(memory: Memory, event: Event, repository: _Repository, project: _Project, others: int) -> Suspicion:
    tag, actor, at = event["tag"], event["actor"], event["timestamp"]
    began = memory.table("began", _Began)["all"]
    began.accounts = {name: when for name, when in began.accounts.items() if at - when <= HISTORY}
    custom = len(began.accounts.keys() - {actor}) >= CUSTOM
    began.accounts[actor], began.seen = at, at
    around = project.releasers.get(actor)
    near = around is not None and at - around.first > STILL
    last = {name: one.last for name, one in repository.releasers.items() if name != actor}
    again = follows_kin(actor, around.first if around is not None else at, last)
    before = is_prerelease(tag)
    severity = Severity.LOW if near or custom or again or before else Severity.MEDIUM
    usual = sorted(last)
    name = f"{plain(event['repository'])}:{plain(tag)}"
    why = (
        "It has a word behind its number: only who asks for it takes it. "
        if before
        else "Whoever takes the highest version takes this one, and the release job comes too late or overwrites it. "
    )
    why += "The account releases other repositories of the project. " if near else ""
    why += "An account of nearly the same name did so before and is silent since: it was renewed. " if again else ""
    why += "Several accounts began to release in repositories of others lately. " if custom else ""
    return Suspicion(
        kind=KIND,
        cause=(KIND, event["repository"], actor, f"{at:%Y-%m-%d}"),
        severity=severity,
        title=f"{name} was released by {plain(actor)}, who never released there",
        start=at,
        end=at,
        subjects={
            "actor": [actor],
            "client": [event["client_ip"]] if event["client_ip"] else [],
            "repository": [event["repository"]],
        },
        score=10.0 * severity.rank + min(others, 9),
        expected=f"releases by {several(len(usual), 'account')} that made the {others} before"
        + (f": {plain(usual[0])}" if len(usual) == 1 else ""),
        observed=f"{plain(tag)}, by {plain(actor)}",
        evidence=[event["event_id"]],
        explanation=why.strip(),
    )


DETECTOR = ReleaseHands
