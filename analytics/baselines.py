"""What is usual: how many, at this hour, for this subject.

Counts in registries are bursty: their variance is many times their mean, so neither Poisson nor a z-score fits. A
baseline here is a seasonal mean with a dispersion, the negative binomial, learned robustly and shrunk towards the
cohort (the other subjects of the same kind) where little is known. Its tail probability orders counts by strangeness;
how small is too small is not read off the formula but from weeks that the baseline has not seen (`threshold`), since a
nominal probability is wrong by orders of magnitude as soon as the world is rougher than the formula.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from analytics.windows import Floats, Ints

WEEKS_FOR_HOUR_OF_WEEK = 4
DAYS_FOR_HOUR_OF_DAY = 4
DAYS_OF_LEARNING = 7  # a subject known for less borrows most of its baseline from its cohort, and findings say so
NEVER_ABOVE = -4.0  # log10 of a tail: what is more frequent is no alarm, whatever the past says
_PRIOR_WINDOWS = 2.0  # weight of the subject's own mean against one slot's, in observed windows
_COHORT_DAYS = 3.0  # weight of the cohort against the subject, in days known


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What a subject does in one slot of the season: counts per hour. `season` says which slot in words."""

    mean: float
    median: float
    spread: float  # median absolute deviation, scaled to a standard deviation
    low: float
    high: float  # 5 % and 95 % of the hours of the slot
    season: str
    known_days: float
    learning: bool


@dataclass(slots=True)
class Baseline:
    """Hourly counts of the subjects of one kind, learned from [since, until).

    Built by `learn`; subjects are numbered by the caller, -1 is a subject that was never seen.
    """

    since: int  # minutes since the epoch, as all times here
    until: int
    slots: int  # 1 (all hours), 24 (hour of day) or 168 (hour of week)
    means: Floats  # subjects x slots
    dispersion: Floats  # k of the negative binomial per subject; small is bursty
    first_seen: Floats  # minutes per subject
    cohort_means: Floats  # per slot: what a subject nobody knows is allowed
    cohort_dispersion: float
    rows: tuple[Ints, Ints, Ints] = field(repr=False)  # codes, hours since the epoch, counts, sorted

    def mean_of_hour_from(self, codes: Ints, starts: Ints) -> Floats:
        """Expected count in the 60 minutes from `starts`, which may lie across two clock hours."""
        hours, part = starts // 60, (starts % 60) / 60.0
        return np.asarray((1 - part) * self._mean(codes, hours) + part * self._mean(codes, hours + 1))

    def tail(self, codes: Ints, starts: Ints, counts: Ints) -> Floats:
        """Log10 of the probability of `counts` or more in the 60 minutes from `starts`; 0 is ordinary, -20 the
        floor.
        """
        mean = np.maximum(self.mean_of_hour_from(codes, starts), 1e-3)
        known = codes >= 0
        shape = np.full(len(codes), self.cohort_dispersion)
        shape[known] = self.dispersion[codes[known]]
        return negative_binomial_tail(counts, mean, shape)

    def usual(self, code: int, start: int) -> Usual:
        """The slot of `start` in words and numbers, for the sentence in the finding."""
        hour = start // 60
        slot = int(self._slot(np.asarray([hour]))[0])
        season = {1: "an hour", 24: "an hour at this time of day", 168: "an hour at this time of the week"}[self.slots]
        mean = float(self._mean(np.asarray([code]), np.asarray([hour]))[0])
        if code < 0:
            return Usual(
                mean=mean, median=mean, spread=0.0, low=0.0, high=mean, season=season, known_days=0.0, learning=True
            )
        known_days = float(self.until - self.first_seen[code]) / 1440
        codes, hours, counts = self.rows
        of_subject = slice(*np.searchsorted(codes, [code, code + 1]))
        in_slot = counts[of_subject][self._slot(hours[of_subject]) == slot]
        windows = max(int(known_days * 24 / self.slots), len(in_slot), 1)
        values = np.concatenate((np.zeros(windows - len(in_slot)), in_slot))
        median = float(np.median(values))
        return Usual(
            mean=mean,
            median=median,
            spread=1.4826 * float(np.median(np.abs(values - median))),
            low=float(np.quantile(values, 0.05)),
            high=float(np.quantile(values, 0.95)),
            season=season,
            known_days=known_days,
            learning=known_days < DAYS_OF_LEARNING,
        )

    def _slot(self, hours: Ints) -> Ints:
        return hours % self.slots

    def _mean(self, codes: Ints, hours: Ints) -> Floats:
        slot = self._slot(hours)
        means = self.cohort_means[slot].copy()
        known = codes >= 0
        means[known] = self.means[codes[known], slot[known]]
        return means


def learn(codes: Ints, hours: Ints, counts: Ints, subjects: int, since: int, until: int) -> Baseline:
    """A baseline from the clock hours in which something happened (hours since the epoch, one row per subject and
    hour).

    Hours without a row are zeros, from the day on which the subject was first seen.
    """
    if not ((codes[1:] > codes[:-1]) | ((codes[1:] == codes[:-1]) & (hours[1:] >= hours[:-1]))).all():
        order = np.lexsort((hours, codes))
        codes, hours, counts = codes[order], hours[order], counts[order]
    start, end = since, until
    days = (end - max(start, int(hours.min()) * 60)) / 1440 if len(hours) else 0.0
    slots = 168 if days >= 7 * WEEKS_FOR_HOUR_OF_WEEK - 1 else 24 if days >= DAYS_FOR_HOUR_OF_DAY else 1
    first = np.full(subjects, float(end))
    np.minimum.at(first, codes, hours // 24 * 1440.0)
    seen = np.maximum((end - first) / 60.0, 1.0)  # hours known
    clipped = _without_the_highest(codes, counts, subjects)
    summed = np.bincount(codes * slots + hours % slots, clipped, subjects * slots)
    sums = np.asarray(summed, dtype=np.float64).reshape(subjects, slots)
    per_slot = np.repeat((seen / slots)[:, None], slots, axis=1)
    if slots > 1:  # neighbouring hours tell of each other; a job that moves by half an hour is no news
        sums = 0.5 * sums + 0.25 * (np.roll(sums, 1, axis=1) + np.roll(sums, -1, axis=1))
    means = _shrunk(sums, per_slot)
    dispersion = _dispersion(codes, clipped, means, per_slot, hours % slots)
    return _with_cohort(means, dispersion, first, seen / 24, start, end, slots, (codes, hours, counts))


def _shrunk(sums: Floats, windows: Floats) -> Floats:
    """Means per slot, the hour of the week drawn towards the hour of the day, and that towards all hours."""
    if sums.shape[1] == 168:
        by_day = (len(sums), 7, 24)
        prior = np.tile(_shrunk(sums.reshape(by_day).sum(axis=1), windows.reshape(by_day).sum(axis=1)), 7)
    else:
        prior = sums.sum(axis=1, keepdims=True) / windows.sum(axis=1, keepdims=True)
    return np.asarray((sums + _PRIOR_WINDOWS * prior) / (windows + _PRIOR_WINDOWS), dtype=np.float64)


def _without_the_highest(codes: Ints, counts: Ints, subjects: int) -> Floats:
    """Counts cut down to each subject's second highest: one odd hour in the past must not become usual. Codes are sorted."""
    most = int(counts.max(initial=0)) + 1
    in_order = np.sort(codes * most + counts) % most  # by subject, then by count
    ends = np.searchsorted(codes, np.arange(subjects), side="right")
    starts = np.searchsorted(codes, np.arange(subjects), side="left")
    second = np.where(ends - starts > 1, ends - 2, ends - 1)
    caps = np.where(ends > starts, in_order[np.clip(second, 0, max(len(counts) - 1, 0))] if len(counts) else 0, 0)
    return np.minimum(counts, caps[codes]).astype(np.float64) if len(codes) else np.zeros(0)


def _dispersion(codes: Ints, counts: Floats, means: Floats, per_slot: Floats, slot: Ints) -> Floats:
    """k per subject by moments, from the squared residuals of all hours, also of those in which nothing happened."""
    at = means[codes, slot]
    squares = (per_slot * means**2).sum(axis=1)
    np.add.at(squares, codes, (counts - at) ** 2 - at**2)
    excess = squares - (per_slot * means).sum(axis=1)
    shape = (per_slot * means**2).sum(axis=1) / np.maximum(excess, 1e-9)
    return np.asarray(np.clip(shape, 0.05, 20.0), dtype=np.float64)


def _with_cohort(
    means: Floats,
    dispersion: Floats,
    first: Floats,
    days: Floats,
    start: int,
    end: int,
    slots: int,
    rows: tuple[Ints, Ints, Ints],
) -> Baseline:
    """Young subjects are drawn towards the cohort: its upper quartile of means, its median dispersion."""
    settled = days >= min(DAYS_OF_LEARNING, float(days.max(initial=0.0)))
    cohort_means = np.quantile(means[settled], 0.75, axis=0) if settled.any() else np.zeros(slots)
    cohort_k = float(np.median(dispersion[settled])) if settled.any() else 0.3
    trust = (days / (days + _COHORT_DAYS))[:, None]
    drawn = np.where(
        (days < DAYS_OF_LEARNING)[:, None], trust * means + (1 - trust) * np.maximum(cohort_means, means), means
    )
    shape = np.exp(trust[:, 0] * np.log(dispersion) + (1 - trust[:, 0]) * np.log(cohort_k))
    return Baseline(
        since=start,
        until=end,
        slots=slots,
        means=drawn,
        dispersion=shape,
        first_seen=first,
        cohort_means=cohort_means,
        cohort_dispersion=min(cohort_k, 0.5),
        rows=rows,
    )


def negative_binomial_tail(counts: Ints, mean: Floats, shape: Floats) -> Floats:
    """Log10 P(X >= count) for a negative binomial with this mean and dispersion `shape`, not below -20."""
    # scikit-learn, which is needed anyway, brings SciPy; it costs a tenth of a second to import
    from scipy.special import betainc  # type: ignore[import-untyped]

    safe = np.maximum(np.asarray(counts, dtype=np.float64), 1.0)
    probability = betainc(safe, shape, mean / (mean + shape))
    tail = np.log10(np.maximum(probability, 1e-20))
    return np.asarray(np.where(np.asarray(counts) <= 0, 0.0, tail), dtype=np.float64)


def threshold(tails: Floats, weeks: float, alerts_per_week: float, never_above: float = NEVER_ABOVE) -> float:
    """The log10 tail probability below which the given alarms a week are to be expected.

    `tails` holds one number per possible alarm (one per cause and span, else one burst fills the budget) from `weeks`
    of time that the baseline was not fitted on. Where the budget allows less than one alarm in that time, the tail is
    drawn out beyond the smallest one by the slope of the ten smallest (Hill's estimator).
    """
    ordered = np.sort(tails[tails < 0])
    allowed = alerts_per_week * weeks
    if len(ordered) <= allowed:
        return never_above
    if allowed >= 1:
        return float(min(never_above, ordered[int(allowed)]))
    top = ordered[: min(10, len(ordered) - 1)]
    slope = max(float(np.mean(ordered[len(top)] - top)), 0.05) if len(top) else 1.0  # log10 per factor e in rank
    return float(min(never_above, ordered[0] + slope * np.log(max(allowed, 1e-3))))
