"""Who hears of what, and how long a failure rests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.config import AlertsConfig, Channel
from alerts.pacing import repair_pause, retry_pause, within_rate
from alerts.policy import enqueue_new, folded, folded_before
from alerts.verdict import decide, repeats
from store.contract import Delivery
from store.errors import Unavailable
from store.finding import Finding, Severity, finding_id
from store.records import SqliteRecords

from .conftest import NOW, make_finding

HOUR = timedelta(hours=1)


def config(**changed: Any) -> AlertsConfig:
    channels = [
        {"name": "mail", "apprise": "json://h"},
        {"name": "page", "apprise": "json://h", "min_severity": "high"},
    ]
    return AlertsConfig.model_validate({"channels": channels, **changed})


def later(finding: Finding, cause: str, by: timedelta, **changed: Any) -> Finding:
    return replace(
        finding,
        id=finding_id("credential_probe", cause),
        detected_at=finding.detected_at + by,
        start=finding.start + by,
        end=finding.end + by,
        **changed,
    )


def test_a_finding_is_enqueued_once_per_channel_that_wants_it(store: SqliteRecords) -> None:
    """Severity decides the channels, and a second pass finds nothing new."""
    store.put_finding(make_finding("a"))
    store.put_finding(make_finding("b", severity=Severity.MEDIUM, kind="other"))
    assert enqueue_new(store, config(), NOW) == 3
    pairs = {(delivery.finding_id, delivery.channel) for delivery in store.deliveries()}
    assert pairs == {
        (finding_id("credential_probe", "a"), "mail"),
        (finding_id("credential_probe", "a"), "page"),
        (finding_id("credential_probe", "b"), "mail"),
    }
    assert enqueue_new(store, config(), NOW + HOUR) == 0


def test_history_wakes_nobody(store: SqliteRecords) -> None:
    """What had ended more than max_age before the first pass, or is read in late, is never put into the outbox."""
    old = later(make_finding(), "old", timedelta(days=-2))
    store.put_finding(old)
    assert enqueue_new(store, config(), NOW) == 0
    store.put_finding(later(make_finding(), "backfilled", timedelta(days=-3)))
    assert enqueue_new(store, config(), NOW + HOUR) == 0
    assert store.deliveries() == []
    assert enqueue_new(store, config(max_age="7d"), NOW + HOUR) == 4, "a longer max_age, as the demo sets, tells it"


def test_a_long_standstill_loses_nothing(store: SqliteRecords) -> None:
    """What happened while alerting was down for a week is told when it comes back."""
    enqueue_new(store, config(), NOW)
    store.put_finding(later(make_finding(), "meanwhile", timedelta(days=1)))
    assert enqueue_new(store, config(), NOW + timedelta(days=7)) == 2


def test_without_channels_nothing_is_put_aside(store: SqliteRecords) -> None:
    """A channel that is added later does not start with everything that was ever found."""
    store.put_finding(make_finding())
    assert enqueue_new(store, AlertsConfig(), NOW) == 0
    assert store.deliveries() == []


def test_a_repeat_is_folded_until_the_cool_down_is_over(store: SqliteRecords) -> None:
    """Carrying on is not told again within the cool-down; the next message afterwards says how often it happened."""
    first = make_finding("1")
    for finding in (first, later(first, "2", HOUR), later(first, "3", 2 * HOUR)):
        store.put_finding(finding)
    assert enqueue_new(store, config(), NOW + 2 * HOUR) == 2
    assert (
        sorted((one.channel, one.into) for one in folded(store)) == [("mail", first.id)] * 2 + [("page", first.id)] * 2
    )
    assert {delivery.finding_id for delivery in store.deliveries()} == {first.id}

    again = later(first, "4", 7 * HOUR)
    store.put_finding(again)
    assert enqueue_new(store, config(), NOW + 7 * HOUR) == 2
    assert folded_before(again, "mail", folded(store)) == 2
    assert folded_before(first, "mail", folded(store)) == 0


def test_a_repeat_that_became_more_severe_is_told_after_all(store: SqliteRecords) -> None:
    """Folding is judged anew on each pass."""
    first, second = make_finding("1"), later(make_finding(), "2", HOUR)
    store.put_finding(first)
    store.put_finding(second)
    enqueue_new(store, config(), NOW + HOUR)
    store.put_finding(replace(second, severity=Severity.CRITICAL))
    assert enqueue_new(store, config(), NOW + HOUR) == 2


def test_what_becomes_more_severe_is_told_once_more(store: SqliteRecords) -> None:
    """The success behind refused logins keeps the finding's id, and still every channel hears of it, once."""
    first = make_finding(severity=Severity.MEDIUM)
    store.put_finding(first)
    assert enqueue_new(store, config(), NOW) == 1
    for delivery in store.due(NOW):
        store.mark_sent(delivery, NOW)
    store.put_finding(replace(first, severity=Severity.CRITICAL, end=NOW + HOUR))
    assert enqueue_new(store, config(), NOW + HOUR) == 2
    assert {delivery.channel for delivery in store.due(NOW + HOUR)} == {"mail/critical", "page"}
    assert enqueue_new(store, config(), NOW + 2 * HOUR) == 0
    store.put_finding(replace(first, severity=Severity.HIGH, end=NOW + HOUR))
    assert enqueue_new(store, config(), NOW + 2 * HOUR) == 0, "less severe again is no news"


def test_what_still_waits_is_not_told_twice_for_a_new_severity(store: SqliteRecords) -> None:
    """A delivery that was not sent yet will say the new severity by itself."""
    store.put_finding(make_finding(severity=Severity.HIGH))
    assert enqueue_new(store, config(), NOW) == 2
    store.put_finding(make_finding(severity=Severity.CRITICAL))
    assert enqueue_new(store, config(), NOW) == 0


@pytest.mark.parametrize("calls", range(1, 7))
def test_a_crash_in_the_middle_of_enqueuing_loses_nothing(
    store: SqliteRecords, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """Broken off before any of its writes, the pass made again ends with the same outbox, escalations included."""
    first, second = make_finding("1", severity=Severity.MEDIUM), make_finding("2", kind="other")
    store.put_finding(first)
    enqueue_new(store, config(), NOW)
    for delivery in store.due(NOW):
        store.mark_sent(delivery, NOW)
    store.put_finding(replace(first, severity=Severity.CRITICAL))
    store.put_finding(second)

    left = [calls]
    with monkeypatch.context() as patched:
        for name in ("enqueue", "put_note"):
            real = getattr(store, name)

            def limited(*args: Any, real: Any = real) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    raise Unavailable("broken off")
                return real(*args)

            patched.setattr(store, name, limited)
        with pytest.raises(Unavailable):
            enqueue_new(store, config(), NOW)
    enqueue_new(store, config(), NOW)
    assert sorted((delivery.finding_id, delivery.channel) for delivery in store.deliveries()) == sorted(
        [(first.id, "mail"), (first.id, "mail/critical"), (first.id, "page"), (second.id, "mail"), (second.id, "page")]
    )
    store.put_finding(replace(second, severity=Severity.CRITICAL))
    for delivery in store.due(NOW):
        store.mark_sent(delivery, NOW)
    assert enqueue_new(store, config(), NOW) == 2


def test_only_what_says_nothing_new_is_a_repeat() -> None:
    """A new name, another kind, a higher severity or enough time make it news."""
    told = make_finding("told")
    assert repeats(later(told, "x", HOUR), told, 6 * HOUR)
    assert repeats(later(told, "x", HOUR, subjects={"actor": ["alice"]}), told, 6 * HOUR)
    assert not repeats(later(told, "x", 6 * HOUR), told, 6 * HOUR)
    assert not repeats(later(told, "x", HOUR, kind="other"), told, 6 * HOUR)
    assert not repeats(later(told, "x", HOUR, severity=Severity.CRITICAL), told, 6 * HOUR)
    assert not repeats(later(told, "x", HOUR, subjects={"actor": ["bob"]}), told, 6 * HOUR)


def test_nothing_is_folded_into_what_was_given_up(store: SqliteRecords) -> None:
    """Nobody heard the first one, so the second is told."""
    first = make_finding("1")
    store.put_finding(first)
    enqueue_new(store, config(), NOW)
    for delivery in store.due(NOW):
        store.mark_failed(delivery, NOW, "no", None)
    store.put_finding(later(first, "2", HOUR))
    assert enqueue_new(store, config(), NOW + HOUR) == 2
    assert folded(store) == []


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(st.tuples(st.integers(0, 72), st.sampled_from(list(Severity)), st.sampled_from(["a", "b"])), max_size=20)
)
def test_every_finding_above_the_severity_is_told_or_repeats_one_that_is(
    drawn: list[tuple[int, Severity, str]],
) -> None:
    """No finding vanishes: it is told, too low, or folded into one that was told on that channel."""
    start = make_finding()
    findings = [
        later(start, str(number), hours * HOUR, severity=severity, subjects={"actor": [name]})
        for number, (hours, severity, name) in enumerate(drawn)
    ]
    channel = Channel(name="mail", apprise="json://h")  # type: ignore[arg-type]
    verdicts = decide(findings, {}, [channel], 6 * HOUR)
    assert {verdict.finding.id for verdict in verdicts} == {finding.id for finding in findings}
    told = {verdict.finding.id for verdict in verdicts if not verdict.reason}
    by_id = {finding.id: finding for finding in findings}
    for verdict in verdicts:
        if verdict.reason == "repeat":
            assert verdict.into in told
            assert repeats(by_id[verdict.finding.id], by_id[verdict.into], 6 * HOUR)
        else:
            assert (verdict.reason == "low_severity") == (by_id[verdict.finding.id].severity.rank < 2)


def test_pauses_grow_and_do_not_march_in_step() -> None:
    """30 s doubling to an hour, each key with its own jitter, never shorter than Retry-After."""
    pauses = [retry_pause(attempt, "k").total_seconds() for attempt in range(1, 12)]
    for attempt, pause in enumerate(pauses):
        usual = min(30 * 2**attempt, 3600)
        assert 0.8 * usual <= pause <= 1.2 * usual
    assert len({retry_pause(3, f"k{number}") for number in range(50)}) == 50
    assert retry_pause(1, "k", asked_seconds=900) == timedelta(minutes=15)
    assert retry_pause(1, "k", asked_seconds=1e12) == timedelta(days=1)
    assert repair_pause("k") >= timedelta(minutes=48)


def test_the_limit_per_hour_counts_what_was_sent_lately() -> None:
    """Only this channel's deliveries of the last hour count."""
    channel = Channel(name="mail", apprise="json://h", max_per_hour=3)  # type: ignore[arg-type]

    def sent(name: str, ago: timedelta) -> Delivery:
        return Delivery(
            finding_id="f", channel=name, state="sent", attempts=1, created_at=NOW, due_at=NOW, sent_at=NOW - ago
        )

    outbox = [sent("mail", timedelta(minutes=5)), sent("mail", 2 * HOUR), sent("other", timedelta(minutes=5))]
    assert within_rate(10, outbox, channel, NOW) == 2
    assert within_rate(1, outbox, channel, NOW) == 1
