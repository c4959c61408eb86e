"""Real senders of syslog: rsyslogd and logger."""

from __future__ import annotations

import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from format_samples import formats, rows
from prometheus_client import CollectorRegistry
from servers import presence
from servers.rsyslog import certificates, rsyslog
from syslog_receiving import (
    CAPTURED,
    both,
    lines_block,
    message,
    running,
    tls_files,
    until,
)

from collector.pipeline import Pipeline
from collector.sources.file_tail import FileTail
from collector.telemetry import CollectorTelemetry
from store.contract import EventQuery
from store.locate import open_store

FILE_RULES = """
$RepeatedMsgReduction on
action(type="omfile" file="{folder}/traditional.log" template="RSYSLOG_TraditionalFileFormat")
action(type="omfile" file="{folder}/dated.log" template="RSYSLOG_FileFormat")
action(type="omfile" file="{folder}/rfc5424.log" template="RSYSLOG_SyslogProtocol23Format")
"""


def test_files_that_rsyslog_wrote(tmp_path: Path) -> None:
    """Lines sent with `logger` to a real rsyslogd that counts equal ones: every format of its files gives every event."""
    line = message(1).decode().partition(": ")[2]
    long = line.replace("curl/8.5.0", "y" * 1500).replace("v1", "v2")
    coloured = line.replace("curl/8.5.0", "a\x1b[31m\tb").replace("v1", "v3")
    with rsyslog(tmp_path, FILE_RULES.format(folder=tmp_path)) as daemon:
        daemon.send(*[line] * 5, *[long] * 4, coloured, line, tag="proxy")
        until(lambda: all(path.exists() and path.read_bytes().count(b"\n") >= 6 for path in _written(tmp_path)))
    for path in _written(tmp_path):
        assert b"message repeated 4 times: [" in path.read_bytes()
        assert b"#033[31m#011b" in path.read_bytes()
        store = open_store(f"delta:{tmp_path / path.stem}")
        tail = FileTail("log", [str(path)], registry="r1")
        pipeline = Pipeline(store, [tail], list(formats().values()), [], CollectorTelemetry(CollectorRegistry()))
        summary = pipeline.run()
        events = list(store.events(EventQuery()))
        store.close()
        assert summary.dead_letters == 0
        assert Counter(event["reference"] for event in events) == {"v1": 6, "v2": 4, "v3": 1}
        assert {event["user_agent"] for event in events if event["reference"] == "v3"} == {"a\x1b[31m\tb"}
        assert all(abs(event["timestamp"] - datetime.now(UTC)) < timedelta(minutes=5) for event in events)


def _written(folder: Path) -> list[Path]:
    return [folder / f"{name}.log" for name in ("traditional", "dated", "rfc5424")]


FORWARDS = {
    "udp": 'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="udp")',
    "tcp, lines": 'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp")',
    "tcp, counted": 'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" tcp_framing="octet-counted")',
    "tcp, RFC 5424": 'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" '
    'template="RSYSLOG_SyslogProtocol23Format")',
    "tls": 'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" tcp_framing="octet-counted" '
    'streamDriver="gtls" streamDriverMode="1" streamDriverAuthMode="x509/name" streamDriverPermittedPeers="localhost")',
}


@pytest.mark.parametrize("way", FORWARDS)
def test_rsyslog_forwards_a_captured_log(tmp_path: Path, way: str) -> None:
    """A real registry's log through a real rsyslogd, by every transport: the events are those of the file."""
    options: dict[str, Any] = {"transport": way.split(",")[0]}
    if way == "tls":
        if not list(Path("/usr/lib").glob("**/rsyslog/lmnsd_gtls.so")):
            presence.missing("rsyslog's TLS driver", "apt-get install rsyslog-gnutls")
        certificates(tmp_path)
        options["tls"] = tls_files(tmp_path)
    # rsyslog makes one blank of the first of a message's leading ones; captured lines have none.
    expected = formats()["distribution-text"].parse(lines_block(CAPTURED))
    with (
        running(tmp_path, format_name=None, **options) as run,
        rsyslog(tmp_path, FORWARDS[way].format(port=run.address[1])) as daemon,
    ):
        daemon.send(*CAPTURED)
        wanted = _what(rows(expected))
        until(lambda: run.store.total() >= len(wanted), "storing")
        assert run.dead() == []
        assert _what(list(run.store.events(EventQuery()))) == wanted


def _what(events: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    fields = ("timestamp", "action", "outcome", "repository", "reference", "status", "client_ip", "request_id")
    unique = {event["event_id"] if event["request_id"] else id(event): event for event in events}
    return Counter(tuple(event[field] for field in fields) for event in unique.values())


@pytest.mark.parametrize("form", [["--rfc3164"], ["--rfc5424"], ["--rfc5424", "--octet-count"]])
def test_logger_sends_directly(tmp_path: Path, form: list[str]) -> None:
    """util-linux' own client, in each of its forms."""
    logger = presence.program("logger", "bsdutils")
    lines = [message(number).partition(b": ")[2] for number in range(20)]
    with running(tmp_path) as run:
        host, port = run.address
        command = [str(logger), "--server", host, "--port", str(port), "--tcp", "--tag", "proxy", *form]
        subprocess.run(command, input=b"\n".join(lines) + b"\n", check=True, timeout=30)
        both(run, [f"v{number}" for number in range(20)])
