"""Waiting for the kernel's word: it ends the wait at once, and nothing that happens between two waits is missed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.wakeup import GATHER_SECONDS, Wakeup

LONG = 30.0  # the wait without a word; a test that takes so long has failed


def seconds(work: Callable[[], None]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"more\n"),
        lambda path: path.with_name("b.log").write_bytes(b""),
        lambda path: path.rename(path.with_name("a.log.1")),
        lambda path: path.unlink(),
    ],
    ids=["written", "made", "renamed", "deleted"],
)
def test_a_change_ends_the_wait(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Also one from before the wait began."""
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    wakeup = Wakeup([str(tmp_path)], LONG)
    change(path)
    assert seconds(wakeup.wait) < LONG
    timer = threading.Timer(0.1, lambda: (tmp_path / "c.log").write_bytes(b"x"))
    timer.start()
    assert seconds(wakeup.wait) < LONG
    timer.join()
    wakeup.close()


@pytest.mark.parametrize("watch", [False, True])
def test_somebody_may_wake_it(tmp_path: Path, watch: bool) -> None:
    """From any thread, before or during the wait, and when it is closed already."""
    wakeup = Wakeup([str(tmp_path)], LONG, watch)
    wakeup.wake()
    assert seconds(wakeup.wait) < LONG
    timer = threading.Timer(0.1, wakeup.wake)
    timer.start()
    assert seconds(wakeup.wait) < LONG
    timer.join()
    wakeup.close()
    wakeup.close()
    wakeup.wake()
    assert seconds(wakeup.wait) < LONG


def test_without_a_word_it_looks_after_a_while(tmp_path: Path) -> None:
    """A folder that is not there, or nobody to watch it."""
    for wakeup in (Wakeup([str(tmp_path / "none")], 0.05), Wakeup([str(tmp_path)], 0.05, watch=False)):
        assert 0.04 < seconds(wakeup.wait) < LONG
        wakeup.close()


def test_a_busy_log_is_gathered(tmp_path: Path) -> None:
    """The next look is at least so long after the last one; what came meanwhile ends the next wait."""
    wakeup = Wakeup([str(tmp_path)], LONG)
    wakeup.wake()
    wakeup.wait()
    begun = time.monotonic()
    (tmp_path / "a.log").write_bytes(b"x")
    wakeup.gather()
    assert time.monotonic() - begun > GATHER_SECONDS / 2
    assert seconds(wakeup.wait) < LONG
    wakeup.close()
