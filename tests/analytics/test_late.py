"""Late rows re-open what was judged: findings as if they had been there in time, each told once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from made_traffic import START, Made
from prometheus_client import CollectorRegistry

from alerts.config import AlertsConfig, Channel
from alerts.policy import enqueue_new
from analytics.detector import Detector, Suspicion
from analytics.detectors import credential_probe, tag_ledger
from analytics.jobs import JUDGED_NOTE, detect_now
from analytics.replay import Lasting
from analytics.telemetry import AnalyticsTelemetry
from analytics.watermark import LATE_NOTE
from store.contract import EventQuery, EventReader, Store
from store.event import schema
from store.finding import Severity
from store.locate import open_store

HOUR = timedelta(hours=1)
MORNING = START + timedelta(days=2, hours=6)


class FirstPull:
    """A ledger of pairs: the first pull of an account in a repository that others have used for a day."""

    name, subject, every, history = "first_pull", "actor", timedelta(hours=1), timedelta(days=30)
    next_step = "Ask."

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found = []
        for event in store.events(EventQuery(since=since, until=now, action=("pull",))):
            query = EventQuery(until=event["timestamp"], actor=event["actor"], repository=event["repository"], limit=1)
            if next(iter(store.events(query)), None) is None:
                found.append(
                    Suspicion(
                        kind="first_pull",
                        cause=(event["actor"], event["repository"], f"{event['timestamp']:%Y-%m-%d}"),
                        severity=Severity.MEDIUM,
                        title="first",
                        start=event["timestamp"],
                        end=event["timestamp"],
                        subjects={"actor": [event["actor"]], "repository": [event["repository"]]},
                        score=1.0,
                        expected="",
                        observed="",
                        evidence=[event["event_id"]],
                    )
                )
        return found


def detectors() -> list[Detector]:
    return [credential_probe.DETECTOR(), tag_ledger.DETECTOR(), FirstPull()]


def story() -> Made:
    """Three quiet days of two accounts; then a guessing attack over an hour, and a release tag that is moved."""
    made = Made()
    for hour in range(0, 60, 6):
        made.pull(START + hour * HOUR, "robot$node", "10.0.0.1", "shop/a")
        made.pull(START + hour * HOUR + timedelta(minutes=9), "person-1", "192.0.2.1", "data/b")
    for day, tag in enumerate(("1.0.0", "1.1.0")):
        push(made, START + timedelta(days=day, hours=1), tag, day)
    push(made, MORNING + timedelta(minutes=30), "1.0.0", 9, "person-9")
    for number in range(60):
        made.refuse(MORNING + timedelta(minutes=number), f"person-{number % 9}", "203.0.113.9")
    made.login(MORNING + timedelta(minutes=61), "person-4", "203.0.113.9")
    made.pull(MORNING + timedelta(minutes=62), "person-4", "203.0.113.9", "data/b")
    return made


def push(made: Made, at: datetime, tag: str, number: int, actor: str = "robot$build") -> None:
    digest = f"sha256:{number:064x}"
    made.add(
        at, "push", actor=actor, repository="core/pay", tag=tag, reference=tag, digest=digest, client_ip="10.0.0.5"
    )


def put(store: Store, events: Iterable[Any], at: datetime) -> None:
    rows = [{**event, "stored_at": at} for event in events]
    if rows:
        store.commit(pa.Table.from_pylist(rows, schema=schema()), [])


def run(folder: Path, arrive: list[tuple[datetime, Any]], until: datetime, every: timedelta = 4 * HOUR) -> Store:
    """Rows are stored when they arrive, and judged every four hours, with what was learned of days that are over."""
    store, lasting = open_store(f"delta:{folder}"), Lasting()
    chosen, now = detectors(), MORNING - 6 * HOUR
    waiting = sorted(arrive, key=lambda one: one[0])
    while now <= until:
        put(store, [event for at, event in waiting if at < now], now)
        waiting = [one for one in waiting if one[0] >= now]
        detect_now(store, chosen, now, first_look_back=HOUR, lasting=lasting)
        now += every
    assert not waiting
    return store


def said(store: Store) -> dict[str, tuple[Any, ...]]:
    return {
        f.id: (f.severity, f.kind, {k: tuple(v) for k, v in f.subjects.items()}, f.start, f.end, tuple(f.evidence))
        for f in store.findings()
        if not f.withdrawn
    }


@pytest.mark.parametrize("delay", [1.0, 24.0])
def test_shuffled_and_delayed_rows_give_the_same_findings(tmp_path: Path, delay: float) -> None:
    """Each third row comes up to an hour, or a day, late and out of order: ids, severity, subjects, spans, evidence equal."""
    import random

    chance = random.Random(3)
    events = story().events
    end = MORNING + timedelta(hours=14 + delay)
    ordered = run(tmp_path / "ordered", [(event["timestamp"], event) for event in events], end)
    late = [
        (event["timestamp"] + (delay * chance.random() * HOUR if chance.random() < 0.34 else timedelta(0)), event)
        for event in events
    ]
    shuffled = run(tmp_path / "shuffled", late, end)
    assert len(said(ordered)) >= 3
    assert said(shuffled) == said(ordered)
    ordered.close()
    shuffled.close()


def test_what_late_rows_explain_is_withdrawn(tmp_path: Path) -> None:
    """A first pull was none: an earlier one comes a day late. The finding stays, informs only, and says why."""
    made = Made()
    made.pull(START, "robot$node", "10.0.0.1", "shop/a")
    made.pull(MORNING, "ann", "10.0.0.2", "shop/a")
    store = open_store(f"delta:{tmp_path}/s")
    put(store, made.events, MORNING)
    detect_now(store, [FirstPull()], MORNING + HOUR, first_look_back=timedelta(days=1))
    (before,) = store.findings()
    assert before.severity is Severity.MEDIUM
    made.pull(MORNING - timedelta(days=1), "ann", "10.0.0.2", "shop/a")
    put(store, made.events[-1:], MORNING + 2 * HOUR)
    registry = CollectorRegistry()
    telemetry = AnalyticsTelemetry(registry)
    for hour in (2, 3, 4):  # long spans wait for one quiet look
        detect_now(store, [FirstPull()], MORNING + hour * HOUR, telemetry)
    after = {f.id: f for f in store.findings()}
    assert after[before.id].severity is Severity.INFO
    assert "stored late" in after[before.id].withdrawn
    assert after[before.id].detected_at == before.detected_at
    (other,) = (f for f in after.values() if not f.withdrawn and f.id != before.id) if len(after) > 1 else (None,)
    assert other is None or other.start == MORNING - timedelta(days=1)
    assert registry.get_sample_value("regsight_analytics_late_rows_total") == 1
    labels = {"change": "withdrawn"}
    assert registry.get_sample_value("regsight_analytics_amended_findings_total", labels) == 1
    store.close()


def test_an_amended_alert_is_not_a_repeated_one(tmp_path: Path) -> None:
    """Half of the guesses before a success come an hour late: the finding grows under its id, and the channel is told once."""
    made = Made()
    for number in range(60):
        made.refuse(MORNING + timedelta(seconds=20 * number), f"person-{number % 9}", "203.0.113.9")
    store = open_store(f"delta:{tmp_path}/s")
    channel = Channel.model_validate({"name": "ops", "alertmanager": "http://127.0.0.1:9"})
    alerts = AlertsConfig(channels=(channel,))
    probe: list[Detector] = [credential_probe.DETECTOR()]
    made.login(MORNING + timedelta(minutes=25), "person-4", "203.0.113.9")
    put(store, [*made.events[:60:2], made.events[-1]], MORNING + HOUR)
    detect_now(store, probe, MORNING + HOUR)
    enqueue_new(store, alerts, MORNING + HOUR)
    before = max(store.findings(), key=lambda one: one.severity.rank)
    assert len(store.deliveries(before.id)) == 1
    put(store, made.events[1:60:2], MORNING + 2 * HOUR)
    for hour in (2, 3, 4):
        detect_now(store, probe, MORNING + hour * HOUR)
        enqueue_new(store, alerts, MORNING + hour * HOUR)
    after = store.finding(before.id)
    assert after is not None
    assert len(after.evidence) > len(before.evidence)
    assert after.severity is before.severity
    assert [one.finding_id for one in store.deliveries()] == [before.id]
    store.close()


def test_a_clock_that_jumps_breaks_nothing(tmp_path: Path) -> None:
    """A day ahead and back again, then an hour back: the findings are those of a clock that went well."""
    events = story().events
    end = MORNING + 4 * HOUR
    well = run(tmp_path / "well", [(event["timestamp"], event) for event in events], end + 2 * HOUR, 2 * HOUR)
    store, chosen = open_store(f"delta:{tmp_path}/jumps"), detectors()
    now, waiting = MORNING - 6 * HOUR, list(events)
    while now <= end:
        wall = now + (timedelta(days=1) if MORNING <= now < MORNING + 2 * HOUR else timedelta(0))
        wall -= HOUR if now == MORNING + 3 * HOUR else timedelta(0)
        put(store, [event for event in waiting if event["timestamp"] < now], wall)
        waiting = [event for event in waiting if event["timestamp"] >= now]
        detect_now(store, chosen, wall, first_look_back=HOUR)
        now += HOUR
    for hour in (1, 2):
        detect_now(store, chosen, end + hour * HOUR)
    assert said(store) == said(well)
    store.close()
    well.close()


def test_the_state_outlives_the_process(tmp_path: Path) -> None:
    """What is waiting to be judged again is in the store, with up to when it was judged."""
    made = story()
    store = open_store(f"delta:{tmp_path}/s")
    put(store, made.events, MORNING)
    detect_now(store, [FirstPull()], MORNING + 3 * HOUR)
    old = {**made.events[0], "event_id": "e-late", "offset": 10**6, "timestamp": MORNING - timedelta(hours=10)}
    put(store, [old], MORNING + 4 * HOUR)
    detect_now(store, [FirstPull()], MORNING + 4 * HOUR)
    note = store.note(LATE_NOTE)
    assert note is not None
    assert note["waiting"]["rows"] == 1
    store.close()
    again = open_store(f"delta:{tmp_path}/s")
    detect_now(again, [FirstPull()], MORNING + 5 * HOUR)
    note = again.note(LATE_NOTE)
    assert note is not None
    assert note["waiting"] is None
    judged = again.note(JUDGED_NOTE)
    assert judged == {"until": (MORNING + 5 * HOUR).isoformat()}
    again.close()
