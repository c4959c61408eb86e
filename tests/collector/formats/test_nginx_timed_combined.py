"""Harbor's proxy log, with and without the syslog prefix that gives it a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from format_samples import block, read_sample, rows

from collector.formats.nginx_timed_combined import FORMAT

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
CLOCKED = replace(FORMAT, clock=lambda: NOW)
LINE = b'127.60.0.10 - "GET /v2/a/b/manifests/1 HTTP/1.1" 200 744 "-" "skopeo/1.9.3" 0.012 0.001, 0.002 .\n'


def test_the_prefix_gives_the_time() -> None:
    """The year is the newest that is not in the future: a log of December read in January is last year's."""
    lines = b"Dec 31 23:59:58 127.18.0.1 proxy[1065]: " + LINE + b"Jan  2 03:04:01 127.18.0.1 proxy[1065]: " + LINE
    first, second = rows(CLOCKED.parse(block(lines)))
    assert first["timestamp"] == datetime(2026, 12, 31, 23, 59, 58, tzinfo=UTC)
    assert second["timestamp"] == datetime(2027, 1, 2, 3, 4, 1, tzinfo=UTC)
    assert (first["action"], first["status"], first["duration_ns"], first["response_bytes"]) == (
        "pull",
        200,
        12_000_000,
        744,
    )
    assert (first["client_ip"], first["actor"], first["reference"]) == ("127.60.0.10", None, "1")


def test_without_any_time_the_time_of_reading_is_taken() -> None:
    """The line has no time of its own; some sites write one in front, and then that is it."""
    bare, stamped = rows(CLOCKED.parse(block(LINE + b"[24/Nov/2026:02:17:24 +0000]: " + LINE)))
    assert bare["timestamp"] == NOW
    assert stamped["timestamp"] == datetime(2026, 11, 24, 2, 17, 24, tzinfo=UTC)


def test_messages_of_nginx_and_of_syslog_are_ignored() -> None:
    """They share the file and are no requests."""
    data = (
        b"Nov 24 02:17:24 h proxy[1]: 2026/11/24 02:17:24 [error] 7#0: *1 connect() failed (111: refused)\n"
        b"Nov 24 02:17:25 h proxy[1]: last message repeated 3 times\n"
        b"Nov 24 02:17:26 h proxy[1]: something else\n"
    )
    parsed = CLOCKED.parse(block(data))
    assert (parsed.events.num_rows, parsed.ignored, len(parsed.rejects)) == (0, 2, 1)


def test_the_captured_log_of_harbors_own_container() -> None:
    """A real file with real prefixes: tokens, refusals and pulls are told apart."""
    events = rows(read_sample("nginx-timed-combined", "harbor-live/v2.15.2-harbor-log/proxy.log"))
    assert len(events) == 416  # three of them counted by syslog instead of written
    assert sum(row["action"] == "token" for row in events) == 55
    assert sum(row["action"] == "pull" and row["outcome"] == "denied" for row in events) == 8
    assert {row["timestamp"].date().isoformat()[5:] for row in events} == {"11-24"}
