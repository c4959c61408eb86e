"""What pushes of a moving tag always had beside them, and a push that lacks it.

A companion is what a build does without thinking of it: its base image fetched before, another tag beside, a signature, a scan, one
of the usual tools. A push is judged `AFTER` it, when all have had their time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.approvals import Image, Project
from analytics.detector import Suspicion
from analytics.ledger import Tag, home, is_release, network, project_of
from analytics.replay import EPOCH
from analytics.walk import Event, Memory
from analytics.wording import plain
from store.finding import Severity

FEWEST_PUSHES = 8
BUILD = timedelta(minutes=60)  # the base image is fetched at most so long before
BESIDE = timedelta(minutes=5)
LOOKED = 8  # images at which an account looked last: who signs one has its tag or digest resolved first
MOST_PUSHED = 1_000  # by one account, within that time
BREATH = timedelta(seconds=30)  # all tags of one push
AFTER = timedelta(minutes=65)  # signatures and scans follow within an hour
COMPANIONS = {
    "base": "the build fetched its base image before",
    "beside": "another tag was pushed beside it",
    "signed": "a signature followed",
    "scanned": "a scan followed",
    "tool": "it was pushed with one of the usual tools",
}


@dataclass(slots=True)
class Habit:
    """Pushes of a moving tag, and how many of them had each companion."""

    pushes: int = 0
    had: dict[str, int] = field(default_factory=dict)
    judged: dict[str, int] = field(default_factory=dict)
    actors: set[str] = field(default_factory=set)
    tools: set[str] = field(default_factory=set)
    seen: datetime = EPOCH


@dataclass(slots=True)
class Account:
    """When an account last fetched what it does not push, what it pushed lately, and at which images it looked last."""

    fetched: datetime = EPOCH
    looked: list[tuple[str, str]] = field(default_factory=list)
    pushed: list[tuple[datetime, str, str]] = field(default_factory=list)
    seen: datetime = EPOCH


@dataclass(slots=True)
class Lately:
    """When a repository was pushed to and signed for, as long as a signature is waited for."""

    pushes: list[datetime] = field(default_factory=list)
    signatures: list[datetime] = field(default_factory=list)
    unsaid: dict[str, datetime] = field(default_factory=dict)  # tag → push of an image that no line names
    nameless: datetime = EPOCH  # the last push whose line names no image
    seen: datetime = EPOCH

    def signed(self, push: datetime) -> bool:
        """Whether a signature came before the next push: where no line says which image a push made, it was for this one."""
        following = next((at for at in self.pushes if at > push + BREATH), push + AFTER)
        return any(push <= at <= following for at in self.signatures)


@dataclass(frozen=True, slots=True)
class Push:
    """A push of a moving tag that is judged when its companions have had their time."""

    repository: str
    tag: str
    at: datetime
    actor: str
    client: str | None
    tool: str | None
    event_id: str
    base: bool
    known_here: bool
    home: str  # the repository of its registry, as the ledger keeps it


def looked(memory: Memory, event: Event) -> None:
    """Somebody fetched an image, or asked for it."""
    if not event["actor"]:
        return
    at, repository = event["timestamp"], event["repository"]
    actor = memory.table("actors", Account)[event["actor"]]
    actor.seen = at
    if not any(pushed == repository for _, pushed, _ in actor.pushed):
        actor.fetched = at
    if event["digest"]:
        actor.looked = [*actor.looked[1 - LOOKED :], (repository, event["digest"])]


def lately_at(memory: Memory, repository: str, at: datetime) -> Lately:
    lately = memory.table("lately", Lately)[repository]
    lately.seen = at
    for times in (lately.pushes, lately.signatures):
        while times and times[0] < at - 2 * AFTER:
            del times[0]
    for tag in [tag for tag, pushed in lately.unsaid.items() if pushed < at - AFTER]:
        del lately.unsaid[tag]
    return lately


def tag_pushed(memory: Memory, event: Event) -> None:
    at, name, repository, tag = event["timestamp"], event["actor"], event["repository"], event["tag"]
    actor = memory.table("actors", Account)[name]
    project = memory.table("projects", Project)[project_of(event)]
    last, days = project.pushers.get(name, (EPOCH, 0))
    place = (name, network(event["client_ip"])) if event["client_ip"] else None
    if not is_release(tag) and not _looks_unique(tag):
        known_here = days >= 2 and (place is None or place in project.networks)
        base = at - actor.fetched <= BUILD
        client, tool, id = event["client_ip"], event["client_class"], event["event_id"]
        push = Push(repository, tag, at, name, client, tool, id, base, known_here, home(event))
        memory.wait(at + AFTER, push)
    project.pushers[name] = (at, days + (last.date() != at.date()))
    if place and len(project.networks) < 2000:
        project.networks.add(place)
    # All of the time in which companions are waited for, however busy the builder: what is forgotten seems to be missing.
    kept = [one for one in actor.pushed if one[0] >= at - AFTER - BESIDE][-MOST_PUSHED:]
    actor.pushed = [*kept, (at, repository, tag)]
    actor.seen = project.seen = at


def _looks_unique(tag: str) -> bool:
    """A commit, a build number or a date: pushed once, so there is no habit to speak of."""
    return re.search(r"[0-9a-f]{7,}|\d{4,}", tag) is not None


def alone_or_not(memory: Memory, at: datetime, push: Push) -> Iterator[Suspicion]:
    habit = memory.table("habits", Habit)[push.repository, push.tag]
    had = _companions(memory, push, habit)
    enough = habit.pushes >= FEWEST_PUSHES
    missing = [
        name
        for name, there in had.items()
        if there is False
        and habit.judged.get(name, 0) >= FEWEST_PUSHES
        and habit.had.get(name, 0) >= habit.judged[name]
    ]
    stranger = push.actor not in habit.actors
    if enough and missing:
        yield _alone(push, habit, missing, stranger, at)
    habit.pushes += 1
    habit.seen = at
    for name, there in had.items():
        if there is not None:
            habit.judged[name] = habit.judged.get(name, 0) + 1
            habit.had[name] = habit.had.get(name, 0) + there
    habit.actors.add(push.actor)
    if push.tool:
        habit.tools.add(push.tool)


def _companions(memory: Memory, push: Push, habit: Habit) -> dict[str, bool | None]:
    """Companion → whether the push had it; None where it cannot be said."""
    actor = memory.table("actors", Account).look(push.actor)
    beside = any(
        repository == push.repository and tag != push.tag and abs(when - push.at) <= BESIDE
        for when, repository, tag in (actor.pushed if actor else ())
    )
    tag = memory.table("tags", Tag).look((push.home, push.tag))
    digest = next((one.digest for one in reversed(tag.settings) if one.at == push.at), "") if tag else ""
    image = memory.table("images", Image).look((push.repository, digest)) if digest else None
    return {
        "base": push.base,
        "beside": beside,
        "signed": lately_at(memory, push.repository, push.at).signed(push.at)
        if image is None
        else image.signed is not None,
        "scanned": None if image is None else image.scanned is not None,
        "tool": None if push.tool is None or not habit.tools else push.tool in habit.tools,
    }


def _alone(push: Push, habit: Habit, missing: list[str], stranger: bool, at: datetime) -> Suspicion:
    weight = len(missing) + stranger
    severity = Severity.HIGH if weight >= 3 and stranger else Severity.MEDIUM if weight >= 2 else Severity.LOW
    if stranger and push.known_here:
        severity = Severity.LOW  # somebody who pushes in this project by hand, as in a night of trouble
    absent = "; ".join(COMPANIONS[name] for name in missing)
    return Suspicion(
        kind="push_without_companions",
        cause=("push_without_companions", push.repository, push.tag, push.event_id),
        severity=severity,
        title=f"{plain(push.repository)}:{plain(push.tag)} was pushed by {plain(push.actor)} without what its pushes always had",
        start=push.at,
        end=at,
        subjects={
            "actor": [push.actor],
            "client": [push.client] if push.client else [],
            "repository": [push.repository],
        },
        score=10.0 * severity.rank + weight,
        expected=f"at all of the {habit.pushes} pushes before: {absent}",
        observed=f"missing: {', '.join(missing)}" + ("; the account never pushed this tag" if stranger else ""),
        evidence=[push.event_id],
        explanation="A push outside the build leaves out what the build does without thinking of it.",
    )
