"""What the budget holds back, what it never does, and that the same is held back again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made, steady

from analytics.budget import Budget, budget
from analytics.detector import Suspicion
from analytics.detectors.pull_volume import PullVolume
from analytics.holding import Holding, held_back
from analytics.housekeeping import housekeeping
from analytics.judge import judge
from store.contract import Store
from store.finding import Finding, Severity

NOON = START + timedelta(days=20, hours=12)
HOUR = timedelta(hours=1)


def finding(name: str, **fields: object) -> Finding:
    usual: dict[str, object] = {
        "detector": "pull_volume",
        "kind": "pull_surge",
        "severity": Severity.MEDIUM,
        "title": "many pulls",
        "detected_at": NOON,
        "start": NOON - HOUR,
        "end": NOON,
        "subjects": {"actor": [name], "client": [], "repository": []},
        "score": 5.0,
        "expected": "",
        "observed": "",
        "chance": 0.01,
    }
    return Finding(id=f"f-{name}", **(usual | fields))  # type: ignore[arg-type]


def holding(level: float = 1.0) -> Holding:
    return Holding(Budget(), level)


def told(*findings: Finding) -> list[Finding]:
    """Each judged in the light of those before it."""
    done: list[Finding] = []
    for one in findings:
        done.append(holding().held(one, done, one.detected_at))
    return done


def test_what_is_known_exactly_is_never_held_back() -> None:
    """However many there are."""
    exact = [finding(f"a{n}", chance=None, severity=Severity.HIGH, detected_at=NOON + n * HOUR) for n in range(30)]
    assert {one.severity for one in told(*exact)} == {Severity.HIGH}
    assert told(exact[0])[0].reasons == ["high: known exactly by pull_volume, which no budget holds back"]


def test_what_another_detector_has_told_of_the_same_events_wakes_nobody() -> None:
    """The same account, some of the same events, as grave: it waits and says for whom. All else is told."""
    place = finding("ann", detector="new_place", kind="account_elsewhere", chance=None, evidence=["a", "b"])
    act = replace(place, id="f-act", detector="rules", kind="names_guessed", evidence=["b", "c"])
    held = told(place, act)[1]
    assert (held.severity, held_back(held)) == (Severity.LOW, (Severity.MEDIUM, "new_place"))
    assert held.reasons == ["low: would be medium; f-ann by new_place tells of it already"]
    for alone in (
        replace(act, severity=Severity.HIGH),
        replace(act, evidence=["c"]),
        replace(act, subjects=act.subjects | {"actor": ["bob"]}),
        replace(act, detector="new_place"),
        replace(act, detected_at=NOON - HOUR),
        replace(act, runbook="https://wiki.example/ours"),  # of a rule of the user's own
    ):
        assert holding().held(alone, [place], alone.detected_at).severity is alone.severity
    grown = replace(act, evidence=["c", "b"])  # told before the other was, it stays told
    assert holding().held(grown, [replace(act, evidence=["c"]), place], NOON).severity is Severity.MEDIUM


def test_what_chance_often_gives_is_held_back_with_the_reason() -> None:
    """A finding that the past gives twice a week is no alert where one a week may be told."""
    common, rare = told(finding("ann", chance=2.0))[0], told(finding("bob", chance=0.5))[0]
    assert (common.severity, rare.severity) == (Severity.LOW, Severity.MEDIUM)
    assert common.reasons == [
        "low: would be medium; chance gives 2.0 as strange a week, the budget allows 1.0 (3 alerts a week at medium and "
        "above per 1000 repositories)"
    ]
    assert rare.reasons == ["medium: chance gives 0.5 as strange a week; the budget allows up to 1.0"]
    assert held_back(common) == (Severity.MEDIUM, "") and held_back(rare) is None


def test_alerts_do_not_grow_with_the_number_of_subjects() -> None:
    """A hundred accounts suspected in a week, ten times as rare as the budget: each alert halves the level."""
    crowd = [finding(f"a{n:03}", chance=0.1, detected_at=NOON + n * HOUR, start=NOON + n * HOUR) for n in range(100)]
    alerts = [one for one in told(*crowd) if one.severity is Severity.MEDIUM]
    assert [one.id for one in alerts] == ["f-a000", "f-a001", "f-a002", "f-a003"]
    assert "after 4 such alerts within a week" in told(*crowd)[9].reasons[0]


def test_the_rarer_things_are_told_longer() -> None:
    """What chance gives once in ten thousand weeks is told though the week has seen ten alerts."""
    crowd = [finding(f"a{n:03}", chance=1e-4, detected_at=NOON + n * HOUR, start=NOON + n * HOUR) for n in range(10)]
    assert {one.severity for one in told(*crowd)} == {Severity.MEDIUM}


def test_after_a_week_the_budget_is_whole_again() -> None:
    """Only alerts of the seven days before count."""
    first, late = finding("ann", chance=0.9), finding("bob", chance=0.9, detected_at=NOON + timedelta(days=7))
    soon = replace(late, id="f-soon", detected_at=NOON + timedelta(days=6))
    assert told(first, soon)[1].severity is Severity.LOW
    assert told(first, late)[1].severity is Severity.MEDIUM


def test_a_second_detector_about_the_same_account_wakes_nobody() -> None:
    """Unless it finds it graver; what it says is kept beside the first."""
    again = finding("ann", detector="new_reach", kind="new_reach", detected_at=NOON + HOUR)
    again = replace(again, id="f-again")
    assert told(finding("ann"), again)[1].reasons == ["low: would be medium; f-ann by pull_volume tells of it already"]
    assert held_back(told(finding("ann"), again)[1]) == (Severity.MEDIUM, "pull_volume")
    graver = replace(again, severity=Severity.HIGH)
    assert told(finding("ann"), graver)[1].severity is Severity.HIGH
    other = replace(again, subjects={"actor": ["bob"], "client": [], "repository": []})
    assert told(finding("ann"), other)[1].severity is Severity.MEDIUM


def test_a_budget_for_high_leaves_medium_alone() -> None:
    """The severity in the words is the least that is held back."""
    strict = Holding(budget("1 alert a week at high and above"), 1.0)
    medium, high = (finding("ann", severity=one, chance=5.0) for one in (Severity.MEDIUM, Severity.HIGH))
    assert strict.held(medium, [], NOON).severity is Severity.MEDIUM
    assert strict.held(high, [], NOON).severity is Severity.LOW


def test_judging_again_changes_nothing() -> None:
    """What was told stays told, what was held back stays held back, by the findings that are stored."""
    suspicions = [
        Suspicion(
            kind="pull_surge",
            cause=(f"a{n}",),
            severity=Severity.MEDIUM,
            title="many pulls",
            start=NOON,
            end=NOON + HOUR,
            subjects={"actor": [f"a{n}"]},
            score=5.0,
            expected="",
            observed="",
            chance=0.4,
        )
        for n in range(6)
    ]
    stored: dict[str, Finding] = {}

    def run() -> list[Finding]:
        found = []
        for hour, suspicion in enumerate(suspicions):
            now = NOON + hour * HOUR
            for one in judge(
                PullVolume(), [suspicion], now, stored.get, past=lambda: list(stored.values()), holding=holding
            ):
                stored[one.id] = one
                found.append(one)
        return found

    assert [one.severity for one in run()] == [Severity.MEDIUM] * 2 + [Severity.LOW] * 4
    assert run() == []


def cleaned(made: Made, at: datetime, actor: str, client: str, many: int = 40) -> list[str]:
    return [
        made.add(
            at + timedelta(seconds=n),
            "delete",
            actor=actor,
            client_ip=client,
            repository="shop/old",
            digest=f"sha256:{n}",
        )
        for n in range(many)
    ]


def mass_delete(ids: Sequence[str], at: datetime, actor: str, client: str) -> Finding:
    return finding(
        actor,
        detector="rules",
        kind="mass_delete",
        severity=Severity.HIGH,
        chance=None,
        start=at,
        end=at + timedelta(minutes=1),
        subjects={"actor": [actor], "client": [client], "repository": ["shop/old"]},
        evidence=list(ids),
    )


@pytest.fixture
def sunday() -> datetime:
    return START + timedelta(days=13, hours=4)


def weighed(made: Made, folder: Path, one: Finding) -> tuple[str, Finding]:
    store: Store = made.store(folder)
    said = housekeeping(store, one)
    held = replace(holding(), store=store).held(one, [], NOON)
    store.close()
    return said, held


def test_the_weekly_clean_up_is_no_alarm(sunday: datetime, tmp_path: Path) -> None:
    """It never did anything else, comes from where it always comes from, and takes what nobody uses."""
    made = steady(14)
    made.add(sunday - timedelta(days=7), "list_tags", actor="cleanup", client_ip="10.20.0.9", repository="shop/old")
    ids = cleaned(made, sunday, "cleanup", "10.20.0.9")
    said, held = weighed(made, tmp_path, mass_delete(ids, sunday, "cleanup", "10.20.0.9"))
    assert "never done anything else" in said and "out of use" in said
    assert held.severity is Severity.LOW and held.reasons == [f"low: would be high, but {said}"]


def test_builds_that_newer_ones_followed_are_not_in_use(sunday: datetime, tmp_path: Path) -> None:
    """Pushed and run this week, and outdated since: retention takes them. The newest of a repository, and what somebody
    pulled yesterday, is another thing.
    """
    for name, many, pulled, expected in (
        ("outdated", 4, 4, Severity.LOW),
        ("newest", 0, None, Severity.HIGH),
        ("still pulled", 4, 1, Severity.HIGH),
    ):
        made = steady(14)
        made.add(sunday - timedelta(days=7), "list_tags", actor="cleanup", client_ip="10.20.0.9", repository="shop/old")
        for number in (0, *range(900, 900 + many)):
            at, digest = sunday - timedelta(days=5) + timedelta(minutes=number), f"sha256:{number}"
            made.add(
                at, "push", actor="ci", client_ip="10.0.0.1", repository="shop/old", tag=f"b{number}", digest=digest
            )
        if pulled is not None:
            at = sunday - timedelta(days=pulled, hours=12)
            made.add(at, "pull", actor="k8s", client_ip="10.0.0.1", repository="shop/old", digest="sha256:0")
        ids = cleaned(made, sunday, "cleanup", "10.20.0.9")
        _, held = weighed(made, tmp_path / name, mass_delete(ids, sunday, "cleanup", "10.20.0.9"))
        assert held.severity is expected, name


@pytest.mark.parametrize(
    ("days", "client", "expected"),
    [(1, "10.20.0.9", Severity.LOW), (7, "203.0.113.9", Severity.HIGH), (0, "10.20.0.9", Severity.HIGH)],
)
def test_a_first_clean_up_needs_a_day_of_logs_and_an_address_inside(
    days: int, client: str, expected: Severity, tmp_path: Path
) -> None:
    """What is in use cannot be known of logs that are hours old; a network of documentation is not ours."""
    made, at = steady(days), START + timedelta(days=days, hours=4)
    _, held = weighed(made, tmp_path, mass_delete(cleaned(made, at, "cleanup", client), at, "cleanup", client))
    assert held.severity is expected


@pytest.mark.parametrize("turn", ["elsewhere", "in use", "pulls too", "unknown", "a person"])
def test_what_is_no_clean_up_stays_grave(turn: str, sunday: datetime, tmp_path: Path) -> None:
    """A stolen clean-up account, images in use, an account that also works, one that nobody knows, somebody's revenge."""
    made = steady(14)
    actor, client = "cleanup", "10.20.0.9"
    if turn not in ("unknown", "a person"):
        made.add(sunday - timedelta(days=7), "list_tags", actor=actor, client_ip=client, repository="shop/old")
    if turn == "elsewhere":
        client = "203.0.113.5"
    if turn == "pulls too":
        made.pull(sunday - timedelta(days=3), actor, client, "shop/old")
    if turn == "a person":
        actor, client = "person-1", "192.0.2.1"
    ids = cleaned(made, sunday, actor, client)
    if turn == "in use":
        made.add(
            sunday - timedelta(days=2),
            "pull",
            actor="k8s",
            client_ip="10.0.0.1",
            repository="shop/old",
            digest="sha256:0",
        )
    said, held = weighed(made, tmp_path, mass_delete(ids, sunday, actor, client))
    assert said == "" and held.severity is Severity.HIGH
