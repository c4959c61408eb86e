"""A dump of Harbor's audit table."""

from __future__ import annotations

from datetime import UTC, datetime

from format_samples import block, cut, formats, read, read_sample, rows, said

CAPTURE = "harbor-live/v2.12.4/db.audit_log.csv"
API = "harbor-live/v2.12.4/api.audit-logs.json"


def test_the_rows_are_those_of_the_api() -> None:
    """The same ids: a dump read beside the API counts nothing twice. The time has more digits."""
    dumped = {row["event_id"]: row for row in rows(read_sample("harbor-audit-csv", CAPTURE))}
    polled = {row["event_id"]: row for row in rows(read_sample("harbor-audit", API))}
    assert dumped.keys() == polled.keys()
    assert len(dumped) == 73
    for number, row in dumped.items():
        ours, theirs = said(row), said(polled[number])
        assert 0 <= (ours.pop("timestamp") - theirs.pop("timestamp")).total_seconds() < 0.001
        assert ours == theirs


def test_a_delete_in_full() -> None:
    deleted = next(row for row in rows(read_sample("harbor-audit-csv", CAPTURE)) if row["action"] == "delete")
    digest = "sha256:1e6b409a108791833f99fa62b2c56bef6739ee00aed21c0f12ca57141a9baaac"
    assert said(deleted) == {
        "channel": "audit",
        "timestamp": datetime(2026, 11, 24, 2, 45, 58, 879583, tzinfo=UTC),
        "action": "delete",
        "outcome": "success",
        "actor": "harbor-jobservice",
        "repository": "payments/nightly",
        "project": "payments",
        "reference": digest,
        "digest": digest,
    }


def test_columns_in_another_order() -> None:
    """The first line decides, also for the blocks behind it."""
    data = b'op_time,username,id,resource,operation,resource_type\n2026-11-24 02:45:03.5,"a, b",7,p/r:1,pull,artifact\n'
    (event,) = [row for piece in cut(data, 1) for row in rows(formats()["harbor-audit-csv"].parse(piece))]
    assert (event["actor"], event["repository"], event["action"]) == ("a, b", "p/r", "pull")


def test_what_is_no_row() -> None:
    """Half a line, a line of another table, an open quote: dead letters."""
    data = b'1,2,create,project\nx,2,create,project,p,admin,2026-11-24 02:45:03\n1,2,create,project,p,"admin\n\n'
    parsed = read("harbor-audit-csv", data)
    assert (parsed.events.num_rows, len(parsed.rejects), parsed.ignored) == (0, 3, 1)


def test_claims() -> None:
    """The newer table has other columns; a CSV of anything else is not claimed."""
    claims = formats()["harbor-audit-csv"].claims
    assert (
        claims(b"id,project_id,operation,resource_type,resource,username,op_desc,op_result,payload,source_ip,op_time\n")
        == 0.0
    )
    assert claims(b"a,b,c\n1,2,3\n") == 0.0
    parsed = formats()["harbor-audit-csv"].parse(block(b""))
    assert parsed.lines == 0
