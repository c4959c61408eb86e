"""One incident, one message; then a reminder, the next channel, and silence once somebody looks after it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.config import AlertsConfig
from alerts.follow_up import MOST_REMINDERS
from alerts.notify import Delivered, deliver
from alerts.policy import enqueue_new
from store.contract import Records
from store.finding import Finding, Severity
from store.incident import Act, Incident, acknowledge, close, reopen
from store.records import SqliteRecords

from .conftest import NOW, Receiver, make_finding

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def settings(receiver: Receiver, *channels: dict[str, Any], **changed: Any) -> AlertsConfig:
    """Channels of the same receiver, told apart by their path."""
    named = channels or ({"name": "chat"},)
    address = f"json://127.0.0.1:{receiver.port}"
    full = [{"apprise": f"{address}/{one['name']}", **one} for one in named]
    return AlertsConfig.model_validate({"channels": full, **changed})


def put(store: Records, *findings: Finding, id: str = "inc-1") -> None:
    """The findings, as one incident."""
    for finding in findings:
        store.put_finding(finding)

    def grown(before: Incident | None) -> Incident:
        all_ids = [*(before.findings if before else ()), *(one.id for one in findings)]
        stored = [one for one in map(store.finding, dict.fromkeys(all_ids)) if one is not None]
        worst = max(stored, key=lambda one: one.severity.rank)
        return Incident(
            id=id,
            title=worst.title,
            severity=worst.severity,
            start=min(one.start for one in stored),
            end=max(one.end for one in stored),
            detected_at=min(one.detected_at for one in stored),
            findings=[one.id for one in stored],
            subjects={},
            history=before.history if before else [],
        )

    store.change_incident(id, grown)


def change(store: Records, change: Callable[..., Incident], at: datetime, **more: Any) -> None:
    store.change_incident("inc-1", lambda one: change(one, "ann", at, **more))


def told(receiver: Receiver) -> list[tuple[str, str]]:
    """Channel and title of what arrived, in order."""
    return [(path.strip("/"), json.loads(body)["title"]) for path, _, body in receiver.requests]


def run(store: SqliteRecords, config: AlertsConfig, at: datetime) -> Delivered:
    enqueue_new(store, config, at)
    return deliver(store, config, at)


def finding(number: str, **changed: Any) -> Finding:
    return make_finding(number, kind=f"kind_{number}", title=f"thing {number}", **changed)


def test_an_incident_is_one_message_and_one_more_when_it_becomes_worse(
    store: SqliteRecords, receiver: Receiver
) -> None:
    """The first finding tells, with what else is in it; an equal one is folded, a more severe one is an update."""
    config = settings(receiver)
    put(store, finding("1"), finding("2", severity=Severity.MEDIUM))
    assert run(store, config, NOW) == Delivered(sent=1)
    put(store, finding("3"))
    assert run(store, config, NOW + MINUTE) == Delivered()
    put(store, finding("4", severity=Severity.CRITICAL))
    assert run(store, config, NOW + 2 * MINUTE) == Delivered(sent=1)
    assert told(receiver) == [("chat", "[HIGH] thing 1"), ("chat", "[CRITICAL] thing 4")]
    first, last = (json.loads(body)["message"] for _, _, body in receiver.requests)
    assert "Also in it: thing 2" in first and "Incident: inc-1 (open)" in first and "Update" not in first
    assert "Update: of an incident that you were told of at 2026-11-24 12:00 UTC" in last
    assert "regsight incidents ack inc-1" in last


def test_each_finding_tells_where_the_settings_say_so(store: SqliteRecords, receiver: Receiver) -> None:
    """group_by = "finding"."""
    put(store, finding("1"), finding("2"))
    assert run(store, settings(receiver, group_by="finding"), NOW) == Delivered(sent=2)


def test_late_data_amends_and_does_not_repeat(store: SqliteRecords, receiver: Receiver) -> None:
    """A finding that grows by lines that came late is the same message, on every pass."""
    config = settings(receiver)
    put(store, finding("1"))
    assert run(store, config, NOW) == Delivered(sent=1)
    for minute in range(1, 4):
        store.put_finding(finding("1", end=NOW + minute * MINUTE, observed=f"{312 + minute} refused logins"))
        assert run(store, config, NOW + minute * MINUTE) == Delivered()


def test_findings_are_gathered_before_they_are_told(store: SqliteRecords, receiver: Receiver) -> None:
    """Two findings that nobody has put into an incident yet are one message all the same."""
    one, other = finding("1"), finding("2")
    store.put_finding(one)
    store.put_finding(other)
    assert enqueue_new(store, settings(receiver), NOW, lambda: put(store, one, other)) == 1
    calls: list[str] = []
    enqueue_new(store, settings(receiver), NOW, lambda: calls.append("again"))
    assert calls == [], "all of them are in one"


def test_a_reminder_comes_until_somebody_acknowledges(store: SqliteRecords, receiver: Receiver) -> None:
    """After each remind_after, counted from the last message; none once it is acknowledged."""
    config = settings(receiver, remind_after="1h")
    put(store, finding("1"))
    run(store, config, NOW)
    assert run(store, config, NOW + 59 * MINUTE) == Delivered()
    assert run(store, config, NOW + 60 * MINUTE) == Delivered(sent=1)
    assert run(store, config, NOW + 61 * MINUTE) == Delivered()
    assert run(store, config, NOW + 2 * HOUR) == Delivered(sent=1)
    change(store, acknowledge, NOW + 2 * HOUR)
    assert run(store, config, NOW + 9 * HOUR) == Delivered()
    assert told(receiver)[1:] == [("chat", "[HIGH] Reminder: thing 1")] * 2
    assert (
        "Reminder: nobody has acknowledged it; you were told of it at 2026-11-24 12:00"
        in json.loads(receiver.requests[1][2])["message"]
    )


def test_reminders_have_an_end(store: SqliteRecords, receiver: Receiver) -> None:
    """Nobody is reminded for ever, and never by default."""
    put(store, finding("1"))
    assert run(store, settings(receiver), NOW) == Delivered(sent=1)
    assert run(store, settings(receiver), NOW + 48 * HOUR) == Delivered()
    config = settings(receiver, remind_after="1h")
    for hour in range(1, 3 * MOST_REMINDERS):
        run(store, config, NOW + hour * HOUR)
    assert len(receiver.requests) == 1 + MOST_REMINDERS


def test_what_nobody_answers_goes_to_the_next_channel_once(store: SqliteRecords, receiver: Receiver) -> None:
    """chat → page → boss, each after its own time; page and boss hear nothing else."""
    config = settings(
        receiver,
        {"name": "on-chat", "escalate_to": "page", "escalate_after": "10m"},
        {"name": "page", "only_escalations": True, "escalate_to": "boss", "escalate_after": "20m"},
        {"name": "boss", "only_escalations": True},
    )
    put(store, finding("1"))
    for minute in range(0, 90, 5):
        run(store, config, NOW + minute * MINUTE)
    assert [name for name, _ in told(receiver)] == ["on-chat", "page", "boss"]
    assert told(receiver)[1] == ("page", "[HIGH] Nobody answered: thing 1")
    assert (
        "Escalated: nobody has acknowledged it; on-chat was told of it at 2026-11-24 12:00"
        in json.loads(receiver.requests[1][2])["message"]
    )
    sent = {one.channel: one.sent_at for one in store.deliveries()}
    assert sent == {
        "on-chat": NOW,
        "page/escalation-on-chat": NOW + 10 * MINUTE,
        "boss/escalation-page": NOW + 30 * MINUTE,
    }


@pytest.mark.parametrize("act", [acknowledge, close])
def test_somebody_who_looks_after_it_stops_the_escalation(
    store: SqliteRecords, receiver: Receiver, act: Callable[..., Incident]
) -> None:
    """Before it is due, and also while its message already waits."""
    config = settings(
        receiver, {"name": "chat", "escalate_to": "page", "escalate_after": "10m"}, {"name": "page"}, remind_after="10m"
    )
    put(store, finding("1"))
    run(store, config, NOW)
    assert enqueue_new(store, config, NOW + 10 * MINUTE) == 3, "two reminders and the escalation wait"
    change(store, act, NOW + 10 * MINUTE)
    assert deliver(store, config, NOW + 10 * MINUTE) == Delivered(withdrawn=3)
    assert run(store, config, NOW + 5 * HOUR) == Delivered()
    assert len(receiver.requests) == 2


def test_a_channel_that_is_down_escalates_as_well(store: SqliteRecords, receiver: Receiver) -> None:
    """Nobody acknowledges what never arrived."""
    config = settings(
        receiver,
        {"name": "chat", "apprise": "json://127.0.0.1:1/", "escalate_to": "page", "escalate_after": "10m"},
        {"name": "page", "only_escalations": True},
    )
    put(store, finding("1"))
    assert run(store, config, NOW) == Delivered(retried=1)
    run(store, config, NOW + 11 * MINUTE)
    assert [name for name, _ in told(receiver)] == ["page"]


def test_what_rises_after_the_escalation_is_told_there_too(store: SqliteRecords, receiver: Receiver) -> None:
    """The next channel is in the picture from then on."""
    config = settings(
        receiver,
        {"name": "chat", "escalate_to": "page", "escalate_after": "10m"},
        {"name": "page", "only_escalations": True},
    )
    put(store, finding("1"))
    for minute in (0, 10, 11):
        run(store, config, NOW + minute * MINUTE)
    put(store, finding("1", severity=Severity.CRITICAL))
    assert run(store, config, NOW + 12 * MINUTE) == Delivered(sent=2)
    assert [name for name, _ in told(receiver)] == ["chat", "page", "chat", "page"]


def test_opened_again_the_clock_starts_anew(store: SqliteRecords, receiver: Receiver) -> None:
    """A second round may escalate a second time."""
    config = settings(
        receiver,
        {"name": "chat", "escalate_to": "page", "escalate_after": "10m"},
        {"name": "page", "only_escalations": True},
    )
    put(store, finding("1"))
    for minute in (0, 10):
        run(store, config, NOW + minute * MINUTE)
    change(store, close, NOW + 11 * MINUTE)
    change(store, reopen, NOW + HOUR)
    assert run(store, config, NOW + HOUR + 9 * MINUTE) == Delivered()
    assert run(store, config, NOW + HOUR + 10 * MINUTE) == Delivered(sent=1)
    assert store.deliveries()[-1].channel == "page/escalation-chat.2"
    assert "; chat was told" in json.loads(receiver.requests[-1][2])["message"]


def test_a_closed_incident_is_not_told_unless_it_becomes_worse(store: SqliteRecords, receiver: Receiver) -> None:
    """What waits is taken back; more of the same stays quiet; a new, worse finding opens it again and is told."""
    config = settings(receiver)
    put(store, finding("1"))
    enqueue_new(store, config, NOW)
    change(store, close, NOW, expected=True)
    assert deliver(store, config, NOW) == Delivered(withdrawn=1)
    store.put_finding(finding("2"))
    store.change_incident(
        "inc-1",
        lambda one: one.acted(Act(at=NOW, by="regsight", did="grew"), findings=[*one.findings, finding("2").id]),
    )  # type: ignore[union-attr]
    assert run(store, config, NOW + MINUTE) == Delivered()
    put(store, finding("3", severity=Severity.CRITICAL))
    assert run(store, config, NOW + 2 * MINUTE) == Delivered(sent=1)


def test_the_same_again_after_it_was_resolved_is_told(store: SqliteRecords, receiver: Receiver) -> None:
    """Within the cool-down a repeat is folded, but not into something that is over."""
    config = settings(receiver)
    put(store, make_finding("1"))
    run(store, config, NOW)
    change(store, close, NOW + 30 * MINUTE)
    again = make_finding("2", detected_at=NOW + HOUR, start=NOW + HOUR, end=NOW + HOUR)
    put(store, again, id="inc-2")
    assert run(store, config, NOW + HOUR) == Delivered(sent=1)


def test_quiet_hours_hold_back_what_is_not_critical(store: SqliteRecords, receiver: Receiver) -> None:
    """It waits without a counted attempt and goes out when they are over; critical goes at once."""
    config = settings(receiver, {"name": "chat", "quiet_hours": "11:00-14:00", "zone": "UTC"})
    put(store, finding("1"))
    put(store, finding("2", severity=Severity.CRITICAL), id="inc-2")
    assert run(store, config, NOW) == Delivered(sent=1)
    assert run(store, config, NOW + HOUR) == Delivered()
    assert [one.attempts for one in store.deliveries() if one.state == "pending"] == [0]
    assert run(store, config, NOW + 2 * HOUR) == Delivered(sent=1)
    assert told(receiver) == [("chat", "[CRITICAL] thing 2"), ("chat", "[HIGH] thing 1")]


def test_quiet_hours_do_not_wake_the_next_channel(store: SqliteRecords, receiver: Receiver) -> None:
    """What was held back was not unanswered: the time to answer begins when it is sent."""
    config = settings(
        receiver,
        {"name": "chat", "quiet_hours": "11:00-14:00", "escalate_to": "page", "escalate_after": "10m"},
        {"name": "page", "only_escalations": True},
    )
    put(store, finding("1"))
    for minute in range(0, 130, 5):
        run(store, config, NOW + minute * MINUTE)
    assert [name for name, _ in told(receiver)] == ["chat"]
    run(store, config, NOW + 130 * MINUTE)
    assert [name for name, _ in told(receiver)] == ["chat", "page"]
