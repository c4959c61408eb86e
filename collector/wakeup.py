"""Waiting for something to happen in some folders: told by the kernel where it tells, by looking again where not."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger(__name__)

LOOK_ANYWAY = 10  # with the kernel telling, look unasked only every so many poll spans
# Each block costs some milliseconds all told: a log that was still is read at once, one that is written all the time is
# read so often at most.
GATHER_SECONDS = 0.05

# of sys/inotify.h: modify, close_write, moved_from, moved_to, create, delete
_CHANGES = 0x2 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200
_READ_BYTES = 64 << 10


class Wakeup:
    """`wait` ends early when a file in one of the folders changed. The kernel's word only shortens the wait: it never
    comes from network file systems, and folders made later are not watched, so the caller must look on its own as well.

    `wait` and `gather` are for one thread, `wake` and `close` for any.
    """

    def __init__(self, folders: Iterable[str], poll_seconds: float, watch: bool = True) -> None:
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()  # nobody writes to a descriptor that is closed, or somebody else's by then
        self._hear, self._call = os.pipe()
        os.set_blocking(self._hear, False)
        os.set_blocking(self._call, False)
        self._woken = float("-inf")
        self._closed = False
        there = sorted({folder for folder in folders if Path(folder).is_dir()})
        self._changes = _watch(there) if watch and there else None

    def wait(self) -> None:
        """Until something changed or `wake` was called, for so long as one may do without looking at most."""
        told = self._changes is not None
        if not self._closed:
            self._wait(self._poll_seconds * (LOOK_ANYWAY if told else 1), self._hear, self._changes)
        self._woken = time.monotonic()

    def gather(self) -> None:
        """Until `GATHER_SECONDS` after the last look: what is written one line at a time comes in fewer blocks."""
        left = self._woken + GATHER_SECONDS - time.monotonic()
        if left > 0 and not self._closed:
            self._wait(left, self._hear)
        self._woken = time.monotonic()

    @staticmethod
    def _wait(seconds: float, *descriptors: int | None) -> None:
        """What came is thrown away: everything is looked at anyhow."""
        asked = select.poll()  # select knows no descriptor above 1,023
        for descriptor in descriptors:
            if descriptor is not None:
                asked.register(descriptor, select.POLLIN)
        for descriptor, _ in asked.poll(seconds * 1000):
            with contextlib.suppress(BlockingIOError):
                while os.read(descriptor, _READ_BYTES):
                    pass

    def wake(self) -> None:
        with self._lock, contextlib.suppress(BlockingIOError):  # a full pipe wakes too
            if not self._closed:
                os.write(self._call, b"!")

    def close(self) -> None:
        """Only when nobody waits any more."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for descriptor in (self._hear, self._call, self._changes):
                if descriptor is not None:
                    os.close(descriptor)


def _watch(folders: Iterable[str]) -> int | None:
    """A descriptor that can be read when something changes in the folders; None where the kernel does not tell of all."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if descriptor < 0:
        log.info("watching folders is not possible, polling instead", extra={"error": os.strerror(ctypes.get_errno())})
        return None
    for folder in folders:
        if libc.inotify_add_watch(descriptor, os.fsencode(folder), ctypes.c_uint32(_CHANGES)) < 0:
            said = os.strerror(ctypes.get_errno())
            log.info("a folder cannot be watched, polling instead", extra={"folder": folder, "error": said})
            os.close(descriptor)
            return None
    return descriptor
