"""Does a model still see the world that it was trained on? Population stability index of each feature.

PSI = sum over the parts between the training's deciles of (now - then) · ln(now / then); above 0.25 by convention (credit
scoring, Siddiqi 2006) the population is another one. It says nothing of right and wrong, only that the figures the model
learned from are not today's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from analytics.detector import Suspicion
from analytics.telemetry import AnalyticsTelemetry
from analytics.watch import Watch
from analytics.windows import actor_hours
from store.contract import Store
from store.finding import Finding, Severity

if TYPE_CHECKING:
    import pandas as pd

    from analytics.models.shelf import Version

SPAN = timedelta(days=7)
LEAST_ROWS = 100
DRIFTED = 0.25
_LEAST_SHARE = 0.001  # an empty part would make the logarithm endless


WATCH = Watch(
    name="model_drift",
    subject="registry_wide",
    every=timedelta(hours=6),
    history=SPAN,
    next_step="See `regsight models show`; after a change that is here to stay run `regsight models retrain`.",
)


def parts(learned: pd.DataFrame) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """The deciles of each column (without repeats), and how much of it lies in each part between them."""
    quantiles, shares = {}, {}
    for name in learned.columns:
        values = learned[name].to_numpy(dtype=np.float64)
        edges = np.unique(np.quantile(values, np.linspace(0.1, 0.9, 9)))
        quantiles[str(name)] = [float(edge) for edge in edges]
        shares[str(name)] = _shares(values, edges)
    return quantiles, shares


def psi(then: Sequence[float], now: Sequence[float]) -> float:
    """The index of two lists of shares."""
    a, b = (np.maximum(np.asarray(shares, dtype=np.float64), _LEAST_SHARE) for shares in (then, now))
    return float(((b - a) * np.log(b / a)).sum())


def drift_of(version: Version, features: pd.DataFrame) -> dict[str, float]:
    """Feature → index of these rows against the training."""
    return {
        name: psi(version.shares[name], _shares(features[name].to_numpy(dtype=np.float64), np.asarray(edges)))
        for name, edges in version.quantiles.items()
        if name in features and name not in ("hour_sin", "hour_cos")
    }


def watch_drift(
    store: Store, version: Version, now: datetime, telemetry: AnalyticsTelemetry | None = None
) -> list[Finding]:
    """Hold the last week against the training of a model in service; a finding informs, once for each version.

    Raises:
        Unavailable: the store did not answer; calling again judges the same again.
    """
    features = actor_hours(store, now - SPAN, now)
    if len(features) < LEAST_ROWS:
        return []
    found = drift_of(version, features)
    if telemetry:
        for name, index in found.items():
            telemetry.drift(version.name, name, index)
    far = sorted(((index, name) for name, index in found.items() if index > DRIFTED), reverse=True)
    if not far:
        return []
    listed = ", ".join(f"{name} {index:.2f}" for index, name in far)
    suspicion = Suspicion(
        kind="model_drifted",
        cause=(version.name, version.version),
        severity=Severity.INFO,
        title=f"{version.name} was trained on other traffic than that of the last week",
        start=now - SPAN,
        end=now,
        subjects={},
        score=far[0][0],
        expected=f"a population stability index of at most {DRIFTED} for each feature",
        observed=listed,
        explanation=f"Version {version.version} learned {version.since:%Y-%m-%d} to {version.until:%Y-%m-%d}.",
    )
    return WATCH.tell(store, [suspicion], now, telemetry)


def _shares(values: np.ndarray, edges: np.ndarray) -> list[float]:
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return [float(count) / max(len(values), 1) for count in counts]
