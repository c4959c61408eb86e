"""Small readings that every format needs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collector.errors import Unreadable
from collector.lines import (
    address_and_port,
    apache_moment,
    count_lines,
    go_duration_ns,
    milliseconds_ns,
    moment,
    seconds_ns,
    split_lines,
    whole,
    yearless_moment,
)
from store.compiled import SWITCH, compiled


def test_lines_keep_their_offsets() -> None:
    """Carriage returns and a missing last newline change neither the count nor the offsets."""
    data = b"a\r\n\nbc"
    assert list(split_lines(data, 10)) == [(10, b"a"), (13, b""), (14, b"bc")]
    assert count_lines(data) == 3
    assert (count_lines(b""), count_lines(b"\n"), count_lines(b"x")) == (0, 1, 1)


@pytest.mark.parametrize("native", ["", "off"])
def test_large_blocks_have_as_many_lines(native: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever counts them: the scanner, or Python where there is none."""
    monkeypatch.setenv(SWITCH, native)
    compiled.cache_clear()
    data = b"".join(b"%0*d\r\n" % (1 + n % 97, n) for n in range(20_000)) + b"\n\n\xff no end"
    assert count_lines(data) == len(list(split_lines(data, 0))) == 20_003
    monkeypatch.undo()
    compiled.cache_clear()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("941.512µs", 941_512),
        ("2.4298s", 2_429_800_000),
        ("1m51.9s", 111_900_000_000),
        ("1h0m0s", 3_600_000_000_000),
        ("17ns", 17),
        ("0s", 0),
        ("", None),
        ("5", None),
        ("1s!", None),
        (7, None),
        ("9" * 39 + "h", None),
    ],
)
def test_go_durations(text: object, expected: int | None) -> None:
    """Every unit that Go prints, and nothing else."""
    assert go_duration_ns(text) == expected


def test_moments() -> None:
    """Nine digits of fraction, any offset, always UTC; what has no zone or is no time is unreadable."""
    assert moment("2016-03-09T14:44:26.402973972-08:00") == datetime(2016, 3, 9, 22, 44, 26, 402973, tzinfo=UTC)
    assert apache_moment("24/Nov/2026:02:17:24 -0130") == datetime(2026, 11, 24, 3, 47, 24, tzinfo=UTC)
    for bad in (
        "2026-11-24T02:17:24",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "now",
        None,
        5,
        "9" * 99,
    ):
        with pytest.raises(Unreadable):
            moment(bad)
    with pytest.raises(Unreadable):
        apache_moment("24/Foo/2026:02:17:24 +0000")


def test_times_without_a_year() -> None:
    """The newest that is not more than a day ahead: clocks of two machines differ, years do not."""
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert yearless_moment("Mar", " 2", "11:00:00", now).year == 2026
    assert yearless_moment("Mar", " 3", "00:00:00", now).year == 2025
    assert yearless_moment("Feb", "29", "00:00:00", now).year == 2024
    with pytest.raises(Unreadable):
        yearless_moment("Feb", "31", "00:00:00", now)


def test_numbers() -> None:
    """Only numbers that fit a column, and no truth values."""
    assert [whole(value) for value in (5, "17", 0)] == [5, 17, 0]
    for bad in (-1, True, 1.5, "1.5", "x", "", None, 1 << 63, "9" * 19, "²"):
        assert whole(bad) is None
    assert (seconds_ns("0.012"), seconds_ns("-"), seconds_ns("1e9")) == (12_000_000, None, None)


def test_addresses() -> None:
    """IPv6 with and without port, canonical; names and masks are no addresses."""
    assert address_and_port("[2001:DB8::1]:33432") == ("2001:db8::1", 33432)
    assert address_and_port("2001:db8::1") == ("2001:db8::1", None)
    assert address_and_port("fe80::1%eth0") == ("fe80::1", None)
    assert address_and_port("127.0.0.1:80") == ("127.0.0.1", 80)
    assert address_and_port("client.local") == (None, None)
    assert address_and_port(None) == (None, None)


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [
        ("38.212784", 38_212_784),
        ("120", 120_000_000),
        (31, 31_000_000),
        (0.5, 500_000),
        (-1, None),
        ("-1", None),
        ("1e9", None),
        (1e300, None),
        (True, None),
        (None, None),
    ],
)
def test_milliseconds(value: object, nanoseconds: int | None) -> None:
    """Clouds write them as numbers, or as texts with a fraction."""
    assert milliseconds_ns(value) == nanoseconds
