"""What holds for every format, on every sample: nothing is lost, nothing raises, and cuts do not matter."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from format_samples import Sample, block, cut, formats, rows, samples

import collector.formats
from collector.errors import UnknownFormat
from collector.lines import count_lines, split_lines
from collector.recognise import recognise
from collector.stages import Format, Parsed
from store.event import Action, Channel, Outcome, schema
from store.merge import merge

FOLDER = Path(collector.formats.__path__[0])
# Formats with lines that tell no time of their own.
TIMELESS = frozenset(
    (
        "nginx-timed-combined",
        "artifactory-webhook",
        "nexus-audit",
        "quay-webhook",
        "clair",
        "distribution-gc",
        "kubelet-events-text",
    )
)
ALL_SAMPLES = pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.id)
ALL_FORMATS = pytest.mark.parametrize("format_", formats().values(), ids=lambda format_: format_.name)
FILLED = (
    "event_id",
    "timestamp",
    "action",
    "outcome",
    "channel",
    "dataset",
    "stream",
    "offset",
    "parts",
    "registry_kind",
)


def check(parsed: Parsed, data: bytes, start: int = 0) -> None:
    """The promises of `Parsed`."""
    assert parsed.lines == count_lines(data)
    assert parsed.events.schema.equals(schema())
    for row in rows(parsed):
        assert all(row[name] is not None for name in FILLED), row
        assert row["timestamp"].utcoffset() == timedelta(0)
        assert row["action"] in set(Action)
        assert row["outcome"] in set(Outcome)
        assert row["channel"] in set(Channel)
        assert row["registry"] == "r1"
        assert row["parts"][0] == f"s:{row['offset']}"
    for reject in parsed.rejects:
        assert reject.reason
        assert start <= reject.offset < start + len(data)


def told(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Events by id as a store shows them, without what depends on when they were read."""
    by_id = defaultdict(list)
    for row in events:
        by_id[row["event_id"]].append(row | {"read_at": None})
    return {id_: merge(parts) for id_, parts in by_id.items()}


def without_reading_time(events: dict[str, dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """Lines without any time of their own are stamped when read: that one field may differ between two readings."""
    if name not in TIMELESS:
        return events
    return {id_: event | {"timestamp": None} for id_, event in events.items()}


def test_every_file_of_the_folder_offers_a_format_with_samples() -> None:
    """No format file is left out of this suite, and none comes without a sample."""
    files = [path for path in FOLDER.glob("*.py") if path.name != "__init__.py"]
    assert len(files) >= 7
    assert len(formats()) >= len(files)
    assert {sample.format_name for sample in samples()} == set(formats())


@ALL_SAMPLES
def test_one_format_claims_a_sample_best(sample: Sample) -> None:
    """Each sample is recognised as what it is, and no other format claims it as surely."""
    head = sample.data[:65_536]
    claims = {name: format_.claims(head) for name, format_ in formats().items()}
    assert all(0.0 <= claim <= 1.0 for claim in claims.values())
    best = claims.pop(sample.format_name)
    assert best > max(claims.values())
    assert recognise(head, list(formats().values())).name == sample.format_name


@ALL_SAMPLES
def test_every_line_is_an_event_a_reject_or_ignored(sample: Sample) -> None:
    """On real logs every line is accounted for, and not one of them is a reject."""
    parsed = formats()[sample.format_name].parse(block(sample.data))
    check(parsed, sample.data)
    assert parsed.rejects == []


@ALL_SAMPLES
def test_cuts_do_not_matter(sample: Sample) -> None:
    """Wherever a restart or a poll cuts the stream, the same events come out."""
    data, format_ = sample.data, formats()[sample.format_name]
    whole = without_reading_time(told(rows(format_.parse(block(data)))), sample.format_name)
    total = count_lines(data)
    sizes = {1, 2, 7, total // 3 + 1} if total < 120 else {5, 61, total // 3 + 1}
    for lines in sorted(sizes):
        pieces: list[dict[str, Any]] = []
        for piece in cut(data, lines):
            parsed = format_.parse(piece)
            assert parsed.lines == count_lines(piece.data)
            pieces += rows(parsed)
        assert without_reading_time(told(pieces), sample.format_name) == whole, lines


@ALL_SAMPLES
def test_torn_lines_end_as_rejects(sample: Sample) -> None:
    """A line cut in the middle never raises, and the lines around it are read as before."""
    format_ = formats()[sample.format_name]
    lines = [line for _, line in split_lines(sample.data, 0)][:40]
    for at, line in enumerate(lines):
        if len(line) < 20:
            continue
        data = b"\n".join([*lines[:at], line[: len(line) * 2 // 3], *lines[at + 1 :]]) + b"\n"
        check(format_.parse(block(data)), data)


@ALL_SAMPLES
def test_mutated_bytes_never_raise(sample: Sample) -> None:
    """Bytes changed at random, NUL and broken UTF-8 among them, give rows and rejects and nothing else."""
    format_ = formats()[sample.format_name]
    chance = random.Random(sample.id)
    original = sample.data[:12_000]
    for _ in range(12):
        data = bytearray(original)
        for _ in range(max(1, len(data) // 200)):
            data[chance.randrange(len(data))] = chance.choice(b'\x00\xff\xc3\n"{}[]\\ =-0e\r')
        check(format_.parse(block(bytes(data))), bytes(data))
        assert 0.0 <= format_.claims(bytes(data)) <= 1.0


HOSTILE = {
    "empty": b"",
    "newlines": b"\n\r\n\n",
    "nul": b"\x00" * 300 + b"\n",
    "no UTF-8": b'{"msg":"\xff\xfe","level":"info","time":"2026-01-01T00:00:00Z"}\n\xc3\x28\n',
    "huge number": b'{"events":[{"timestamp":1e400}],"op_time":1e400,"id":1e400,"msg":"x","level":"info","time":1e400}\n',
    "deep JSON": b"[" * 10_000 + b"]" * 10_000 + b"\n" + b'{"events":' * 10_000 + b"\n",
    "long line": b"time=" + b"x" * (1 << 20) + b"\n",
    "long quoted": b'time="2026-01-01T00:00:00Z" level=info msg="' + b"\\" * 500_000 + b"\n",
    "long access": b'1.1.1.1 - - [24/Nov/2026:02:17:24 +0000] "' + b"\\" * 500_001 + b"\n",
    "surrogate": b'time="2026-01-01T00:00:00Z" level=info msg="response completed" http.request.id=1 '
    b'http.request.uri="\\ud800\\U00110000"\n',
    "wrong types": b'{"msg":"response completed","level":7,"time":"2026-01-01T00:00:00Z","http.request.id":"a",'
    b'"http.request.method":{},"http.request.uri":[],"http.request.remoteaddr":5,"http.response.status":"x",'
    b'"http.response.written":99999999999999999999999,"auth.user.name":null,"err.detail":{"a":1}}\n',
    "old times": b'{"msg":"response completed","level":"info","time":"0001-01-01T00:00:00+14:00","http.request.id":"a"}\n',
    "odd days": b'1.1.1.1 - - [31/Feb/2026:02:17:24 +0000] "GET / HTTP/1.1" 200 1 "" ""\n'
    b'1.1.1.1 - - [24/Xxx/2026:02:17:24 +9999] "GET / HTTP/1.1" 200 1 "" ""\n'
    b"Feb 31 99:99:99 h proxy[1]: x\n",
}


@ALL_FORMATS
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_input_never_raises(format_: Format, data: bytes) -> None:
    """Whatever stands in a file, `claims` and `parse` answer."""
    assert 0.0 <= format_.claims(data[:65_536]) <= 1.0
    check(format_.parse(block(data)), data)
    check(format_.parse(block(data, before=data, offset=len(data), final=False)), data, start=len(data))


def test_unknown_lines_name_the_formats_tried() -> None:
    """The message shows the first line escaped and cut, and which formats were tried."""
    head = b"\n\x1b[31mhello \xff" + b"y" * 500 + b"\nworld\n"
    with pytest.raises(UnknownFormat) as caught:
        recognise(head, list(formats().values()))
    message = str(caught.value)
    assert "distribution-json" in message
    assert "\\x1b[31mhello" in message
    assert "\x1b" not in message
    assert len(message) < 300 + 30 * len(formats())
