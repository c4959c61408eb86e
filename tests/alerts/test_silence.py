"""What nobody wants to hear of for a while."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from alerts.config import AlertsConfig
from alerts.notify import NOT_NEEDED, Delivered, deliver
from alerts.policy import enqueue_new
from alerts.silence import Silence, add, remove, silences, silencing
from store.finding import Severity
from store.records import SqliteRecords

from .conftest import NOW, Receiver, make_finding

HOUR = timedelta(hours=1)


def config(**changed: Any) -> AlertsConfig:
    return AlertsConfig.model_validate({"channels": [{"name": "mail", "apprise": "json://h", **changed}]})


def silence(**changed: Any) -> Silence:
    values: dict[str, Any] = {
        "id": "sil-1",
        "created_at": NOW,
        "until": NOW + 4 * HOUR,
        "by": "ann",
        "why": "a test of the new robot",
    }
    return Silence(**{**values, **changed})


@pytest.mark.parametrize(
    ("patterns", "matches"),
    [
        ({"detector": "credential_*"}, True),
        ({"detector": "rules"}, False),
        ({"kind": "many_refused"}, True),
        ({"subjects": {"actor": "ali*"}}, True),
        ({"subjects": {"actor": "bob"}}, False),
        ({"subjects": {"client": "198.51.100.*", "repository": "team/*"}}, True),
        ({"subjects": {"client": "198.51.100.*", "repository": "other/*"}}, False),
        ({"detector": "credential_probe", "kind": "other"}, False),
    ],
)
def test_every_pattern_has_to_hold(patterns: dict[str, Any], matches: bool) -> None:
    """Globs on detector, kind and names."""
    assert silence(**patterns).matches(make_finding()) is matches


def test_another_name_beside_a_silenced_one_is_told() -> None:
    """A finding about the silenced robot and mallory is about mallory, too; one that names nobody matches no name."""
    robot = silence(subjects={"actor": "robot-*"})
    assert robot.matches(make_finding(subjects={"actor": ["robot-1", "robot-2"]}))
    assert not robot.matches(make_finding(subjects={"actor": ["mallory", "robot-1"]}))
    assert not robot.matches(make_finding(subjects={}))


def test_what_is_kept_is_what_was_added(store: SqliteRecords) -> None:
    """With who, until when and why; removed ones stay known, and hold no more."""
    made = add(store, NOW, NOW + HOUR, "ann", " planned ", kind="many_refused", subjects={"actor": "alice"})
    assert silences(store) == [made] and made.why == "planned"
    assert silencing(make_finding(), [made], NOW) == made
    assert silencing(make_finding(), [made], NOW + HOUR) is None
    assert remove(store, "sil-none", "bob", NOW) is None
    removed = remove(store, made.id, "bob", NOW + HOUR / 2)
    assert removed is not None and (removed.removed_by, removed.removed_at) == ("bob", NOW + HOUR / 2)
    assert silences(store) == [removed] and silencing(make_finding(), [removed], NOW + HOUR / 2) is None
    assert remove(store, made.id, "eve", NOW + HOUR / 2) == removed, "the first one who removed it counts"


@pytest.mark.parametrize(
    ("given", "said"),
    [({}, "what to silence"), ({"kind": "x", "until": NOW}, "lie ahead"), ({"kind": "x", "why": " "}, "say why")],
)
def test_a_silence_without_a_bound_is_refused(store: SqliteRecords, given: dict[str, Any], said: str) -> None:
    """Nobody silences everything, for ever, or without a word."""
    with pytest.raises(ValueError, match=said):
        add(store, NOW, **{"until": NOW + HOUR, "by": "ann", "why": "y", **given})
    assert silences(store) == []


def test_silenced_stays_untold_unless_it_becomes_worse(store: SqliteRecords) -> None:
    """The end of a silence brings no flood; what rose meanwhile is told."""
    add(store, NOW, NOW + HOUR, "ann", "planned", detector="credential_probe")
    first = make_finding("1")
    other = make_finding("2", kind="other", subjects={"actor": ["bob"]})
    store.put_finding(first)
    store.put_finding(other)
    assert enqueue_new(store, config(), NOW) == 0
    assert enqueue_new(store, config(), NOW + 2 * HOUR) == 0
    store.put_finding(replace(first, severity=Severity.CRITICAL))
    assert enqueue_new(store, config(), NOW + 2 * HOUR) == 1
    assert [one.finding_id for one in store.deliveries()] == [first.id]


def test_a_silence_takes_back_what_waits(store: SqliteRecords, receiver: Receiver) -> None:
    """What was put aside before the silence is not sent during it, and why is kept."""
    settings = config(apprise=f"json://127.0.0.1:{receiver.port}/")
    store.put_finding(make_finding())
    enqueue_new(store, settings, NOW)
    made = add(store, NOW, NOW + HOUR, "ann", "planned", detector="*")
    assert deliver(store, settings, NOW) == Delivered(withdrawn=1)
    (delivery,) = store.deliveries()
    assert delivery.error.startswith(NOT_NEEDED) and made.id in delivery.error
    assert receiver.requests == []
