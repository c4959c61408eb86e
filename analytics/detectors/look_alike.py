"""Repositories whose name looks like that of a popular one, by somebody else: bait for typing errors.

Notices: the first push to a new repository whose name differs from a known, well-used one by a letter, by two changed places,
or by signs that look alike (0 and o, 1 and l, rn and m); the first pull, through a cache that nobody pushes to, of an image
that is called like one of the registry's own: somebody has put it where the cache fetches from. Told loudly only if the account
never pushed to the project of the original. Needs: logs that name accounts, or addresses. Method: edit distance (Damerau, one
step; two in long names) of the one part of the name that differs, and equal skeletons of confusable signs (as in Unicode
Technical Standard 39, its Latin part). Never sees: bait in another registry that nobody here pulls.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from string import digits
from typing import TYPE_CHECKING, Any

from analytics.daily import each_day, learned
from analytics.detector import Suspicion
from analytics.windows import DAY
from analytics.wording import plain
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

if TYPE_CHECKING:
    import pandas as pd

CELL = timedelta(minutes=5)
MOST_EVENTS = 50
FEWEST_PULLS = 20
FEWEST_CACHED = 3  # repositories of a project that nobody pushes to: then it is a cache
OLD = timedelta(days=3)  # younger names are nobody's habit yet
SHORTEST = 4  # signs of a part; shorter ones differ by one sign all the time
LONG = 9  # from here on two steps are still near
_BETWEEN = re.compile(r"[/._-]+")
_ALIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("3", "e"), ("8", "b"))


@dataclass(frozen=True, slots=True)
class _Known:
    """What the days before say: repositories by name, with pulls, and who pushed to which project."""

    pulls: dict[str, int]
    first: dict[str, datetime]
    pushers: frozenset[tuple[str, str]]
    made: dict[str, tuple[str, ...]]  # last part of the name → repositories that are pushed to here
    caches: frozenset[str]  # projects that are only ever pulled from


@dataclass(slots=True)
class LookAlike:
    """See the top of the file."""

    name: str = "look_alike"
    subject: str = "repository"
    every: timedelta = CELL
    history: timedelta = timedelta(days=30)
    next_step: str = "Ask the account what the repository is for; see who pulled it (`regsight blast --repository`)."
    _learned: dict[datetime, _Known] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            start, end = max(since, day), min(day + DAY, now)
            pushes = _pushes(store, day, end)
            if any(event["timestamp"] >= start for event in pushes):
                found += _judge(pushes, start, self._known(store, day))
            if len(_pulled(store, start, end)):
                found += _from_outside(store, self._known(store, day), day, start, end)
        return found

    def _known(self, store: EventReader, day: datetime) -> _Known:
        return learned(store, self.name, day, self._learned, lambda: _known(store, day - self.history, day))


def _pushes(store: EventReader, since: datetime, until: datetime) -> list[dict[str, Any]]:
    query = EventQuery(since=since, until=until, action=(Action.PUSH,), outcome=(Outcome.SUCCESS,))
    return [event for event in store.events(query) if event["repository"]]


def _pulled(store: EventReader, since: datetime, until: datetime) -> set[str]:
    frame = store.counts(since, until, ("repository", "action", "outcome"), CELL)
    done = frame[(frame["outcome"] == Outcome.SUCCESS) & (frame["action"] == Action.PULL)]
    return set(map(str, done["repository"].dropna()))


def _from_outside(
    store: EventReader, known: _Known, day: datetime, start: datetime, now: datetime
) -> Iterator[Suspicion]:
    """Names of one's own that come through a cache, where they never did."""
    for name in sorted(_pulled(store, start, now) - known.first.keys()):
        project, _, rest = name.partition("/")
        originals = known.made.get(rest.rpartition("/")[2], ())
        if project not in known.caches or not originals:
            continue
        query = EventQuery(
            since=day, until=now, action=(Action.PULL,), outcome=(Outcome.SUCCESS,), repository=name, limit=MOST_EVENTS
        )
        events = [event for event in store.events(query) if event["repository"] == name]
        if events:
            yield _taken_from_outside(name, originals, events)


def _taken_from_outside(name: str, originals: tuple[str, ...], events: list[dict[str, Any]]) -> Suspicion:
    subjects = {"actor": "actor", "client": "client_ip"}
    return Suspicion(
        kind="own_name_from_outside",
        cause=("own_name_from_outside", name),
        severity=Severity.HIGH,
        title=f"{plain(name)} came through the cache; {plain(originals[0])} is one of our own",
        start=events[0]["timestamp"],
        end=events[-1]["timestamp"],
        subjects={key: sorted({one[column] for one in events if one[column]}) for key, column in subjects.items()}
        | {"repository": [name]},
        score=10.0 * Severity.HIGH.rank + min(len(events), 9),
        expected=f"{plain(originals[0])} is pulled from where it is pushed to",
        observed=f"pulled {len(events)} times under {plain(name)}, of a project that nobody pushes to",
        evidence=[str(one["event_id"]) for one in events],
        explanation="Somebody may have put an image of that name where the cache fetches from, and a wrong path took it.",
        next_step="Compare the digest with that of one's own image; take the name off the cache and pull by full path.",
    )


def _known(store: EventReader, since: datetime, until: datetime) -> _Known:
    frame = store.counts(since, until, ("repository", "actor", "action", "outcome"), DAY)
    done = frame[(frame["outcome"] == Outcome.SUCCESS) & frame["repository"].notna()]
    pulled = done[done["action"] == Action.PULL].groupby("repository")["events"].sum()
    pushed: pd.DataFrame = done[(done["action"] == Action.PUSH) & done["actor"].notna()]
    first = done.groupby("repository")["window_start"].min()
    pushes = {str(repository) for repository in done.loc[done["action"] == Action.PUSH, "repository"]}
    own = {name.partition("/")[0] for name in pushes}
    made: dict[str, list[str]] = {}
    cached: dict[str, int] = {}
    for name in sorted({str(repository) for repository in done["repository"]}):
        project, _, rest = name.partition("/")
        if project in own:
            made.setdefault(rest.rpartition("/")[2] or project, []).append(name)
        else:
            cached[project] = cached.get(project, 0) + 1
    return _Known(
        made={last: tuple(some) for last, some in made.items()},
        caches=frozenset(name for name, many in cached.items() if many >= FEWEST_CACHED),
        pulls={str(name): int(many) for name, many in pulled.items()},
        first={str(name): moment.to_pydatetime() for name, moment in first.items()},
        pushers=frozenset(
            (str(actor), str(repository).partition("/")[0])
            for actor, repository in zip(pushed["actor"], pushed["repository"], strict=True)
        ),
    )


def _judge(pushes: list[dict[str, Any]], start: datetime, known: _Known) -> Iterator[Suspicion]:
    seen: set[str] = set()
    for event in pushes:
        name = str(event["repository"])
        if name in known.first or name in seen:
            continue
        seen.add(name)
        if event["timestamp"] < start:
            continue
        originals = [
            (many, other, how)
            for other, many in known.pulls.items()
            if many >= FEWEST_PULLS and event["timestamp"] - known.first[other] >= OLD and (how := alike(name, other))
        ]
        if originals:
            yield _suspicion(event, *max(originals), known)


def alike(name: str, other: str) -> str:
    """How two names look alike; empty if they do not. Names that count (`api-1`, `api-2`) and plurals are not alike."""
    ours, theirs = _BETWEEN.split(name.casefold()), _BETWEEN.split(other.casefold())
    if name == other:
        return ""
    if ours == theirs or "".join(ours) == "".join(theirs):
        return "the same but for signs between the words"
    if len(ours) != len(theirs):
        return ""
    differing = [(one, two) for one, two in zip(ours, theirs, strict=True) if one != two]
    if len(differing) != 1:
        return ""
    one, two = differing[0]
    if min(len(one), len(two)) < SHORTEST or f"{one}s" == two or one == f"{two}s":
        return ""
    if one.rstrip(digits) == two.rstrip(digits):
        return ""
    if skeleton(one) == skeleton(two):
        return "made of signs that look the same"
    steps = distance(one, two)
    return f"{steps} of {len(two)} signs away" if steps <= (2 if min(len(one), len(two)) >= LONG else 1) else ""


def skeleton(text: str) -> str:
    """The text with signs that look alike made equal."""
    text = unicodedata.normalize("NFKC", text).casefold()
    for one, other in _ALIKE:
        text = text.replace(one, other)
    return text


def distance(one: str, two: str) -> int:
    """Signs to insert, drop or change, or neighbours to swap (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, start=1):
        earlier, before, row = before, row, [i, *([0] * len(two))]
        for j, b in enumerate(two, start=1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == two[j - 2] and one[i - 2] == b:
                row[j] = min(row[j], earlier[j - 2] + 1)
    return row[-1]


def _suspicion(event: dict[str, Any], many: int, other: str, how: str, known: _Known) -> Suspicion:
    name, actor, client, at = str(event["repository"]), event["actor"], event["client_ip"], event["timestamp"]
    project = other.partition("/")[0]
    own = actor is not None and (str(actor), project) in known.pushers
    severity = Severity.LOW if own or actor is None else Severity.MEDIUM
    return Suspicion(
        kind="look_alike_repository",
        cause=("look_alike", name),
        severity=severity,
        title=f"{plain(name)} is new and looks like {plain(other)}, pushed by {plain(str(actor or 'nobody named'))}",
        start=at,
        end=at,
        subjects={
            "actor": [str(actor)] if actor else [],
            "client": [str(client)] if client else [],
            "repository": [name],
        },
        score=10.0 * severity.rank + min(many, 1000) / 1000,
        expected="new repositories have names of their own, or are made by those who have the original",
        observed=f"{plain(name)} is {how} from {plain(other)}, which was pulled {many:,} times",
        evidence=[str(event["event_id"])],
        explanation=f"The account {'pushes to' if own else 'never pushed to'} {plain(project)}, where the original is."
        if actor
        else "Nothing says who pushed it.",
    )


DETECTOR = LookAlike
