"""What did not happen is found, and ends when it happens again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics.absence import Watched, watch_absence
from analytics.expectation import Expectation
from store.contract import JobRun, Store
from store.event import schema
from store.finding import Severity
from store.locate import open_store

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DETECT = Watched("detect", MINUTE)
REPORT = Watched("report", DAY, report=True)
BACKUP = Expectation(name="nightly backup", within=timedelta(hours=26), action=("pull",), actor="robot$backup")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"delta:{tmp_path}/data")
    yield opened
    opened.close()


def ran(store: Store, job: str, at: datetime, state: str = "ok", note: str = "") -> None:
    store.finish_run(JobRun(job=job, due_at=at, started_at=at, finished_at=at, state=state, note=note))


def happened(store: Store, at: datetime, actor: str, action: str = "pull", outcome: str = "success") -> None:
    row: dict[str, Any] = dict.fromkeys(schema().names)
    row |= {"event_id": f"l-{at.timestamp()}-{actor}", "timestamp": at, "action": action, "outcome": outcome}
    row |= {"actor": actor, "registry": "eu", "channel": "application"}
    store.commit(pa.Table.from_pylist([row], schema=schema()), [])


def found(store: Store, now: datetime, *jobs: Watched, expect: tuple[Expectation, ...] = (), up: datetime) -> list[Any]:
    return watch_absence(store, now, jobs, expect, up)


def test_a_job_that_does_not_end_well_is_missed(store: Store) -> None:
    """Not at the first late run; one finding as long as it lasts, which grows; with what the last run said."""
    ran(store, "detect", NOW)
    up = NOW - DAY
    assert found(store, NOW + 15 * MINUTE, DETECT, up=up) == []
    ran(store, "detect", NOW + 15 * MINUTE, "failed", "RuntimeError: no room")
    (first,) = found(store, NOW + 16 * MINUTE, DETECT, up=up)
    assert (first.kind, first.severity, first.start) == ("job_missing", Severity.HIGH, NOW)
    assert "RuntimeError: no room" in first.observed
    (second,) = found(store, NOW + 60 * MINUTE, DETECT, up=up)
    assert second.id == first.id and second.end == NOW + HOUR and second.title.endswith("for 60 min")
    ran(store, "detect", NOW + 61 * MINUTE)
    assert found(store, NOW + 62 * MINUTE, DETECT, up=up) == []
    (another,) = found(store, NOW + 2 * HOUR, DETECT, up=up)
    assert another.id != first.id


def test_a_pause_of_the_process_is_no_absence(store: Store) -> None:
    """What was missed while nothing ran is caught up after the start; a job that never runs is missed all the same."""
    ran(store, "detect", NOW - 3 * DAY)
    assert found(store, NOW + 10 * MINUTE, DETECT, up=NOW) == []
    (one,) = found(store, NOW + 16 * MINUTE, DETECT, up=NOW)
    assert one.start == NOW
    assert len(found(store, NOW + 16 * MINUTE, Watched("maintain", MINUTE), up=NOW)) == 1


def test_a_report_that_is_not_there(store: Store) -> None:
    """A day and an hour after the last one."""
    ran(store, "report", NOW)
    up = NOW - DAY
    assert found(store, NOW + DAY + HOUR, REPORT, up=up) == []
    (one,) = found(store, NOW + DAY + HOUR + MINUTE, REPORT, up=up)
    assert (one.kind, one.severity) == ("report_missing", Severity.MEDIUM)


def test_a_backup_that_is_late(store: Store) -> None:
    """The same action by somebody else, or a refused one, is none; the next backup ends it."""
    happened(store, NOW, "robot$backup")
    happened(store, NOW + 20 * HOUR, "alice")
    happened(store, NOW + 25 * HOUR, "robot$backup", outcome="denied")
    assert found(store, NOW + 26 * HOUR, expect=(BACKUP,), up=NOW) == []
    (one,) = found(store, NOW + 27 * HOUR, expect=(BACKUP,), up=NOW)
    assert (one.kind, one.subjects["actor"], one.start) == ("expected_event_missing", ["robot$backup"], NOW)
    assert one.title == "nightly backup has not happened for 27 h"
    happened(store, NOW + 27 * HOUR, "robot$backup")
    assert found(store, NOW + 28 * HOUR, expect=(BACKUP,), up=NOW) == []


def test_what_never_happened_is_missed_once_there_is_enough_to_look_at(store: Store) -> None:
    """A scan that is not started; an hour of logs cannot say so."""
    scan = Expectation(name="scan", within=DAY, action=("scan",), severity=Severity.LOW)
    assert found(store, NOW, expect=(scan,), up=NOW) == [], "an empty store"
    happened(store, NOW, "alice")
    assert found(store, NOW + HOUR, expect=(scan,), up=NOW) == []
    (one,) = found(store, NOW + DAY + HOUR, expect=(scan,), up=NOW)
    assert one.severity is Severity.LOW and "(never seen)" in one.title


def test_two_absences_are_two_findings(store: Store) -> None:
    """Each job has its own."""
    up = NOW - DAY
    assert len({one.id for one in found(store, NOW, DETECT, Watched("maintain", HOUR), up=up)}) == 2
