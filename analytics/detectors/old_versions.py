"""Accounts that go through the versions of repositories one by one: secrets are looked for, or everything is taken along.

Notices: an account that pulls version after version of the same repositories, of images that were not pushed lately and that
it never pulled: clusters want the newest, people one of them, nobody all. Needs: logs that name accounts and the tag or digest
that was asked for; a week of history. Method: exact bookkeeping of references over three days; the first one of each repository
is free, and an account may have three times as many as it ever had, or as it takes of all versions, old and new, as a rule.
Never sees: somebody who takes one version of each repository (`new_reach` does), and what was pulled before the stored
history begins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from analytics.daily import each_day, learned
from analytics.detector import Suspicion
from analytics.replay import horizon, remember
from analytics.windows import DAY
from analytics.wording import names, plain, several
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

if TYPE_CHECKING:
    import pandas as pd

CELL = timedelta(minutes=5)
SPAN = timedelta(days=3)  # over which versions add up, and within which a push is new
SETTLED = timedelta(days=7)  # of history, before anything is new to anybody
FEWEST = 8  # more than anybody needs who looks for the build that broke
MANY = 30
MOST_EVENTS = 2_000
_BY = ("actor", "repository", "reference")
Version = tuple[str, str]  # repository, reference


class _Taken(NamedTuple):
    """A version that an account pulled for the first time, within five minutes from `at` on."""

    at: datetime
    actor: str
    version: Version


@dataclass(slots=True)
class _Past:
    """What the days before say: what each account pulled, which old versions were new to it when, and what was pushed lately."""

    began: datetime | None
    known: dict[str, set[Version]] = field(default_factory=lambda: defaultdict(set))
    lately: dict[str, list[Version]] = field(default_factory=lambda: defaultdict(list))
    most: dict[str, int] = field(default_factory=dict)
    # Versions per span, new ones too: scanners and mirrors take them all.
    habit: dict[str, float] = field(default_factory=dict)
    pushed: set[Version] = field(default_factory=set)


@dataclass(slots=True)
class OldVersions:
    """See the top of the file."""

    name: str = "old_versions"
    subject: str = "actor"
    every: timedelta = CELL
    history: timedelta = timedelta(days=28)
    next_step: str = (
        "Ask the account's owner what they need old versions for; look at which secrets those images may hold."
    )
    _learned: dict[datetime, _Past] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            start, end = max(since, day), min(day + DAY, now)
            past = self._past(store, day)
            if past.began is not None and day - past.began >= SETTLED:
                fresh = [one for one in self._fresh(store, past, day, end) if one.at < end]
                if any(one.at >= start for one in fresh):
                    found += _judge(store, past, fresh, day, start, end)
        return found

    def _fresh(self, store: EventReader, past: _Past, day: datetime, end: datetime) -> list[_Taken]:
        """Old versions that are new to whoever pulls them today; in a replay worked out once for the day."""
        until = min(day + DAY, horizon(store, end))
        return remember(store, f"{self.name} today", day, lambda: _taken(store, past, day, until))

    def _past(self, store: EventReader, day: datetime) -> _Past:
        return learned(store, self.name, day, self._learned, lambda: _learn(store, day - self.history, day))


def _done(
    store: EventReader, action: Action, since: datetime, until: datetime, width: timedelta, by: Sequence[str]
) -> pd.DataFrame:
    frame = store.counts(since, until, (*by, "action", "outcome"), width)
    chosen = (frame["action"] == action) & (frame["outcome"] == Outcome.SUCCESS)
    return frame[chosen].dropna(subset=[name for name in by if name != "digest"])


def _pushed(
    store: EventReader, since: datetime, until: datetime, width: timedelta
) -> dict[Version, tuple[datetime, datetime]]:
    """What was pushed, by tag and by digest → the windows of its first and its last push."""
    frame = _done(store, Action.PUSH, since, until, width, ("repository", "reference", "digest"))
    found: dict[Version, tuple[datetime, datetime]] = {}
    for repository, reference, digest, start in zip(
        frame["repository"], frame["reference"], frame["digest"], frame["window_start"], strict=True
    ):
        at = start.to_pydatetime()
        for name in (reference, digest):
            if isinstance(name, str):
                first, last = found.get((repository, name), (at, at))
                found[repository, name] = (min(first, at), max(last, at))
    return found


def _learn(store: EventReader, since: datetime, day: datetime) -> _Past:
    span = store.span()
    past = _Past(began=span[0] if span else None)
    by_day: dict[str, dict[datetime, list[Version]]] = defaultdict(lambda: defaultdict(list))
    before_span: dict[str, list[Version]] = defaultdict(list)
    pushes = _pushed(store, since, day, DAY)  # a version is pushed once, or it is a tag that moves
    frame = _done(store, Action.PULL, since, day, DAY, _BY)
    for actor, repository, reference, start in zip(*(frame[name] for name in (*_BY, "window_start")), strict=True):
        version, at = (repository, reference), start.to_pydatetime()
        if version in past.known[actor]:
            continue
        past.known[actor].add(version)
        if at < day - SPAN:
            before_span[actor].append(version)
        first, last = pushes.get(version, (at, at - 2 * SPAN))
        if not (first <= at and last >= at - SPAN):
            by_day[actor][at].append(version)
    settled = max(since, past.began or since) + SETTLED
    for actor, days in by_day.items():
        # The last days are what is judged: whoever goes on must not raise the bar for himself.
        before = [_excess(_within(days, at)) for at in days if settled <= at < day - SPAN]
        past.most[actor] = max(before, default=0)
        past.lately[actor] = _within(days, day - DAY, settled)
    spans = max((day - SPAN - max(since, past.began or since)) / SPAN, 1.0)
    past.habit = {actor: _excess(versions) / spans for actor, versions in before_span.items()}
    past.pushed = {version for version, (_, last) in pushes.items() if last >= day - SPAN}
    return past


def _within(days: dict[datetime, list[Version]], last: datetime, since: datetime | None = None) -> list[Version]:
    """Of the days of a span less one that end with `last`."""
    first = last - SPAN + DAY if since is None else max(last - SPAN + 2 * DAY, since)
    return [version for at, versions in days.items() if first <= at <= last for version in versions]


def _excess(versions: Sequence[Version]) -> int:
    """How many of them are more than one of their repository."""
    return len(set(versions)) - len({repository for repository, _ in versions})


def _taken(store: EventReader, past: _Past, day: datetime, until: datetime) -> list[_Taken]:
    pushed = _pushed(store, day, until, CELL)
    frame = _done(store, Action.PULL, day, until, CELL, _BY)
    seen: set[tuple[str, Version]] = set()
    found = []
    for actor, repository, reference, start in zip(*(frame[name] for name in (*_BY, "window_start")), strict=True):
        version, at = (repository, reference), start.to_pydatetime()
        if (actor, version) in seen or version in past.known[actor] or version in past.pushed:
            continue
        seen.add((actor, version))
        if version not in pushed or pushed[version][0] > at:
            found.append(_Taken(at, actor, version))
    return sorted(found)


def _judge(
    store: EventReader, past: _Past, taken: list[_Taken], day: datetime, start: datetime, now: datetime
) -> Iterator[Suspicion]:
    fresh: dict[str, dict[Version, datetime]] = defaultdict(dict)
    for one in taken:
        fresh[one.actor][one.version] = one.at
    for actor in sorted(fresh):
        versions = [*past.lately.get(actor, ()), *fresh[actor]]
        limit = max(FEWEST, 3 * past.most.get(actor, 0) + 5, ceil(3 * past.habit.get(actor, 0.0)))
        amount = _excess(versions)
        if amount >= limit and any(at + CELL > start for at in fresh[actor].values()):
            yield _suspicion(store, actor, versions, amount, limit, day, now)


def _suspicion(
    store: EventReader, actor: str, versions: list[Version], amount: int, limit: int, day: datetime, now: datetime
) -> Suspicion:
    many = defaultdict(set)
    for repository, reference in versions:
        many[repository].add(reference)
    gone_through = sorted((name for name, some in many.items() if len(some) > 1), key=lambda name: -len(many[name]))
    query = EventQuery(
        since=day - SPAN + DAY,
        until=now,
        actor=actor,
        action=(Action.PULL,),
        outcome=(Outcome.SUCCESS,),
        limit=MOST_EVENTS,
    )
    wanted = {version for version in versions if version[0] in gone_through}
    seen: dict[Version, dict[str, Any]] = {}
    for event in store.events(query):
        version = (event["repository"], event["reference"])
        if version in wanted and event["actor"] == actor:
            seen.setdefault(version, event)
    events = sorted(seen.values(), key=lambda event: event["timestamp"])
    start = events[0]["timestamp"] if events else day
    severity = Severity.HIGH if amount >= max(MANY, limit) else Severity.MEDIUM
    return Suspicion(
        kind="old_versions_taken",
        cause=("old_versions", actor, f"{start:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor)}: pulled {len(wanted)} old versions of {several(len(gone_through), 'repository', 'repositories')}",
        start=start,
        end=now,
        subjects={
            "actor": [actor],
            "client": sorted({event["client_ip"] for event in events if event["client_ip"]}),
            "repository": sorted(gone_through),
        },
        score=round(amount / limit, 3),
        expected=f"fewer than {limit} versions beyond one of each repository within {SPAN.days} days, as in its past",
        observed=f"{amount}, most of {names(gone_through, 4)}; none of them pushed lately, none pulled by it before",
        evidence=[event["event_id"] for event in events],
        explanation="Clusters want the newest image, people the one they work with. Who goes through the old ones looks for "
        "what they hold (secrets, code), or takes everything along.",
    )


DETECTOR = OldVersions
