"""Syslog received: framing, the spool, hostile peers, and real senders."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from format_samples import SAMPLES, block, formats, rows
from prometheus_client import CollectorRegistry
from servers import presence
from servers.rsyslog import certificates, free_port, rsyslog

from collector.build import feeds
from collector.config import CollectorConfig
from collector.feed import Feed
from collector.pipeline import Pipeline
from collector.sources.file_tail import FileTail
from collector.sources.syslog import SyslogReceiver
from collector.syslog_frames import HALF, NO_COUNT, TOO_LARGE
from collector.syslog_server import Limits, TlsFiles
from collector.syslog_spool import SpoolInUse
from collector.telemetry import CollectorTelemetry
from store.contract import EventQuery, Store
from store.errors import Unavailable
from store.locate import open_store

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_SECONDS = 30.0
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
        expected = len({row["event_id"] for row in rows(formats()["distribution-text"].parse(_block(CAPTURED)))})
        until(lambda: run.store.total() >= expected + 3)
        assert run.store.total() == expected + 3
        assert run.dead() == []
        datasets = Counter(event["dataset"] for event in run.store.events(EventQuery()))
        assert datasets == {"nginx-timed-combined": 3, "distribution-text": expected}


def _block(lines: list[str]) -> Any:
    return block("\n".join(lines).encode() + b"\n")


# Peers.


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


# The spool.


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


# TLS.


def _client(folder: Path, name: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    if version < ssl.TLSVersion.TLSv1_3:
        context.maximum_version = version
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def _files(folder: Path) -> TlsFiles:
    return TlsFiles(cert=folder / "server.pem", key=folder / "server.key", client_ca=folder / "ca.pem")


def test_tls_takes_known_certificates_only(tmp_path: Path) -> None:
    """No certificate, one from elsewhere, an old version, plain text: refused and counted; the right one is heard."""
    certificates(tmp_path)
    dropped: Counter[str] = Counter()
    with running(
        tmp_path,
        transport="tls",
        tls=_files(tmp_path),
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


# Real senders.

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
        options["tls"] = _files(tmp_path)
    # rsyslog makes one blank of the first of a message's leading ones; captured lines have none.
    expected = formats()["distribution-text"].parse(_block(CAPTURED))
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


# Settings.


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
