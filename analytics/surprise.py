"""How often chance alone gives something as strange: scores of a detector against that detector's own past.

Scores of one detector say nothing to another. What all can be compared by is the number of findings as strange that the
detector's own past holds, for each week of it: the conformal p-value, counted by weeks instead of by tries, so that it
already allows for the number of subjects (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005;
Laxhammar and Falkman, Conformal anomaly detection, 2010). One score is taken for each span in which several subjects may
be odd by one cause. Beyond the strangest of the past the tail is drawn on as an exponential (Hill's estimator).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from analytics.windows import Floats

RAREST = 1e-6  # a week: what is rarer cannot be told apart by any past
_TAIL = 10  # the scores from which the tail beyond the largest is drawn
_FEWEST_TAIL = 3


def a_week(score: float, past: Floats, weeks: float) -> float:
    """How many as strange as `score` (higher is stranger) the past gives a week; the new one is counted among them.

    `past` has one score for each span without overlap, of `weeks` in all, which the detector was not fitted on.
    """
    if weeks <= 0:
        return float("inf")
    as_strange = int(np.count_nonzero(past >= score))
    rate = (1 + as_strange) / weeks
    top = np.sort(past)[::-1][: _TAIL + 1]
    if as_strange or len(top) <= _FEWEST_TAIL:
        return rate
    slope = max(float(np.mean(top[:-1] - top[-1])), 1e-9)
    return max(rate * float(np.exp(-(score - top[0]) / slope)), RAREST)


def together(rates: Iterable[float]) -> float:
    """One rate out of those of several detectors about one subject, however much they depend on each other: the harmonic
    mean (Wilson, PNAS 116, 2019). It is never below the smallest.
    """
    all_rates = [max(rate, RAREST) for rate in rates]
    return len(all_rates) / sum(1 / rate for rate in all_rates) if all_rates else float("inf")
