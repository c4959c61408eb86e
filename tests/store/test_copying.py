"""One store into another, in both directions, broken off and begun again, and compared."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from store import copying
from store.contract import DeadLetter, EventQuery, JobRun, Position
from store.copying import copy_events, copy_records, sum_of
from store.finding import Finding, Severity
from store.holds import add_hold
from store.incident import Incident
from store.locate import open_store
from store.merge import distinct

_names = itertools.count()
DAY = timedelta(days=1)


EXTERNAL = pytest.mark.external_service


@pytest.fixture(
    params=[
        pytest.param(("delta", "elastic"), marks=EXTERNAL),
        pytest.param(("elastic", "delta"), marks=EXTERNAL),
        ("delta", "delta"),
    ],
    ids="-".join,
)
def both(request, tmp_path):
    stores = []
    for place, kind in enumerate(request.param):
        if kind == "delta":
            stores.append(open_store(f"delta:{tmp_path / str(place)}"))
        else:
            server = request.getfixturevalue("elasticsearch_url")
            stores.append(open_store(f"{server}?namespace=copy{next(_names)}"))
    yield stores
    for store in stores:
        store.close()


def parts(store):
    """Every distinct part, in an order of its own."""
    rows = sorted(store.parts(EventQuery()), key=lambda row: row["event_id"])
    return [part for _, some in itertools.groupby(rows, lambda row: row["event_id"]) for part in distinct(some)]


def test_all_events_arrive_as_they_were(both, traffic, table, row, start):
    """Parts, repeated lines, hostile names, requests over midnight: the same events and the same parts."""
    source, target = both
    midnight = start + 2 * DAY
    over = [
        row(9001, event_id="r-1", channel="application", request_id="q", timestamp=midnight),
        row(9002, event_id="r-1", channel="access", request_id="q", stream="s2", timestamp=midnight - DAY / 86_400),
    ]
    rows = traffic(3, 300) + over
    for chunk in (rows[at : at + 100] for at in range(0, len(rows), 100)):
        source.commit(table(*chunk), [])
    done = list(copy_events(source, target))
    assert {day.state for day in done} == {"copied"}
    assert parts(target) == parts(source)
    assert list(target.events(EventQuery())) == list(source.events(EventQuery()))
    assert sum(day.source.parts for day in done) == len(parts(source))
    again = list(copy_events(source, target))
    assert {day.state for day in again} == {"known"}
    assert len(parts(target)) == sum(day.target.parts for day in again)


def test_it_goes_on_where_it_was_broken_off(both, traffic, table, monkeypatch):
    """Stopped at the third write and started again: everything is there once."""
    source, target = both
    source.commit(table(*traffic(4, 200)), [])
    writes = itertools.count()
    whole = copying._write

    def breaks(store, rows, again):
        if rows and next(writes) == 2:
            raise KeyboardInterrupt
        whole(store, rows, again)

    monkeypatch.setattr(copying, "_write", breaks)
    with pytest.raises(KeyboardInterrupt):
        list(copy_events(source, target))
    assert 0 < target.total() < source.total()
    monkeypatch.undo()
    assert {day.state for day in copy_events(source, target)} <= {"copied", "known"}  # a neighbour may be empty
    assert parts(target) == parts(source)


def test_a_day_that_differs_is_told(both, row, table, start):
    """The target has an event that the source has not: said, and not marked as done."""
    source, target = both
    source.commit(table(row(1), row(2, timestamp=start + DAY)), [])
    target.commit(table(row(7)), [])
    states = {day.day: day.state for day in copy_events(source, target) if day.source.parts or day.target.parts}
    assert states == {"2026-11-01": "different", "2026-11-02": "copied"}
    source.commit(table(row(7)), [])
    assert {day.state for day in copy_events(source, target) if day.day == "2026-11-01"} == {"copied"}


def test_one_changed_value_changes_the_sum(both, row, table, start):
    """The checksum sees what a count does not."""
    source, target = both
    source.commit(table(row(1, actor="ann")), [])
    target.commit(table(row(1, actor="bob")), [])
    one, other = sum_of(source, "2026-11-01"), sum_of(target, "2026-11-01")
    assert (one.parts, other.parts) == (1, 1)
    assert one.hash != other.hash


def test_the_records_come_too(both, table, row, start):
    """Findings, incidents, deliveries that are not sent again, runs, dead letters, notes, positions, holds, counts."""
    source, target = both
    finding = Finding(
        id="f-1", detector="d", kind="k", severity=Severity.HIGH, title="t", detected_at=start, start=start,
        end=start + DAY, subjects={"actor": ["ann"]}, score=1.0, expected="e", observed="o",
    )  # fmt: skip
    source.put_finding(finding)
    incident = Incident(
        id="i-1",
        title="t",
        severity=Severity.HIGH,
        start=start,
        end=start,
        detected_at=start,
        findings=["f-1"],
        subjects={},
    )
    source.change_incident("i-1", lambda _: incident)
    source.enqueue("f-1", ["mail", "chat", "pager"], start)
    by_channel = {one.channel: one for one in source.deliveries()}
    source.mark_sent(by_channel["mail"], start + DAY)
    source.mark_failed(by_channel["pager"], start + DAY, "no such number", None)
    source.finish_run(JobRun(job="detect", due_at=start, started_at=start, finished_at=start, state="ok", note="n"))
    letter = DeadLetter(stream="s", offset=3, length=4, reason="torn", line=b"\xff\x00ab", read_at=start, registry="r")
    source.commit(table(row(1)), [Position(stream="s", offset=7, detail={"inode": 3})], [letter])
    source.put_note("a job's", {"x.y": [1, None]})
    hold = add_hold(source, "case", "ann", start, start, None)
    source.maintain(start + 9 * DAY, DAY)
    source.put_rollup("2026-10-01", 1, source.counts(start, start + DAY, ("registry", "actor", "client_ip", "repository",
        "action", "outcome"), DAY / 24).assign(window_start=start - 31 * DAY))  # fmt: skip
    for _ in range(2):
        copy_records(source, target)
        assert target.findings() == source.findings() != []
        assert target.incidents() == source.incidents() != []
        assert target.runs() == source.runs()
        assert target.dead_letters() == source.dead_letters()
        assert target.positions() == source.positions()
        assert target.note("a job's") == {"x.y": [1, None]}
        assert target.note(f"hold:{hold.id}") == hold.as_json()
        states = {one.channel: (one.state, one.sent_at, one.error) for one in target.deliveries()}
        assert states == {
            "mail": ("sent", start + DAY, ""),
            "chat": ("pending", None, ""),
            "pager": ("failed", None, "no such number"),
        }
        far = (start - 40 * DAY, start + DAY)
        assert target.rollups(*far).to_dict("records") == source.rollups(*far).to_dict("records")
        assert len(target.rollups(*far)) == 1
