from __future__ import annotations

import pytest

from regsight.terminal import printable


@pytest.mark.parametrize(
    "hostile", ["\x1b[2Jgone", "a\x00b", "line\nbreak", "\u202egnp.exe", "\x9b31m", "bell\x07", "a\u2028b"]
)
def test_nothing_that_moves_a_cursor_is_printed(hostile: str) -> None:
    """Control, format and separator characters are shown as escapes."""
    shown = printable(hostile)
    assert shown.isprintable()
    assert "\\" in shown


def test_ordinary_text_is_left_alone() -> None:
    """Names in any script stay as they are."""
    assert printable("größe/образ:1.0") == "größe/образ:1.0"
