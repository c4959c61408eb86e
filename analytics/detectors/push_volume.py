"""More versions of one repository than anybody ever pushed there: good ones are pushed out, or storage is filled.

Notices: versions (images that no push of the same days named before) that pile up in a repository which has been there for a week,
within a day or within four, beyond twice the most it ever had in as long. Needs: a week of history; digests, or tags that tell
builds apart. Method: exact bookkeeping by repository; the four days that end with the judged one raise no bar, so that who goes on
is not getting used to. New repositories are nobody's loss: a first sync or a migration wakes nobody. Never sees: as many versions
as were ever pushed there, each worthless, and tags that are set to an image which is there already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from analytics.acts import CELL, NAMES, Acts, acts_of
from analytics.daily import days_before, each_day
from analytics.detector import Suspicion
from analytics.replay import remember
from analytics.versions import version
from analytics.windows import DAY, Ints, minute
from analytics.wording import names, number, plain, several
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

SPANS = {
    1: 16,
    4: 36,
}  # days → versions that are no news, whatever the repository had before: a clean-up keeps about a dozen
SETTLED = timedelta(days=7)  # of a repository, before it has a custom
TIMES, MORE = 2, 8  # the most it ever had, that often, and so many more
FLOOD = 5  # times the limit
TAKES_PART = 0.2  # of the versions, of which an account is named
MOST_EVIDENCE = 200

_Day = tuple[Ints, Ints]  # repositories, and versions that each got


@dataclass(slots=True)
class PushVolume:
    """See the top of the file."""

    name: str = "push_volume"
    subject: str = "repository"
    every: timedelta = timedelta(minutes=CELL)
    history: timedelta = timedelta(days=35)
    next_step: str = (
        "Stop the clean-up of this repository until it is clear which versions are good; ask what is built."
    )
    _kept: dict[datetime, tuple[tuple[datetime, _Day], ...]] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            start, end = max(since, day), min(day + DAY, now)
            today = self._today(store, day, now).between(0, -(-int(end.timestamp()) // 60))
            lately = np.unique(today.codes["repository"][today.starts + CELL > minute(start)])
            if len(lately):
                days = days_before(store, self.name, day, self.history, self._kept, partial(_versions, store))
                known: dict[int, dict[datetime, int]] = remember(store, f"{self.name} before", day, dict)
                for repository in sorted(lately.tolist(), key=NAMES["repository"].words.__getitem__):
                    if repository not in known:
                        known[repository] = {at: _of(repository, counted) for at, counted in days}
                    mine = today.where(today.codes["repository"] == repository)
                    found += _judge(store, repository, mine, known[repository], day, end)
        return found

    def _today(self, store: EventReader, day: datetime, now: datetime) -> Acts:
        return remember(store, f"{self.name} today", day, lambda: _pushes(acts_of(store, day, now)))


def _pushes(acts: Acts) -> Acts:
    """The first push of each version."""
    pushes = acts.where(acts.pushed & (acts.codes["repository"] >= 0) & ((acts.digests != 0) | (acts.references != 0)))
    words = np.where(pushes.digests != 0, pushes.digests, pushes.references)
    _, first = np.unique(version(pushes.codes["repository"], words), return_index=True)
    return pushes.where(np.sort(first))


def _versions(store: EventReader, day: datetime) -> _Day:
    repositories, many = np.unique(_pushes(acts_of(store, day, day + DAY)).codes["repository"], return_counts=True)
    return repositories, many


def _judge(
    store: EventReader,
    repository: int,
    today: Acts,
    before: dict[datetime, int],
    day: datetime,
    now: datetime,
) -> Iterator[Suspicion]:
    """`before`: the versions that the repository got on each day before."""
    first = min((at for at, many in before.items() if many), default=day)
    if day - first < SETTLED:
        return
    for span, fewest in SPANS.items():
        begin = day - (span - 1) * DAY
        count = len(today.starts) + sum(many for at, many in before.items() if at >= begin)
        if count < fewest or 2 * span * len(today.starts) < count:  # it was over yesterday
            continue
        # What the last days hold is what is judged; who goes on must not raise the bar.
        ends = [at for at in before if first + (span - 1) * DAY <= at < day - max(SPANS) * DAY]
        most = max((sum(before.get(end - back * DAY, 0) for back in range(span)) for end in ends), default=0)
        limit = max(fewest, TIMES * most + MORE)
        if ends and count >= limit:
            yield _suspicion(store, repository, span, count, most, limit, begin, now)
            return


def _of(repository: int, counted: _Day) -> int:
    repositories, many = counted
    at = int(np.searchsorted(repositories, repository))
    return int(many[at]) if at < len(repositories) and repositories[at] == repository else 0


def _suspicion(
    store: EventReader, repository: int, span: int, count: int, most: int, limit: int, begin: datetime, now: datetime
) -> Suspicion:
    name = NAMES["repository"].words[repository]
    query = EventQuery(
        since=begin,
        until=now,
        repository=name,
        action=(Action.PUSH,),
        outcome=(Outcome.SUCCESS,),
        columns=("event_id", "timestamp", "actor", "client_ip", "repository"),
    )
    pushes = [one for one in store.events(query) if one["repository"] == name]
    by = Counter(one["actor"] or "" for one in pushes)
    who = sorted(actor for actor, many in by.items() if actor and many >= TAKES_PART * len(pushes))
    theirs = [one for one in pushes if one["actor"] in who] if who else pushes
    start = theirs[0]["timestamp"] if theirs else begin
    within = "a day" if span == 1 else f"{span} days"
    severity = Severity.HIGH if count >= FLOOD * limit else Severity.MEDIUM
    hands = names(who, 2) if who else "nobody named"
    return Suspicion(
        kind="versions_pile_up",
        cause=("versions_pile_up", name, f"{begin if span == 1 else start:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(name)}: {several(count, 'version')} pushed within {within} by {hands}; most before: {number(most)}",
        start=start,
        end=now,
        subjects={
            "actor": who,
            "client": sorted({one["client_ip"] for one in theirs if one["client_ip"]})[:20],
            "repository": [name],
        },
        score=round(count / limit, 3),
        expected=f"fewer than {limit} versions within {within}: the most so far was {most}",
        observed=f"{several(count, 'version')}, by {hands}",
        evidence=[one["event_id"] for one in theirs][-MOST_EVIDENCE:],
        explanation="A clean-up that keeps the newest versions would throw the good ones away; storage fills as well.",
    )


DETECTOR = PushVolume
