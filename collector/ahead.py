"""Reading ahead: the next of something is made in another thread while this one is worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
SLICE_SECONDS = 0.1


def ahead(made: Iterable[T]) -> Iterator[T]:
    """The same in the same order, errors too; at most one waits. Whoever stops early leaves a thread that ends with the next
    one, or with the process: it may hang in a pipe into which nobody writes."""
    waiting: queue.Queue[tuple[T | None, BaseException | None, bool]] = queue.Queue(1)
    left = threading.Event()

    def put(one: T | None = None, error: BaseException | None = None, last: bool = False) -> None:
        while not left.is_set():
            try:
                return waiting.put((one, error, last), timeout=SLICE_SECONDS)
            except queue.Full:
                continue

    def make() -> None:
        try:
            for one in made:
                put(one)
                if left.is_set():
                    return
            put(last=True)
        except BaseException as error:
            put(error=error)

    threading.Thread(target=make, name="ahead", daemon=True).start()
    try:
        while True:
            one, error, last = waiting.get()
            if error is not None:
                raise error
            if last:
                return
            yield one  # type: ignore[misc]  # there is one unless it is the last or an error
    finally:
        left.set()
