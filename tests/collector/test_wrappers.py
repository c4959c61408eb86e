"""What stands in front of a registry's own line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from format_samples import SAMPLES, block, cut, formats, rows

from collector.lines import count_lines
from collector.recognise import recognise
from collector.stages import Parsed
from collector.wrappers import NO_BEGINNING, NO_END, OUT_OF_REACH, TOO_OFTEN, is_repetition, unwrap, unwrapped

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LINES = (SAMPLES / "distribution-live" / "v3-text" / "registry.stderr.log").read_bytes().splitlines()[:60]
AT = "2026-11-24T02:17:24.130889Z"


@pytest.mark.parametrize(
    ("line", "inner", "time"),
    [
        (b"Nov  3 15:04:05 127.18.0.1 proxy[1065]: x y", b"x y", datetime(2026, 11, 3, 15, 4, 5, tzinfo=UTC)),
        (b"Nov 24 15:04:05 host registry: x", b"x", datetime(2026, 11, 24, 15, 4, 5, tzinfo=UTC)),
        (b"May  6 15:21:24 x.x.x.x proxy[xxxx]: x.x", b"x.x", datetime(2026, 5, 6, 15, 21, 24, tzinfo=UTC)),
        (b"<30>Nov 24 02:17:24 registry[7]: x", b"x", datetime(2026, 11, 24, 2, 17, 24, tzinfo=UTC)),
        (b"<30>Nov 24 02:17:24 ::1 registry[7]: x", b"x", datetime(2026, 11, 24, 2, 17, 24, tzinfo=UTC)),
        (b"Foo 99 15:04:05 host registry[1]: x", b"x", None),
        (b"<6>2026-11-24T02:17:24Z core audit[1]: x", b"x", datetime(2026, 11, 24, 2, 17, 24, tzinfo=UTC)),
        (b"2026-11-24T03:17:24+01:00 h registry[1]: x", b"x", datetime(2026, 11, 24, 2, 17, 24, tzinfo=UTC)),
        (b"<13>1 2026-11-24T02:17:24Z h r 1 - -  x", b"x", datetime(2026, 11, 24, 2, 17, 24, tzinfo=UTC)),
        (b'<13>1 - h r - i [a@1 b="]\\"\\]"][c] \xef\xbb\xbfx', b"x", None),
        (b"<13>1 - - - - - -", b"", None),
        (b"2026-11-24T02:17:24.1Z stderr F x", b"x", datetime(2026, 11, 24, 2, 17, 24, 100000, tzinfo=UTC)),
        (b"2022-03-14_13:46:49.89829 x", b"x", datetime(2022, 3, 14, 13, 46, 49, 898290, tzinfo=UTC)),
        (b"2022-99-14_13:46:49.89829 x", b"x", None),
        (b"registry_1  | time=x", b"time=x", None),
        (b"my-registry.1 | x", b"x", None),
        (
            b'{"log":"x\\n","stream":"stdout","time":"2017-05-02T15:56:35.846897572Z"}',
            b"x",
            datetime(2017, 5, 2, 15, 56, 35, 846897, tzinfo=UTC),
        ),
        (
            b'{"MESSAGE":[120,27],"__REALTIME_TIMESTAMP":"1764000000000001"}',
            b"x\x1b",
            datetime(2025, 11, 24, 16, 0, 0, 1, tzinfo=UTC),
        ),
        (b'{"MESSAGE":[999],"__REALTIME_TIMESTAMP":"1"}', b'{"MESSAGE":[999],"__REALTIME_TIMESTAMP":"1"}', None),
        (b'{"log":5}', b'{"log":5}', None),
        (b'{"log":', b'{"log":', None),
        (b"time=x | y", b"time=x | y", None),
        (b"2026-11-24T02:17:24Z [INFO] [/pkg/a.go:1]: x", b"2026-11-24T02:17:24Z [INFO] [/pkg/a.go:1]: x", None),
        (b"2026-11-24T02:17:24Z INFO main: x", b"2026-11-24T02:17:24Z INFO main: x", None),
        (b'127.0.0.1 - - [x] "a | b"', b'127.0.0.1 - - [x] "a | b"', None),
        (b"Nov 24 15:04:05 h r: a#033[0m#011#177b#012#000#042", b"a\x1b[0m\t\x7fb#012#000#042", None),
        (b"", b"", None),
    ],
)
def test_wrappers_are_taken_off(line: bytes, inner: bytes, time: datetime | None) -> None:
    """The line inside comes back, with the time of the wrapper where there is one; other lines come back unchanged."""
    found = unwrap(line, NOW)
    assert found[0] == inner
    assert b"#033" in line or found[1] == time


def test_wrappers_around_wrappers() -> None:
    """A journal of what compose printed, in a CRI file."""
    line = f"{AT} stdout F Nov 24 15:04:05 h registry[1]: registry_1  | x".encode()
    assert unwrap(line, NOW)[0] == b"x"


@pytest.mark.parametrize(
    ("line", "zone", "newest", "time"),
    [
        ("Dec 31 23:59:59", "UTC", "2026-01-01T00:10:00", "2025-12-31T23:59:59"),
        ("Jan  1 00:00:01", "UTC", "2026-01-01T00:10:00", "2026-01-01T00:00:01"),
        ("Feb 29 10:00:00", "UTC", "2026-11-24T00:00:00", "2024-02-29T10:00:00"),
        ("Nov 24 10:00:00", "Asia/Shanghai", "2026-11-24T03:00:00", "2026-11-24T02:00:00"),
        ("Jan  1 02:00:00", "Asia/Shanghai", "2025-12-31T18:10:00", "2025-12-31T18:00:00"),
        ("Dec 31 20:00:00", "America/New_York", "2026-01-01T01:10:00", "2026-01-01T01:00:00"),
    ],
)
def test_a_time_without_year_and_zone(line: str, zone: str, newest: str, time: str) -> None:
    """The year is the last that fits, over New Year and leap days; the zone is that of the settings."""
    _, found = unwrap(f"{line} h registry[1]: x".encode(), datetime.fromisoformat(newest + "+00:00"), ZoneInfo(zone))
    assert found == datetime.fromisoformat(time + "+00:00")


def test_the_year_of_an_old_file_is_that_of_its_last_change() -> None:
    """A file finished in January 2023 holds a December of 2022, whenever it is read."""
    data = b"Dec 31 23:59:59 h r: x\nJan  1 00:00:01 h r: y\n"
    old = block(data)
    written = datetime(2023, 1, 1, 0, 0, 1, tzinfo=UTC).timestamp()
    old = replace(old, after=replace(old.after, detail={"mtime": written}))
    years = [line.time.year for line in unwrapped(old, NOW) if line.time]
    assert years == [2022, 2023]


# The same lines in every wrapper.


def _journal_export(line: bytes) -> bytes:
    head = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1764000000000001\n__MONOTONIC_TIMESTAMP=1\n_BOOT_ID=1\nPRIORITY=6\n"
    return head + b"MESSAGE=" + line + b"\n_PID=1\n\n"


def _journal_binary(line: bytes) -> bytes:
    head = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1764000000000001\n"
    return head + b"MESSAGE\n" + len(line).to_bytes(8, "little") + line + b"\n_PID=1\n\n"


def _docker_in_pieces(line: bytes) -> bytes:
    size = 16_384
    line += b"\n"
    pieces = [line[at : at + size] for at in range(0, len(line), size)]
    return b"".join(_docker(piece) for piece in pieces)


def _docker(piece: bytes) -> bytes:
    return json.dumps({"log": piece.decode(), "stream": "stderr", "time": AT}).encode() + b"\n"


def _cri_in_pieces(line: bytes) -> bytes:
    half = len(line) // 2
    first = f"{AT} stderr P ".encode() + line[:half] + b"\n"
    return first + f"{AT} stderr F ".encode() + line[half:] + b"\n"


WRAPPERS: dict[str, Callable[[bytes], bytes]] = {
    "docker json-file": lambda line: _docker(line + b"\n"),
    "docker json-file in pieces": _docker_in_pieces,
    "CRI": lambda line: f"{AT} stderr F ".encode() + line + b"\n",
    "CRI in pieces": _cri_in_pieces,
    "compose": lambda line: b"registry_1  | " + line + b"\n",
    "journald JSON": lambda line: (
        json.dumps({"MESSAGE": line.decode(), "_PID": "1", "__REALTIME_TIMESTAMP": "1764000000000001"}).encode() + b"\n"
    ),
    "journald JSON of bytes": lambda line: (
        json.dumps({"__REALTIME_TIMESTAMP": "1764000000000001", "MESSAGE": list(line)}).encode() + b"\n"
    ),
    "journald export": _journal_export,
    "journald export, binary": _journal_binary,
    "syslog, traditional": lambda line: b"Nov 24 02:17:24 127.18.0.1 registry[1065]: " + line + b"\n",
    "syslog, dated": lambda line: b"2026-11-24T02:17:24.130889+00:00 host registry[1]: " + line + b"\n",
    "syslog, Go": lambda line: b"<6>2026-11-24T02:17:24Z host registry[1]: " + line + b"\n",
    "syslog, Docker": lambda line: b"<30>Nov 24 02:17:24 registry[1]: " + line + b"\n",
    "syslog, RFC 5424": lambda line: b'<30>1 2026-11-24T02:17:24Z h registry 1 - [a@1 b="c"] ' + line + b"\n",
    "CRLF": lambda line: line + b"\r\n",
}
OF_ONE_LINE = {name: wrap for name, wrap in WRAPPERS.items() if wrap(b"{}").count(b"\n") == 1}
OWN_PLACE = ("event_id", "offset", "parts", "read_at")


def _told(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in event.items() if name not in OWN_PLACE} for event in events]


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS.keys())
def test_the_same_lines_in_every_wrapper_give_the_same_events(wrap: Callable[[bytes], bytes]) -> None:
    """Recognised as what they are, read the same, each event with the place of its line in the real file; wherever the
    file is cut into blocks."""
    format_ = formats()["distribution-text"]
    long = LINES[-1] + b" padding=" + b"x" * 40_000
    plain = [*LINES, long]
    data = b"".join(map(wrap, plain))
    expected = format_.parse(block(b"\n".join(plain) + b"\n"))
    assert expected.events.num_rows > 10
    best = max(formats().values(), key=lambda other: other.claims(data[:65_536]))
    assert best.name == "distribution-text"

    parsed = format_.parse(block(data))
    assert parsed.lines == count_lines(data)
    assert parsed.rejects == []
    assert _told(rows(parsed)) == _told(rows(expected))
    starts = [0]
    for line in plain:
        starts.append(starts[-1] + len(wrap(line)))
    for event in rows(parsed):
        assert any(start <= event["offset"] < end for start, end in pairwise(starts))

    whole = {event["event_id"]: event["offset"] for event in rows(parsed)}
    for lines in (1, 3, 17):
        pieces = [format_.parse(piece) for piece in cut(data, lines)]
        assert sum(piece.lines for piece in pieces) == count_lines(data)
        assert not any(piece.rejects for piece in pieces)
        assert {event["event_id"]: event["offset"] for piece in pieces for event in rows(piece)}.keys() == whole.keys()


@pytest.mark.parametrize("wrap", OF_ONE_LINE.values(), ids=OF_ONE_LINE.keys())
def test_documents_a_line_in_every_wrapper(wrap: Callable[[bytes], bytes]) -> None:
    """Formats whose unit is a JSON document read it in every wrapper of single lines."""
    envelopes = (SAMPLES / "distribution-live" / "v3-json" / "notifications.jsonl").read_bytes().splitlines()[:5]
    data = b"".join(map(wrap, envelopes))
    format_ = formats()["distribution-notifications"]
    expected = format_.parse(block(b"\n".join(envelopes) + b"\n"))
    assert recognise(data[:65_536], list(formats().values())).name == format_.name
    parsed = format_.parse(block(data))
    assert (parsed.lines, parsed.rejects) == (count_lines(data), [])
    assert parsed.events.num_rows > 3
    assert _told(rows(parsed)) == _told(rows(expected))


def _parse(data: bytes, **changes: Any) -> Parsed:
    parsed = formats()["nginx-timed-combined"].parse(replace(block(data), **changes))
    assert parsed.lines == count_lines(data)
    return parsed


REQUEST = b'127.60.0.10 - "GET /v2/app/manifests/v1 HTTP/1.1" 200 305 "-" "curl/8.5.0" 0.001 0.001 .'
PREFIX = b"Nov 24 03:03:08 127.18.0.1 "


@pytest.mark.parametrize(
    "counted",
    [
        b"proxy[1065]: message repeated 3 times: [ " + REQUEST + b"]",
        b"proxy[1065]: message repeated 3 times: [ " + REQUEST[:40] + b"]",
        b"proxy[1065]: last message repeated 3 times",
        b"last message repeated 3 times",
    ],
    ids=["quoted", "cut", "with program", "bare"],
)
def test_counted_lines_are_given_as_often_as_they_came(counted: bytes) -> None:
    """Each with an id of its own, and with the line that it repeats among its parts; also when the daemon's line is the
    first of a block."""
    first = PREFIX + b"proxy[1065]: " + REQUEST + b"\n"
    parsed = _parse(first + PREFIX + counted + b"\n")
    events = rows(parsed)
    assert len(events) == 4
    assert len({event["event_id"] for event in events}) == 4
    assert {event["client_ip"] for event in events} == {"127.60.0.10"}
    assert [event["parts"] for event in events[1:]] == [[f"s:{len(first)}", "s:0"]] * 3
    assert {event["join_confidence"] for event in events[1:]} == {"certain"}

    alone = _parse(PREFIX + counted + b"\n", before=first, offset=len(first))
    assert [event["event_id"] for event in rows(alone)] == [event["event_id"] for event in events[1:]]


@pytest.mark.parametrize(
    ("counted", "problem"),
    [
        (b"proxy[1]: last message repeated 3 times", OUT_OF_REACH),
        (b"proxy[1]: message repeated 3 times: [ " + b"y" * 900 + b"]", OUT_OF_REACH),
        (b"proxy[1]: message repeated 999999999 times: [ " + REQUEST + b"]", TOO_OFTEN),
    ],
)
def test_counts_that_cannot_be_kept_are_rejected(counted: bytes, problem: str) -> None:
    """Nothing is guessed, and a few bytes do not become millions of events."""
    parsed = _parse(PREFIX + counted + b"\n")
    assert [reject.reason for reject in parsed.rejects] == [problem]
    assert parsed.events.num_rows == 0


def test_repetitions_of_other_programs_do_not_mix() -> None:
    """The count belongs to the program that the daemon names."""
    data = PREFIX + b"proxy[1]: " + REQUEST + b"\n" + PREFIX + b"portal[2]: hello\n"
    parsed = _parse(data + PREFIX + b"proxy[1]: last message repeated 2 times\n")
    assert parsed.events.num_rows == 3


def test_repetitions() -> None:
    """Syslog daemons count equal lines instead of writing them."""
    assert is_repetition(b"last message repeated 3 times")
    assert is_repetition(b"message repeated 2 times: [ x]")
    assert not is_repetition(b"the last message repeated")


def test_pieces_without_beginning_or_end_are_rejected() -> None:
    """Half a line is not read as a whole one."""
    begin, end = f"{AT} stdout P ".encode() + REQUEST[:30] + b"\n", f"{AT} stdout F ".encode() + REQUEST[30:] + b"\n"
    lost = _parse(end, before=begin, offset=5_000)
    assert [(reject.reason, reject.offset) for reject in lost.rejects] == [(NO_BEGINNING, 5_000)]
    left = _parse(end + begin, final=True)
    assert [reject.reason for reject in left.rejects][-1] == NO_END
    assert [reject.offset for reject in left.rejects][-1] == len(end)


def test_pieces_of_two_outputs_do_not_mix() -> None:
    """Standard output and standard error are cut and written independently."""
    one, two = REQUEST, REQUEST.replace(b"v1", b"v2")
    lines = [("stdout P ", one[:30]), ("stderr P ", two[:30]), ("stdout F ", one[30:]), ("stderr F ", two[30:])]
    data = b"".join(f"{AT} {head}".encode() + piece + b"\n" for head, piece in lines)
    assert [event["reference"] for event in rows(_parse(data))] == ["v1", "v2"]


@pytest.mark.parametrize("size", [10, 266, 2570, 2 << 20])
def test_binary_journal_fields_whose_length_looks_like_a_line_end(size: int) -> None:
    """A length of 10 or 266 bytes holds the byte of a line end; a length beyond any line ends the record."""
    value = b"x" * min(size, 3000)
    data = b"__CURSOR=a\nMESSAGE\n" + size.to_bytes(8, "little") + value + b"\nA=b\n\n"
    found = list(unwrapped(block(data + REQUEST + b"\n"), NOW))
    assert len(found) == count_lines(data) + 1
    assert found[-1].data == REQUEST
    assert (value in [line.data for line in found]) == (size < 2 << 20)
