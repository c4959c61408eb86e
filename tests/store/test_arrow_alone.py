"""Making rows imports no pandas; a frame that is wanted afterwards is made all the same."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from store.event import schema
import pyarrow as pa
schema()
table = pa.table({"name": pa.array(["a", None]), "count": pa.array([1, 2])})
assert "pandas" not in sys.modules, "rows were made with pandas in memory"
frame = table.to_pandas()
assert list(frame["count"]) == [1, 2] and frame["name"][0] == "a"
assert pa.Table.from_pandas(frame, preserve_index=False).column("count").to_pylist() == [1, 2]
"""


def test_rows_without_pandas() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)
