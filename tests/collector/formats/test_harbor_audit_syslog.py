"""Harbor's forwarded audit log: what a real Harbor sent, and every spelling since 2.6."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from format_samples import read, read_sample, rows, said

CAPTURE = "harbor-live/v2.12.4/audit-forward.syslog.raw"
SPELLINGS = "harbor-audit-syslog/all-spellings.log"
DIGEST = "79b834cd2cbca3bc5dc4b1a8aabfb397fd12c0084adda96d6073bcaa44384a38"


def line(fields: str, message: str, file: str = "/pkg/audit/manager.go") -> bytes:
    return f"2026-11-24T02:45:04Z [INFO] [{file}:82][{fields}]: {message}\n".encode()


def fields(operator: str, kind: str = "artifact") -> str:
    return f'operator="{operator}" resourceType="{kind}" time="2026-11-24 02:45:04.5 +0000 UTC m=+3.3"'


def test_what_a_real_harbor_sent() -> None:
    """Everything that its database has for the time in which the receiver was up, and nothing else."""
    parsed = read_sample("harbor-audit-syslog", CAPTURE)
    assert (parsed.lines, parsed.events.num_rows, parsed.ignored, parsed.rejects) == (69, 69, 0, [])
    rest = rows(read_sample("harbor-audit", "harbor-live/v2.12.4/api.audit-logs.json"))

    def key(row: dict[str, object]) -> tuple[object, ...]:
        when = row["timestamp"]
        assert isinstance(when, datetime)
        return when.replace(microsecond=when.microsecond // 1000 * 1000), row["actor"], row["action"], row["reference"]

    forwarded = Counter(map(key, rows(parsed)))
    in_both = forwarded & Counter(map(key, rest))
    assert in_both.total() == 67
    # Four projects were made before the endpoint was set, and two images pushed and pulled while it was down.
    assert {row["tag"] for row in rest if key(row) not in forwarded} == {None, "syslog-down"}
    assert len(rest) - in_both.total() == 6
    # While the rows were kept out of the database only the receiver heard of them.
    assert [row["tag"] for row in rows(parsed) if key(row) not in in_both] == ["only-syslog", "only-syslog"]
    assert {row["outcome"] for row in rows(parsed)} == {"success"}


def test_a_push_in_full() -> None:
    pushed = next(row for row in rows(read_sample("harbor-audit-syslog", CAPTURE)) if row["action"] == "push")
    assert said(pushed) == {
        "channel": "audit",
        "timestamp": datetime(2026, 11, 24, 2, 45, 4, 231524, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "actor": "robot$payments+ci",
        "repository": "payments/api",
        "project": "payments",
        "reference": "1.0.0",
        "tag": "1.0.0",
    }


def test_every_spelling_since_2_6() -> None:
    """Without a type a pull is certain and a creation is not; the newer table adds a description with the digest."""
    events = rows(read_sample("harbor-audit-syslog", SPELLINGS))
    assert [(row["action"], row["outcome"], row["actor"], row["repository"], row["tag"]) for row in events] == [
        ("pull", "success", "admin", "library/alpine", "3.16"),
        ("other", "success", "admin", None, None),
        ("push", "success", "tomasz", "payments/charts/api", "0.4.2"),
        ("login", "unknown", "irina.v@corp.test", None, None),  # whether it succeeded is not forwarded
        ("sign", "success", "tomasz", "payments/api", f"sha256-{DIGEST}.sig"),
    ]
    assert events[2]["digest"] == f"sha256:{DIGEST}"
    assert events[2]["timestamp"] == datetime(2026, 11, 24, 3, 3, 6, 943812, tzinfo=UTC)  # written at +01:00
    assert events[1]["timestamp"] == datetime(2022, 7, 14, 9, 11, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "forged",
    [
        line(
            fields('mallory" resourceType="artifact" time="x"]: action:pull, resource:a/b:1'),
            "action:pull, resource:a/b:2",
        ),
        line(fields("mallory"), "action:create, resource:a/b:1, resource:c/d:2"),
        line(fields('x" time="'), "action:pull, resource:a/b:1"),
    ],
)
def test_a_line_that_can_be_read_in_two_ways_names_nobody(forged: bytes) -> None:
    parsed = read("harbor-audit-syslog", forged)
    assert (parsed.events.num_rows, [reject.reason for reject in parsed.rejects]) == (0, ["ambiguous"])


@pytest.mark.parametrize(
    "torn",
    [
        line(fields("a"), "action:pull, resource:payments/ap"),
        line(fields("a"), "action:pull, resource:payments/api@sha256:0123"),
        line(fields("a"), "action:pull, resource:payments/api:1", file="/pkg/auditext/manager.go"),
        line('operator="a"', "action:pull, resource:payments/api:1"),
        line(fields("a"), "something else"),
    ],
)
def test_a_torn_line_is_a_reject(torn: bytes) -> None:
    parsed = read("harbor-audit-syslog", torn)
    assert (parsed.events.num_rows, len(parsed.rejects)) == (0, 1)


def test_the_same_line_from_two_places_is_one_event() -> None:
    """By syslog, and in a file of rsyslog's: the id is made from what the line says."""
    bare = line(fields("tomasz"), "action:pull, resource:payments/api:1")
    filed = b"Nov 24 02:45:04 vm audit[1]: " + bare
    (one,), (other,) = rows(read("harbor-audit-syslog", bare)), rows(read("harbor-audit-syslog", filed, path="other"))
    assert one["event_id"] == other["event_id"]
    (third,) = rows(read("harbor-audit-syslog", bare.replace(b"04.5 ", b"04.6 ")))
    assert third["event_id"] != one["event_id"]
