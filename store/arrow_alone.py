"""pyarrow without pandas, for as long as nobody asks for a frame.

The first `pa.array` of a Python list looks whether it is a Series, and imports pandas for that wherever it is installed: a quarter
of a second and 45 MB in every process that collects. pyarrow asks once; told that there is none, it takes lists as they are,
and imports pandas when a frame is wanted (`to_pandas`, `Table.from_pandas`). Do not hand a Series to `pa.array`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from threading import get_ident
from types import ModuleType


class _NoPandas(MetaPathFinder):
    """For one thread: another one may need pandas at this very moment."""

    def __init__(self) -> None:
        self._thread = get_ident()

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == "pandas" and get_ident() == self._thread:
            raise ModuleNotFoundError("pyarrow need not know", name=name)
        return None


@cache
def arrow_alone() -> None:
    """Let pyarrow ask, once. Where pandas is imported already there is nothing to save."""
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(finder)
