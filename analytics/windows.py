"""Counts per subject and window, made ready for judging: zeros added, sliding hours, what an actor did in an hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analytics.replay import EPOCH, floor
from store.contract import EventReader

if TYPE_CHECKING:
    import pandas as pd

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOMENT, CELL = timedelta(minutes=1), timedelta(minutes=5)
HOUR = timedelta(hours=1)
_FEW_REQUESTS = 4
NEW_REPOSITORIES = "new_repositories"
FEATURES = (
    "requests",
    "pulls",
    "pushes",
    "deletes",
    "distinct_clients",
    "distinct_repositories",
    "distinct_digests",
    "megabytes",
    "denied_share",
    "failure_share",
    NEW_REPOSITORIES,
    "hour_sin",
    "hour_cos",
)
_MANY = 7  # of them are plain counts
DAY = timedelta(days=1)


def dense(frame: pd.DataFrame, since: datetime, until: datetime, width: timedelta) -> pd.DataFrame:
    """The same windows with a row of zeros where a subject did nothing.

    Returns:
        Index (subject, window_start) over all subjects of `frame` and all windows that start in [since, until), sorted;
        the columns of `frame`, int64.
    """
    import pandas as pd

    starts = pd.date_range(floor(since, width), until, freq=width, inclusive="left", name="window_start")
    subjects = frame.index.get_level_values(0).unique()
    index = pd.MultiIndex.from_product([subjects, starts], names=frame.index.names)
    return frame.reindex(index, fill_value=0).astype("int64")


def minutes(times: Any) -> Ints:
    """Aware moments of a column as whole minutes since the epoch."""
    import pandas as pd

    index = pd.DatetimeIndex(times)
    return np.asarray(index.as_unit("s").asi8 // 60, dtype=np.int64)


def minute(moment: datetime) -> int:
    """The same for one moment, cut down to the minute."""
    return int(moment.timestamp() // 60)


def moment(minutes: int) -> datetime:
    """The moment so many minutes after the epoch."""
    return EPOCH + timedelta(minutes=int(minutes))


def sliding_sums(codes: Ints, starts: Ints, amounts: Ints, span: int) -> Ints:
    """For each row the sum over its subject's rows that start in (start - span, start].

    Rows are sorted by (code, start), without repeats; starts and span in minutes. With rows of five minutes and a span
    of 60 this is the hour that ends with the row's window.
    """
    if len(codes) == 0:
        return np.zeros(0, dtype=np.int64)
    offset = starts - starts.min() + span  # every key of a subject lies above every key of the one before
    key = codes * (offset.max() + span + 1) + offset
    before = np.searchsorted(key, key - span, side="right")
    total = np.concatenate(([0], np.cumsum(amounts)))
    return np.asarray(total[1:] - total[before], dtype=np.int64)


def actor_hours(store: EventReader, since: datetime, until: datetime) -> pd.DataFrame:
    """What each actor did in each clock hour of [since, until): features for models that look at many at once.

    Returns:
        Index (subject, window_start), sorted; float64 columns: logarithms (log2 of 1 + n) of requests, pulls, pushes,
        deletes, megabytes and of distinct addresses, repositories and digests; shares of denied and failed requests and
        of repositories that the actor had not touched since `since`; the hour of day on a circle.
    """
    counts = store.windows(since, until, HOUR, "actor")
    features = features_of(counts)
    features[NEW_REPOSITORIES] = np.log2(1.0 + _new_repositories(store, since, until, counts.index))
    return features


def features_of(counts: pd.DataFrame) -> pd.DataFrame:
    """The same columns from counts by actor and hour, of each hour by itself: that of new repositories is 0."""
    import pandas as pd

    hour = np.asarray(minutes(counts.index.get_level_values(1)) // 60 % 24, dtype=np.float64)
    asked = counts["requests"] + _FEW_REQUESTS  # one refusal of one request is no share to speak of
    found: dict[str, Any] = {name: np.log2(1.0 + counts[name].astype("float64")) for name in FEATURES[:_MANY]}
    found |= {
        "megabytes": np.log2(1.0 + counts["bytes"].astype("float64") / 1e6),
        "denied_share": counts["denied"] / asked,
        "failure_share": counts["failures"] / asked,
        NEW_REPOSITORIES: 0.0,
        "hour_sin": np.sin(hour / 24 * 2 * np.pi),
        "hour_cos": np.cos(hour / 24 * 2 * np.pi),
    }
    return pd.DataFrame(found, index=counts.index, columns=list(FEATURES))


def _new_repositories(store: EventReader, since: datetime, until: datetime, index: pd.Index[Any]) -> Floats:
    """How many repositories each actor touched in the hour for the first time since `since`."""
    pairs = store.counts(since, until, ("actor", "repository"), HOUR).dropna(subset=["actor", "repository"])
    first = pairs.groupby(["actor", "repository"], sort=False)["window_start"].min().reset_index()
    new = first.groupby(["actor", "window_start"]).size()
    new.index.names = index.names
    return np.asarray(new.reindex(index, fill_value=0), dtype=np.float64)
