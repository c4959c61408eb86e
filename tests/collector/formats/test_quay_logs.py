"""Quay's action logs, in every form that Quay gives them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import read, read_sample, rows

from collector.quay_kinds import meaning

PAGE = "quay-logs/documented-page.json"
ROW = {
    "kind": "pull_repo",
    "metadata": {"repo": "api", "namespace": "payments", "tag": "1"},
    "ip": "192.0.2.4",
    "datetime": "Tue, 24 Nov 2026 02:17:24 -0000",
    "performer": {"kind": "user", "name": "alice", "is_robot": False},
}


def told(document: Any) -> list[dict[str, Any]]:
    return rows(read("quay-logs", json.dumps(document).encode() + b"\n"))


def test_a_page() -> None:
    """Every row but the label; whoever is given a right is not the one who gave it."""
    parsed = read_sample("quay-logs", PAGE)
    assert parsed.rejects == []
    shown = [(row["action"], row["outcome"], row["reason"], row["actor"], row["repository"]) for row in rows(parsed)]
    assert shown == [
        ("pull", "success", None, "payments+ci", "payments/api"),
        ("pull", "success", None, None, "payments/api"),
        ("push", "success", None, "payments+ci", "payments/api"),
        ("push", "denied", None, None, "payments/api"),
        ("login", "denied", "bad_credentials", "alice", None),
        ("permission", "success", None, "alice", None),
        ("permission", "success", None, "alice", "payments/api"),
        ("untag", "success", None, "alice", "payments/api"),
        ("replicate", "failure", None, "mirrors+sync", "mirrors/nginx"),
    ]


def test_a_pull_in_full() -> None:
    """Who, from where, with what, and the tag that was asked for."""
    row = rows(read_sample("quay-logs", PAGE))[0]
    assert {
        name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "audit",
        "timestamp": datetime(2026, 11, 24, 2, 17, 24, tzinfo=UTC),
        "action": "pull",
        "outcome": "success",
        "dataset": "quay-logs",
        "registry": "r1",
        "registry_kind": "quay",
        "actor": "payments+ci",
        "client_ip": "192.0.2.4",
        "client_via": "log",
        "user_agent": "containers/5.30.1 (github.com/containers/image)",
        "repository": "payments/api",
        "project": "payments",
        "reference": "1.4.2",
        "tag": "1.4.2",
        "media_type": "application/vnd.oci.image.manifest.v1+json",
        "stream": "s",
        "offset": 0,
        "path": PAGE,
        "parts": ["s:0"],
    }


def test_an_export() -> None:
    """The object that closes an export is no row."""
    (row,) = rows(read_sample("quay-logs", "quay-logs/documented-export.json"))
    assert (row["action"], row["actor"], row["repository"]) == ("config", "alice", "payments/api")


def test_counts_of_a_day_are_no_events() -> None:
    """They say neither who nor what: nothing is told of them, and nothing is rejected."""
    parsed = read_sample("quay-logs", "quay-logs/aggregatelogs.json")
    assert (parsed.events.num_rows, parsed.ignored, parsed.rejects) == (0, 1, [])


def test_rows_of_the_elasticsearch_model() -> None:
    """Numbers instead of names are read by the request; HEAD is told from GET."""
    pull, check = rows(read_sample("quay-logs", "quay-logs/documented-extended.jsonl"))
    assert (pull["action"], pull["outcome"], pull["actor"], pull["repository"], pull["tag"]) == (
        "pull",
        "unknown",
        "payments+ci",
        "payments/api",
        "1.4.2",
    )
    assert pull["timestamp"] == datetime(2026, 11, 24, 2, 17, 24, 467084, tzinfo=UTC)
    assert (pull["method"], pull["request_id"], pull["forwarded_for"]) == (
        "GET",
        "5c2f8f4e-7c1c-4f3e-8d9b-7a6b5c4d3e2f",
        "192.0.2.4",
    )
    assert (check["action"], check["actor"]) == ("check", "anonymous")


def test_numbers_alone_say_nothing() -> None:
    """Which number is a pull is known to that Quay's own database only."""
    row = {key: value for key, value in ROW.items() if key != "kind"} | {"kind_id": 17}
    parsed = read("quay-logs", json.dumps(row).encode())
    assert [reject.reason for reject in parsed.rejects] == ["kind_id without the name of the kind or the request"]
    named = row | {"kind": "push_repo", "metadata": None, "metadata_json": '{"repo":"a","namespace":"b","tag":"c"}'}
    del named["metadata"]
    (event,) = told(named)
    assert (event["action"], event["repository"], event["tag"]) == ("push", "b/a", "c")


def test_rows_for_splunk() -> None:
    """With and without the collector's envelope; seconds since 1970."""
    push, refused = rows(read_sample("quay-logs", "quay-logs/documented-splunk.jsonl"))
    assert (push["action"], push["actor"], push["repository"]) == ("push", "payments+ci", "payments/api")
    assert push["timestamp"] == datetime(2026, 11, 24, 2, 17, 24, tzinfo=UTC)
    assert (refused["action"], refused["outcome"], refused["repository"], refused["error_message"]) == (
        "pull",
        "denied",
        "payments/nothing",
        "Repository does not exist",
    )


def test_a_row_in_two_pages_is_one_event() -> None:
    """Pages overlap; two equal rows within one page are two events of one second."""
    first = told({"logs": [ROW, ROW], "start_time": "x"})
    second = told({"logs": [ROW | {"kind": "push_repo"}, ROW, ROW], "start_time": "y"})
    assert len({row["event_id"] for row in first}) == 2
    assert {row["event_id"] for row in first} < {row["event_id"] for row in second}


def test_two_equal_lines_of_a_stream_are_two_events() -> None:
    """A stream comes once: what stands there twice happened twice."""
    line = json.dumps(ROW).encode() + b"\n"
    assert len({row["event_id"] for row in rows(read("quay-logs", line + line))}) == 2


@pytest.mark.parametrize(
    ("kind", "action", "outcome"),
    [
        ("pull_repo_failed", "pull", "denied"),
        ("delete_tag_failed", "untag", "denied"),
        ("login_success", "login", "success"),
        ("logout_success", "logout", "success"),
        ("move_tag", "tag", "success"),
        ("delete_repo", "delete", "success"),
        ("regenerate_robot_token", "permission", "success"),
        ("change_repo_visibility", "permission", "success"),
        ("org_add_team_member", "permission", "success"),
        ("create_app_specific_token", "permission", "success"),
        ("federated_robot_token_exchange", "token", "success"),
        ("repo_mirror_sync_started", "replicate", "unknown"),
        ("repo_mirror_config_changed", "config", "success"),
        ("change_tag_expiration", "config", "success"),
        ("autoprune_tag_delete", "retain", "success"),
        ("something_new", "other", "success"),
    ],
)
def test_kinds(kind: str, action: str, outcome: str) -> None:
    """What the kinds of initdb.py mean."""
    assert meaning(kind) == (action, outcome)


@pytest.mark.parametrize("when", ["yesterday", "Tue, 99 Nov 2026 02:17:24 -0000", "", None, True, -1, 1e300])
def test_times_that_are_none(when: object) -> None:
    """A row without a time that can be read is a dead letter, and the row behind it is told."""
    parsed = read("quay-logs", json.dumps({"logs": [ROW | {"datetime": when}, ROW]}).encode())
    assert (parsed.events.num_rows, len(parsed.rejects), parsed.lines) == (1, 1, 1)


def test_a_robot_that_is_refused() -> None:
    """`username` is then whose robot it is (auth/credentials.py of quay/quay)."""
    said = {
        "type": "v2auth",
        "kind": "robot",
        "robot": "payments+ci",
        "username": "payments",
        "message": "no such robot",
    }
    (row,) = told(ROW | {"kind": "login_failure", "metadata": said, "performer": None})
    assert (row["action"], row["outcome"], row["actor"]) == ("login", "denied", "payments+ci")
