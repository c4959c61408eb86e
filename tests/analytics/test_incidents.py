"""Findings about one thing are one incident, with its story and its times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.incidents import gather, story, times
from store.contract import Store
from store.finding import Finding, Severity
from store.incident import State, acknowledge, close
from store.locate import open_store

START = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"delta:{tmp_path / 'store'}")
    yield opened
    opened.close()


def found(store: Store, name: str, at: timedelta, severity: Severity = Severity.HIGH, **subjects: list[str]) -> Finding:
    finding = Finding(
        id=f"f-{name}",
        detector="d",
        kind=name,
        severity=severity,
        title=f"{name} happened",
        detected_at=START + at + MINUTE,
        start=START + at,
        end=START + at + MINUTE,
        subjects={"actor": [], "client": [], "repository": []} | subjects,
        score=1.0,
        expected="none",
        observed=f"much {name}",
    )
    store.put_finding(finding)
    return finding


def test_cause_and_effect_are_one_incident(store: Store) -> None:
    """An attack on an account, and what the account then does from elsewhere, belong together; the worst names it."""
    found(store, "guessing", timedelta(), actor=["ci"], client=["203.0.113.7"])
    found(store, "mass_pull", HOUR, Severity.CRITICAL, actor=["ci"], client=["198.51.100.2"])
    found(store, "other", HOUR, actor=["ann"], client=["10.0.0.1"])
    incidents = {incident.title: incident for incident in store.incidents()}
    assert incidents == {}
    assert len(gather(store, START)) == 2
    one, other = sorted(store.incidents(), key=lambda incident: -len(incident.findings))
    assert (one.title, one.severity, one.state) == ("mass_pull happened", Severity.CRITICAL, State.OPEN)
    assert one.findings == ["f-guessing", "f-mass_pull"]
    assert one.subjects["client"] == ["198.51.100.2", "203.0.113.7"]
    assert one.reasons == ["high: much guessing", "critical: much mass_pull"]
    assert [act.did for act in one.history] == ["opened", "worse"]
    assert other.findings == ["f-other"]


def test_gathering_again_changes_nothing(store: Store) -> None:
    found(store, "guessing", timedelta(), actor=["ci"])
    gather(store, START)
    before = store.incidents()
    assert gather(store, START) == [] and store.incidents() == before


@pytest.mark.parametrize(
    ("subjects", "after"),
    [
        ({"actor": ["bob"]}, MINUTE),  # somebody else
        ({"actor": ["ci"]}, timedelta(days=2)),  # another story
        ({"actor": ["bob"], "repository": ["shop/api"]}, MINUTE),  # the same image alone does not make two people one
        ({"actor": ["ci", *(f"u{n}" for n in range(30))]}, MINUTE),  # names everybody
    ],
)
def test_what_stays_apart(store: Store, subjects: dict[str, list[str]], after: timedelta) -> None:
    found(store, "first", timedelta(), actor=["ci"], repository=["shop/api"])
    found(store, "second", after, **subjects)
    gather(store, START)
    assert len(store.incidents()) == 2


def test_lesser_findings_join_but_open_nothing(store: Store) -> None:
    found(store, "odd", timedelta(), Severity.LOW, actor=["ann"])
    found(store, "guessing", timedelta(), actor=["ci"])
    found(store, "hint", MINUTE, Severity.LOW, actor=["ci"])
    gather(store, START)
    (incident,) = store.incidents()
    assert incident.findings == ["f-guessing", "f-hint"] and incident.severity is Severity.HIGH


def change(store: Store, do: Any, **options: Any) -> None:
    (incident,) = store.incidents()
    store.change_incident(incident.id, lambda one: None if one is None else do(one, "ann", START + 3 * HOUR, **options))


def test_one_silence_has_one_voice(store: Store) -> None:
    """What the rule and the collector's watch say of one registry is one incident; another registry's silence is another."""
    said = {
        "watch": "eu has written nothing since 11:00 UTC",
        "rule": "eu has told nothing for 60 min",
        "other": "us has told nothing for 60 min",
    }
    for number, (name, title) in enumerate(said.items()):
        finding = found(store, name, number * MINUTE, Severity.MEDIUM)
        store.put_finding(replace(finding, title=title))
    gather(store, START)
    assert sorted(sorted(one.findings) for one in store.incidents()) == [["f-other"], ["f-rule", "f-watch"]]


def test_a_closed_incident_stays_closed_until_it_gets_worse(store: Store) -> None:
    finding = found(store, "guessing", timedelta(), actor=["ci"])
    gather(store, START)
    change(store, close, expected=True)
    store.put_finding(replace(finding, end=finding.end + HOUR))
    gather(store, START)
    assert store.incidents()[0].state is State.EXPECTED
    store.put_finding(replace(finding, severity=Severity.CRITICAL))
    gather(store, START)
    assert store.incidents()[0].state is State.OPEN
    assert [act.did for act in store.incidents()[0].history] == ["opened", "expected", "worse", "reopened"]


def test_after_a_resolved_incident_comes_a_new_one(store: Store) -> None:
    found(store, "guessing", timedelta(), actor=["ci"])
    gather(store, START)
    change(store, close)
    found(store, "again", 4 * HOUR, actor=["ci"])
    gather(store, START)
    assert [(incident.findings, incident.state) for incident in store.incidents()] == [
        (["f-again"], State.OPEN),
        (["f-guessing"], State.RESOLVED),
    ]


def test_the_story_and_its_times(store: Store) -> None:
    """From the first event over the message to the person who looks after it."""
    finding = found(store, "guessing", timedelta(), actor=["ci"])
    store.enqueue(finding.id, ["mail"], START + 2 * MINUTE)
    store.mark_sent(store.due(START + 2 * MINUTE)[0], START + 5 * MINUTE)
    gather(store, START)
    change(store, acknowledge, note="looking")
    (incident,) = store.incidents()
    assert incident.owner == "ann" and incident.state is State.ACKNOWLEDGED
    took = times(incident, store.deliveries(finding.id))
    assert (took.detect, took.notify, took.acknowledge, took.close) == (60.0, 240.0, 3 * 3600.0 - 60.0, None)
    assert [chapter.what for chapter in story(store, incident)] == [
        "began: guessing happened",
        "noticed (high): much guessing",
        "told mail",
        "acknowledged by ann: looking",
    ]
