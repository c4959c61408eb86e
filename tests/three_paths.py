"""The same block read by all three paths, and what must be equal."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from format_samples import formats

from collector import native
from collector.columnar import scan, templates
from collector.one_by_one import OneByOne
from collector.stages import Block, Parsed

NOW = datetime(2026, 11, 26, 12, 0, 0, 123456, UTC)
INSTALLED = importlib.util.find_spec("regsight_native") is not None
# Where the package can be built it must have been: a build that fails in CI is no reason to skip.
if not INSTALLED and os.environ.get("CI") and shutil.which("cargo"):
    raise RuntimeError("cargo is here, but regsight_native is not built: make native")
needs_native = pytest.mark.skipif(
    not INSTALLED, reason="REGSIGHT_NATIVE IS NOT BUILT: nothing of it was tested (make native)"
)


PATHS = ("native", "columns") if INSTALLED else ("columns",)


@contextmanager
def by(path: str) -> Iterator[None]:
    """Blocks are read by this path: `native`, `columns` (also where there is little to gain by it), or `rows`."""
    with ExitStack() as patched:
        if path != "native":
            patched.enter_context(patch.object(native, "compiled", lambda: None))
            patched.enter_context(patch.object(native, "columns_wanted", lambda: path == "columns"))
            patched.enter_context(patch.object(scan, "FEWEST_LINES", 1))
            patched.enter_context(patch.object(templates, "FEWEST", 2))
            patched.enter_context(patch.dict(scan.TEMPLATES, clear=True))
        yield


def parsed(name: str | OneByOne, block: Block, path: str) -> tuple[Parsed, native.Tally]:
    """(the answer of this path, how many lines were read before Python line by line, and left)."""
    format_: Any = replace(formats()[name] if isinstance(name, str) else name, clock=lambda: NOW)
    native.TALLY.scanned = native.TALLY.left = 0
    with by(path):
        answer = format_.parse(block)
    return answer, native.Tally(native.TALLY.scanned, native.TALLY.left)


def check_equal(name: str | OneByOne, block: Block) -> dict[str, native.Tally]:
    """All paths give the same table, rejects and counts. Returns what each of the quick ones read. A format may be given itself."""
    plain, _ = parsed(name, block, "rows")
    tallies = {}
    for path in PATHS:
        quick, tallies[path] = parsed(name, block, path)
        _same(path, block, quick, plain)
    return tallies


def _same(path: str, block: Block, quick: Parsed, plain: Parsed) -> None:
    assert quick.events.schema == plain.events.schema, path
    if not quick.events.equals(plain.events):
        ours, theirs = quick.events.to_pylist(), plain.events.to_pylist()
        for mine, other in zip(ours, theirs, strict=False):
            different = {key: (mine[key], other[key]) for key in other if mine[key] != other[key]}
            start = other["offset"] - block.offset
            assert not different, (path, different, block.data[start : start + 3000].partition(b"\n")[0])
        assert len(ours) == len(theirs), path
    assert quick.rejects == plain.rejects, path
    assert (quick.ignored, quick.extra) == (plain.ignored, plain.extra), path
