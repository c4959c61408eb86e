"""The shapes of `EventReader.counts` and `windows`, made here for both stores so that they cannot differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from store.contract import WINDOW_COUNTS
from store.event import BY_NAME

if TYPE_CHECKING:
    import pandas as pd

# By what the events of a dropped day are counted, an hour each, and the columns of a roll-up.
ROLLUP_BY: tuple[str, ...] = ("registry", "actor", "client_ip", "repository", "action", "outcome")
ROLLUP: tuple[str, ...] = ("window_start", *ROLLUP_BY, "events", "bytes")


def check_countable(by: Sequence[str], width: timedelta | None) -> None:
    """Refuse what one of the stores could not count: free text, lists, times, windows below Elasticsearch's grain."""
    for name in by:
        field = BY_NAME.get(name)
        if field is None or not field.index or field.kind in ("strings", "time"):
            raise ValueError(f"events are not counted by {name!r}")
    if width is not None and (width < timedelta(milliseconds=1) or width % timedelta(milliseconds=1)):
        raise ValueError("a window is a whole number of milliseconds, at least one")


def windows_frame(subjects: Sequence[str], columns: Mapping[str, Any]) -> pd.DataFrame:
    """From one sequence per column: `window_us` (start, µs since the epoch) and each of `WINDOW_COUNTS`."""
    import pandas as pd

    starts = pd.to_datetime(pd.Series(columns["window_us"], dtype="int64"), unit="us", utc=True).dt.as_unit("us")
    index = pd.MultiIndex.from_arrays([pd.Index(subjects, dtype=object), starts], names=["subject", "window_start"])
    counts = {name: pd.Series(columns[name], dtype="int64").to_numpy() for name in WINDOW_COUNTS}
    return pd.DataFrame(counts, index=index).sort_index()


def counts_frame(columns: Mapping[str, Sequence[Any]], by: Sequence[str]) -> pd.DataFrame:
    """From one sequence per column: `by`, `window_start` in µs where asked for, events, bytes, duration_ns."""
    import pandas as pd

    frame = pd.DataFrame({name: pd.Series(columns[name], dtype=object) for name in by})
    if "window_start" in columns:
        starts = pd.Series(columns["window_start"], dtype="int64")
        frame["window_start"] = pd.to_datetime(starts, unit="us", utc=True).dt.as_unit("us")
    for name, kind in (("events", "int64"), ("bytes", "int64"), ("duration_ns", "float64")):
        frame[name] = pd.Series(columns[name], dtype=kind)
    return frame


def rollup_frame(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """From one sequence per column of `ROLLUP`, `window_start` as datetimes; what came in several batches is added up."""
    import pandas as pd

    frame = pd.DataFrame({name: pd.Series(list(columns[name]), dtype=object) for name in ROLLUP_BY})
    frame.insert(0, "window_start", pd.to_datetime(pd.Series(list(columns["window_start"])), utc=True).dt.as_unit("us"))
    for name in ("events", "bytes"):
        frame[name] = pd.Series(list(columns[name]), dtype="int64")
    keys = ["window_start", *ROLLUP_BY]
    summed = frame.groupby(keys, dropna=False, sort=False, as_index=False)[["events", "bytes"]].sum()
    summed[list(ROLLUP_BY)] = summed[list(ROLLUP_BY)].astype(object).where(summed[list(ROLLUP_BY)].notna(), None)
    return summed.sort_values(["window_start", "events"], ascending=[True, False], ignore_index=True)
