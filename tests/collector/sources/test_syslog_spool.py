"""What the syslog receiver has taken and the store has not: the spool."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from servers.rsyslog import free_port
from syslog_receiving import (
    DEADLINE_SECONDS,
    Running,
    both,
    counted,
    message,
    running,
    until,
)

from collector.sources.syslog import SyslogReceiver
from collector.syslog_spool import SpoolInUse
from store.contract import Store
from store.errors import Unavailable
from store.locate import open_store

ROOT = Path(__file__).resolve().parents[3]


class Away:
    """A store that does not answer until it is told to."""

    def __init__(self, store: Store) -> None:
        self._store, self.away = store, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, *arguments: Any) -> Any:
        if self.away:
            raise Unavailable("away", retry_after_seconds=0.05)
        return self._store.commit(*arguments)


@pytest.mark.slow
def test_a_store_that_is_away_stops_the_sender(tmp_path: Path) -> None:
    """The spool fills to its bound, then nothing more is read: the sender's TCP waits. Nothing is lost, and the space is
    given back."""
    store = open_store(f"delta:{tmp_path / 'store'}")
    away = Away(store)
    receiver = SyslogReceiver("log", "127.0.0.1:0", tmp_path / "spool", spool_bytes=4_000_000, registry="r1")
    run = Running(tmp_path, receiver, away, "nginx-timed-combined")  # type: ignore[arg-type]
    messages = [message(number) + b"\n" for number in range(90_000)]
    sent: list[int] = []

    def send() -> None:
        with run.connect() as connection:
            connection.settimeout(DEADLINE_SECONDS)
            for at in range(0, len(messages), 100):
                connection.sendall(b"".join(messages[at : at + 100]))
                sent.append(at + 100)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        until(lambda: _used(tmp_path) >= 4_000_000)
        time.sleep(1.0)
        stood = len(sent)
        assert _used(tmp_path) < 4_000_000 + (64 << 10) * 3
        time.sleep(0.5)
        assert len(sent) == stood < len(messages) // 100
        away.away = False
        sender.join(DEADLINE_SECONDS)
        assert not sender.is_alive()
        until(lambda: store.total() == len(messages))
        until(lambda: _used(tmp_path) <= 64 << 10, "giving back the space")
    finally:
        away.away = False
        run.stop()
        store.close()
    assert store.url


@pytest.mark.slow
def test_datagrams_that_the_kernel_threw_away_are_counted(tmp_path: Path) -> None:
    """UDP has nothing that could wait; what was lost while there was no room is said as a number."""
    dropped: Counter[str] = Counter()
    store = open_store(f"delta:{tmp_path / 'store'}")
    away = Away(store)
    receiver = SyslogReceiver(
        "log",
        "127.0.0.1:0",
        tmp_path / "spool",
        transport="udp",
        spool_bytes=1_000_000,
        dropped=lambda source, reason, count: dropped.update({reason: count}),
    )
    run = Running(tmp_path, receiver, away, "nginx-timed-combined")  # type: ignore[arg-type]
    sent = 20_000
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(sent):
                sender.sendto(message(number), run.address)
            away.away = False
            until(lambda: receiver.unread() == 0 and store.total() > 0)
            for number in range(sent, sent + 20):  # the kernel tells its count with the next one that it keeps
                sender.sendto(message(number), run.address)
                time.sleep(0.05)
        until(lambda: store.total() + dropped["kernel"] == sent + 20)
        assert 0 < dropped["kernel"] < sent
    finally:
        away.away = False
        run.stop()
        store.close()


def _used(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "spool").glob("*@*/*"))


COLLECTOR = """
import sys
from prometheus_client import CollectorRegistry
from collector.formats import nginx_timed_combined
from collector.pipeline import Pipeline
from collector.sources.syslog import SyslogReceiver
from collector.telemetry import CollectorTelemetry
from store.locate import open_store
from pathlib import Path

store = open_store(sys.argv[1])
receiver = SyslogReceiver("log", sys.argv[3], Path(sys.argv[2]), registry="r1")
pipeline = Pipeline(
    store, [receiver], [nginx_timed_combined.FORMAT], [], CollectorTelemetry(CollectorRegistry()), batch_seconds=0.05,
    batch_rows=40
)
pipeline.run()
"""


def _connected(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        time.sleep(0.05)
    raise AssertionError("the collector does not listen")


@pytest.mark.slow
def test_a_killed_collector_loses_nothing_that_it_had_received(tmp_path: Path) -> None:
    """Killed four times while it stores; what was in the spool is stored after the next start, each message once."""
    url, spool = f"delta:{tmp_path / 'store'}", tmp_path / "spool"
    expected: list[str] = []
    for round_ in range(4):
        port = free_port()
        command = [sys.executable, "-c", COLLECTOR, url, str(spool), f"127.0.0.1:{port}"]
        process = subprocess.Popen(command, cwd=ROOT)
        try:
            numbers = range(round_ * 1000, round_ * 1000 + 150 + round_ * 17)  # below what a commit deletes
            with _connected(port, process) as connection:
                connection.sendall(b"".join(counted(message(number)) for number in numbers))
                until(lambda last=numbers[-1]: _spooled(spool, last), "spooling")  # type: ignore[misc]
                process.send_signal(signal.SIGKILL)
                process.wait()
        finally:
            process.kill()
            process.wait()
        expected += [f"v{number}" for number in numbers]
    with running(tmp_path) as run:
        both(run, expected)


def _spooled(spool: Path, number: int) -> bool:
    """Whether the last message was written."""
    last = f"/manifests/v{number} ".encode()
    for segment in spool.glob("127.0.0.1@proxy/*"):
        with contextlib.suppress(FileNotFoundError):  # stored, and deleted meanwhile
            if last in segment.read_bytes():
                return True
    return False


def test_a_spool_has_one_owner(tmp_path: Path) -> None:
    """A second collector on the same folder is refused instead of mixing its messages in."""
    with running(tmp_path):
        second = SyslogReceiver("log", "127.0.0.1:0", tmp_path / "spool")
        with pytest.raises(SpoolInUse):
            next(second.blocks(lambda stream: None))


def test_a_deleted_spool_begins_anew(tmp_path: Path) -> None:
    """The store's positions of the old spool do not swallow the messages of the new one."""
    for number in range(2):
        with running(tmp_path) as run:
            with run.connect() as connection:
                connection.sendall(message(number) + b"\n")
            both(run, [f"v{earlier}" for earlier in range(number + 1)])
        subprocess.run(["rm", "-r", str(tmp_path / "spool")], check=True)
