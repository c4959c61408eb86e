"""What a store counted, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def plain_rows(counts: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame of `EventReader.counts` as dictionaries of plain values: pandas may have turned None into NaN."""
    return [
        {str(name): None if isinstance(value, float) and value != value else value for name, value in row.items()}
        for row in counts.astype({"events": int, "bytes": int}).to_dict("records")
    ]
