"""What people say of findings, and what it does to those that come after."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from made_traffic import START

from analytics.detector import Suspicion
from analytics.detectors.credential_probe import CredentialProbe
from analytics.explain import CAUSES, causes_of, query_of
from analytics.judge import judge
from analytics.marks import DEFAULT_SPAN, Verdict, make, marks, put, remove, silenced, subject_of
from store.contract import Store
from store.finding import Finding, Severity
from store.locate import open_store

DAY = timedelta(days=1)
NOW = START + DAY
GUESS = Suspicion(
    kind="password_guessing",
    cause=("client", "203.0.113.9", "1"),
    severity=Severity.HIGH,
    title="ann: 60 refused logins",
    start=START,
    end=START + timedelta(minutes=5),
    subjects={"actor": ["ann"], "client": ["203.0.113.9"]},
    score=5,
    expected="none",
    observed="60 refused logins",
    explanation="More than anybody mistypes.",
)


def judged(suspicion: Suspicion, at: object, said: object = (), past: tuple[Finding, ...] = ()) -> Finding:
    (found,) = judge(CredentialProbe(), [suspicion], at, lambda id: None, said, lambda: past)  # type: ignore[arg-type]
    return found


def again(**other: object) -> Suspicion:
    return replace(GUESS, cause=("client", "203.0.113.9", "2"), **other)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"delta:{tmp_path}")
    yield opened
    opened.close()


def test_the_like_of_an_expected_one_informs_and_names_the_mark(store: Store) -> None:
    """Only for the names marked, the kind, and the time; never before it was said. It is told, not dropped."""
    first = judged(GUESS, NOW)
    assert first.severity is Severity.HIGH
    mark = make(first, Verdict.EXPECTED, "actor", "irina", NOW)
    put(store, mark)
    assert marks(store) == [mark]
    quiet = judged(again(), NOW + DAY, marks(store))
    assert quiet.severity is Severity.INFO
    assert mark.id in quiet.explanation and "Would be high" in quiet.explanation and "irina" in quiet.explanation
    for suspicion, at in (
        (again(subjects={"actor": ["ann", "bob"], "client": []}), NOW + DAY),
        (again(subjects={"actor": ["bob"], "client": ["203.0.113.9"]}), NOW + DAY),
        (again(kind="password_spraying"), NOW + DAY),
        (again(), NOW - DAY),
        (again(), NOW + DEFAULT_SPAN[Verdict.EXPECTED]),
    ):
        assert judged(suspicion, at, marks(store)).severity is Severity.HIGH


def test_a_mark_is_taken_back(store: Store) -> None:
    mark = make(judged(GUESS, NOW), Verdict.NOT_NOW, "client", "irina", NOW, timedelta(days=3))
    put(store, mark)
    assert judged(again(), NOW + DAY, marks(store)).severity is Severity.INFO
    assert remove(store, mark.id, NOW + DAY) is not None
    assert marks(store) == []
    assert remove(store, mark.id, NOW + DAY) is None
    assert judged(again(), NOW + DAY, marks(store)).severity is Severity.HIGH


def test_the_effect_is_shown_before_it_happens() -> None:
    first, other = judged(GUESS, NOW), judged(again(subjects={"actor": ["bob"], "client": []}), NOW)
    told = judged(again(severity=Severity.INFO), NOW)
    mark = make(first, Verdict.EXPECTED, "actor", "irina", NOW)
    assert silenced(mark, [first, other, told]) == [first]
    assert silenced(replace(mark, verdict=Verdict.ATTACK), [first]) == []
    assert subject_of(first) == "actor"
    assert subject_of(replace(first, subjects={"actor": [], "client": ["10.0.0.1"]})) == "client"


def test_an_attack_is_remembered_and_similar_ones_are_named() -> None:
    first = judged(GUESS, NOW)
    mark = make(first, Verdict.ATTACK, "client", "irina", NOW)
    later = again(start=GUESS.start + 2 * DAY, end=GUESS.end + 2 * DAY)
    second = judged(later, NOW + 2 * DAY, [mark], (first,))
    assert second.severity is Severity.HIGH and "marked as an attack" in second.explanation
    assert second.similar == [f"{first.id} ({NOW:%Y-%m-%d}, high) marked attack"]
    assert (
        second.causes[0].startswith(CAUSES["password_guessing"][0])
        and "1 like it were marked as attacks" in second.causes[0]
    )
    assert Finding.from_json(second.as_json()) == second


def test_causes_say_what_speaks_for_and_against() -> None:
    """The likelier one first: the harmless one, where it is low or was marked as expected."""
    first = judged(GUESS, NOW)
    assert "For it: 60 refused logins" in first.causes[0] and len(first.causes) == 2
    _, harmless = CAUSES["password_guessing"]
    assert causes_of(replace(first, severity=Severity.LOW))[0].startswith(harmless)
    expected = causes_of(first, ["f-1 (2026-09-01, high) marked expected"])
    assert expected[0].startswith(harmless) and "1 like it were marked as expected" in expected[1]


def test_the_query_finds_the_events_whatever_the_names_are() -> None:
    odd = judged(again(subjects={"actor": ["a'; rm -rf /"], "client": ["203.0.113.9"]}), NOW)
    words = shlex.split(query_of(odd))
    assert words[:3] == ["regsight", "events", "--since"]
    assert words[words.index("--actor") + 1] == "a'; rm -rf /"
    assert words[words.index("--client") + 1] == "203.0.113.9"
