"""Times and durations, held against what Go programs wrote."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from regsight.traffic.writers.timestamps import apache, duration, rfc3339

CAPTURE = Path(__file__).parents[3] / "samples" / "distribution-live" / "v3-json" / "registry.log"
UNITS = {"ms": 1_000_000, "µs": 1_000, "s": 1_000_000_000}


def test_durations_of_the_capture_are_written_alike() -> None:
    """Every duration in a real log, read as nanoseconds, is written back as it was."""
    written = re.findall(r'"http.response.duration":"(\d+)(?:\.(\d+))?(ms|µs|s)"', CAPTURE.read_text(encoding="utf-8"))
    assert len(written) > 100
    for whole, part, unit in written:
        digits = len(str(UNITS[unit])) - 1
        nanoseconds = int(whole) * UNITS[unit] + int(part.ljust(digits, "0") or 0)
        assert duration(nanoseconds) == whole + (f".{part}" if part else "") + unit


def test_times_of_the_capture_are_written_alike() -> None:
    """Every time in a real log, read as nanoseconds, is written back as it was."""
    written = re.findall(r'"time":"(\d{4}-[^".]+)\.(\d+)Z"', CAPTURE.read_text(encoding="utf-8"))
    assert len(written) > 100
    for second, part in written:
        at = int(datetime.fromisoformat(second + "+00:00").timestamp()) * 1_000_000_000 + int(part.ljust(9, "0"))
        assert rfc3339(at) == f"{second}.{part}Z"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (22_038, "22.038µs"),
        (1_000_000, "1ms"),
        (62_500_000_000, "1m2.5s"),
        (3_600_000_000_000, "1h0m0s"),
        (2 * 10**9, "2s"),
    ],
)
def test_durations_without_zeros_at_the_end(nanoseconds: int, text: str) -> None:
    """Go cuts zeros behind the point and joins hours, minutes and seconds."""
    assert duration(nanoseconds) == text


def test_whole_seconds() -> None:
    """A whole second has no point; access lines have the day first."""
    assert rfc3339(1_795_486_667 * 10**9) == "2026-11-24T02:17:47Z"
    assert apache(1_795_486_667) == "24/Nov/2026:02:17:47 +0000"
