"""How values are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.reports.shown import change, number, prose, seconds, size, visible


@given(st.text(max_size=400))
def test_nothing_invisible_is_left(text: str) -> None:
    """Whatever a log holds, what is shown is printable and not longer than it may be in source characters."""
    shown = visible(text)
    assert all(char.isprintable() or char.isspace() for char in shown)
    assert not set(shown) & set("\x1b\r\n\t\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200f\ufeff")


def test_what_acts_is_spelled_out() -> None:
    """Escapes of the terminal and of text direction become letters; letters of any script stay."""
    assert visible("\x1b[31m\u202eabc Grüße 东京") == "\\x1b[31m\\u202eabc Grüße 东京"
    assert visible("x" * 1000) == "x" * 299 + "…"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (number(1234567), "1\u202f234\u202f567"),
        (number(None), "–"),
        (size(0), "0 B"),
        (size(1023), "1023 B"),
        (size(1536), "1.5 KiB"),
        (size(5 * 1024**5), "5120.0 TiB"),
        (seconds(59), "59 s"),
        (seconds(60), "1 min"),
        (seconds(5400), "1.5 h"),
        (seconds(86400 * 7), "7 d"),
        (change(110, 100), "+10 %"),
        (change(0, 100), "−100 %"),
        (change(5, 0), "none before"),
        (change(0, 0), "as before"),
    ],
)
def test_units(shown: str, expected: str) -> None:
    """Numbers carry their unit and are rounded for reading."""
    assert shown == expected


def test_prose_marks_code_and_escapes() -> None:
    """Backquotes become code, and a name quoted in a sentence cannot close it."""
    assert prose("run `a<b` now <i>") == "run <code>a&lt;b</code> now &lt;i&gt;"
