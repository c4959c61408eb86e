"""When things happen: the shapes of a day and a week, growth, and the noise that makes counts burstier than Poisson."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import prod
from typing import TYPE_CHECKING

from regsight.traffic.population import DAY, HOUR
from regsight.traffic.seeds import arrays

if TYPE_CHECKING:
    import numpy as np

# Share of the peak in each local hour of a working day: ramp from seven, lunch, a quiet evening.
PEOPLE = (3, 3, 3, 3, 3, 3, 5, 25, 60, 90, 100, 100, 75, 80, 100, 100, 100, 75, 35, 15, 15, 15, 8, 4)
NIGHTLY = (1, 2, 3)  # UTC hours of nightly builds
WEEKEND = {"people": (0.06, 0.04), "robots": (0.35, 0.30), "nodes": (0.9, 0.9), "machines": (1.0, 1.0)}
SHAPE = {"people": 0.45, "robots": 2.0, "nodes": 5.0, "machines": 20.0}  # of the gamma noise, per subject and hour
GROWTH_A_WEEK = 0.01


@dataclass(frozen=True, slots=True)
class Quiet:
    """A span in which people and robots do less than usual: a holiday. Nanoseconds since 1970."""

    start: int
    end: int
    people: float = 0.05
    robots: float = 0.4

    def factor(self, kind: str, at: int) -> float:
        if not self.start <= at < self.end:
            return 1.0
        return {"people": self.people, "robots": self.robots}.get(kind, 1.0)


@dataclass(frozen=True, slots=True)
class Calendar:
    """How busy a kind of subject is in an hour, as a factor on its average."""

    seed: int
    start: int
    quiet: tuple[Quiet, ...] = ()

    def starts(
        self, kind: str, rates: list[float], zones: list[int], day: int, name: str = ""
    ) -> list[tuple[int, int]]:
        """(subject, moment) of every operation that starts on a day, from the subjects' daily rates, by moment. `name` tells
        two sorts of work of one kind apart.
        """
        import numpy as np

        rng = arrays(self.seed, "starts", name or kind, day)
        expected = np.array(rates)[:, None] * np.array([self._hours(kind, zone, day) for zone in zones])
        shape = SHAPE[kind]
        noise = rng.gamma(shape, 1 / shape, expected.shape) * self._shared(day)[None, :]
        counts = rng.poisson(expected * noise)
        subjects, hours = np.nonzero(counts)
        each = counts[subjects, hours]
        offsets = rng.random(int(each.sum()))
        moments = self.start + day * DAY + ((np.repeat(hours, each) + offsets) * HOUR).astype(np.int64)
        order = np.argsort(moments, kind="stable")
        return list(zip(np.repeat(subjects, each)[order].tolist(), moments[order].tolist(), strict=True))

    def busy(self, kind: str, at: int) -> float:
        """Week, holidays and growth together."""
        weekday = moment(at).weekday()
        week = WEEKEND[kind][weekday - 5] if weekday >= 5 else 1.0
        growth: float = (1 + GROWTH_A_WEEK) ** ((at - self.start) / (7 * DAY))
        return week * growth * prod(quiet.factor(kind, at) for quiet in self.quiet)

    def _hours(self, kind: str, zone: int, day: int) -> np.ndarray:
        """Share of a day's work in each of the 24 hours after the day's start, times how busy the day is."""
        import numpy as np

        first = self.start + day * DAY
        hours = np.array([moment(first + hour * HOUR).hour for hour in range(24)])
        people = np.array(PEOPLE)[(hours + zone) % 24] / 100
        if kind == "people":
            shape = people
        elif kind == "robots":
            night = np.isin(hours, NIGHTLY) * 0.25
            shape = 0.17 + 0.83 * people + night
        elif kind == "nodes":
            shape = 0.65 + 0.7 * people
        else:
            shape = np.ones(24)
        busy = np.array([self.busy(kind, first + hour * HOUR) for hour in range(24)])
        scaled: np.ndarray = shape / shape.sum() * busy
        return scaled

    def _shared(self, day: int) -> np.ndarray:
        """One multiplier an hour for the whole registry."""
        drawn: np.ndarray = arrays(self.seed, "shared", day).lognormal(0, 0.15, 24)
        return drawn


def moment(at: int) -> datetime:
    """Nanoseconds since 1970 as an aware datetime (whole microseconds)."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at // 1000)
