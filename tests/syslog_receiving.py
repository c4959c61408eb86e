"""A syslog receiver in a pipeline over a real store, and messages to send to it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from format_samples import SAMPLES, block, formats
from prometheus_client import CollectorRegistry

from collector.feed import Feed
from collector.pipeline import Pipeline
from collector.sources.syslog import SyslogReceiver
from collector.syslog_server import TlsFiles
from collector.telemetry import CollectorTelemetry
from store.contract import EventQuery, Store
from store.locate import open_store

DEADLINE_SECONDS = 120.0  # on a busy machine a process takes its time
CAPTURED = (SAMPLES / "distribution-live" / "v2.8.2-text" / "registry.log").read_text().splitlines()


def message(number: int) -> bytes:
    """A request in Docker's own header: no host, no year."""
    when = datetime.now(UTC).strftime("%b %e %H:%M:%S")
    line = f'127.60.0.10 - "GET /v2/app/manifests/v{number} HTTP/1.1" 200 305 "-" "curl/8.5.0" 0.001 0.001 .'
    return f"<30>{when} proxy[7]: {line}".encode()


def counted(data: bytes) -> bytes:
    return b"%d %b" % (len(data), data)


class Running:
    """A pipeline with a receiver, in a thread, over a real store."""

    def __init__(self, folder: Path, receiver: SyslogReceiver, store: Store, format_name: str | None) -> None:
        self.folder, self.receiver, self.store = folder, receiver, store
        self.telemetry = CollectorRegistry()
        self.pipeline = Pipeline(
            store,
            [Feed(source=receiver, format=format_name)],
            list(formats().values()),
            [],
            CollectorTelemetry(self.telemetry),
            batch_seconds=0.1,
        )
        self.thread = threading.Thread(target=self.pipeline.run)
        self.thread.start()
        assert receiver.ready(DEADLINE_SECONDS)

    @property
    def address(self) -> tuple[str, int]:
        return self.receiver.address

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=10)

    def references(self) -> list[str]:
        return sorted(event["reference"] for event in self.store.events(EventQuery()))

    def dead(self) -> list[tuple[str, bytes]]:
        return [(letter.reason, letter.line) for letter in self.store.dead_letters()]

    def stop(self) -> None:
        self.pipeline.stop()
        self.thread.join(DEADLINE_SECONDS)
        assert not self.thread.is_alive()


@contextmanager
def running(folder: Path, format_name: str | None = "nginx-timed-combined", **options: Any) -> Iterator[Running]:
    receiver = SyslogReceiver("log", "127.0.0.1:0", folder / "spool", registry="r1", **options)
    store = open_store(f"delta:{folder / 'store'}")
    run = Running(folder, receiver, store, format_name)
    try:
        yield run
    finally:
        run.stop()
        store.close()


def until(true: Callable[[], bool], what: str = "it") -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.05)


def both(run: Running, events: list[str], dead: int = 0) -> None:
    """Wait for events and dead letters, and see that they are those and no more."""
    until(lambda: len(run.references()) >= len(events) and len(run.dead()) >= dead, f"{events}, {dead}")
    assert run.references() == sorted(events)
    assert len(run.dead()) == dead


def lines_block(lines: list[str]) -> Any:
    return block("\n".join(lines).encode() + b"\n")


def tls_files(folder: Path) -> TlsFiles:
    return TlsFiles(cert=folder / "server.pem", key=folder / "server.key", client_ca=folder / "ca.pem")
