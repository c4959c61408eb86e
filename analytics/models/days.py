"""Models over the days of accounts and of repositories, to be measured beside the detectors (`analytics.yardsticks`).

Each is fitted on the days before and scores the days after; none of them runs in service. What they see is what the
store counts of a subject in a day, as binary logarithms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analytics.windows import Floats

MOST_ROWS = 5_000  # to fit on: the time of neighbours grows with the square
_FEWEST_ROWS = 20
_USUAL = 0.99  # of the days before lie below a score of 1

Scores = tuple[Floats, Floats]  # of the days before, of the days after


def isolated(before: Floats, after: Floats) -> Scores:
    """By an isolation forest (Liu, Ting, Zhou 2008), set as the detector's."""
    from analytics.detectors.isolation_forest import forest

    fitted = forest(len(before)).fit(before)
    return -fitted.score_samples(before), -fitted.score_samples(after)


def off_the_components(before: Floats, after: Floats) -> Scores:
    """By what the principal components that hold nine tenths of the variance do not explain (squared, of scaled figures)."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(before)
    components = PCA(0.9).fit(scaler.transform(before))

    def left(rows: Floats) -> Floats:
        scaled = scaler.transform(rows)
        return np.asarray(((scaled - components.inverse_transform(components.transform(scaled))) ** 2).sum(axis=1))

    return left(before), left(after)


def without_neighbours(before: Floats, after: Floats) -> Scores:
    """By the local outlier factor (Breunig and others 2000) against the 20 nearest days before."""
    from sklearn.neighbors import LocalOutlierFactor

    # Many days are equal to the last bit; of those, density is without bound.
    fitted = LocalOutlierFactor(n_neighbors=20, novelty=True).fit(np.unique(before, axis=0))
    return -fitted.negative_outlier_factor_, -fitted.score_samples(after)


MODELS: dict[str, Callable[[Floats, Floats], Scores]] = {
    "isolated": isolated,
    "components": off_the_components,
    "neighbours": without_neighbours,
}


def scores(name: str, before: Floats, after: Floats) -> Floats | None:
    """How odd the model finds each row of `after`, in units of what one of a hundred rows of `before` exceeds, so that
    accounts and repositories can be held against one threshold. None where there is too little to learn from.
    """
    chance = np.random.default_rng(0)
    known = before if len(before) <= MOST_ROWS else before[chance.choice(len(before), MOST_ROWS, replace=False)]
    if len(np.unique(known, axis=0)) < _FEWEST_ROWS or not len(after):
        return None
    own, found = MODELS[name](known, after)
    return np.asarray(found / max(float(np.quantile(own, _USUAL)), 1e-9))
