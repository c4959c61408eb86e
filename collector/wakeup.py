"""Waiting for something to happen in some folders: told by the kernel where it tells, by looking again where not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger(__name__)

LOOK_ANYWAY = 10  # with the kernel telling, look unasked only every so many poll spans


class Wakeup:
    """`wait` ends early when a file in one of the folders changed. The kernel's word only shortens the wait: it never
    comes from network file systems, and folders made later are not watched, so the caller must look on its own as well.
    """

    def __init__(self, folders: Iterable[str], poll_seconds: float, watch: bool = True) -> None:
        self._poll_seconds = poll_seconds
        self._folders = sorted({folder for folder in folders if Path(folder).is_dir()})
        self._changed, self._ended = threading.Event(), threading.Event()
        self._watching = False
        self._thread: threading.Thread | None = None
        if watch and self._folders:
            self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        self._changed.wait(self._poll_seconds * (LOOK_ANYWAY if self._watching else 1))
        self._changed.clear()

    def wake(self) -> None:
        self._changed.set()

    def close(self) -> None:
        self._ended.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        try:
            from watchfiles import watch

            changes = watch(
                *self._folders,
                watch_filter=None,
                debounce=200,
                step=20,
                stop_event=self._ended,
                rust_timeout=500,
                yield_on_timeout=True,
                recursive=False,
                raise_interrupt=False,
            )
            for change in changes:
                self._watching = True
                if change:
                    self._changed.set()
        except Exception as error:  # whatever it is (limits, file system, platform), polling goes on
            log.info("watching folders is not possible, polling instead", extra={"error": str(error)})
        finally:
            self._watching = False
