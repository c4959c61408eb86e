"""The seasonal engine on the Numenta Anomaly Benchmark: a check of `analytics.baselines` alone, on data of another world.

    python -m benchmarks.nab CORPUS SCORER [FILE-PART…]

CORPUS holds `data/` and `labels/`, SCORER the two modules `nab_harness` and `baselines` that score detectors as the benchmark
does. Neither belongs to this project; nothing else needs them. The benchmark knows one number every five minutes, no accounts,
no sequences, and rewards who fires rarely: the line "outside everything seen so far" (six lines) gets 54 points, F1 0.62.

Each value becomes a count (its distance from the lowest so far, in tenths of the usual spread), upwards and downwards. As
`pull_volume` does, a day is judged by a baseline of the days before, in sliding hours, where the count is above (1.25 times) all
earlier days but one; how often chance gives as strange is read off the days that were judged before. What is not above the
record is no alarm, but the baseline has a tail probability for it, which orders it below all alarms. Nothing looks ahead.

Beside it stands a jump: how far a value is from the median of the three hours before, where it is farther than ever. No detector
uses it; it shows what the engine lacks for this benchmark.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.baselines import learn
from analytics.surprise import RAREST, a_week

DAY = 1440  # minutes
UNITS = 10  # counts that the usual spread is worth
ABOVE_RECORD = 1.25
FEWEST_DAYS = 2.0
HISTORY = 28 * DAY
LEVEL = 36  # points, three hours
QUIET = 3.0  # -log10 of a tail probability at which what is no alarm scores a quarter
SETTLED = 60  # points before which nothing has a past
Floats = np.ndarray


def engine(stamps: pd.DatetimeIndex, values: Floats) -> Floats:
    """A score from 0 to 1 for each point, from that point and those before it; an alarm is above a half."""
    alarms, tails = _judged(stamps, values)
    return _ordered(alarms, tails)


def engine_and_jump(stamps: pd.DatetimeIndex, values: Floats) -> Floats:
    """The same, where a jump that was never so large is an alarm too."""
    alarms, tails = _judged(stamps, values)
    return _ordered(np.maximum(alarms, jump(values)), tails)


def _judged(stamps: pd.DatetimeIndex, values: Floats) -> tuple[Floats, Floats]:
    """Alarms from 0 to 1, and how small the tail probability of the hour is (-log10) on the mean of an hour's points."""
    seconds = np.maximum.accumulate(stamps.as_unit("s").asi8)  # some files go back by an hour when summer time ends
    minutes, stamps = seconds // 60, pd.to_datetime(seconds, unit="s")
    hour = pd.Series(values, index=stamps).rolling("60min").mean().to_numpy()
    (up, above), (down, below) = _one_way(minutes, values, hour), _one_way(minutes, -values, -hour)
    strange = np.where(above | below, np.maximum(np.where(above, up, 0), np.where(below, down, 0)), 0)
    tails = pd.Series(np.maximum(up, down), index=stamps).rolling("60min").mean().to_numpy()
    return _edge(_chance(minutes, strange), stamps), tails


def _ordered(alarms: Floats, tails: Floats) -> Floats:
    return np.where(alarms > 0, 0.5 + alarms / 2, tails / (tails + QUIET) / 2)


def jump(values: Floats) -> Floats:
    """From 0 to 1: by how much the distance from the level of the hours before is the largest so far, as a share of the span of
    all distances, against how much that share usually is.
    """
    series = pd.Series(values)
    off = (series - series.shift(1).rolling(LEVEL, min_periods=6).median().bfill()).to_numpy()
    high, low = np.maximum.accumulate(off), np.minimum.accumulate(off)
    beyond = np.zeros(len(off))
    span = np.maximum(high[:-1] - low[:-1], 1e-9)
    beyond[1:] = np.maximum(np.maximum(off[1:] - high[:-1], low[:-1] - off[1:]), 0) / span
    beyond[:SETTLED] = 0
    # Nearly always it is none: what is left of a spread is that of the records.
    usual = pd.Series(beyond).shift(1).expanding(SETTLED).std().fillna(0).to_numpy()
    strange = beyond / np.where(usual > 0, usual, 1.0)
    return strange / (strange + 10)


def _one_way(minutes: Floats, values: Floats, hour: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """-log10 of the tail probability of the hour up to each point, and whether it is above the record."""
    found, above = np.zeros(len(values)), np.zeros(len(values), dtype=bool)
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
        found[today], above[today] = tails, now > ABOVE_RECORD * record
    return found, above


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
    figures: dict[str, dict[str, float]] = {}
    for detect in (engine, engine_and_jump):
        begun = time.process_time()
        scores = [detect(one.timestamps, one.values) for one in corpus]
        spent = time.process_time() - begun
        mine = harness.evaluate(corpus, scores)
        # Thresholds are chosen on one half of the files, judged on the other.
        if len(set(references.is_held_out(corpus))) == 2:
            mine |= references.split_transfer(corpus, scores)
        mine["causality_gap"] = harness.causality_gap(detect, corpus)
        mine["microseconds_a_point"] = spent / sum(len(one.values) for one in corpus) * 1e6
        figures[detect.__name__] = mine
    for name in ("range", "seasonal_mad"):
        beside = [references.POST["z"](references.RAW[name](one.timestamps, one.values)) for one in corpus]
        figures[f"beside_{name}"] = {"nab_standard": harness.nab_score(corpus, beside)[0]}
    rounded = {each: {name: round(float(value), 4) for name, value in mine.items()} for each, mine in figures.items()}
    print(json.dumps(rounded, indent=1))


if __name__ == "__main__":
    main()
