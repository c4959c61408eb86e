"""Reading ahead: same order, same errors, one in hand and one waiting, and nobody is waited for who hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from collector.ahead import ahead


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_order_and_errors_are_kept() -> None:
    def made() -> Iterator[int]:
        yield from range(100)
        raise OSError("the disk")

    got: list[int] = []
    with pytest.raises(OSError, match="the disk"):
        got.extend(ahead(made()))
    assert got == list(range(100))
    assert list(ahead([])) == []


def test_it_runs_ahead_but_not_away() -> None:
    """While the first is worked on the next are made: one that waits, one that waits to wait."""
    begun: list[int] = []

    def made() -> Iterator[int]:
        for number in range(10):
            begun.append(number)
            yield number

    found = ahead(made())
    assert next(found) == 0
    until(lambda: len(begun) == 3)
    assert [next(found), next(found)] == [1, 2]
    until(lambda: len(begun) == 5)
    found.close()


def test_who_stops_does_not_wait_for_one_that_hangs() -> None:
    let_go = threading.Event()

    def made() -> Iterator[int]:
        yield 1
        let_go.wait(60)
        yield 2

    found = ahead(made())
    assert next(found) == 1
    begun = time.monotonic()
    found.close()
    assert time.monotonic() - begun < 30
    let_go.set()
    until(lambda: not any(thread.name == "ahead" and thread.is_alive() for thread in threading.enumerate()))
