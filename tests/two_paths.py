"""The same block read by both paths, and what must be equal."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from format_samples import formats

from collector import native
from collector.stages import Block, Parsed

NOW = datetime(2026, 11, 26, 12, 0, 0, 123456, UTC)
INSTALLED = importlib.util.find_spec("regsight_native") is not None
# Where the package can be built it must have been: a build that fails in CI is no reason to skip.
if not INSTALLED and os.environ.get("CI") and shutil.which("cargo"):
    raise RuntimeError("cargo is here, but regsight_native is not built: make native")
needs_native = pytest.mark.skipif(
    not INSTALLED, reason="REGSIGHT_NATIVE IS NOT BUILT: nothing of it was tested (make native)"
)


def both(name: str, block: Block) -> tuple[Parsed, Parsed, native.Tally]:
    """(by the scanner, by Python alone, how many lines the scanner read and left)."""
    format_: Any = replace(formats()[name], clock=lambda: NOW)
    native.TALLY.scanned = native.TALLY.left = 0
    scanned = format_.parse(block)
    tally = native.Tally(native.TALLY.scanned, native.TALLY.left)
    with patch.object(native, "scanner", lambda: None):
        plain = format_.parse(block)
    return scanned, plain, tally


def check_equal(name: str, block: Block) -> native.Tally:
    """Both paths give the same table, rejects and counts. Returns what the scanner read."""
    scanned, plain, tally = both(name, block)
    assert scanned.events.schema == plain.events.schema
    if not scanned.events.equals(plain.events):
        ours, theirs = scanned.events.to_pylist(), plain.events.to_pylist()
        for mine, other in zip(ours, theirs, strict=False):
            different = {key: (mine[key], other[key]) for key in other if mine[key] != other[key]}
            start = other["offset"] - block.offset
            assert not different, (different, block.data[start : start + 3000].partition(b"\n")[0])
        assert len(ours) == len(theirs)
    assert scanned.rejects == plain.rejects
    assert (scanned.ignored, scanned.extra) == (plain.ignored, plain.extra)
    return tally
