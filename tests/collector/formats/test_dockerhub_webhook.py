"""Docker Hub's webhook."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import read, read_sample, rows

SAMPLE = "dockerhub-webhook/push-2017.json"


def body(**push: Any) -> bytes:
    data = {"pushed_at": 1417566161, "pusher": "trustedbuilder", "tag": "latest"} | push
    return json.dumps({"push_data": data, "repository": {"namespace": "a", "name": "b"}}).encode() + b"\n"


def test_a_real_push_in_full() -> None:
    """Who pushed which tag, and when; the URL that lets others answer is nowhere in it."""
    (row,) = rows(read_sample("dockerhub-webhook", SAMPLE))
    assert "hook" not in json.dumps(row | {"dataset": None, "path": None}, default=str)
    assert {
        name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "notification",
        "timestamp": datetime(2017, 6, 14, 19, 14, 20, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "dataset": "dockerhub-webhook",
        "registry": "r1",
        "registry_kind": "dockerhub",
        "actor": "karolisr",
        "repository": "karolisr/keel",
        "project": "karolisr",
        "reference": "0.1.7",
        "tag": "0.1.7",
        "stream": "s",
        "offset": 0,
        "path": SAMPLE,
        "parts": ["s:0"],
    }


def test_a_repeated_delivery_is_one_event() -> None:
    """The time comes as a whole number or as `1.417566161e+09`; both are the same push."""
    float_time = body().replace(b"1417566161", b"1.417566161e+09")
    first, second, other = rows(read("dockerhub-webhook", body() + float_time + body(tag="2")))
    assert first["timestamp"] == second["timestamp"] == datetime(2014, 12, 3, 0, 22, 41, tzinfo=UTC)
    assert first["event_id"] == second["event_id"] != other["event_id"]
    assert first["repository"] == "a/b"


@pytest.mark.parametrize("when", [None, 0, -5, "1417566161", True, 1e300, []])
def test_times_that_are_none(when: object) -> None:
    """A push without a time that can be read is a dead letter."""
    assert len(read("dockerhub-webhook", body(pushed_at=when)).rejects) == 1


def test_other_bodies() -> None:
    """What is no push, or is of no repository, is a dead letter."""
    assert len(read("dockerhub-webhook", b'{"zen":"x"}\n{"push_data":{"pushed_at":1},"repository":[]}\n').rejects) == 2
