"""An account does what it never did, with a tool that it never had: somebody else uses it, or it was given another task.

Notices: an account that has been known for a week (on four days at least) and today does a sort of work for the first time
(pushes, deletes, lists, rights, questions about layers), uses a tool for the first time, or both. Medium: both at once; of a
machine's account (robot, build, cluster; or one that has but their tools, or rests on few days) also deletes and changes of
rights or settings by themselves, and a tool that nobody in the registry ever used; of anybody, a new tool, or first pushes,
signatures or questions about layers, in three repositories that are new too; of a person, a new tool at an address where before
only machines worked. Low: the rest of what machines never did, tools that are new to a person (with a first look at lists, too,
where three people use the tool already: then it takes five new repositories), and a person's first deletes and changes of rights;
what else people learn is no news. Low, too, where three accounts begin the same on one day (a course, a new client for all).
Needs: logs that name accounts, and tools for what is said about tools. Method: exact bookkeeping of what each account did and
used in the last four weeks. Never sees: an intruder who does what the account does, with its own tool.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from analytics.customs import CROWD, LOOKS, SORTS, Account, Days, First, Past, day_of_customs, firsts
from analytics.daily import days_before, learned, settled_days
from analytics.day_events import MOST_EVENTS, done_by
from analytics.detector import Suspicion
from analytics.replay import horizon, remember
from analytics.windows import CELL, DAY
from analytics.wording import names, plain
from store.contract import EventReader
from store.finding import Severity

KIND = "account_out_of_character"  # the kinds of its findings
SETTLED = timedelta(days=7)  # of the store's own past
WAIT = CELL  # for others to show that all begin the same
GRAVE = frozenset(("deletes", "tags removed", "changes of rights", "changes of settings"))


@dataclass(slots=True)
class FirstTimes:
    """See the top of the file."""

    name: str = "first_times"
    subject: str = "actor"
    every: timedelta = CELL
    history: timedelta = timedelta(days=28)
    next_step: str = "Ask the account's owner whether this is theirs; if not, revoke its tokens before anything else."
    _kept: dict[datetime, Days] = field(default_factory=dict)
    _learned: dict[datetime, Past] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day, _ in settled_days(store, since, now, SETTLED):
            start, end = max(since, day), min(day + DAY, now)
            past = self._past(store, day)
            begun = [one for one in self._begun(store, past, end) if one.at + WAIT < end]
            if begun and begun[-1].at + WAIT >= start:
                found += _judge(store, past, begun, start, end)
        return found

    def _past(self, store: EventReader, day: datetime) -> Past:
        def known() -> Past:
            read = partial(day_of_customs, store)
            return Past(days_before(store, f"{self.name} days", day, self.history, self._kept, read), day)

        return learned(store, self.name, day, self._learned, known)

    def _begun(self, store: EventReader, past: Past, end: datetime) -> list[First]:
        """Of the whole day, where the reader may look ahead: in a replay worked out once."""
        until = min(past.day + DAY, horizon(store, end))
        return remember(store, f"{self.name} today", past.day, lambda: firsts(store, past, until))


def _judge(store: EventReader, past: Past, begun: list[First], start: datetime, end: datetime) -> Iterator[Suspicion]:
    alike: dict[tuple[str | None, str | None], set[str]] = defaultdict(set)
    own: dict[str, list[First]] = defaultdict(list)
    for one in begun:
        alike[one.sort, one.tool].add(one.actor)
        own[one.actor].append(one)
    for actor, ones in sorted(own.items()):
        if ones[-1].at + WAIT < start:
            continue
        alone = [one for one in ones if len(alike[one.sort, one.tool]) < CROWD]
        told = alone or ones
        sorts = {one.sort for one in told if one.sort is not None}
        tools = {one.tool for one in told if one.tool is not None}
        account = past.account(actor)
        ground = frozenset[str]().union(*(one.ground for one in told))
        runner = next((one.runner for one in told if one.runner is not None), None)
        if account.machine or tools or ground or sorts & GRAVE:
            odd = bool(ground or runner)
            severity = _severity(past, account, sorts, tools, odd) if alone else Severity.LOW
            yield _suspicion(
                store,
                past,
                actor,
                told[0].at,
                sorted(sorts),
                sorted(tools),
                ground,
                severity,
                runner=runner,
                crowd=not alone,
                end=end,
            )


def _severity(past: Past, account: Account, sorts: set[str], tools: set[str], odd_place: bool) -> Severity:
    usual = all(tool == "browser" or past.of_house(tool) for tool in tools)
    looks_on = usual and sorts <= LOOKS and not account.machine
    if odd_place or (tools and sorts and not looks_on):
        return Severity.MEDIUM
    if account.machine and (sorts & GRAVE or tools - past.tools):
        return Severity.MEDIUM
    return Severity.LOW


def _suspicion(
    store: EventReader,
    past: Past,
    actor: str,
    begun: datetime,
    sorts: list[str],
    tools: list[str],
    ground: frozenset[str],
    severity: Severity,
    *,
    runner: str | None,
    crowd: bool,
    end: datetime,
) -> Suspicion:
    account = past.account(actor)
    events = done_by(store, past.day, begun, end, MOST_EVENTS, actor=actor)
    shown = [one for one in events if _tells(one, actor, sorts, tools)]
    what = " and ".join([*([names(sorts, 3)] if sorts else []), *([f"use of {names(tools, 3)}"] if tools else [])])
    why = "What an account never did is new work for it, or somebody else's: "
    why += (
        "a machine does the same day after day. " if account.machine else "people do learn new things, one at a time. "
    )
    why += "Who changes the tool, or learns, goes on with the same images; here most are new to it. " if ground else ""
    why += f"Only machines worked at {plain(runner)} before. " if runner else ""
    why += f"At least {CROWD} accounts began with it today, as after a course or with a new client. " if crowd else ""
    return Suspicion(
        kind=KIND,
        cause=(KIND, actor, f"{past.day:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor)} for the first time: {what}",
        start=begun,
        end=end,
        subjects={
            "actor": [actor],
            "client": sorted({one["client_ip"] for one in shown if one["client_ip"]})[:20],
            "repository": sorted({one["repository"] for one in shown if one["repository"]})[:20],
        },
        score=10.0 * severity.rank + min(2 * len(sorts) + len(tools), 9),
        expected=f"{names(sorted(account.sorts), 6)}"
        + (f", with {names(sorted(account.tools), 4)}" if account.tools else ""),
        observed=what
        + (f", in {names(sorted(ground), 3)}" if ground else "")
        + (f", at {plain(runner)}" if runner else ""),
        evidence=[one["event_id"] for one in shown],
        explanation=why.strip(),
    )


def _tells(event: dict[str, Any], actor: str, sorts: Sequence[str], tools: Sequence[str]) -> bool:
    return event["actor"] == actor and (SORTS.get(event["action"]) in sorts or event["client_class"] in tools)


DETECTOR = FirstTimes
