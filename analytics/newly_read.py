"""What a log that is new here cannot say: who is a stranger, and how much is unusual.

A registry that is connected weeks after the others looks as if all it does happened for the first time; one of which another log is
read since yesterday, as if its accounts had begun to do what only this log tells of. For `LEARNS` nothing that is only unlike the
past is told of such events as more than low. What is there from the first day on is left to the detectors, which know how little
they have seen; what is wrong whatever was before (`Suspicion.without_past`) is told.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from analytics.replay import Replay, floor, horizon, remember
from analytics.windows import DAY
from analytics.wording import plain, several
from store.contract import EventQuery, EventReader
from store.finding import Finding

LEARNS = timedelta(days=7)  # as detectors take, before anybody is a stranger
PAST = timedelta(days=35)  # that is looked at
_SAID = ("registry", "registry_kind", "dataset", "action", "actor_kind")
NEARLY_ALL = 0.75  # of what a finding shows: a registry that is known may have a repository of the same name
_SAMPLE = 20  # events of a finding that are looked at


@dataclass(frozen=True, slots=True)
class FirstDays:
    """The first days on which a registry, a log of it, and such events of it were told of; of all, the first of `PAST`."""

    begin: datetime
    registries: dict[Hashable, datetime] = field(default_factory=dict)
    logs: dict[Hashable, datetime] = field(default_factory=dict)
    acts: dict[Hashable, datetime] = field(default_factory=dict)

    def enter(self, event: dict[str, Any], day: datetime) -> None:
        for table, key in ((self.registries, registry_of(event)), (self.logs, _log(event)), (self.acts, _act(event))):
            table[key] = min(day, table.get(key, day))

    def new(self, event: dict[str, Any]) -> tuple[str, datetime] | None:
        """What of the event is new here (a registry, or a log of it), and since when; None if neither is."""
        day = floor(event["timestamp"], DAY)
        home, log = registry_of(event), _log(event)
        since = self.registries.get(home, day)
        if self._young(since, day):
            return f"of {plain(home)}", since
        begun = self.logs.get(log, day)
        if self._young(begun, day) and self.acts.get(_act(event), day) >= begun:
            return f"such events of {plain(home)}", begun
        return None

    def age(self, event: dict[str, Any]) -> timedelta:
        """For how long the event's registry has been told of."""
        day = floor(event["timestamp"], DAY)
        return day - self.registries.get(registry_of(event), day)

    def _young(self, since: datetime, day: datetime) -> bool:
        return since > self.begin and day - since < LEARNS


def newly_read(store: EventReader, finding: Finding, now: datetime) -> str:
    """Why the past says nothing yet of what the finding shows, as half a sentence; empty if it does."""
    if not finding.evidence or (days := first_days(store, now)) is None:
        return ""
    shown = [days.new(event) for event in _shown(store, finding)]
    new = [one for one in shown if one is not None]
    if not new or len(new) < NEARLY_ALL * len(shown):
        return ""
    what, since = min(new, key=lambda one: one[1])
    return f"the logs have told {what} for {several(max((floor(now, DAY) - since).days, 1), 'day')} only"


def known_for(store: EventReader, finding: Finding, now: datetime) -> timedelta | None:
    """For how many whole days the registries of what the finding shows have been told of; None where nothing is known."""
    days = first_days(store, now) if finding.evidence else None
    return None if days is None else min((days.age(event) for event in _shown(store, finding)), default=None)


def first_days(store: EventReader, now: datetime) -> FirstDays | None:
    """Up to the day of `now`; None where the store knows nothing of the time before."""
    span, day = store.span(), floor(now, DAY)
    if span is None:
        return None
    reach = store.since if isinstance(store, Replay) else span[0]
    begin = max(floor(span[0], DAY), floor(reach, DAY), day - PAST)
    until = min(day + DAY, horizon(store, now))

    def read() -> FirstDays:
        days = FirstDays(begin)
        rows = store.counts(begin, until, _SAID, DAY)
        for said, start in zip(rows[[*_SAID]].itertuples(index=False), rows["window_start"], strict=True):
            days.enter(dict(zip(_SAID, said, strict=True)), start.to_pydatetime())
        return days

    return remember(store, "first days", (begin, until), read)


def _shown(store: EventReader, finding: Finding) -> Iterable[dict[str, Any]]:
    step = max(len(finding.evidence) // _SAMPLE, 1)
    # A finding's span may begin behind its evidence (a push that is used later) or end before it.
    return list(
        store.events(
            EventQuery(
                since=finding.start - DAY,
                until=finding.end + DAY,
                ids=finding.evidence[::step],
                columns=("timestamp", *_SAID),
            )
        )
    )


def registry_of(event: dict[str, Any]) -> str:
    """The registry by the name that the settings give it; where there is none, by its kind."""
    return str(event["registry"] or event["registry_kind"] or "the registry")


def _log(event: dict[str, Any]) -> Hashable:
    return registry_of(event), event["dataset"]


def _act(event: dict[str, Any]) -> Hashable:
    """What was done, and whether the log says by whom: an account of which no log told was not there for anybody."""
    return registry_of(event), event["action"], event["actor_kind"] is not None
