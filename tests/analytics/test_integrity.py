"""Gaps, silence and logs that disagree become findings; what is as usual does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics.integrity import OF_GAPS, WATCH, silent, watch_integrity
from analytics.reconcile import NOTES, compared, count_slots
from collector.gaps import KINDS, Gap, GapLog
from store.contract import Store
from store.event import schema
from store.finding import Severity
from store.locate import open_store

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"delta:{tmp_path / 'store'}")
    yield opened
    opened.close()


def gap(kind: str, **more: Any) -> Gap:
    start = NOW - timedelta(minutes=2)
    return Gap(**{"kind": kind, "source": "main", "path": "/var/log/access.log", "start": start, "end": NOW} | more)


def found(store: Store) -> dict[str, Any]:
    watch_integrity(store, NOW)
    return {finding.kind: finding for finding in store.findings() if finding.detector == WATCH.name}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_gap(store: Store, kind: str) -> None:
    """A loss is a finding with the place and the size; what is no loss is in the report only."""
    GapLog(store, clock=lambda: NOW).notice(gap(kind, offset=4096, bytes=800, lines=7, stream="s"))
    findings = found(store)
    if kind not in OF_GAPS:
        assert findings == {}
        return
    (finding,) = findings.values()
    assert finding.kind == OF_GAPS[kind][0] and finding.severity is OF_GAPS[kind][1]
    assert "4,096" in finding.observed and "800" in finding.observed and "7 lines" in finding.observed
    assert watch_integrity(store, NOW + timedelta(minutes=1)) == []  # told once


def test_what_was_resolved_or_is_old_is_quiet(store: Store) -> None:
    log = GapLog(store, clock=lambda: NOW)
    log.notice(first := gap("damaged_archive"))
    log.resolve(first.id)
    GapLog(store, clock=lambda: NOW - timedelta(days=8)).notice(gap("truncated"))
    assert found(store) == {}


def test_lost_messages_add_up(store: Store) -> None:
    """Each datagram that the kernel threw away is no finding of its own."""
    log = GapLog(store, clock=lambda: NOW)
    for _ in range(5):
        log.lost_messages("syslog", "main", "kernel", 3)
    log.save()
    (note,) = store.notes("gap/").values()
    assert note["lines"] == 15
    assert found(store)["lines_missing"].severity is Severity.MEDIUM


def slots(hours: range, minutes: int = 10, lines: int = 100) -> list[dict[str, Any]]:
    made = []
    for hour in hours:
        start = NOW - timedelta(hours=24) + timedelta(hours=hour)
        made.append(
            {"start": start.isoformat(), "end": (start + timedelta(minutes=minutes)).isoformat(), "lines": lines}
        )
    return made


def read(last: datetime, looked: datetime, since: datetime | None = None) -> dict[str, Any]:
    return {
        "source": "main",
        "registry": "main",
        "last_line": last.isoformat(),
        "looked_at": looked.isoformat(),
        "since": (since or NOW - timedelta(days=2)).isoformat(),
    }


def test_silence() -> None:
    """Three times the longest pause of a day, counted only while the collector looked."""
    tally = [{"source": "main", "slots": slots(range(24), minutes=55)}]  # pauses of five minutes
    last = NOW - timedelta(hours=1)

    def told(*args: datetime) -> list[Any]:
        return list(silent([read(last, *args)], tally, NOW))

    assert told(last + timedelta(minutes=29)) == []
    (suspicion,) = told(last + timedelta(minutes=40))
    assert suspicion.kind == "source_silent" and "40 min" in suspicion.observed
    assert told(last + timedelta(minutes=40), last + timedelta(minutes=30)) == []  # the collector was down
    night = [{"source": "main", "slots": [*slots(range(6)), *slots(range(16, 24))]}]
    assert list(silent([read(last, last + timedelta(hours=9))], night, NOW)) == []  # nights are as long


def rows(start: datetime, both: int, only_application: int, only_notification: int) -> pa.Table:
    """Pulls that both logs tell of, and that one of them does."""
    made = []
    for number in range(both + only_application + only_notification):
        channels = ["application"] * (number < both + only_application) + ["notification"] * (
            number < both or number >= both + only_application
        )
        for channel in channels:
            row = dict.fromkeys(schema().names)
            row |= {
                "event_id": f"r-{start:%H}-{number}",
                "timestamp": start + timedelta(seconds=number),
                "action": "pull",
                "outcome": "success",
                "channel": channel,
                "dataset": channel,
                "registry": "main",
                "registry_kind": "distribution",
                "stream": channel,
                "offset": number,
                "read_at": start,
                "stored_at": start,
            }
            made.append(row)
    return pa.Table.from_pylist(made, schema=schema())


def test_logs_that_disagree(store: Store) -> None:
    """A few notifications are always missing; when they stop, that hour is a finding, and is not told again."""
    begin = NOW - timedelta(hours=6)
    for hour in range(5):
        store.commit(rows(begin + timedelta(hours=hour), 95, 3, 2), [])
        count_slots(store, begin + timedelta(hours=hour + 1, minutes=15))
    assert found(store) == {}
    store.commit(rows(NOW - timedelta(hours=1), 20, 80, 0), [])
    assert count_slots(store, NOW + timedelta(minutes=15)) == 1
    watch_integrity(store, NOW + timedelta(minutes=15))
    (finding,) = [finding for finding in store.findings() if finding.detector == WATCH.name]
    assert finding.kind == "channels_disagree" and "80 pull" in finding.title
    newest = {(each.here, each.there): each for each in compared(store)}
    assert newest["application", "notification"].missing == 80
    assert newest["notification", "application"].missing == 0
    assert store.notes(NOTES)


def test_channels_that_are_never_joined_do_not_disagree(store: Store) -> None:
    """Two logs whose lines share no request cannot be held against each other."""
    for hour in range(6):
        start = NOW - timedelta(hours=6 - hour)
        store.commit(rows(start, 0, 60, 60), [])
        count_slots(store, start + timedelta(hours=1, minutes=15))
    assert found(store) == {} and compared(store) == []


def test_the_page_of_the_runbook() -> None:
    """A heading for each kind, and queries of metrics and fields that exist."""
    from store.event import BY_ECS

    text = (ROOT / "docs" / "runbooks" / f"{WATCH.name}.md").read_text()
    assert len(text.splitlines()) <= 80
    kinds = {kind for kind, _, _ in OF_GAPS.values()} | {"source_silent", "channels_disagree"}
    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == kinds
    for block in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        query = json.loads(block)
        used = set(re.findall(r'"field": "([^"]+)"', block))
        used |= {name for clause in query["query"]["bool"]["filter"] for name in next(iter(clause.values()))}
        assert used <= set(BY_ECS)
    assert "regsight_collector_gaps_total" in text
