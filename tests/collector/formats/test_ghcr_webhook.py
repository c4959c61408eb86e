"""GitHub's webhooks of packages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import SAMPLES, read, read_sample, rows

EXAMPLE = "ghcr-webhook/registry_package.published.docker.json"
UPDATED = "ghcr-webhook/documented-updated.json"


def told(document: Any) -> list[dict[str, Any]]:
    return rows(read("ghcr-webhook", json.dumps(document).encode() + b"\n"))


def test_githubs_own_example_in_full() -> None:
    """Its package is an `npm` of the year 1 with a digest too short: what is right in it is told."""
    (row,) = rows(read_sample("ghcr-webhook", EXAMPLE))
    digest = "sha256:3da1996a8115d7616457760d9920b815241d0a03b34cf5f04e9a0e9d8de37498"
    assert {
        name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "notification",
        "timestamp": datetime(2019, 5, 9, 23, 28, 29, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "dataset": "ghcr-webhook",
        "registry": "r1",
        "registry_kind": "ghcr",
        "actor": "github-actions[bot]",
        "repository": "Codertocat/hello-world",
        "project": "Codertocat",
        "reference": digest,
        "digest": digest,
        "media_type": "application/vnd.docker.distribution.manifest.v2+json",
        "size_bytes": 1782,
        "stream": "s",
        "offset": 0,
        "path": EXAMPLE,
        "parts": ["s:0"],
    }


def test_both_kinds_of_webhook_are_one_event() -> None:
    """`package` and `registry_package` tell of the same publication."""
    body = json.loads((SAMPLES / EXAMPLE).read_text())
    other = {("package" if name == "registry_package" else name): value for name, value in body.items()}
    assert told(body)[0]["event_id"] == told(other)[0]["event_id"]


def test_a_tag_that_was_set() -> None:
    """An update that names a tag sets one without a push."""
    (row,) = rows(read_sample("ghcr-webhook", UPDATED))
    assert (row["action"], row["actor"], row["repository"], row["tag"]) == ("tag", "alice", "payments/api", "1.4.3")
    assert row["timestamp"] == datetime(2026, 11, 24, 2, 19, 4, tzinfo=UTC)


def test_packages_of_other_kinds_and_pings_are_ignored() -> None:
    """npm is no registry of containers; the first delivery of a webhook is a ping."""
    package = {"name": "x", "package_type": "npm", "ecosystem": "npm", "package_version": {"id": 1}}
    parsed = read("ghcr-webhook", json.dumps({"action": "published", "package": package}).encode() + b'\n{"zen":"x"}\n')
    assert (parsed.events.num_rows, parsed.ignored, parsed.rejects) == (0, 2, [])


@pytest.mark.parametrize("url", ["", "ghcr.io/", ":", "payments/api"])
def test_without_a_url_the_owner_says_it(url: str) -> None:
    """The name clients use comes from the URL; owner and package are the next best."""
    body = json.loads((SAMPLES / UPDATED).read_text())
    body["package"]["package_version"]["package_url"] = url
    assert told(body)[0]["repository"] == "payments/api"


def test_no_time_at_all_is_that_of_the_delivery() -> None:
    """Nothing but years 1: the time of reading is taken, and no time of anything else."""
    text = (SAMPLES / UPDATED).read_text().replace("2026-11-24T", "0001-01-01T")
    (row,) = told(json.loads(text))
    assert row["timestamp"] == row["read_at"]


def test_what_is_no_such_body() -> None:
    """Other webhooks of GitHub's, and an action nobody knows, are dead letters."""
    body = json.loads((SAMPLES / UPDATED).read_text()) | {"action": "exploded"}
    assert len(read("ghcr-webhook", json.dumps(body).encode() + b'\n{"ref":"refs/heads/main"}\n').rejects) == 2
