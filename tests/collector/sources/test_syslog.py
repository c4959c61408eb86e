"""Syslog received: framing, datagrams, and the settings."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from format_samples import formats, rows
from prometheus_client import CollectorRegistry
from syslog_receiving import (
    CAPTURED,
    Running,
    both,
    counted,
    lines_block,
    message,
    running,
    until,
)

from collector.build import feeds
from collector.config import CollectorConfig
from collector.sources.syslog import SyslogReceiver
from collector.syslog_frames import HALF, NO_COUNT, TOO_LARGE
from collector.syslog_server import Limits
from collector.telemetry import CollectorTelemetry
from store.contract import EventQuery
from store.locate import open_store

FRAMINGS = {
    "counted": (counted, counted),
    "lines": (lambda data: data + b"\n", lambda data: data + b"\n"),
    "lines that end in NUL": (lambda data: data + b"\0", lambda data: data + b"\0"),
    "lines and CR": (lambda data: data + b"\r\n", lambda data: data + b"\r\n"),
}


@pytest.mark.parametrize(("frame", "other"), FRAMINGS.values(), ids=FRAMINGS.keys())
def test_both_framings_however_packets_cut_them(
    tmp_path: Path, frame: Callable[[bytes], bytes], other: Callable[[bytes], bytes]
) -> None:
    """Two messages in one packet, one in many, both at once: each is one event."""
    with running(tmp_path) as run:
        with run.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(frame(message(1)) + frame(message(2)))
            whole = frame(message(3)) + other(message(4))
            for at in range(0, len(whole), 11):
                connection.sendall(whole[at : at + 11])
        both(run, ["v1", "v2", "v3", "v4"])
        event = next(iter(run.store.events(EventQuery(limit=1))))
        assert (event["registry"], event["client_ip"]) == ("r1", "127.60.0.10")
        assert abs(event["timestamp"] - datetime.now(UTC)) < timedelta(minutes=2)
        assert event["path"] == "syslog:log/127.0.0.1@proxy"


def test_framing_is_told_per_connection(tmp_path: Path) -> None:
    """A counting sender and one that sends lines may share a port; empty connections do not matter."""
    with running(tmp_path) as run:
        run.connect().close()
        with run.connect() as one, run.connect() as two:
            one.sendall(counted(message(1)))
            two.sendall(message(2) + b"\n")
            one.sendall(counted(message(3)))
            two.sendall(message(4) + b"\n")
        both(run, ["v1", "v2", "v3", "v4"])


@pytest.mark.parametrize("frame", [counted, lambda data: data + b"\n"], ids=["counted", "lines"])
def test_half_a_message_at_the_end_is_a_dead_letter(tmp_path: Path, frame: Callable[[bytes], bytes]) -> None:
    """A connection that ends in the middle of a message does not make an event of the half."""
    with running(tmp_path) as run:
        with run.connect() as connection:
            connection.sendall(frame(message(1)) + frame(message(2))[:-20])
        both(run, ["v1"], dead=1)
        ((reason, line),) = run.dead()
        assert reason == HALF
        assert b"/v2/app/manifests/v2" in line


@pytest.mark.parametrize("frame", [counted, lambda data: data + b"\n"], ids=["counted", "lines"])
def test_a_message_beyond_the_limit_is_cut_and_kept(tmp_path: Path, frame: Callable[[bytes], bytes]) -> None:
    """What does not fit is not held in memory; the messages behind it are read."""
    with running(tmp_path, limits=Limits(message_bytes=1000)) as run:
        with run.connect() as connection:
            connection.sendall(frame(message(1)) + frame(b"<30>" + b"y" * 300_000) + frame(message(2)))
        both(run, ["v1", "v2"], dead=1)
        ((reason, line),) = run.dead()
        assert reason == TOO_LARGE
        assert b'length="300004"' in line
        assert 900 < len(line) < 1300


def test_a_lost_count_ends_the_connection(tmp_path: Path) -> None:
    """Nothing behind it can be told apart; what there is of it is kept."""
    with running(tmp_path) as run:
        with run.connect() as connection:
            connection.sendall(counted(message(1)) + b"and now for something else")
            assert connection.recv(1) == b""
        both(run, ["v1"], dead=1)
        assert run.dead()[0][0] == NO_COUNT


def test_datagrams(tmp_path: Path) -> None:
    """Each is one message, with a line end or without; two equal ones are two events; a huge one is cut."""
    with running(tmp_path, transport="udp", limits=Limits(message_bytes=2000)) as run:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            same = message(1)
            for data in (same, same, message(2) + b"\n", b"", b"<30>" + b"y" * 9000):
                sender.sendto(data, run.address)
        both(run, ["v1", "v1", "v2"], dead=1)
        assert run.dead()[0][0] == TOO_LARGE


def test_newlines_inside_a_message_begin_no_line(tmp_path: Path) -> None:
    """A client cannot put a line of its own making into the log."""
    forged = message(1)[:-60] + b"\n" + message(9)
    with running(tmp_path) as run:
        with run.connect() as connection:
            connection.sendall(counted(forged) + counted(message(2)))
        until(lambda: "v2" in run.references())
        assert "v9" not in run.references()


def test_programs_of_one_sender_are_streams_with_formats_of_their_own(tmp_path: Path) -> None:
    """Harbor's containers share a connection's address; each is recognised as what it is."""
    with running(tmp_path, format_name=None) as run:
        with run.connect() as connection:
            for number in range(3):
                connection.sendall(message(number) + b"\n")
            for line in CAPTURED:
                connection.sendall(b"<30>Nov 24 02:17:24 registry[9]: " + line.encode() + b"\n")
        expected = len({row["event_id"] for row in rows(formats()["distribution-text"].parse(lines_block(CAPTURED)))})
        until(lambda: run.store.total() >= expected + 3)
        assert run.store.total() == expected + 3
        assert run.dead() == []
        datasets = Counter(event["dataset"] for event in run.store.events(EventQuery()))
        assert datasets == {"nginx-timed-combined": 3, "distribution-text": expected}


def test_the_settings_make_a_receiver(tmp_path: Path) -> None:
    """What the file says is what listens, with its figures in the metrics."""
    source = {"type": "syslog", "name": "harbor", "listen": "127.0.0.1:0", "spool": str(tmp_path / "spool")}
    limits = {"format": "nginx-timed-combined", "peers": ["127.0.0.0/8"], "zone": "Asia/Shanghai"}
    config = CollectorConfig.model_validate({"sources": [source | limits]})
    registry = CollectorRegistry()
    (feed,) = feeds(config, list, CollectorTelemetry(registry))
    assert isinstance(feed.source, SyslogReceiver)
    assert feed.format == "nginx-timed-combined"
    store = open_store(f"delta:{tmp_path / 'store'}")
    run = Running(tmp_path, feed.source, store, feed.format)
    try:
        with run.connect() as connection:
            line = message(1).partition(b": ")[2]
            connection.sendall(b"<30>Jan 15 08:00:00 proxy[1]: " + line + b"\n")
        both(run, ["v1"])
        event = next(iter(store.events(EventQuery())))
        assert event["timestamp"].strftime("%m-%dT%H:%M:%S") == "01-15T00:00:00"
        assert event["registry"] == "harbor"
        assert run.telemetry.get_sample_value("regsight_collector_lines_total", {"source": "harbor", "result": "event"})
    finally:
        run.stop()
        store.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"transport": "tls"},
        {"cert_file": "/x"},
        {"zone": "Mars/Olympus"},
        {"peers": ["10.0.0.1/8"]},
        {"max_message_bytes": 5_000_000},
        {"listen": "514"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    """At the start, not when the first message comes."""
    source = {"type": "syslog", "name": "s", "spool": "spool"} | wrong
    with pytest.raises(ValueError):
        CollectorConfig.model_validate({"sources": [source]})
