"""Messages out of a connection's bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.syslog_frames import HALF, TOO_LARGE, Frame, Framing

BODY = st.binary(min_size=1, max_size=80).filter(lambda data: data.strip(b"\r\n\0 ") == data)
TEXT = BODY.map(lambda data: b"<" + data.translate(None, b"\n\0"))


def _fed(data: bytes, cuts: list[int], limit: int = 50) -> list[Frame]:
    framing = Framing(limit)
    found: list[Frame] = []
    at = 0
    for cut in [*cuts, len(data)]:
        found += framing.feed(data[at : at + cut])
        at += cut
    found += framing.feed(data[at:])
    return found + list(framing.end())


def _expected(message: bytes, limit: int = 50) -> Frame:
    return Frame(message) if len(message) <= limit else Frame(message[:limit], TOO_LARGE, len(message))


@given(st.lists(BODY, max_size=6), st.lists(st.integers(0, 40), max_size=30))
def test_counted_messages_wherever_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    """However the bytes come, the same messages come out; what is too long is cut and says how long it was."""
    data = b"".join(b"%d %b" % (len(message), message) for message in messages)
    assert _fed(data, cuts) == [_expected(message) for message in messages]


@given(st.lists(TEXT, max_size=6), st.lists(st.integers(0, 40), max_size=30))
def test_lines_wherever_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    """The same for messages that end with their line."""
    messages = [message.rstrip(b"\r ") for message in messages]
    data = b"".join(message + b"\n" for message in messages)
    assert _fed(data, cuts) == [_expected(message) for message in messages]


@given(st.binary(max_size=300), st.lists(st.integers(0, 40), max_size=30))
def test_any_bytes_give_frames_and_nothing_else(data: bytes, cuts: list[int]) -> None:
    """Never an exception, never a frame beyond the limit."""
    assert all(len(frame.data) <= 50 or frame.problem == HALF for frame in _fed(data, cuts))


@pytest.mark.parametrize("data", [b"20 <30>half", b"<30>half", b"20"])
def test_a_half_is_said_to_be_one(data: bytes) -> None:
    """The end of the connection does not complete a message."""
    assert [frame.problem for frame in _fed(data, [1])] == [HALF]
