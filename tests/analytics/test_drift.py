"""A registry that writes otherwise than before is noticed; one that writes as ever is not."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from format_samples import SAMPLES, Sample, formats, samples
from prometheus_client import CollectorRegistry

from analytics.drift import WATCH, watch_formats
from collector.drift import DriftTallies
from collector.feed import Feed
from collector.lines import split_lines
from collector.pipeline import Pipeline
from collector.sources.file_tail import FileTail
from collector.telemetry import CollectorTelemetry
from store.contract import Store
from store.finding import Finding, Severity
from store.locate import open_store

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
V3 = SAMPLES / "distribution-live" / "v3-json" / "registry.log"
PROXY = SAMPLES / "harbor-live" / "v2.15.2-harbor-log" / "proxy.log"
LINES = 110  # to a slot
LARGE = [sample for sample in samples() if sample.data.count(b"\n") >= 6 * LINES]
_namespaces = itertools.count()


class Registry:
    """One log that grows, read by a pipeline of its own each ten minutes, as a collector that is started again would."""

    def __init__(self, store: Store, folder: Path, name: str = "registry-eu") -> None:
        self.store, self.name, self.log, self.now = store, name, folder / f"{name}.log", START
        self.metrics = CollectorRegistry()
        self._telemetry = CollectorTelemetry(self.metrics)
        self.drift = DriftTallies(store, self._telemetry)

    def write(self, lines: list[bytes]) -> None:
        """Ten minutes of lines for each `LINES` of them."""
        for start in range(0, len(lines) - LINES + 1, LINES):
            with self.log.open("ab") as log:
                log.writelines(line + b"\n" for line in lines[start : start + LINES])
            self.now += timedelta(minutes=10)
            source = FileTail(self.name, [str(self.log)], registry=self.name)
            Pipeline(
                self.store,
                [Feed(source=source)],
                list(formats().values()),
                [],
                self._telemetry,
                drift=self.drift,
                clock=lambda: self.now,
            ).run()

    def found(self) -> dict[str, Finding]:
        watch_formats(self.store, self.now)
        return {finding.kind: finding for finding in self.store.findings() if finding.detector == WATCH.name}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"delta:{tmp_path / 'store'}")
    yield opened
    opened.close()


def lines_of(path: Path) -> list[bytes]:
    return [line for _, line in split_lines(path.read_bytes(), 0)]


def renamed(lines: list[bytes], names: dict[str, str]) -> list[bytes]:
    found = []
    for line in lines:
        for old, new in names.items():
            line = line.replace(b'"%b":' % old.encode(), b'"%b":' % new.encode())
        found.append(line)
    return found


@pytest.mark.parametrize("sample", LARGE, ids=lambda sample: sample.id)
def test_a_capture_as_it_is_raises_nothing(sample: Sample, store: Store, tmp_path: Path) -> None:
    """Pushes, pulls, attacks and pings follow one another in the captures: none of that is a change of format."""
    registry = Registry(store, tmp_path)
    registry.write(lines_of(sample.path) * 2)
    assert registry.found() == {}


def test_an_upgrade_that_is_known_raises_nothing_bad(store: Store, tmp_path: Path) -> None:
    """2.8.2 and then 3.1: both are read, and the later one says more."""
    registry = Registry(store, tmp_path)
    registry.write(lines_of(SAMPLES / "distribution-live" / "v2.8.2-json" / "registry.log") * 2)
    registry.write(lines_of(V3))
    assert registry.found() == {}


def test_renamed_keys_are_missed(store: Store, tmp_path: Path) -> None:
    """Nothing is unread, and yet nobody has a name any more: the field is named, and what came in its place."""
    registry = Registry(store, tmp_path)
    registry.write(lines_of(V3) * 2)
    changed = registry.now
    assert registry.found() == {}
    registry.write(renamed(lines_of(V3), {"http.request.remoteaddr": "client.addr", "http.request.useragent": "agent"}))
    found = registry.found()
    assert set(found) == {"empty_fields", "new_fields"}
    missed = found["empty_fields"]
    assert "client_ip" in missed.title and "user_agent" in missed.title and "registry-eu" in missed.title
    assert missed.start > changed
    assert missed.severity is Severity.MEDIUM
    assert "client.addr" in found["new_fields"].title and "agent" in found["new_fields"].observed
    assert registry.metrics.get_sample_value(
        "regsight_collector_empty_ratio",
        {"source": "registry-eu", "format": "distribution-json", "field": "client_ip"},
    ) == pytest.approx(1.0)


def test_lines_that_nobody_can_read(store: Store, tmp_path: Path) -> None:
    """The proxy was set up with another log format, for a part of the lines: the share, since when, and a first example
    without its secrets and its codes for terminals.
    """
    registry = Registry(store, tmp_path, "proxy-eu")
    lines = lines_of(PROXY)
    registry.write(lines)
    assert registry.found() == {}
    changed = registry.now
    other = b'Nov 24 02:17:24 172.18.0.1 proxy[1]: GET /v2/ "Authorization: Basic YWRtaW46c2VjcmV0" \x1b[31m password=hunter2'
    registry.write([other if number % 8 < 3 else line for number, line in enumerate(lines)])
    unread = registry.found()["unread_lines"]
    assert re.search(r"since \d\d:\d\d UTC, 3[78]% of proxy-eu lines have an unknown shape", unread.title), unread.title
    assert unread.start > changed
    assert "YWRtaW46c2VjcmV0" not in unread.explanation and "hunter2" not in unread.explanation
    assert "\x1b" not in unread.explanation and "\\x1b" in unread.explanation
    assert f"{registry.log} at byte" in unread.explanation
    assert unread.severity is Severity.HIGH
    labels = {"source": "proxy-eu", "format": "nginx-timed-combined"}
    share = registry.metrics.get_sample_value("regsight_collector_unread_ratio", labels)
    assert share == pytest.approx(0.375, abs=0.02)

    before = unread.id
    registry.write([other if number % 8 < 3 else line for number, line in enumerate(lines[: 2 * LINES])])
    assert registry.found()["unread_lines"].id == before  # it goes on, and is one finding


def test_lines_that_say_nothing_any_more(store: Store, tmp_path: Path) -> None:
    """Another registry behind the same name: its lines are taken for talk, so nothing is unread and nothing is told."""
    registry = Registry(store, tmp_path)
    registry.write(lines_of(V3) * 2)
    registry.write([line.replace(b'"response completed', b'"request done') for line in lines_of(V3)])
    found = registry.found()
    assert found["silent_lines"].severity is Severity.HIGH


def test_a_restart_forgets_nothing(store: Store, tmp_path: Path) -> None:
    """What was seen before lies in the store: a collector that starts with the new release misses what was there."""
    Registry(store, tmp_path).write(lines_of(V3) * 2)
    again = Registry(store, tmp_path)
    again.now = START + timedelta(hours=5)
    again.write(renamed(lines_of(V3), {"http.request.remoteaddr": "client.addr"}))
    assert "client_ip" in again.found()["empty_fields"].title


@pytest.mark.external_service
def test_tallies_in_elasticsearch(elasticsearch_url: str, tmp_path: Path) -> None:
    """The notes are found by their beginning in the other store too."""
    store = open_store(f"{elasticsearch_url}?namespace=drift{next(_namespaces)}")
    registry = Registry(store, tmp_path)
    registry.write(lines_of(V3))
    registry.write(renamed(lines_of(V3), {"http.request.remoteaddr": "client.addr"}))
    assert "client_ip" in registry.found()["empty_fields"].title
    store.close()


def test_notes_stay_small(store: Store, tmp_path: Path) -> None:
    """However long a source is read, and whatever keys it invents, its note has a bound."""
    registry = Registry(store, tmp_path)
    lines = [json.loads(line) for line in lines_of(V3) if line[:1] == b"{"][:LINES]
    for hour in range(75):
        odd = [json.dumps(line | {f"field-{hour}-{n}": n for n in range(30)}).encode() for line in lines]
        registry.write(odd)
    (note,) = store.notes("drift/").values()
    assert len(note["slots"]) == 72
    assert len(note["learned"]) <= 500
    assert len(json.dumps(note)) < 200_000


def test_the_runbook_page_has_a_heading_for_each_kind() -> None:
    """The link of a finding's message leads somewhere."""
    root = Path(__file__).parents[2]
    text = (root / "docs" / "runbooks" / "format_drift.md").read_text()
    assert len(text.splitlines()) <= 80
    kinds = set(re.findall(r'"(\w+_(?:lines|fields))",\n', (root / "analytics" / "drift.py").read_text()))
    assert len(kinds) == 4
    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == kinds
    for heading in ("## Check", "## Contain", "## When it is harmless"):
        assert heading in text
