"""What holds in every store for the few things that change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from store.contract import DeadLetter, JobRun
from store.finding import Finding, Severity
from store.incident import Act, Incident, State

HOUR = timedelta(hours=1)


@pytest.fixture
def finding(start):
    def make(number, severity=Severity.HIGH, hours=0):
        moment = start + timedelta(hours=hours)
        return Finding(
            id=f"f-{number}",
            detector="probe",
            kind="credential_probe",
            severity=severity,
            title=f"<b>'{number}'",
            detected_at=moment + HOUR,
            start=moment,
            end=moment + timedelta(minutes=30),
            subjects={"actor": ["o'brien"], "client": [], "repository": []},
            score=4.5,
            expected="0 denied",
            observed="90 denied",
            evidence=["l-1"],
        )

    return make


def test_a_finding_is_new_once_and_keeps_when_it_was_first_detected(opened, finding, start):
    """Found again, a finding is replaced, not added, and its first `detected_at` stays."""
    first = finding(1)
    assert opened().put_finding(first)
    assert not opened().put_finding(first)
    worse = replace(first, severity=Severity.CRITICAL, detected_at=start + 9 * HOUR)
    assert not opened().put_finding(worse)
    assert opened().finding("f-1") == replace(worse, detected_at=first.detected_at)
    assert opened().finding("f-2") is None


def test_findings_are_chosen_by_time_and_severity_newest_first(store, finding, start):
    """A finding counts where its own span touches the asked one; `until` itself is outside."""
    for number, severity in enumerate([Severity.INFO, Severity.LOW, Severity.HIGH, Severity.CRITICAL]):
        store.put_finding(finding(number, severity, hours=number))
    assert [one.id for one in store.findings()] == ["f-3", "f-2", "f-1", "f-0"]
    assert [one.id for one in store.findings(min_severity=Severity.HIGH)] == ["f-3", "f-2"]
    assert [one.id for one in store.findings(limit=1)] == ["f-3"]
    since, until = start + timedelta(hours=1, minutes=30), start + 3 * HOUR
    assert [one.id for one in store.findings(since, until)] == ["f-2", "f-1"]


@pytest.fixture
def incident(start):
    def make(number, hours=0):
        moment = start + timedelta(hours=hours)
        return Incident(
            id=f"i-{number}",
            title=f"<b>'{number}'",
            severity=Severity.HIGH,
            start=moment,
            end=moment + timedelta(minutes=30),
            detected_at=moment + HOUR,
            findings=["f-1"],
            subjects={"actor": ["o'brien"], "client": [], "repository": []},
            reasons=["a password was guessed"],
            history=[Act(at=moment + HOUR, by="regsight", did="opened")],
        )

    return make


def test_an_incident_is_changed_as_a_whole(opened, incident, start):
    """What one process writes another reads, all of it; None leaves it as it is."""
    first = incident(1)
    assert opened().incident("i-1") is None
    assert opened().change_incident("i-1", lambda before: first if before is None else None) == first
    assert opened().change_incident("i-1", lambda before: None) == first
    act = Act(at=start + 2 * HOUR, by="ann", did="acknowledged", note="<looking>")
    changed = opened().change_incident(
        "i-1", lambda before: before.acted(act, state=State.ACKNOWLEDGED, owner="ann", acknowledged_at=act.at)
    )
    assert opened().incident("i-1") == changed
    assert (changed.state, changed.owner, [one.did for one in changed.history]) == (
        State.ACKNOWLEDGED,
        "ann",
        ["opened", "acknowledged"],
    )


def test_incidents_are_chosen_by_time_newest_first(store, incident, start):
    for number in range(4):
        made = incident(number, hours=number)
        store.change_incident(made.id, lambda _, made=made: made)
    assert [one.id for one in store.incidents()] == ["i-3", "i-2", "i-1", "i-0"]
    assert [one.id for one in store.incidents(limit=1)] == ["i-3"]
    since, until = start + timedelta(hours=1, minutes=30), start + 3 * HOUR
    assert [one.id for one in store.incidents(since, until)] == ["i-2", "i-1"]


def test_changes_of_one_incident_at_the_same_time_all_count(opened, incident, start):
    stores = [opened() for _ in range(4)]
    stores[0].change_incident("i-1", lambda _: incident(1))

    def note(number):
        act = Act(at=start, by=f"p{number}", did="noted")
        stores[number % 4].change_incident("i-1", lambda before: before.acted(act))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(note, range(12)))
    by = {act.by for act in opened().incident("i-1").history}
    assert by == {"regsight", *(f"p{number}" for number in range(12))}


def test_the_outbox_holds_each_finding_once_per_channel(opened, start):
    """Putting a pair in again leaves it as it is, whatever became of it."""
    assert opened().enqueue("f-1", ["mail", "ntfy"], start) == 2
    assert opened().enqueue("f-1", ["mail", "slack"], start + HOUR) == 1
    store = opened()
    assert [one.channel for one in store.due(start)] == ["mail", "ntfy"]
    assert [one.channel for one in store.due(start, limit=1)] == ["mail"]
    assert [one.channel for one in store.due(start + HOUR)] == ["mail", "ntfy", "slack"]
    assert store.deliveries("f-2") == []


def test_a_delivery_is_retried_given_up_or_sent(store, start):
    """Each attempt counts, a failed one waits until its time, a sent one stays sent."""
    store.enqueue("f-1", ["mail"], start)
    (delivery,) = store.due(start)
    store.mark_failed(delivery, start, "no answer", start + HOUR)
    assert store.due(start) == []
    (delivery,) = store.due(start + HOUR)
    assert (delivery.attempts, delivery.error, delivery.state) == (1, "no answer", "pending")
    store.mark_sent(delivery, start + HOUR)
    store.mark_failed(delivery, start + 2 * HOUR, "late", None)
    (sent,) = store.deliveries("f-1")
    assert (sent.state, sent.attempts, sent.sent_at, sent.error) == ("sent", 2, start + HOUR, "")
    assert store.due(start + 9 * HOUR) == []
    store.enqueue("f-2", ["mail"], start)
    store.mark_failed(store.due(start)[0], start, "no such user", None)
    assert store.deliveries("f-2")[0].state == "failed"
    assert store.due(start + 9 * HOUR) == []


def test_job_runs_are_remembered_by_the_moment_they_were_due(opened, start):
    """The last good run is the one due last, not the one that ran last."""
    runs = [JobRun(job="detect", due_at=start + n * HOUR, started_at=start + 9 * HOUR) for n in range(3)]
    for run in runs:
        opened().start_run(run)
    done = replace(runs[1], finished_at=start + 10 * HOUR, state="ok", note="2 findings")
    opened().finish_run(done)
    opened().finish_run(replace(runs[2], finished_at=start + 10 * HOUR, state="failed"))
    store = opened()
    assert [run.state for run in store.runs("detect")] == ["failed", "ok", "running"]
    assert store.runs(limit=1)[0].due_at == start + 2 * HOUR
    assert store.last_ok("detect") == done
    assert (store.last_ok("report"), store.runs("report")) == (None, [])


def test_a_lease_has_one_holder_until_it_ends(opened, start):
    """Whoever has it may renew it; others get it when it ran out or was released, by its holder only."""
    one, other = opened(), opened()
    assert one.take_lease("jobs", "a", start, HOUR)
    assert not other.take_lease("jobs", "b", start + HOUR / 2, HOUR)
    assert one.take_lease("jobs", "a", start + HOUR / 2, HOUR)
    assert not other.take_lease("jobs", "b", start + HOUR, HOUR)
    assert other.take_lease("jobs", "b", start + HOUR * 1.5, HOUR)
    one.release_lease("jobs", "a")
    assert not one.take_lease("jobs", "a", start + HOUR * 1.6, HOUR)
    other.release_lease("jobs", "b")
    assert one.take_lease("jobs", "a", start + HOUR * 1.7, HOUR)


def test_of_many_who_ask_at_once_one_gets_the_lease(opened, start):
    """Taking a lease is one act: eight at the same moment, one holder."""
    stores = [opened() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        taken = pool.map(lambda n: stores[n].take_lease("jobs", f"holder {n}", start, HOUR), range(8))
    assert sorted(taken) == [False] * 7 + [True]


def test_notes_hold_any_small_json(opened):
    """A note comes back as it was put, the last one wins, and names with dots are no paths."""
    opened().put_note("model.a/b'", {"path.to": {"x": [1, None, "ü"]}, "path": 2})
    opened().put_note("other", {"x": 1})
    opened().put_note("other", {"x": {"y": "text"}})
    assert opened().note("model.a/b'") == {"path.to": {"x": [1, None, "ü"]}, "path": 2}
    assert opened().note("other") == {"x": {"y": "text"}}
    assert opened().note("none") is None


def test_upkeep_drops_old_dead_letters_and_runs_and_keeps_findings(store, table, finding, start):
    """What was found and told stays when its events and dead letters are gone."""
    store.commit(table(), [], [DeadLetter(stream="s", offset=0, length=1, reason="torn", line=b"x", read_at=start)])
    store.commit(table(), [], [DeadLetter(stream="s", offset=1, length=1, reason="torn", line=b"y",
                                          read_at=start + 50 * HOUR)])  # fmt: skip
    store.start_run(JobRun(job="detect", due_at=start, started_at=start))
    store.put_finding(finding(1))
    done = store.maintain(start + 51 * HOUR, timedelta(days=1))
    assert (done["dead_letters_dropped"], done["job_runs_dropped"]) == (1, 1)
    assert [letter.line for letter in store.dead_letters()] == [b"y"]
    assert store.runs() == []
    assert store.finding("f-1") is not None
