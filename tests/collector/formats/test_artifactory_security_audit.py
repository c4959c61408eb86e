"""JFrog's audit trail."""

from __future__ import annotations

from datetime import UTC, datetime

from format_samples import read, read_sample, rows

LINE = (
    b"2026-11-24T02:31:09.990Z|6a0c3a9be2d1470f8c6b7a1d2e3f4003|192.0.2.1|alice|jfrt@01|payments-push|U|PRM|"
    b'{"changed":{"users":{"mallory":"r,w,d"}}}\n'
)


def test_the_documented_rows() -> None:
    """Rights that people changed, and a token that one service gave another; the last row has no trace and another zone."""
    parsed = read_sample("artifactory-security-audit", "artifactory-security-audit/documented.log")
    assert parsed.rejects == []
    told = [(row["action"], row["actor"], row["client_ip"], row["request_id"]) for row in rows(parsed)]
    assert told == [
        ("permission", "alice", "192.0.2.1", "6a0c3a9be2d1470f8c6b7a1d2e3f4001"),
        ("permission", "alice", "192.0.2.1", "6a0c3a9be2d1470f8c6b7a1d2e3f4003"),
        ("permission", "alice", "192.0.2.1", "6a0c3a9be2d1470f8c6b7a1d2e3f4007"),
        ("token", "jfob@01m1hjrrqqyxh90anb2daw1avp", None, "6a0c3a9be2d1470f8c6b7a1d2e3f4008"),
        ("permission", "alice", "192.0.2.1", None),
    ]
    assert rows(parsed)[4]["timestamp"] == datetime(2018, 2, 18, 9, 57, 5, 282000, tzinfo=UTC)


def test_a_real_row() -> None:
    """Artifactory's own account took the repository out of the project: the person is in artifactory-access.log."""
    (row,) = rows(read_sample("artifactory-security-audit", "artifactory-security-audit/capture-7.161-2026.log"))
    assert {
        name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "audit",
        "timestamp": datetime(2026, 9, 10, 16, 4, 10, 516000, tzinfo=UTC),
        "action": "config",
        "outcome": "success",
        "dataset": "artifactory-security-audit",
        "registry": "r1",
        "registry_kind": "artifactory",
        "actor": "jfrt@01m1hjrrqqyxh90anb2daw1avp",
        "request_id": "0a4bbab079aeef7e04ce3661f216f447",
        "target": "default:audit-probe-repo-20260911",
        "change": "resource_deleted",
        "repository": "audit-probe-repo-20260911",
        "project": "audit-probe-repo-20260911",
        "stream": "s",
        "offset": 0,
        "path": "artifactory-security-audit/capture-7.161-2026.log",
        "parts": ["s:0"],
    }


def test_two_changes_of_one_request_are_two_events() -> None:
    """One request may change a user and a group; the same row read twice is one event."""
    other = LINE.replace(b"payments-push", b"billing-push")
    first, second, again = rows(read("artifactory-security-audit", LINE + other + LINE))
    assert first["request_id"] == second["request_id"]
    assert first["event_id"] != second["event_id"]
    assert first["event_id"] == again["event_id"]


def test_rows_that_could_be_two() -> None:
    """A name with bars in it, or JSON that holds another row, is a dead letter."""
    named = LINE.replace(b"alice", b"alice|x")
    forged = LINE.replace(b"r,w,d", b"x|C|USR|{}")
    parsed = read("artifactory-security-audit", named + forged + b"hello\n")
    assert (parsed.events.num_rows, len(parsed.rejects)) == (0, 3)
