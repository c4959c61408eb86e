"""Input that is made to be expensive or to say two things at once: documents, expressions, names."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from faults.bench import Bench, size
from faults.expressions import attacks, expressions, seconds
from format_samples import block, formats, rows, samples

from collector.lines import split_lines
from collector.stages import Parsed

BUDGET = 0.3  # seconds of processor time for a document of 100,000 keys: 0.02 where one format wants few of them, 0.15 where all
KEYS = 100_000
SHORT, LONG = 1_000, 4_000  # characters: four times as many may take four times as long, not sixteen
SLOW = 0.004  # seconds for the long one under which nothing matters: a line of a log is seldom longer
RATIO = 9.0


def documents() -> list[tuple[str, dict[str, Any]]]:
    """The first JSON object of a line of every sample that has one."""
    found = {}
    for sample in samples():
        for _, line in split_lines(sample.data, 0):
            if line.lstrip()[:1] == b"{" and (document := _object(line)) and sample.format_name not in found:
                found[sample.format_name] = document
    return sorted(found.items())


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found else None


def told(parsed: Parsed) -> list[dict[str, Any]]:
    """The events without what is made of their bytes, and of the time at which they are read."""
    left_out = ("event_id", "offset", "read_at")
    return [
        {name: value for name, value in row.items() if name not in left_out and value != row["read_at"]}
        | {"timestamp": None if row["timestamp"] is None or _now(row["timestamp"]) else row["timestamp"]}
        for row in rows(parsed)
    ]


def _now(moment: datetime) -> bool:
    return abs(datetime.now(UTC) - moment) < timedelta(minutes=10)


def parse(name: str, data: bytes) -> tuple[Parsed, float]:
    begun = time.process_time()
    parsed = formats()[name].parse(block(data))
    return parsed, time.process_time() - begun


@pytest.mark.fault("F19")
def test_a_document_of_100_000_keys(record: Callable[[dict[str, Any]], None]) -> None:
    """More keys than anybody writes, in front of those that count, behind them and inside of them: an event as ever or a dead
    letter, soon. Of every format that reads JSON."""
    many = {f"{number:x}": 1 for number in range(KEYS)}  # less than 1 MiB, which would be too long a line
    took: list[float] = []
    found = documents()
    for name, document in found:
        plain = told(parse(name, _line(document))[0])
        inner = {key: {**value, **many} if isinstance(value, dict) else value for key, value in document.items()}
        for crowded in ({**many, **document}, {**document, **many}, inner):
            parsed, spent = parse(name, _line(crowded))
            if spent >= BUDGET:  # a first time pays for what it imports
                parsed, spent = parse(name, _line(crowded))
            assert told(parsed) in (plain, []) or parsed.rejects, name
            assert spent < BUDGET, f"{name}: {spent:.2f} s"
            took.append(spent)
    record(_figures("F19", len(took), f"{len(found)} formats, {max(took) * 1e3:.0f} ms at most"))


@pytest.mark.fault("F19")
def test_a_key_that_is_there_twice(record: Callable[[dict[str, Any]], None]) -> None:
    """Each key once more, with another value: what is told is what one of the two says, or nothing; never a third."""
    tried = 0
    for name, document in documents():
        for key, value in document.items():
            others = {str: "mallory", list: [], dict: {}}
            other: Any = others.get(type(value), 7)
            body = json.dumps(document)[1:-1]
            got, took = parse(name, f"{{{body},{json.dumps(key)}:{json.dumps(other)}}}\n".encode())
            allowed = [told(parse(name, _line({**document, key: each}))[0]) for each in (value, other)]
            assert told(got) in [*allowed, []], (name, key)
            assert took < BUDGET
            tried += 1
    record(_figures("F19", tried, "a key twice: as one of the two says"))


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _figures(fault: str, tried: int, said: str) -> dict[str, Any]:
    counts = {"runs": 1, "written": tried, "lost": 0, "doubled": 0}
    return {"fault": fault, "store": "embedded", **counts, "said": said}


@pytest.mark.fault("F42")
def test_no_expression_takes_more_than_linear_time(record: Callable[[dict[str, Any]], None]) -> None:
    """Every regular expression of the source against strings made of its own repetitions: four times the length takes
    about four times as long."""
    found, slow, tried = expressions(), [], 0
    for expression in found:
        for way in expression.ways:
            for short, long in zip(attacks(expression.pattern, SHORT), attacks(expression.pattern, LONG), strict=True):
                tried += 1
                if (took := seconds(expression, way, long)) >= SLOW:
                    before = seconds(expression, way, short)
                    if took >= RATIO * before:
                        slow.append(
                            f"{expression.place} {way}: {before * 1e3:.1f}, then {took * 1e3:.1f} ms for {long[:60]!r}"
                        )
    record(_figures("F42", tried, f"{len(found)} expressions, none worse than linear"))
    assert len(found) > 100
    assert not slow, "\n".join(slow)


@pytest.mark.fault("F40")
def test_distinct_names_are_in_no_metric(record: Callable[[dict[str, Any]], None]) -> None:
    """Ten million repositories, accounts, addresses and tags: the series are those of the first thousand, a scrape takes as
    long, and memory stays."""
    import resource

    import pyarrow as pa
    from prometheus_client import CollectorRegistry, generate_latest

    from collector.telemetry import CollectorTelemetry
    from store.event import schema

    registry = CollectorRegistry()
    telemetry = CollectorTelemetry(registry)
    batch, names = 20_000, size(100_000, 10_000_000)

    def commit(start: int) -> None:
        numbers = [str(number) for number in range(start, start + batch)]
        columns: dict[str, Any] = {
            "event_id": numbers,
            "action": ["pull"] * batch,
            "outcome": ["success"] * batch,
            "registry": ["main"] * batch,
            "client_class": ["docker"] * batch,
            "status": [200] * batch,
            "response_bytes": [7] * batch,
            "duration_ns": [1_000_000] * batch,
            "repository": [f"team/{number}" for number in numbers],
            "actor": [f"user-{number}" for number in numbers],
            "client_ip": [
                f"10.{int(number) >> 16 & 255}.{int(number) >> 8 & 255}.{int(number) & 255}" for number in numbers
            ],
            "tag": [f"v{number}" for number in numbers],
        }
        table = pa.table(
            {name: pa.array(columns.get(name, [None] * batch), schema().field(name).type) for name in schema().names}
        )
        telemetry.read("log", 100 * batch, batch, 0, [])
        telemetry.committed(table, 0.01)

    def series() -> int:
        return sum(not line.startswith(b"#") for line in generate_latest(registry).splitlines())

    commit(0)
    first = series()
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for start in range(batch, names, batch):
        commit(start)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident) >> 10
    took = []
    for _ in range(5):
        begun = time.process_time()
        text = generate_latest(registry)
        took.append(time.process_time() - begun)
    scrape = min(took)
    said = f"{first} series before and after; a scrape of {len(text) >> 10} KiB takes {scrape * 1e3:.0f} ms"
    record(
        {
            "fault": "F40",
            "store": "embedded",
            "runs": 1,
            "written": names,
            "lost": 0,
            "doubled": 0,
            "said": f"{said}; memory +{grown} MiB",
        }
    )
    assert series() == first
    assert scrape < 0.2
    assert grown < 64


@pytest.mark.fault("F40")
def test_a_scrape_during_a_burst(bench: Bench) -> None:
    """The real process reads lines with a repository of its own in each; the metrics answer all the while, with few series."""
    import urllib.request

    from faults.test_receivers import free_port

    web, settings, total = free_port(), bench.folder / "regsight.toml", size(20_000, 300_000)
    settings.write_text(
        f'[store]\nurl = "{bench.url}"\n[web]\nlisten = "127.0.0.1:{web}"\n'
        f'[[collector.sources]]\ntype = "file"\nname = "log"\npaths = ["{bench.log}"]\nformat = "nginx-combined"\n'
    )
    lines = bench.truth.lines(total).replace(b"/team/app/manifests/n", b"/team/%d/manifests/n" % 0)
    parts = lines.split(b"/team/0/")
    bench.log.write_bytes(b"".join(part + b"/team/a%d/" % number for number, part in enumerate(parts[:-1])) + parts[-1])
    answers: list[tuple[float, int]] = []

    def scrape() -> bool:
        begun = time.monotonic()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{web}/metrics", timeout=30) as answer:
                text = answer.read()
        except OSError:
            return False
        answers.append((time.monotonic() - begun, sum(not line.startswith(b"#") for line in text.splitlines())))
        return bench.stored() >= total

    with bench.collecting(command=("run", "-c", str(settings))) as process:
        bench.until(scrape, "storing everything", process)
        grown = process.resident() >> 20
    times = sorted(took for took, _ in answers)
    most = max(count for _, count in answers)
    bench.verdict(
        said=f"{most} series at most; median scrape {times[len(times) // 2] * 1e3:.0f} ms; {grown} MiB resident"
    )
    assert most < 2_000
