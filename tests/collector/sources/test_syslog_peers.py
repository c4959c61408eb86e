"""Who may speak to the syslog receiver: strangers, crowds, silent peers, certificates."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections import Counter
from ipaddress import ip_network
from pathlib import Path

from servers.rsyslog import certificates
from syslog_receiving import (
    Running,
    both,
    counted,
    message,
    running,
    tls_files,
    until,
)

from collector.syslog_server import Limits


def test_strangers_and_crowds_are_refused(tmp_path: Path) -> None:
    """Who is not in the list is not heard; who has half of the connections gets no more; both are counted."""
    dropped: Counter[str] = Counter()

    def count(source: str, reason: str, number: int) -> None:
        dropped[reason] += number

    with running(tmp_path, limits=Limits(peers=[ip_network("192.0.2.0/24")]), dropped=count) as run:
        with run.connect() as connection, contextlib.suppress(ConnectionError):
            connection.sendall(message(1) + b"\n")
            assert connection.recv(1) == b""
        until(lambda: dropped["stranger"] == 1)
        assert run.references() == []
    with running(tmp_path, limits=Limits(connections=4), dropped=count) as run, contextlib.ExitStack() as held:
        connections = [held.enter_context(run.connect()) for _ in range(3)]
        until(lambda: dropped["too_many"] == 1)
        connections[0].sendall(message(1) + b"\n")
        connections[1].sendall(message(2) + b"\n")
        both(run, ["v1", "v2"])
        connections[0].close()
        until(lambda: _accepted(run, 3), "a place")


def _accepted(run: Running, number: int) -> bool:
    with contextlib.suppress(ConnectionError), run.connect() as connection:
        connection.sendall(message(number) + b"\n")
    time.sleep(0.2)
    return f"v{number}" in run.references()


def test_silent_connections_are_closed(tmp_path: Path) -> None:
    """A peer that says nothing does not keep its place for ever."""
    dropped: Counter[str] = Counter()
    with (
        running(
            tmp_path,
            limits=Limits(idle_seconds=0.3),
            dropped=lambda source, reason, count: dropped.update({reason: count}),
        ) as run,
        run.connect() as connection,
    ):
        connection.sendall(message(1))
        assert connection.recv(1) == b""
        assert dropped == {"idle": 1}
        until(lambda: len(run.dead()) == 1)


def _client(folder: Path, name: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    if version < ssl.TLSVersion.TLSv1_3:
        context.maximum_version = version
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def test_tls_takes_known_certificates_only(tmp_path: Path) -> None:
    """No certificate, one from elsewhere, an old version, plain text: refused and counted; the right one is heard."""
    certificates(tmp_path)
    dropped: Counter[str] = Counter()
    with running(
        tmp_path,
        transport="tls",
        tls=tls_files(tmp_path),
        dropped=lambda source, reason, count: dropped.update({reason: count}),
    ) as run:
        bad = [
            _client(tmp_path, ""),
            _client(tmp_path, "stranger"),
            _client(tmp_path, "client", ssl.TLSVersion.TLSv1_2),
        ]
        for number, context in enumerate(bad):
            with (
                run.connect() as plain,
                contextlib.suppress(OSError),
                context.wrap_socket(plain, server_hostname="localhost") as connection,
            ):
                connection.sendall(message(number) + b"\n")
                connection.recv(1)
            until(lambda number=number: dropped["handshake"] == number + 1)  # type: ignore[misc]
        with run.connect() as plain:
            plain.sendall(message(8) + b"\n")
        until(lambda: dropped["handshake"] == 4)
        with (
            run.connect() as plain,
            _client(tmp_path, "client").wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            assert connection.version() == "TLSv1.3"
            connection.sendall(counted(message(9)))
        both(run, ["v9"])
