"""The arithmetic of the evaluation, on findings and incidents made by hand."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from evaluation_made import HOUR, NOON, UUIDS, incident, outcome, said

from regsight.evaluation.match import once_a_day, score
from regsight.evaluation.measures import (
    Share,
    delay,
    done_before,
    explained,
    false_rate,
    found,
    merging,
    precision_at,
    quantile,
    ranked,
    scored,
    wilson,
)
from regsight.evaluation.outcome import Alarm, Outcome
from regsight.evaluation.page import page
from regsight.evaluation.plan import SCENARIOS, Setup, plan
from regsight.evaluation.tables import Judged, all_tables, by_kind, missed, surprises
from regsight.evaluation.targets import targets
from regsight.evaluation.yardsticks import cut, cut_for
from regsight.traffic.attacks import ATTACKS, FRESH, LATER, NEWEST, UNCHARTED, UNFORESEEN, UNHEARD, UNIMAGINED
from regsight.traffic.scenes import DIFFICULTIES, Recipe


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_intervals_are_wilsons(hits: int, total: int, low: float, high: float) -> None:
    """Values from the published formula, worked out by hand; no share is ever outside of 0 to 1."""
    assert wilson(hits, total) == pytest.approx((low, high), abs=1e-3)


def test_a_finding_belongs_where_time_and_names_meet() -> None:
    """Overlap up to 24 hours after, one true name, nobody else accused; medium at least."""
    one = incident()
    belongs = [
        said(),
        said(actors=(), repositories=(), clients=("198.18.0.9",)),
        said(at=NOON + 24 * HOUR),
        said(actors=(), repositories=("shop/web", "other/web")),
    ]
    foreign = [
        said(actors=("ann",), repositories=("shop/db",)),
        said(actors=("ann",), repositories=("shop/api",)),  # the right place, and somebody else accused
        said(at=NOON + 27 * HOUR),
        said(at=NOON - 2 * HOUR),
    ]
    for told in belongs:
        assert score(outcome([one], [told])).attacks[0].found
    for told in foreign:
        judged = score(outcome([one], [told]))
        assert not judged.attacks[0].found and judged.false == [told]
    low = score(outcome([one], [said(severity="low")]))
    assert not low.attacks[0].found and not low.false


def test_what_has_no_names_is_found_by_findings_without_names() -> None:
    """A log that falls silent names nobody; a finding about somebody is another matter."""
    silence = incident("A34", actors=(), addresses=(), repositories=())
    nobody = said("source_went_silent", actors=(), repositories=())
    assert score(outcome([silence], [nobody])).attacks[0].found
    assert not score(outcome([silence], [said()])).attacks[0].found


def test_findings_on_surprises_stand_apart_from_false_ones() -> None:
    """A surprise that alerts is counted as such, an attack comes first where a finding fits both."""
    surprise = incident("B05", benign=True)
    judged = score(outcome([surprise], [said()]))
    assert judged.surprises[0].found and not judged.false
    both = score(outcome([incident(), surprise], [said()]))
    assert both.attacks[0].found and not both.surprises[0].found


def test_repeats_within_a_day_count_once() -> None:
    """The same cause after 23 hours is a repeat, after 25 hours it is another false alert."""
    told = [said(at=NOON), said(at=NOON + 23 * HOUR), said(at=NOON + 48 * HOUR), said(at=NOON, actors=("ann",))]
    assert len(once_a_day(sorted(told, key=lambda one: one.at))) == 3


def test_rates_are_per_week_and_thousand_repositories() -> None:
    """500 repositories for two weeks are one thousand-repository-week."""
    told = [said(actors=("ann",), repositories=()), said("mass_delete", "medium", actors=("bob",), repositories=())]
    judged = score(outcome([], told))
    assert false_rate([judged]) == pytest.approx(2.0)
    assert false_rate([judged], 3) == pytest.approx(1.0)
    assert false_rate([judged, score(outcome([], []))]) == pytest.approx(1.0)


def test_delay_runs_from_the_moment_it_could_be_known() -> None:
    """A quarter of an hour late here, never below zero, infinite for what is missed; so is a median of misses."""
    hit = score(outcome([incident()], [said()])).attacks[0]
    assert delay(hit) == 900
    early = score(outcome([incident()], [said(at=NOON + HOUR / 8)])).attacks[0]
    assert delay(early) == 0
    miss = score(outcome([incident()], [])).attacks[0]
    assert delay(miss) == inf
    assert quantile([1.0, inf, inf], 0.5) == inf and quantile([1.0, 2.0, inf], 0.5) == 2.0


def test_done_before_found_reads_the_times_of_request_ids() -> None:
    """Requests at 12:00, 12:15, 12:30 had been made by 12:30; 12:45 had not."""
    assert done_before(score(outcome([incident()], [said()])).attacks[0]) == 0.75
    assert done_before(score(outcome([incident(event_ids=("17", "18"))], [said()])).attacks[0]) is None


def test_what_the_logs_cannot_show_is_not_asked() -> None:
    """Without a moment at which it could be known, an incident is out of the score; a finding on it is not false."""
    judged = score(outcome([incident(decidable=None)], [said()]))
    assert scored([judged]) == [] and judged.false == []


def test_recall_counts_what_is_chosen() -> None:
    """Found incidents over all, and over those of one difficulty."""
    hidden = incident("A18", difficulty="stealthy", actors=("eve",), addresses=(), repositories=())
    attacks = scored([score(outcome([incident(), hidden], [said()]))])
    assert found(attacks) == Share(1, 2)
    assert found(attacks, lambda one: one.difficulty == "stealthy") == Share(0, 1)


def test_ranked_lists_put_the_serious_first() -> None:
    """One attack: its critical finding is first, so R-precision is 1; a false critical one in front makes it 0."""
    told = [said(severity="critical"), said(actors=("ann",), repositories=(), severity="medium")]
    assert precision_at(score(outcome([incident()], told)), 0) == 1.0
    worse = [said(severity="medium"), said(actors=("ann",), repositories=(), severity="critical")]
    assert precision_at(score(outcome([incident()], worse)), 0) == 0.0
    assert precision_at(score(outcome([], told)), 10) is None
    # One more that the logs cannot show, found all the same: no precision is above one.
    hidden = incident("A18", decidable=None, actors=("eve",), addresses=(), repositories=())
    both = [said(severity="critical"), said(actors=("eve",), repositories=(), severity="medium")]
    assert precision_at(score(outcome([incident(), hidden], both)), 10) == 1.0


def test_one_account_in_two_attacks() -> None:
    """Two findings are a line for each; of one finding the second attack can have no line."""
    two = [incident(), incident("A18")]
    told = [said(severity="critical"), said(severity="high", kind="mass_delete")]
    assert [owner for _, owner in ranked(score(outcome(two, told)))] == [one.id for one in two]
    false = said(actors=("ann",), repositories=(), severity="low")
    assert precision_at(score(outcome(two, [*told, false])), 10) == 1.0
    assert precision_at(score(outcome(two, [told[0], false])), 10) == 1.0
    unseen = incident("A20", actors=("eve",), addresses=(), repositories=())
    assert precision_at(score(outcome([*two, unseen], [*told, false])), 0) == pytest.approx(2 / 3)


def test_explanations_are_held_against_the_truth() -> None:
    """Account and repository right, address not named, technique right, one of two pieces of evidence true."""
    told = explained(score(outcome([incident()], [said(evidence=(UUIDS[0], "other"))])).attacks)
    assert told.actor == Share(1, 1) and told.repository == Share(1, 1) and told.address == Share(0, 1)
    assert told.technique == Share(1, 1) and told.evidence == Share(1, 2)
    assert explained(score(outcome([incident()], [said("password_guessing")])).attacks).technique == Share(0, 1)
    silence = replace(incident(), event_ids=())  # what shows it is that nothing came: no event can be true of it
    assert explained(score(outcome([silence], [said(evidence=("before",))])).attacks).evidence == Share(0, 0)


def test_merging_counts_findings_per_found_incident() -> None:
    """Two findings on one incident, none on the other."""
    attacks = score(
        outcome([incident(), incident("A18", actors=("eve",), addresses=(), repositories=())], [said(), said()])
    )
    assert merging(attacks.attacks) == 2.0


def test_a_finding_of_two_attacks_is_one_and_its_evidence_is_of_either() -> None:
    """The same account, used by two attacks at the same time."""
    first, second = (replace(incident(), id=name, event_ids=(event,)) for name, event in (("A", "a"), ("B", "b")))
    both = score(outcome([first, second], [said(evidence=("a", "b", "other"))])).attacks
    assert [len(one.said) for one in both] == [1, 1]
    assert explained(both).evidence == Share(2, 3) and merging(both) == 0.5


def test_a_yardstick_is_cut_where_it_meets_the_budget() -> None:
    """Of alarms at 1 to 4, of which the strongest two are false, none may pass for a budget below one a week."""
    own = [Alarm(score=float(n), start=NOON, end=NOON + HOUR, actor="mallory") for n in (1, 2, 3)]
    false = [Alarm(score=3.5 + n, start=NOON, end=NOON + HOUR, actor=f"ann{n}") for n in (0, 1)]
    outcomes = [outcome([incident()], [], own + false)]
    assert cut_for(outcomes, "fixed", 0.5) == inf
    assert cut_for(outcomes, "fixed", 1.0) == 4.5
    loose = cut(outcomes, "fixed", cut_for(outcomes, "fixed", 2.0))
    assert loose.threshold == 1.0 and loose.found == Share(1, 1) and loose.false_alerts == 2.0


def test_outcomes_survive_being_kept(tmp_path: Path) -> None:
    """What is written is read back as it was."""
    one = outcome([incident()], [said(evidence=UUIDS[:2])], [Alarm(score=1.5, start=NOON, end=NOON + HOUR, client="x")])
    one.write(tmp_path / "one.json")
    assert Outcome.read(tmp_path / "one.json") == one


@pytest.mark.parametrize(
    ("family", "kinds"),
    [
        ("later", LATER),
        ("newest", NEWEST),
        ("fresh", FRESH),
        ("unheard", UNHEARD),
        ("unforeseen", UNFORESEEN),
        ("uncharted", UNCHARTED),
        ("unimagined", UNIMAGINED),
    ],
)
def test_kinds_that_came_later_have_a_deck_of_their_own(family: str, kinds: dict[str, Recipe]) -> None:
    """Three seeds deal each at each difficulty, and none of the others; the surprises are those of the seed."""
    setup = Setup(family=family)
    plans = [plan(seed, list(SCENARIOS), setup) for seed in range(1, 7)]
    cards = {one.partition("@")[0] for each in plans for one in each.attacks}
    assert cards == {f"{code}/{difficulty}" for code in kinds for difficulty in DIFFICULTIES}
    assert plans[0].surprises == plan(1, list(SCENARIOS), Setup()).surprises


def test_the_deck_deals_every_kind_and_difficulty() -> None:
    """Twenty seeds plant every attack at every difficulty; quiet seeds plant nothing; a seed's plan is always the same."""
    setup = Setup()
    plans = [plan(seed, list(SCENARIOS), setup) for seed in range(1, 21)]
    cards = {one.partition("@")[0] for each in plans for one in each.attacks}
    assert cards == {f"{code}/{difficulty}" for code in ATTACKS for difficulty in DIFFICULTIES}
    assert {each.scenario for each in plans} == set(SCENARIOS)
    assert plan(21, list(SCENARIOS), setup).quiet and plan(1021, list(SCENARIOS), setup).quiet
    assert plan(7, list(SCENARIOS), setup) == plans[6]
    for each in plans:
        days = [float(one.partition("@")[2]) for one in each.attacks + each.surprises]
        assert all(setup.learn <= day < setup.learn + setup.judge for day in days)


def test_the_page_holds_targets_figures_and_misses() -> None:
    """Every table is on the page, a miss by its name, and a target that is not met says no."""
    runs = [
        outcome(
            [incident(), incident("A18", name="mass delete", actors=("eve",), addresses=(), repositories=())], [said()]
        ),
        outcome([incident("B05", benign=True)], [said()]),
        replace(outcome([], [said(actors=("ann",))]), seed=21, quiet=True),
    ]
    judged = Judged(runs, [score(one) for one in runs])
    text = page(judged, day=NOON.date(), command="regsight evaluate", setup="small/10/7", seeds="1,2,21")
    for table in all_tables(judged):
        assert f"## {table.title}" in text
    assert missed(judged).rows[0][3] == "mass delete"
    assert by_kind(judged).rows[0][-1] == "pull_surge 1"
    assert surprises(judged).rows[0][2] == "1/1"
    rows = {row[0]: row for row in targets(judged).rows}
    assert rows["blatant incidents found"][2:] == ("50 % (9 %–91 %), 1 of 2", "no")
    assert rows["false alerts medium+, quiet weeks"][2:] == ("1.0", "yes")
