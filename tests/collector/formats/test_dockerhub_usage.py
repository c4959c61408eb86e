"""Docker Hub's report of pulls."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from format_samples import read, read_sample, rows

SAMPLE = "dockerhub-usage/documented-pulls.csv"
HEADER = b"datehour,user_name,repository,access_token_name,ips,repository_privacy,tag,digest,version_checks,pulls\n"


def row(pulls: int = 1, checks: int = 0, ips: str = "192.0.2.1") -> bytes:
    return f'2026/11/24/02,alice,library/nginx,t,"{ips}",public,1,sha256:{"a" * 64},{checks},{pulls}\n'.encode()


def test_the_documented_report() -> None:
    """Each pull and each check is an event; the header and a row that counts nothing are none."""
    parsed = read_sample("dockerhub-usage", SAMPLE)
    assert (parsed.ignored, parsed.rejects, parsed.extra) == (2, [], 4)
    told = [(row["action"], row["actor"], row["repository"], row["tag"], row["client_ip"]) for row in rows(parsed)]
    assert told == [
        *[("pull", "ci-payments", "payments/api", "1.4.2", "192.0.2.4")] * 3,
        *[("check", "ci-payments", "payments/api", "1.4.2", "192.0.2.4")] * 2,
        ("pull", "alice", "library/nginx", None, None),
        ("check", "ci-payments", "library/alpine", "3.20", "2001:db8::4"),
    ]
    assert len({row["event_id"] for row in rows(parsed)}) == 7
    assert {row["timestamp"] for row in rows(parsed)} == {
        datetime(2026, 11, 24, 2, tzinfo=UTC),
        datetime(2026, 11, 24, 3, tzinfo=UTC),
    }


def test_a_pull_in_full() -> None:
    """The hour, the user, the image; the name of the token is not kept."""
    event = rows(read_sample("dockerhub-usage", SAMPLE))[5]
    told = {name: value for name, value in event.items() if value is not None and name not in ("read_at", "event_id")}
    assert told == {
        "revision": 0,
        "channel": "audit",
        "timestamp": datetime(2026, 11, 24, 2, tzinfo=UTC),
        "action": "pull",
        "outcome": "success",
        "dataset": "dockerhub-usage",
        "registry": "r1",
        "registry_kind": "dockerhub",
        "actor": "alice",
        "repository": "library/nginx",
        "project": "library",
        "reference": "sha256:9d2f6f4c1f0a4c0d8b1f9d7a6e5c4b3a291807f6e5d4c3b2a190817263544536",
        "digest": "sha256:9d2f6f4c1f0a4c0d8b1f9d7a6e5c4b3a291807f6e5d4c3b2a190817263544536",
        "stream": "s",
        "offset": told["offset"],
        "path": SAMPLE,
        "parts": [f"s:{told['offset']}"],
    }


def test_a_later_report_adds_only_what_is_new() -> None:
    """Two pulls of an hour are told again by a report in which they are five: three are new."""
    first = {event["event_id"] for event in rows(read("dockerhub-usage", HEADER + row(pulls=2)))}
    second = {
        event["event_id"] for event in rows(read("dockerhub-usage", HEADER + row(pulls=5, ips="192.0.2.1, 192.0.2.9")))
    }
    assert (len(first), len(second), len(first & second)) == (2, 5, 2)


@pytest.mark.parametrize(
    ("ips", "told"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("[192.0.2.1]", "192.0.2.1"),
        ("192.0.2.1 192.0.2.1", "192.0.2.1"),
        ("192.0.2.1;2001:db8::1", None),
        ("192.0.2.1, somewhere", None),
        ("", None),
    ],
)
def test_addresses(ips: str, told: str | None) -> None:
    """Where a row names several, nobody knows which of them it was."""
    assert {event["client_ip"] for event in rows(read("dockerhub-usage", row(pulls=2, ips=ips)))} == {told}


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        row().replace(b",1\n", b"\n"),
        row().replace(b",0,1\n", b",0,x\n"),
        row().replace(b"2026/11", b"2026/13"),
        row().replace(b"library/nginx", b""),
        row(pulls=10_001),
        b'2026/11/24/02,"alice,library/nginx,t,1.1.1.1,public,1,2,0,1\n',
    ],
)
def test_rows_that_cannot_be_told(line: bytes) -> None:
    """They are dead letters, and the row behind them is told."""
    parsed = read("dockerhub-usage", line + row())
    assert (parsed.events.num_rows, len(parsed.rejects), parsed.lines) == (1, 1, 2)
