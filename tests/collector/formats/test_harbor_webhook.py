"""Harbor's webhooks, by the documentation's examples and by what a real Harbor 2.12 posted during a known test drive."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from format_samples import SAMPLES, formats, read, read_sample, rows, said

LIVE = "harbor-live/v2.12.4/webhook-{}.jsonl"
DIGEST = "sha256:" + "0123456789abcdef" * 4


def line(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\n"


def default(kind: str, **changes: Any) -> dict[str, Any]:
    repository = {"name": "team-a/web", "namespace": "shop", "repo_full_name": "shop/team-a/web"}
    data = {"resources": [{"digest": DIGEST, "tag": "1"}], "repository": repository}
    return {"type": kind, "occur_at": 1680502598, "operator": "irina", "event_data": data} | changes


def live(name: str) -> dict[str, dict[str, Any]]:
    """The events of a capture by id: what a store shows of them."""
    parsed = read_sample("harbor-webhook", LIVE.format(name))
    assert parsed.rejects == []
    return {row["event_id"]: row for row in rows(parsed)}


def test_a_push_in_full() -> None:
    row = next(iter(live("cloudevents").values()))
    digest = "sha256:a89def37b917c1707a6883a5648a548939c78d346afb8545a7d86eabc574b32b"
    assert said(row) == {
        "channel": "notification",
        "timestamp": datetime(2026, 11, 24, 2, 45, 4, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "actor": "robot$payments+ci",
        "request_id": "827beb60-9781-46dd-a2c2-e91c4d266e98",
        "repository": "payments/api",
        "project": "payments",
        "reference": "latest",
        "tag": "latest",
        "digest": digest,
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("delete-artifact", ("delete", "success", None, "harbor-jobservice", "harbor/alpine", "3.8")),
        ("quota-exceed", ("push", "failure", "quota_exceeded", None, "harbor/alpine", None)),
        ("scanning-failed", ("scan", "failure", None, None, "harbor/alpine", None)),
        ("tag-retention", ("retain", "success", None, None, None, None)),
        ("quota-warning", ("other", "success", "quota_warning", None, "harbor/alpine", None)),
        ("replication", ("replicate", "success", None, None, None, None)),
        ("scanning-completed", ("scan", "success", None, None, "harbor/alpine", None)),
        ("scanning-stopped", ("scan", "failure", "aborted", None, "harbor/alpine", None)),
    ],
)
def test_both_forms_tell_the_same(name: str, told: tuple[str | None, ...]) -> None:
    """The documentation has these in both payload formats."""
    for form in ("default", "cloudevents"):
        (row,) = rows(read_sample("harbor-webhook", f"harbor-webhook/{form}-{name}.json"))
        assert tuple(row[field] for field in ("action", "outcome", "reason", "actor", "repository", "tag")) == told


def test_a_digest_in_the_place_of_the_tag() -> None:
    for name in ("push", "pull"):
        (row,) = rows(read_sample("harbor-webhook", f"harbor-webhook/default-{name}-artifact.json"))
        assert (row["action"], row["tag"]) == (name, None)
        assert (
            row["reference"]
            == row["digest"]
            == "sha256:954b378c375d852eb3c63ab88978f640b4348b01c1b3456a024a81536dafbbf4"
        )


def test_what_was_posted_again_counts_once() -> None:
    """While the receiver was down Harbor got 503 and posted the same bodies again."""
    lines = [json.loads(text) for text in (SAMPLES / LIVE.format("default")).read_text().splitlines()]
    again = Counter(each["body"] for each in lines if each["answered"] == 503)
    ids = {row["event_id"] for row in rows(read_sample("harbor-webhook", LIVE.format("default")))}
    bodies = {each["body"] for each in lines if '"job_status":"Running"' not in each["body"]}
    assert sum(again.values()) == 26
    assert len(ids) == len(bodies) == 57


def test_cloudevents_are_told_apart_where_default_cannot() -> None:
    """Each CloudEvent has its id; in Default the thirteen pulls of two bursts are two, which the facts say.

    Of the outage one pull and one push were never delivered in Default: Harbor had given up.
    """
    cloud, plain = live("cloudevents").values(), live("default").values()
    counted = [Counter(row["action"] for row in told) for told in (cloud, plain)]
    assert counted[0] == {"pull": 27, "push": 23, "replicate": 12, "delete": 5, "scan": 2, "retain": 1}
    assert counted[1] == {"pull": 15, "push": 22, "replicate": 12, "delete": 5, "scan": 2, "retain": 1}
    facts = formats()["harbor-webhook"].facts
    assert facts is not None
    assert "pulls of one image within one second" in facts.never


def test_every_push_of_the_test_drive_is_told() -> None:
    """Who pushed which tag and digest, at the second it was done, in the project that has the webhook."""
    actions = json.loads((SAMPLES / "harbor-live/v2.12.4/truth.json").read_text())["actions"]
    done = [act for act in actions if act["action"] == "push" and act.get("rc") == 0]
    done = [act for act in done if act["target"].startswith("payments/")]
    assert len(done) >= 15
    pushes = [row for row in live("cloudevents").values() if row["action"] == "push"]
    for act in done:
        repository, _, tag = act["target"].rpartition(":")
        begin = datetime.fromisoformat(act["start"]).replace(microsecond=0)
        end = datetime.fromisoformat(act["end"]) + timedelta(seconds=1)
        wanted = (repository, tag, act["digest"])
        told = [row for row in pushes if (row["repository"], row["tag"], row["digest"]) == wanted]
        assert [row["actor"] for row in told if begin <= row["timestamp"] <= end] == [act["user"]], act


def test_a_refused_push_over_the_quota() -> None:
    """Five warnings of the same second are two things told; the refusal is a failed push."""
    told = Counter((row["action"], row["outcome"], row["reason"]) for row in live("tiny").values())
    assert told == {
        ("push", "success", None): 2,
        ("other", "success", "quota_warning"): 2,
        ("push", "failure", "quota_exceeded"): 1,
    }
    (refused,) = [row for row in live("tiny").values() if row["reason"] == "quota_exceeded"]
    assert (refused["actor"], refused["repository"], refused["digest"]) == ("tomasz", "tiny/etl_job", None)
    assert refused["error_message"].startswith("adding 2.9 MiB of storage resource")


def test_scans_and_retention_of_the_test_drive() -> None:
    found = {row["outcome"]: row for row in live("cloudevents").values() if row["action"] == "scan"}
    assert found["success"]["error_message"] == "3 vulnerabilities: critical 1, high 1, low 1; 2 fixable"
    assert (found["success"]["duration_ns"], found["failure"]["repository"]) == (3_000_000_000, "payments/unscannable")
    (retained,) = [row for row in live("default").values() if row["action"] == "retain"]
    assert (retained["outcome"], retained["project"], retained["actor"]) == ("success", "payments", "irina.v")


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("pushImage", "push"),
        ("pullImage", "pull"),
        ("deleteImage", "delete"),
        ("scanningCompleted", "scan"),
        ("uploadChart", "push"),
        ("DOWNLOAD_CHART", "pull"),
    ],
)
def test_names_of_older_releases(kind: str, action: str) -> None:
    (row,) = rows(read("harbor-webhook", line(default(kind))))
    assert (row["action"], row["repository"], row["project"], row["tag"]) == (action, "shop/team-a/web", "shop", "1")


def test_several_tags_of_one_image() -> None:
    """A deleted image takes its tags along: one deletion, and none of the tags is the one that was meant."""
    resources = [{"digest": DIGEST, "tag": tag} for tag in ("1", "2")]
    data = {"resources": resources, "repository": {"name": "web", "namespace": "shop"}}
    (row,) = rows(read("harbor-webhook", line(default("DELETE_ARTIFACT", event_data=data))))
    assert (row["repository"], row["tag"], row["digest"], row["reference"]) == ("shop/web", None, DIGEST, DIGEST)


def test_slack_is_not_read_and_says_why() -> None:
    """A payload for people: no year, no zone, cut at 3000 characters."""
    slack = {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*Harbor webhook events*"}}]}
    parsed = read("harbor-webhook", line(slack))
    assert [reject.reason for reject in parsed.rejects] == [
        "a payload for Slack: set the webhook's payload format to Default or CloudEvents"
    ]
    assert 0.3 < formats()["harbor-webhook"].claims(line(slack)) < 0.9


def test_rejects() -> None:
    """Unknown types, times that are none, CloudEvents without an id, bodies that are torn or of others."""
    cloud = {"specversion": "1.0", "type": "harbor.artifact.pushed", "time": "2026-01-01T00:00:00Z", "data": {}}
    data = line(default("NEW_THING")) + line(default("PUSH_ARTIFACT", occur_at=1 << 60)) + line(cloud)
    data += line({"headers": [], "body": '{"type":'}) + line({"headers": {}, "body": {"a": 1}})
    assert [reject.reason for reject in read("harbor-webhook", data).rejects] == [
        "a webhook of an unknown type",
        "no time that can be read",
        "a CloudEvent without an id",
        "torn or mutated JSON in the body",
        "no webhook of Harbor",
    ]


@pytest.mark.parametrize("spoilt", ["// the id is a UUID\n  ", ""])
def test_two_documented_examples_are_no_json(spoilt: str) -> None:
    """One has comments between its members, the other lacks a comma: whoever sends that does not say what it means."""
    text = (SAMPLES / "harbor-webhook/cloudevents-delete-artifact.json").read_text()
    text = text.replace('"id":', spoilt + '"id":') if spoilt else text.replace('",\n  "source"', '"\n  "source"')
    parsed = read("harbor-webhook", text.encode())
    assert ([reject.reason for reject in parsed.rejects], parsed.events.num_rows) == (["torn or mutated JSON"], 0)


def test_nested_too_deeply() -> None:
    deep = b'{"type":"PUSH_ARTIFACT","occur_at":1,"event_data":{"a":' + b"[" * 400 + b"]" * 400 + b"}}\n"
    assert [reject.reason for reject in read("harbor-webhook", deep).rejects] == ["a webhook nested too deeply"]
