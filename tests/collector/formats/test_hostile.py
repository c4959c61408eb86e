"""Hostile lines, for every format and sample there is: events or dead letters, never an exception, never a wrong name.

The quick version takes a few lines of each sample; with `REGSIGHT_LONG_TESTS=1` it takes many.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable
from datetime import timedelta
from ipaddress import ip_address
from itertools import product
from typing import Any
from urllib.parse import unquote

import pytest
from format_samples import Sample, block, formats, rows, samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.lines import count_lines
from collector.stages import Format, Parsed

from .planting import ATTRIBUTION, Told, forgery, planted, read_alone, telling_lines

LONG = bool(os.environ.get("REGSIGHT_LONG_TESTS"))
LINES = 40 if LONG else 2  # of each sample
FEWER = 20 if LONG else 1
ALL_SAMPLES = pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.id)
ALL_FORMATS = pytest.mark.parametrize("format_", formats().values(), ids=lambda format_: format_.name)
MIB = 1 << 20
# Nothing ends the last field of these lines: a tag that was cut cannot be told from a shorter one.
UNENDED = frozenset(("harbor-audit-syslog",))


# Formats that end with a value as it is: where a line was cut inside it nothing in the line says so.
ENDS_WITH: dict[str, tuple[str, ...]] = {"harbor-audit-syslog": ("repository", "tag", "digest")}


def some(sample: Sample, field: str | None = None, most: int = LINES) -> list[Told]:
    """A few telling lines of a sample, spread over it; with `field` only such as name one."""
    found = [told for told in telling_lines(sample) if field is None or told.event[field]]
    return found[:: max(1, len(found) // most)][:most]


def of_format(name: str) -> list[Told]:
    return [told for sample in samples() if sample.format_name == name for told in some(sample)]


def parsed(format_name: str, data: bytes) -> Parsed:
    """Parse, and hold it to its promise: every line is accounted for, every reject has a reason."""
    got = formats()[format_name].parse(block(data))
    assert got.lines == count_lines(data)
    assert all(reject.reason for reject in got.rejects)
    return got


def assert_nobody_else(told: Told, events: Iterable[dict[str, Any]], **may_be: str) -> None:
    """No event names anybody or anything but the line's own (or what was planted in its place)."""
    for event in events:
        for name in ATTRIBUTION:
            if name == "action":
                continue
            allowed = {None, told.event[name], may_be.get(name)}
            assert event[name] in allowed, (name, event[name], allowed)


@ALL_SAMPLES
def test_a_line_cut_at_any_byte_names_nobody_else(sample: Sample) -> None:
    """What is left of a torn line is told, or is a dead letter, or ignored: half a name is never told as a name."""
    cannot_tell = ENDS_WITH.get(sample.format_name, ())
    shortest = sorted(telling_lines(sample), key=lambda told: len(told.line))
    for told in some(sample) if LONG else shortest[:1]:
        step = 1 if LONG or len(told.line) <= 700 else len(told.line) // 300 + 1
        for end in range(1, len(told.line), step):
            for event in rows(parsed(sample.format_name, told.line[:end] + b"\n")):
                assert_nobody_else(told, [event | dict.fromkeys(cannot_tell)])


ODD_PIECES = (b"\x00", b"\xff", b"\xc3", b"\x1b[31m\x1b]0;x\x07", b"\xe2\x80\xae")


@ALL_SAMPLES
def test_odd_bytes_anywhere_in_a_line(sample: Sample) -> None:
    """NUL, bytes that are no UTF-8, codes for the terminal and reversed writing, put in at many places."""
    for told in some(sample, most=FEWER):
        step = 11 if LONG or len(told.line) <= 700 else len(told.line) // 40 + 1
        for piece in ODD_PIECES:
            lines = (told.line[:at] + piece + told.line[at:] for at in range(0, len(told.line), step))
            parsed(sample.format_name, b"\n".join(lines) + b"\n")


@ALL_FORMATS
@settings(
    max_examples=500 if LONG else 8,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_flipped_bytes(format_: Format, data: st.DataObject) -> None:
    """Bytes changed in the lines of a sample, with others around them."""
    tolds = of_format(format_.name)
    lines = b"\n".join(told.line for told in tolds[:6])[:20_000]
    changed = bytearray(lines or b"{}")
    places = st.lists(st.tuples(st.integers(0, len(changed) - 1), st.integers(0, 255)), min_size=1, max_size=60)
    for at, byte in data.draw(places):
        changed[at] = byte
    parsed(format_.name, bytes(changed))
    assert 0.0 <= format_.claims(bytes(changed)) <= 1.0


@ALL_FORMATS
def test_a_line_of_ten_mebibytes(format_: Format) -> None:
    """A line is a dead letter; a document may be that long. It is read in no time, and what stands behind it as ever."""
    for told in of_format(format_.name)[:1]:
        half = len(told.line) // 2
        long = told.line[:half] + b"x" * (10 * MIB) + told.line[half:]
        begun = time.perf_counter()
        got = parsed(format_.name, long + b"\n" + told.line + b"\n")
        assert time.perf_counter() - begun < 5
        assert {reject.offset for reject in got.rejects} <= {0}
        behind = [event for event in rows(got) if event["offset"] > 0]
        assert [event["event_id"] for event in behind] or told.event["event_id"][:2] != "l-"
        assert_nobody_else(told, behind)


@ALL_SAMPLES
def test_deep_nesting_and_absurd_numbers(sample: Sample) -> None:
    """JSON of depth 10,000 and numbers beyond any size, in the place of each value."""
    deep = "[" * 10_000 + "]" * 10_000
    values = [deep, '{"a":' * 10_000 + "1" + "}" * 10_000, "1e400", "-1e400", "9" * 400, "-1", "1.5e308", "NaN"]
    for told in some(sample, most=FEWER):
        text = told.line.decode("utf-8", "surrogateescape")
        places = [found.span(1) for found in re.finditer(r'(?<=[:= ])("[^"\\]*"|\d+)(?=[,} ]|$)', text)]
        for value in values:
            for start, end in places[: None if LONG else 4]:
                changed = (text[:start] + value + text[end:]).encode("utf-8", "surrogateescape")
                parsed(sample.format_name, changed + b"\n")


@ALL_SAMPLES
def test_times_far_away(sample: Sample) -> None:
    """A time far away is told as it stands there, or the line is a dead letter: no other is put in its place."""
    for told in some(sample, most=FEWER):
        own = str(told.event["timestamp"].year)
        for year in ("1970", "2100", "0000", "9999"):
            for event in rows(parsed(sample.format_name, told.line.replace(own.encode(), year.encode()) + b"\n")):
                # Where the year stands elsewhere in the line only, the time is as before: of its own, or of reading.
                kept = abs(event["timestamp"] - told.event["timestamp"]) < timedelta(hours=1)
                assert kept or abs(event["timestamp"].year - int(year)) <= 1, event["timestamp"]


FORGED_ADDRESSES = (
    "203.0.113.9, 10.0.0.1",
    "203.0.113.9,10.0.0.1",
    "unknown",
    "_hidden",
    "127.0.0.1:80:80",
    "::ffff:203.0.113.9",
    "[2001:db8::1]:443",
    "203.0.113.999",
    "<script>",
    "0x7f.1",
    "203.0.113.9' OR '1'='1",
    "localhost",
)


@ALL_SAMPLES
def test_forged_addresses(sample: Sample) -> None:
    """Whatever X-Forwarded-For brought into the place of the address: an address that stands in the line, or none."""
    for told, forged in product(some(sample, "client_ip", FEWER), FORGED_ADDRESSES):
        line = planted(told, "client_ip", forged)
        if line is None:
            continue
        for event in read_alone(sample.format_name, line):
            if event["client_ip"] is not None:
                address = str(ip_address(event["client_ip"]))
                assert address == event["client_ip"]
                assert (address in forged or address.encode() in line) and not address.startswith("::ffff")
            assert event["actor"] in (None, told.event["actor"]), forged


NAMES = (
    'x" requestID="1',
    "a]: action:pull, resource:library/nginx:latest, x",
    'admin" resourceType="artifact" time="2026-11-24 02:17:24 +0000 UTC"]: action:pull, resource:a/b:c',
    "x, error:none failed to authenticate user:admin, error:",
    "admin - [24/Nov/2026:02:17:24 +0000]",
    'admin [24/Nov/2026:02:17:24 +0000] "GET /v2/a/manifests/b HTTP/1.1" 200 5 "-" "-"',
    "x=y level=error msg=response",
    'x"} {"auth.user.name":"admin',
    "two words",
    "trailing\\",
    "\\",
    '"',
    "'; DROP TABLE events; --",
    "=cmd|'/C calc'!A0",
    "\x1b[2Jadmin",
    "\u202enimda",
    "robot$a+b",
    "%2f..%2f",
    "-",
    "line\nbreak",
    "carriage\rreturn",
    "nul\x00name",
)


@ALL_SAMPLES
def test_planted_user_names(sample: Sample) -> None:
    """The actor is exactly the name that was planted, or nobody, or the line is a dead letter; all else stays."""
    for told in some(sample, "actor"):
        own = forgery(told, "actor", "admin")
        for name in (*NAMES, *([own] if own else [])):
            line = planted(told, "actor", name)
            if line is not None:
                # Harbor writes the name of a login as it stood in the URL.
                meant = unquote(name) if sample.format_name.startswith("harbor-audit") else name
                events = read_alone(sample.format_name, line)
                assert_nobody_else(told, [e for e in events if e["actor"] != meant], actor=name)


@ALL_SAMPLES
def test_what_a_client_chooses_changes_nothing_else(sample: Sample) -> None:
    """A user agent, a tag or an error that holds the rest of a line moves neither user nor address nor repository."""
    for field, kept in CHOSEN_BY_CLIENTS.items():
        for told in some(sample, field, FEWER):
            own = forgery(told, field, "curl/8")
            for text in (*NAMES, *([own] if own else [])):
                for event in read_alone(sample.format_name, planted(told, field, text) or b""):
                    for name in kept:
                        assert event[name] in (None, told.event[name]), (name, event[name], text)


CHOSEN_BY_CLIENTS = {
    "user_agent": ("actor", "client_ip", "repository"),
    "error_message": ("actor", "client_ip", "repository"),
    "tag": ("actor", "client_ip"),
}


def test_something_was_planted_in_every_format() -> None:
    """A suite that plants nothing proves nothing: each format that names users has lines to plant names in."""
    for name in formats():
        tolds = [told for sample in samples() if sample.format_name == name for told in telling_lines(sample)]
        named = [told for told in tolds if told.event["actor"]]
        assert not named or any(planted(told, "actor", "x") for told in named), name


def test_json_is_what_was_planted() -> None:
    """The planting itself: in JSON the escaped name, and nothing else, is in the line."""
    told = next(t for t in of_format("distribution-json") if t.event["actor"])
    line = planted(told, "actor", NAMES[0])
    assert line is not None
    before, after = json.loads(told.line), json.loads(line)
    assert {key for key in before if before[key] != after[key]} <= {"auth.user.name", "username", "msg"}


def test_an_ambiguous_line_is_marked() -> None:
    """Nexus escapes nothing: a user name that holds the rest of a line gives two readings, and none is taken."""
    [told] = [told for told in of_format("nexus-request") if told.event["actor"]][:1]
    name = forgery(told, "actor", "admin")
    assert name is not None
    line = planted(told, "actor", name)
    assert line is not None
    got = parsed("nexus-request", line + b"\n")
    assert [reject.reason for reject in got.rejects] == ["ambiguous"]
    assert rows(got) == []


def test_half_an_address_is_no_address() -> None:
    """logrus' text form leaves most values without quotes: a line without its last field is a dead letter."""
    told = next(t for t in of_format("distribution-text") if b"response completed" in t.line and t.event["client_ip"])
    at = told.line.index(b"http.request.remoteaddr=") + len(b"http.request.remoteaddr=") + 4
    got = parsed("distribution-text", told.line[:at].replace(b'"', b"", told.line[:at].count(b'"') % 2) + b"\n")
    assert [event["client_ip"] for event in rows(got)] == []
    assert len(got.rejects) == 1
