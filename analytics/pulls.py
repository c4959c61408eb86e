"""The pulls of some weeks as arrays, and what of a day is out of the ordinary in them.

Counted are successful manifest fetches: operations, not requests, since the blobs of one pull come in bursts that say
nothing. One `DayOfPulls` is worked out per day of event time: what was usual is learned from the days before only, so
it holds for every step of that day.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from analytics.acts import changes
from analytics.baselines import NEVER_ABOVE, Baseline, learn, threshold
from analytics.novelty import NewPairs, Pushes, new_pairs
from analytics.windows import DAY, Floats, Ints, minute, sliding_sums

KINDS = ("actor", "client", "repository", "project")
FEWEST_EXTRA = 10  # pulls above usual in an hour; fewer cannot be told from noise, whatever the model
_ABOVE_RECORD = 1.25
_FEWEST_DAYS = 2.0  # of history before anything is said
_MOST_CALIBRATION_DAYS = 14
_BLOCK = 360  # minutes within which several odd subjects count as one possible alarm


@dataclass(frozen=True, slots=True)
class Pulls:
    """Pulls per five minutes and combination of subjects, by time; a code is a place in `names`, -1 is null."""

    starts: Ints  # minutes since the epoch
    amounts: Ints
    codes: dict[str, Ints]
    names: dict[str, list[str]]
    pushes: Pushes = field(default_factory=Pushes)  # of all the time that was loaded, by the same codes
    # Kind → of each day before the last and each subject of it (by the same codes) the busiest hour.
    busiest: dict[str, tuple[Ints, Ints]] = field(default_factory=dict)

    def between(self, first: int, end: int) -> Pulls:
        """The rows that start in [first, end)."""
        cut = slice(*np.searchsorted(self.starts, [first, end]))
        codes = {kind: values[cut] for kind, values in self.codes.items()}
        return Pulls(self.starts[cut], self.amounts[cut], codes, self.names, self.pushes)

    def where(self, chosen: np.ndarray) -> Pulls:
        """The rows that a boolean array names."""
        codes = {kind: values[chosen] for kind, values in self.codes.items()}
        return Pulls(self.starts[chosen], self.amounts[chosen], codes, self.names, self.pushes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """An hour, ending with the cell that starts at `start`, in which one subject pulled more than is usual for it."""

    kind: str
    code: int
    start: int
    count: int
    mean: float
    tail: float  # log10 of the probability


@dataclass(frozen=True, slots=True)
class DayOfPulls:
    """What of one day stands out, and the baselines that say so. Times are causal: a row knows nothing of later
    rows.
    """

    pulls: Pulls
    baselines: dict[str, Baseline]
    odd: list[Odd]  # by start
    new_pairs: NewPairs
    history_days: float
    past: Floats  # how strange the strangest of each six hours was that the baselines were not learned from
    past_weeks: float


def day_of_pulls(pulls: Pulls, day: datetime, alerts_per_week: float) -> DayOfPulls | None:
    """Judge the day that begins at `day`; `pulls` are those of the weeks before and of the day as far as it is known.

    None while too little is known of the registry to say anything.
    """
    begin = minute(day)
    if len(pulls.starts) == 0 or begin - pulls.starts[0] < _FEWEST_DAYS * 1440:
        return None
    first = int(pulls.starts[0])
    tables = {kind: Tables(pulls, kind) for kind in KINDS}
    baselines: dict[str, Baseline] = {}
    odd: list[Odd] = []
    for kind, table in tables.items():
        if table.may_stand_out(begin):
            baselines[kind] = table.whole.learn(first, begin)
            odd += table.whole.judged(baselines[kind], begin, begin + 1440, NEVER_ABOVE)
    days = (begin - first) / 1440
    calibration = min(int(max(days / 2, 1)), _MOST_CALIBRATION_DAYS)
    tails = np.zeros(0)
    if odd:  # what would have stood out before need not be known on a day on which nothing may
        split = begin - calibration * 1440
        candidates = [
            one
            for table in tables.values()
            for one in table.whole.judged(table.whole.learn(first, split), split, begin, limit=0.0)
        ]
        tails = _one_per_block(candidates)
        limit = threshold(tails, calibration / 7, alerts_per_week, NEVER_ABOVE)
        odd = [one for one in odd if one.tail < limit]
    odd.sort(key=lambda one: (one.start, one.kind, one.code))
    return DayOfPulls(pulls, baselines, odd, _new_pairs(pulls, begin), days, -tails, calibration / 7)


class Tables:
    """The pulls of one kind of subject, put together as far as they are asked for."""

    def __init__(self, pulls: Pulls, kind: str) -> None:
        self._pulls, self._kind = pulls, kind

    @cached_property
    def whole(self) -> _Table:
        return _Table.of(self._pulls, self._kind)

    def may_stand_out(self, begin: int) -> bool:
        """Whether an hour of the day that begins at `begin` is busy enough, and above the record of its subject."""
        today = _Table.of(self._pulls.between(begin - 55, begin + 1440), self._kind)
        busy = (today.starts >= begin) & (today.hour >= FEWEST_EXTRA)
        codes, hours = today.codes[busy], today.hour[busy]
        if not len(codes):
            return False
        asked = np.zeros(len(self._pulls.names[self._kind]) + 1, dtype=bool)
        asked[codes] = True
        known, busiest = self._pulls.busiest[self._kind]
        records = _second_highest(known[asked[known]], busiest[asked[known]], len(asked))
        return bool((hours > _ABOVE_RECORD * records[codes]).any())


@dataclass(frozen=True, slots=True)
class _Table:
    """Pulls of one kind of subject: one row per subject and five minutes, sorted, with the sum of the hour up to it."""

    kind: str
    subjects: int
    codes: Ints
    starts: Ints
    amounts: Ints
    hour: Ints

    @staticmethod
    def of(pulls: Pulls, kind: str) -> _Table:
        known = pulls.codes[kind] >= 0
        codes, starts, amounts = _summed(pulls.codes[kind][known], pulls.starts[known], pulls.amounts[known])
        return _Table(kind, len(pulls.names[kind]), codes, starts, amounts, sliding_sums(codes, starts, amounts, 60))

    def learn(self, begin: int, end: int) -> Baseline:
        chosen = self.starts < end
        rows = _summed(self.codes[chosen], self.starts[chosen] // 60, self.amounts[chosen])
        return learn(*rows, self.subjects, begin, end)

    def judged(self, baseline: Baseline, begin: int, end: int, limit: float) -> list[Odd]:
        """The cells of [begin, end) that stand out: above usual, above all but one earlier day, and rarer than
        `limit`.
        """
        chosen = (self.starts >= begin) & (self.starts < end)
        codes, starts, counts = self.codes[chosen], self.starts[chosen], self.hour[chosen]
        mean = baseline.mean_of_hour_from(codes, starts - 55)
        high = (counts - mean >= FEWEST_EXTRA) & (counts > _ABOVE_RECORD * self.records(begin)[codes])
        codes, starts, counts, mean = codes[high], starts[high], counts[high], mean[high]
        tails = baseline.tail(codes, starts - 55, counts)
        return [
            Odd(kind=self.kind, code=int(code), start=int(start), count=int(count), mean=float(usual), tail=float(tail))
            for code, start, count, usual, tail in zip(codes, starts, counts, mean, tails, strict=True)
            if tail < limit
        ]

    def records(self, end: int) -> Ints:
        """Per subject the second highest of its days' busiest hours before `end`: one odd day is forgiven."""
        chosen = self.starts < end
        codes, days, hour = self.codes[chosen], self.starts[chosen] // 1440, self.hour[chosen]
        first = np.flatnonzero(changes([codes, days])) if len(codes) else codes  # a subject's rows come by time
        busiest = np.maximum.reduceat(hour, first) if len(first) else hour
        return _second_highest(codes[first], busiest, self.subjects)


def busiest_hours(kind: str, pulls: Pulls, begin: int) -> tuple[Ints, Ints]:
    """The subjects that pulled from `begin` on, each once, and the busiest of their hours that end from then on."""
    table = _Table.of(pulls, kind)
    chosen = table.starts >= begin
    codes, hours = table.codes[chosen], table.hour[chosen]
    first = np.flatnonzero(changes([codes]))
    return codes[first], np.maximum.reduceat(hours, first) if len(first) else hours


def _second_highest(codes: Ints, hours: Ints, subjects: int) -> Ints:
    """Of each subject; 0 where it has less than two."""
    order = np.lexsort((hours, codes))
    codes, hours = codes[order], hours[order]
    records = np.zeros(subjects, dtype=np.int64)
    second = np.zeros(len(codes), dtype=bool)
    if len(codes) > 1:
        second[:-1] = codes[1:] == codes[:-1]
    np.maximum.at(records, codes[second], hours[second])
    return records


def _summed(codes: Ints, starts: Ints, amounts: Ints) -> tuple[Ints, Ints, Ints]:
    """One row per (code, start), sorted."""
    if len(codes) == 0:
        return codes, starts, amounts
    order = _order(codes, starts)
    if order is not None:
        codes, starts, amounts = codes[order], starts[order], amounts[order]
    first = np.ones(len(codes), dtype=bool)
    first[1:] = (codes[1:] != codes[:-1]) | (starts[1:] != starts[:-1])
    return codes[first], starts[first], np.add.reduceat(amounts, np.flatnonzero(first))


def _order(codes: Ints, starts: Ints) -> Ints | None:
    """By code, then by start; None where it is so. What comes in the order of time, with few codes, is sorted by counting: a
    tenth of the work.
    """
    later = starts[1:] >= starts[:-1]
    if ((codes[1:] > codes[:-1]) | (codes[1:] == codes[:-1]) & later).all():
        return None
    if codes.min() >= 0 and codes.max() < 1 << 16 and later.all():
        return np.argsort(codes.astype(np.uint16), kind="stable")
    return np.lexsort((starts, codes))


def _one_per_block(candidates: list[Odd]) -> Floats:
    """The smallest tail of each six hours: subjects that are odd together have one cause."""
    smallest: dict[int, float] = {}
    for one in candidates:
        block = one.start // _BLOCK
        smallest[block] = min(smallest.get(block, 0.0), one.tail)
    return np.asarray(list(smallest.values()), dtype=np.float64)


def _new_pairs(pulls: Pulls, begin: int) -> NewPairs:
    named = (pulls.codes["actor"] >= 0) & (pulls.codes["repository"] >= 0)
    actors, repositories = pulls.codes["actor"][named], pulls.codes["repository"][named]
    return new_pairs(pulls.starts[named], actors, repositories, len(pulls.names["actor"]), begin, pulls.pushes)


def history_start(day: datetime, history: timedelta) -> datetime:
    """From when on the pulls matter for the day that begins at `day`."""
    return day - max(history, DAY)
