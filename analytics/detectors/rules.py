"""Rules as data: each file of `analytics/rules/pack/`, and of the user's own folders, is one thing to notice.

Notices: what its rules describe, at the event that completes them. Needs: what a rule's `needs` says. A rule knows what
happened before it only as far as its window and its history reach. Method: see `analytics/rules/engine.py`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import log2

from analytics.detector import Suspicion
from analytics.replay import Replay, floor, horizon, remember
from analytics.rules.condition import condition
from analytics.rules.history import Histories
from analytics.rules.load import pack
from analytics.rules.match import MOST_EVIDENCE, Event, Match
from analytics.rules.model import Kind, Rule
from analytics.rules.search import SUBJECTS, matches
from analytics.windows import DAY
from analytics.wording import duration, plain
from store.contract import EventReader

_MOST_NAMES = 50


@dataclass(slots=True)
class Rules:
    """See the top of the file. `rules` may be replaced before the first call (rules of the user's own, some left out)."""

    name: str = "rules"
    subject: str = "registry_wide"
    every: timedelta = timedelta(minutes=1)
    history: timedelta = timedelta(days=30)
    next_step: str = "Open the rule's runbook and ask the actor, or the owner of the repository, whether it was them."
    rules: tuple[Rule, ...] = field(default_factory=pack)
    histories: Histories = field(default_factory=Histories)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        if not isinstance(store, Replay):
            return [suspicion(match) for match in matches(store, self.rules, self.histories, since, now)]
        # A day at once: what completes at a moment depends on nothing behind it.
        found: list[Suspicion] = []
        start = since
        while start < now:
            day = floor(start, DAY)
            of_day = remember(store, "rules", day, lambda day=day: self._of_day(store, day))  # type: ignore[misc]
            times = [match.at for match in of_day]
            end = min(day + DAY, now)
            found += map(suspicion, of_day[bisect_left(times, start) : bisect_left(times, end)])
            start = end
        return found

    def _of_day(self, store: Replay, day: datetime) -> list[Match]:
        end = min(day + DAY, horizon(store, day))
        # A replay that goes on for days will not come back to this one; the judging of today asks for yesterday now and then.
        passing = day + 2 * DAY < store.until
        return matches(store, self.rules, self.histories, day, end, passing=passing)


def suspicion(match: Match) -> Suspicion:
    """What a match has to say."""
    rule, last = match.rule, match.events[-1] if match.events else {}
    severity = rule.severity
    for higher, wanted in rule.raise_to:
        if higher.rank > severity.rank and any(map(condition(wanted), match.events)):
            severity = higher
    start = match.events[0]["timestamp"] if match.events else match.at
    ours = any(rule.id == one.id for one in pack())
    return Suspicion(
        kind=rule.id,
        cause=(rule.id, *_cause(match, last), f"{start:%Y-%m-%d}"),
        severity=severity,
        title=_filled(rule.title, match),
        start=start,
        end=match.at,
        subjects=_subjects(match),
        score=10.0 * severity.rank + log2(1 + match.count),
        expected=_expected(rule),
        observed=_observed(match),
        evidence=[event["event_id"] for event in match.events[-MOST_EVIDENCE:]],
        explanation=f"{rule.description} Harmless if: {'; '.join(rule.false_positives)}.",
        next_step=rule.next_step,
        without_past=not _compares(rule) or not ours,
        # Only rules of the pack have a page among ours, also where the user's own takes its place.
        runbook=rule.runbook or (None if ours else ""),
    )


def _compares(rule: Rule) -> bool:
    """Whether what it looks for is only unlike the past."""
    return rule.when.fresh or rule.kind in (Kind.NEW_TERM, Kind.SPIKE, Kind.SPIKE_AGGREGATION, Kind.FLATLINE)


def _subjects(match: Match) -> dict[str, list[str]]:
    """Whom it names. Who spoke last before a silence has nothing to do with it, unless it is theirs."""
    theirs = match.rule.when.by if match.rule.kind is Kind.FLATLINE else tuple(SUBJECTS.values())
    return {name: _names(match.events, column) if column in theirs else [] for name, column in SUBJECTS.items()}


def _cause(match: Match, last: Event) -> tuple[str, ...]:
    """What makes two matches of a day one finding."""
    if together := match.rule.when.together:
        return tuple(str(last.get(column)) for column in together)
    return tuple(str(part) for part in match.key) or _subject_of(last)


def _subject_of(event: Event) -> tuple[str, ...]:
    return tuple(str(event[column]) for column in SUBJECTS.values() if event.get(column))


def _names(events: Sequence[Event], column: str) -> list[str]:
    return sorted({str(event[column]) for event in events if event.get(column)})[:_MOST_NAMES]


class _Values(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "unknown"


def _filled(title: str, match: Match) -> str:
    last = match.events[-1] if match.events else {}
    values = _Values({name: plain(str(value)) for name, value in last.items() if value is not None})
    values["registry"] = values.get("registry") or "the registry"
    for name, column in SUBJECTS.items():
        named = _names(match.events, column)
        if named:
            values[name] = plain(named[0]) if len(named) == 1 else f"{len(named)} {_PLURAL[name]}"
    values["count"] = f"{match.count:.0%}" if match.rule.kind is Kind.PERCENTAGE_MATCH else f"{match.count:,.0f}"
    if match.rule.when.within:
        values["within"] = duration(match.rule.when.within)
    return title.format_map(values)


_PLURAL = {"actor": "accounts", "client": "addresses", "repository": "repositories"}


def _expected(rule: Rule) -> str:
    when = rule.when
    within = f" in {duration(when.within)}" if when.within else ""
    if rule.kind in (Kind.FREQUENCY, Kind.CARDINALITY):
        return f"fewer than {when.count}{within}"
    if rule.kind is Kind.FLATLINE:
        return f"at least {when.count}{within}, as in the time before"
    if rule.kind in (Kind.SPIKE, Kind.SPIKE_AGGREGATION):
        return f"less than {when.times:g} times the time before{within}"
    if rule.kind is Kind.PERCENTAGE_MATCH:
        return f"less than {when.share:.0%}{within}"
    if rule.kind is Kind.METRIC_AGGREGATION:
        return f"at most {when.above:,g}{within}"
    if rule.kind is Kind.NEW_TERM:
        return f"a combination seen in the {duration(when.history)} before"
    if rule.kind is Kind.ABSENCE:
        return f"what belongs to it follows{within}"
    return "none"


def _observed(match: Match) -> str:
    amount = f"{match.count:.0%}" if match.rule.kind is Kind.PERCENTAGE_MATCH else f"{match.count:,.6g}"
    last = match.events[-1] if match.events else {}
    about = [f"{name} {plain(str(last[column]))}" for name, column in SUBJECTS.items() if last.get(column)]
    return (
        f"{amount} ({match.rule.kind}); last: {last.get('action', 'nothing')} by {', '.join(about) or 'nobody named'}"
    )


DETECTOR = Rules
