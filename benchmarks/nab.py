"""The seasonal engine on the Numenta Anomaly Benchmark: a check of `analytics.baselines` alone, on data of another world.

    python -m benchmarks.nab CORPUS SCORER [FILE-PART…]

CORPUS holds `data/` and `labels/`, SCORER the two modules `nab_harness` and `baselines` that score detectors as the benchmark
does. Neither belongs to this project; nothing else needs them. The benchmark knows one number every five minutes, no accounts,
no sequences, and rewards who fires rarely: the line "outside everything seen so far" (six lines) gets 54 points, F1 0.62.

Each value becomes a count (its distance from the lowest so far, in tenths of the usual spread), upwards and downwards. As
`pull_volume` does, a day is judged by a baseline of the days before, in sliding hours, where the count is above (1.25 times) all
earlier days but one; how often chance gives as strange is read off the days that were judged before. Nothing looks ahead.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analytics.baselines import learn
from analytics.surprise import RAREST, a_week

DAY = 1440  # minutes
UNITS = 10  # counts that the usual spread is worth
ABOVE_RECORD = 1.25
FEWEST_DAYS = 2.0
HISTORY = 28 * DAY
Floats = np.ndarray


def detect(stamps: pd.DatetimeIndex, values: Floats) -> Floats:
    """A score from 0 to 1 for each point, from that point and those before it."""
    seconds = np.maximum.accumulate(stamps.as_unit("s").asi8)  # some files go back by an hour when summer time ends
    minutes, stamps = seconds // 60, pd.to_datetime(seconds, unit="s")
    hour = pd.Series(values, index=stamps).rolling("60min").mean().to_numpy()
    strange = np.maximum(_one_way(minutes, values, hour), _one_way(minutes, -values, -hour))
    return _edge(_chance(minutes, strange), stamps)


def _one_way(minutes: Floats, values: Floats, hour: Floats) -> Floats:
    """-log10 of the tail probability where the hour up to the point is above the record, else 0."""
    found = np.zeros(len(values))
    days = minutes // DAY
    for day in np.unique(days):
        today = np.flatnonzero(days == day)
        first = today[0]
        past = np.flatnonzero((minutes >= minutes[first] - HISTORY) & (np.arange(len(values)) < first))
        if not len(past) or minutes[first] - minutes[0] < FEWEST_DAYS * DAY:
            continue
        low = values[past].min()
        spread = 1.4826 * np.median(np.abs(values[past] - np.median(values[past]))) or values[past].std() or 1.0
        unit = spread / UNITS
        clock = pd.Series((values[past] - low) / unit).groupby(minutes[past] // 60).mean()
        counts = np.rint(clock.to_numpy()).astype(np.int64)
        hours = clock.index.to_numpy(dtype=np.int64)
        zeros = np.zeros(len(counts), dtype=np.int64)
        baseline = learn(zeros, hours, counts, 1, int(minutes[past[0]]), int(minutes[first]))
        now = np.rint((hour[today] - low) / unit).astype(np.int64)
        tails = -baseline.tail(np.zeros(len(now), dtype=np.int64), minutes[today] - 55, np.maximum(now, 0))
        peaks = pd.Series((hour[past] - low) / unit).groupby(days[past]).max().to_numpy()
        record = np.sort(peaks)[-2] if len(peaks) > 1 else peaks.max()
        found[today] = np.where(now > ABOVE_RECORD * record, tails, 0.0)
    return found


def _chance(minutes: Floats, strange: Floats) -> Floats:
    """1 for what chance never gives by the days judged before, 0 for what is ordinary."""
    days, place = np.unique(minutes // DAY, return_inverse=True)
    loudest = np.zeros(len(days))
    np.maximum.at(loudest, place, strange)
    found = np.zeros(len(strange))
    for at in np.flatnonzero(strange > 0):
        before = loudest[: place[at]]
        rate = a_week(float(strange[at]), before, max(len(before), 1) / 7)
        found[at] = np.clip(np.log10(7 / rate) / np.log10(7 / RAREST), 0, 1)
    return found


def _edge(scores: Floats, stamps: pd.DatetimeIndex) -> Floats:
    """Said once: only what tops the twelve hours before, as a finding goes on through its day instead of being new."""
    before = pd.Series(scores, index=stamps).rolling("12h", closed="left").max().fillna(0).to_numpy()
    return np.where(scores > before, scores, 0.0)


def main() -> None:
    root, tools, *parts = sys.argv[1:]
    sys.path.insert(0, tools)
    harness: Any = importlib.import_module("nab_harness")
    references: Any = importlib.import_module("baselines")
    corpus = [one for one in harness.load_corpus(Path(root)) if not parts or any(part in one.name for part in parts)]
    begun = time.process_time()
    scores = [detect(one.timestamps, one.values) for one in corpus]
    spent = time.process_time() - begun
    figures = harness.evaluate(corpus, scores)
    if (
        len(set(references.is_held_out(corpus))) == 2
    ):  # thresholds are chosen on one half of the files, judged on the other
        figures |= references.split_transfer(corpus, scores)
    figures["causality_gap"] = harness.causality_gap(detect, corpus)
    figures["microseconds_a_point"] = spent / sum(len(one.values) for one in corpus) * 1e6
    for name in ("range", "seasonal_mad"):
        beside = [references.POST["z"](references.RAW[name](one.timestamps, one.values)) for one in corpus]
        figures[f"beside_{name}"] = harness.nab_score(corpus, beside)[0]
    print(json.dumps({name: round(float(value), 4) for name, value in figures.items()}, indent=1))


if __name__ == "__main__":
    main()
