"""Why somebody was told, or was not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from alerts.config import AlertsConfig
from alerts.explain import Line, explain
from alerts.notify import deliver
from alerts.policy import enqueue_new
from alerts.silence import add, remove
from store.finding import Finding, Severity
from store.incident import acknowledge, close
from store.records import SqliteRecords

from .conftest import NOW, Receiver, make_finding
from .test_incidents_told import change, finding, put, settings

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def lines(store: SqliteRecords, config: AlertsConfig, *findings: Finding, at: Any = NOW) -> list[Line]:
    enqueue_new(store, config, at)
    deliver(store, config, at)
    return explain(store, config, findings, at)


def test_every_channel_has_its_reason(store: SqliteRecords, receiver: Receiver) -> None:
    """Told, too low, and only for escalations: each is said, with the time it was decided."""
    config = settings(
        receiver,
        {"name": "chat"},
        {"name": "page", "min_severity": "critical"},
        {"name": "boss", "only_escalations": True},
    )
    put(store, finding("1"))
    found = lines(store, config, finding("1"))
    assert [(one.channel, one.state, one.why) for one in found] == [
        ("chat", "told", "at once"),
        ("page", "not told", "high is below the channel's min_severity (critical)"),
        ("boss", "not told", "the channel is told only what nobody else answered"),
    ]
    assert {one.at for one in found} == {NOW} and {one.about for one in found} == {finding("1").id}


def test_the_reason_is_that_of_the_time(store: SqliteRecords, receiver: Receiver) -> None:
    """A day later, with nothing of it in the settings any more, the same is said."""
    config = settings(receiver, {"name": "chat", "min_severity": "critical"})
    put(store, finding("1"))
    before = lines(store, config, finding("1"))
    later = lines(store, config, finding("1"), at=NOW + timedelta(days=9))
    assert later == before and before[0].at == NOW


def test_what_was_folded_names_what_it_was_folded_into(store: SqliteRecords, receiver: Receiver) -> None:
    """By incident, and as a repeat of something outside of it."""
    put(store, finding("1"), finding("2"))
    first, second = lines(store, settings(receiver), finding("1"), finding("2"))
    folded = next(one for one in (first, second) if one.state == "not told")
    told = next(one for one in (first, second) if one.state == "told")
    assert folded.why == f"the channel knows of its incident by {told.about}, which is no less severe"

    start, again = make_finding("a"), make_finding("b")
    put(store, start, id="inc-a")
    put(store, again, id="inc-b")
    told, folded = lines(store, settings(receiver), *sorted((start, again), key=lambda one: one.id))
    assert folded.why == f"it repeats {told.about}, told within 6:00:00, and names nobody new"


def test_a_silence_is_named_with_its_reason(store: SqliteRecords, receiver: Receiver) -> None:
    """Who silenced it, until when, and why; also when it was removed since."""
    made = add(store, NOW, NOW + HOUR, "ann", "load test", kind="kind_*")
    put(store, finding("1"))
    (line,) = lines(store, settings(receiver), finding("1"))
    assert line.why == f"silenced until 2026-11-24 13:00 UTC by ann: load test ({made.id})"
    remove(store, made.id, "bob", NOW)
    (line,) = lines(store, settings(receiver), finding("1"))
    assert line.why.endswith(f"({made.id}, removed by bob)")


def test_what_waits_says_for_what(store: SqliteRecords, receiver: Receiver) -> None:
    """Quiet hours, the limit, and a failed attempt."""
    config = settings(
        receiver,
        {"name": "quiet", "quiet_hours": "11:00-14:00", "zone": "Europe/Berlin"},
        {"name": "limited", "max_per_hour": 1},
        {"name": "broken", "apprise": "json://127.0.0.1:1/"},
    )
    put(store, finding("0", severity=Severity.CRITICAL))
    put(store, finding("1"), id="inc-2")
    waiting = {one.channel: one for one in lines(store, config, finding("1"))}
    assert {one.state for one in waiting.values()} == {"waiting"}
    assert waiting["quiet"].why == "quiet hours 11:00-14:00 Europe/Berlin: held until 2026-11-24 13:00 UTC"
    assert waiting["limited"].why == "1 messages went out within the last hour, which is the channel's limit"
    broken = {one.channel: one for one in lines(store, config, finding("0"))}["broken"]
    assert broken.why.startswith("attempt 1 failed: ") and "tried again at 2026-11-24 12:00 UTC" in broken.why


def test_reminders_escalation_and_what_was_taken_back(store: SqliteRecords, receiver: Receiver) -> None:
    """The whole story of an incident in order."""
    config = settings(
        receiver,
        {"name": "chat", "escalate_to": "page", "escalate_after": "10m"},
        {"name": "page", "only_escalations": True},
        remind_after="1h",
    )
    put(store, finding("1"))
    lines(store, config, finding("1"))
    lines(store, config, finding("1"), at=NOW + 10 * MINUTE)
    enqueue_new(store, config, NOW + HOUR)
    change(store, acknowledge, NOW + HOUR)
    found = lines(store, config, finding("1"), at=NOW + HOUR)
    assert [(one.channel, one.what, one.state) for one in found] == [
        ("chat", "message", "told"),
        ("chat", "reminder 1", "not told"),
        ("page", "message", "not told"),
        ("page", "escalation: chat did not answer", "told"),
    ]
    assert found[1].why == "ann has acknowledged the incident"


def test_closed_history_and_nobody_to_tell(store: SqliteRecords, receiver: Receiver) -> None:
    """What is over, what was too old, what no pass has seen, and settings without a channel."""
    config = settings(receiver)
    put(store, finding("1"))
    change(store, close, NOW)
    (line,) = lines(store, config, finding("1"))
    assert line.why == "its incident inc-1 is closed, and it is no more severe"
    old = finding("old", start=NOW - 50 * HOUR, end=NOW - 49 * HOUR)
    store.put_finding(old)
    (line,) = lines(store, config, old)
    assert line.why.endswith("before it could first have been told: history")
    store.put_finding(finding("new"))
    (line,) = explain(store, config, [finding("new")], NOW)
    assert line.why == "no pass has looked at it yet: is `regsight run` running?"
    (line,) = explain(store, AlertsConfig(), [finding("new")], NOW)
    assert "no channel" in line.why


def test_a_channel_that_is_gone_is_still_told_of(store: SqliteRecords, receiver: Receiver) -> None:
    """What was sent to it was sent."""
    put(store, finding("1"))
    lines(store, settings(receiver), finding("1"))
    found = explain(store, settings(receiver, {"name": "other"}), [finding("1")], NOW)
    assert [(one.channel, one.state) for one in found] == [("other", "not told"), ("chat", "told")]


@pytest.mark.parametrize("severity", [Severity.HIGH, Severity.CRITICAL])
def test_json_names(store: SqliteRecords, receiver: Receiver, severity: Severity) -> None:
    """The names are a contract; an update says what it became."""
    config = settings(receiver)
    put(store, finding("1", severity=Severity.MEDIUM))
    lines(store, config, finding("1"))
    put(store, replace(finding("1"), severity=severity))
    found = [one.as_json() for one in lines(store, config, finding("1"), at=NOW + MINUTE)]
    assert [one["what"] for one in found] == ["message", f"update: became {severity}"]
    assert set(found[0]) == {"channel", "finding", "what", "state", "why", "at"}
