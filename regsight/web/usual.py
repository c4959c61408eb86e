"""What is usual hour by hour: the band that the overview draws behind today's traffic."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

import numpy as np

from analytics.baselines import DAYS_FOR_HOUR_OF_DAY, Baseline, learn
from analytics.reports.charts import Band
from analytics.reports.hours import hourly
from store.contract import EventReader

LEARNED = timedelta(days=35)  # five weeks: enough for the hour of the week


class UsualTraffic:
    """Learned from the weeks before, once for each hour of the clock: a page that is open all day costs no more."""

    def __init__(self, store: EventReader) -> None:
        self._store = store
        self._lock = Lock()
        self._learned: tuple[datetime, dict[str, Baseline] | None] | None = None

    def band(self, name: str, start: datetime, hours: int) -> Band | None:
        """Between which two numbers nine in ten of the hours lay at that time of the day or week: the band of a column of
        `hourly` from `start` on. None while fewer than four days before it are known.

        `start` is a full hour; what is learned ends there, so that a day is not judged by itself.
        """
        baselines = self._baselines(start)
        if baselines is None:
            return None
        usual = [baselines[name].usual(0, _minutes(start) + 60 * hour) for hour in range(hours)]
        season = "week" if baselines[name].slots == 168 else "day"
        return Band(
            name=f"usual at this hour of the {season}", low=[one.low for one in usual], high=[one.high for one in usual]
        )

    def _baselines(self, start: datetime) -> dict[str, Baseline] | None:
        with self._lock:
            if self._learned is None or self._learned[0] != start:
                self._learned = start, self._learn(start)
            return self._learned[1]

    def _learn(self, until: datetime) -> dict[str, Baseline] | None:
        span = self._store.span()
        if span is None or span[0] > until - timedelta(days=DAYS_FOR_HOUR_OF_DAY):
            return None
        since = max(until - LEARNED, span[0].replace(minute=0, second=0, microsecond=0))
        rows = hourly(self._store, since, until)
        hours = np.asarray([_minutes(since) // 60 + place for place in range(len(rows))])
        found = {}
        for name in ("requests", "denied"):
            counts = np.asarray([row[name] for row in rows])
            busy = counts > 0
            codes = np.zeros(int(busy.sum()), dtype=np.int64)
            found[name] = learn(codes, hours[busy], counts[busy], 1, _minutes(since), _minutes(until))
        return found


def _minutes(moment: datetime) -> int:
    return int(moment.timestamp() // 60)
