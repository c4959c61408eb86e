"""Training on schedule, and the comparison before a new forest takes over.

The forest learns four weeks up to a week ago; the last week, which it has not seen, is the shadow: both forests score it.
Nobody has labelled it, so odd hours are made of real ones. A forest is there for mixtures that no single figure gives away:
crossed hours (half of the figures of one account's hour with half of another's) decide, by the area under the ROC curve, with
how much of the real week would be flagged. The largest robust z of any figure is the simple way that it must beat on these.
How both see plain multiples (two counts times 8 to 64) is kept beside it: there the simple way may well be better.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from analytics.models.drift import parts
from analytics.models.forest import Floats, Forest
from analytics.models.shelf import LAYOUT, Shelf, Version
from analytics.replay import floor
from analytics.windows import DAY, actor_hours
from store.contract import Store

if TYPE_CHECKING:
    import pandas as pd

NAME = "isolation_forest"
LEARNS = timedelta(days=28)
SHADOW = timedelta(days=7)
EVERY = timedelta(days=7)
LEAST_DAYS, LEAST_ROWS, LEAST_SHADOW = 7, 100, 30
FLAGGED = 0.995  # quantile of the training's scores above which the comparison calls an hour flagged
MOST_FLAGGED = 0.05  # of the shadow week, above which a forest is not fit for service
TIE = 0.01  # so much worse a newer forest may be: it knows the newer accounts
_CIRCLE = ("hour_sin", "hour_cos")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What became of a training; `version` is None where there was not enough to learn from."""

    version: Version | None
    took_over: bool
    reason: str


def due(shelf: Shelf, now: datetime) -> bool:
    """Whether a week has gone by since the last training."""
    versions = shelf.versions()
    return not versions or now - versions[-1].trained_at >= EVERY


def retrain(store: Store, now: datetime) -> Trained:
    """Train, compare, and keep the outcome with its reason. The forest takes over from the next midnight on, or not.

    Raises:
        Unavailable: the store did not answer.
    """
    from analytics.detectors.isolation_forest import forest  # scikit-learn has its door among the detectors

    shelf = Shelf(store, NAME)
    end = floor(now, DAY)
    begin, split = end - SHADOW - LEARNS, end - SHADOW
    features = actor_hours(store, begin, end)
    starts = features.index.get_level_values(1)
    learned, shadow = features[starts < split], features[starts >= split]
    if len(learned) < LEAST_ROWS or len(shadow) < LEAST_SHADOW or split - starts.min() < LEAST_DAYS * DAY:
        reason = f"not enough data: {len(learned)} hours of accounts to learn from, {len(shadow)} to compare on"
        return Trained(version=None, took_over=False, reason=reason)
    given = learned.to_numpy(dtype=np.float64)
    made = Forest.of(forest(len(learned)).fit(given))
    running = shelf.serving(now)
    old = shelf.forest_at(now, list(features.columns))
    figures = compare(learned, shadow, made, old)
    took_over, reason = decide(figures)
    quantiles, shares = parts(learned)
    version = Version(
        name=NAME,
        version=f"{now:%Y%m%dT%H%M%S}",
        layout=LAYOUT,
        columns=tuple(features.columns),
        trained_at=now,
        since=starts.min().to_pydatetime(),
        until=split,
        rows=len(learned),
        fingerprint=sha256(np.ascontiguousarray(given).tobytes()).hexdigest(),
        sha256="",
        quantiles=quantiles,
        shares=shares,
        figures=figures,
        reason=reason if running is None or old is not None else f"{reason}; the running one was refused",
    )
    version = shelf.put(version, made, end + DAY if took_over else None)
    return Trained(version=version, took_over=took_over, reason=version.reason)


def compare(learned: pd.DataFrame, shadow: pd.DataFrame, made: Forest, old: Forest | None) -> dict[str, float]:
    """Figures of the new forest, the running one and the simple way, on the shadow week and on odd hours made of it."""
    past, real = learned.to_numpy(dtype=np.float64), shadow.to_numpy(dtype=np.float64)
    made_odd = {"": crossed(shadow), "_multiplied": multiplied(shadow)}
    # The circle of hours is no count: the simple way does not know it.
    counted = [place for place, name in enumerate(learned.columns) if name not in _CIRCLE]
    figures = {}
    for sort, odd in made_odd.items():
        figures[f"simple_auc{sort}"] = auc(_largest_z(past, real, counted), _largest_z(past, odd, counted))
    for name, forest in (("new", made), ("running", old)):
        if forest is not None:
            scores = forest.scores(real)
            figures[f"{name}_flagged"] = float((scores > np.quantile(forest.scores(past), FLAGGED)).mean())
            for sort, odd in made_odd.items():
                figures[f"{name}_auc{sort}"] = auc(scores, forest.scores(odd))
    return {name: round(value, 4) for name, value in figures.items()}


def decide(figures: dict[str, float]) -> tuple[bool, str]:
    """Whether the new forest takes over, and why, in a sentence."""
    new, simple = figures["new_auc"], figures["simple_auc"]
    running = figures.get("running_auc")
    told = f"tells {new:.3f} of crossed hours apart, the simple way {simple:.3f}"
    if figures["new_flagged"] > MOST_FLAGGED:
        return False, f"it would flag {figures['new_flagged']:.1%} of an ordinary week"
    if new < simple:
        return False, f"it does not beat the simple way: {told}"
    if running is None:
        return True, f"the first in service: {told}"
    if new < running - TIE:
        return False, f"the running one is better: {told}, the running one {running:.3f}"
    return True, f"as good as the running one ({running:.3f}) or better, and newer: {told}"


def crossed(shadow: pd.DataFrame) -> Floats:
    """As many odd hours as the week has real ones, always the same: half of the figures are another hour's."""
    chance = np.random.default_rng(0)
    real = shadow.to_numpy(dtype=np.float64)
    odd, other = real.copy(), real[chance.permutation(len(real))]
    for row in range(len(odd)):
        chosen = chance.choice(real.shape[1], real.shape[1] // 2, replace=False)
        odd[row, chosen] = other[row, chosen]
    return odd


def multiplied(shadow: pd.DataFrame) -> Floats:
    """The same with two counts of each hour times 8 to 64; features are binary logarithms."""
    chance = np.random.default_rng(0)
    odd = shadow.to_numpy(dtype=np.float64).copy()
    names = [str(name) for name in shadow.columns]
    counts = [place for place, name in enumerate(names) if not name.endswith("_share") and name not in _CIRCLE]
    for row in range(len(odd)):
        odd[row, chance.choice(counts, 2, replace=False)] += chance.uniform(3, 6)
    return odd


def auc(ordinary: Floats, odd: Floats) -> float:
    """How often an odd one scores higher than an ordinary one; a tie is half."""
    ranks = np.searchsorted(np.sort(ordinary), odd, "left"), np.searchsorted(np.sort(ordinary), odd, "right")
    return float((ranks[0] + ranks[1]).mean() / 2 / len(ordinary))


def _largest_z(past: Floats, rows: Floats, columns: list[int]) -> Floats:
    middle = np.median(past[:, columns], axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(past[:, columns] - middle), axis=0), 0.5)
    return np.asarray(((rows[:, columns] - middle) / spread).max(axis=1))
