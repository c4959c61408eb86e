"""Regsight at other budgets, detectors left out, drawings, and the captured logs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from evaluation_made import HOUR, NOON, incident, outcome, said

from regsight.evaluation.budgets import OWN, ablation, curves, recall_within, strength, without
from regsight.evaluation.captures import CAPTURES, Told, table, told
from regsight.evaluation.match import score
from regsight.evaluation.outcome import Alarm, Outcome
from regsight.evaluation.page import page
from regsight.evaluation.pictures import write
from regsight.evaluation.tables import AFTERWARDS, Judged, afterwards, renamed
from regsight.evaluation.techniques import techniques
from regsight.evaluation.yardsticks import BUDGETS

SAMPLES = Path(__file__).parents[2] / "samples"


def runs() -> list[Outcome]:
    """Two attacks: one told, one held back at low; a false alert that is common by chance, one that is rare."""
    theft = incident()
    delete = incident("A18", actors=("eve",), addresses=(), repositories=(), difficulty="stealthy")
    heard = [
        said(severity="medium", chance=1e-5),
        said("new_reach", "low", actors=("eve",), detector="new_reach", chance=0.5, would_be="medium"),
        said("odd_actor_hour", "medium", actors=("ann",), detector="isolation_forest", chance=0.6),
    ]
    alarms = [Alarm(score=2.0, start=NOON, end=NOON + HOUR, actor="mallory")]
    return [outcome([theft, delete], heard, alarms)]


def test_the_order_is_severity_then_what_is_known_then_what_is_rare() -> None:
    """A number for each, so that a cut can be made anywhere."""
    told = [said(severity="high", chance=1.0), said(severity="medium"), said(severity="medium", chance=1e-4)]
    told += [said(severity="medium", chance=0.5), said(severity="low"), said(severity="low", chance=1e-9)]
    assert [strength(one) for one in told] == sorted((strength(one) for one in told), reverse=True)


def test_more_is_found_at_a_larger_budget() -> None:
    """Without false alerts only the rarest; at one a week also what was held back behind a false one."""
    assert recall_within(runs(), 0.1) == 0.5
    assert recall_within(runs(), 1.0) == 1.0
    lines = curves(runs(), runs())
    assert lines[OWN] == [0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert lines["fixed"] == [0.5] * len(BUDGETS)


def test_a_detector_is_left_out_at_equal_false_alerts() -> None:
    """Without the forest there is one false alert less, for which what was held back of another detector is told; without
    the one that told of the theft, that is lost.
    """
    less = without(runs(), "isolation_forest", 1.0)
    assert (less.recall, less.false, less.equal, less.alone) == (0.5, 0.0, 1.0, 0)
    lost = without(runs(), "pull_volume", 1.0)
    assert (lost.recall, lost.equal, lost.alone) == (0.0, 0.5, 1)
    rows = {row[0]: row for row in ablation(runs()).rows}
    assert rows["isolation_forest"][-1] == "no" and rows["pull_volume"][5] == "1"


def test_who_kept_silent_because_of_it_speaks_when_it_is_gone() -> None:
    """A finding held back as a repeat is told where the first is missing."""
    heard = [said(), said("new_reach", "low", detector="new_reach", would_be="high", behind="pull_volume")]
    assert without([outcome([incident()], heard)], "pull_volume", 0.0).recall == 1.0


def test_techniques_are_those_that_the_causes_name() -> None:
    """Of detectors' kinds by their causes, of rules by the rule; nothing of what nobody knows."""
    assert "T1110.003" in techniques("password_spraying")
    assert techniques("mass_delete") == ("T1485", "T1490")
    assert techniques("no_such_kind") == ()


def test_the_page_shows_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are well-formed SVG without script, name every kind and way of finding, and stand on the page."""
    monkeypatch.setitem(AFTERWARDS, "unimagined", AFTERWARDS["unimagined"]._replace(in_view=False))
    judged = Judged(runs(), [score(one) for one in runs()])
    pictures = write(tmp_path, judged, curves(runs(), runs()))
    text = page(
        judged,
        day=NOON.date(),
        command="regsight evaluate",
        setup="small/10/7",
        seeds="1",
        unseen=dict.fromkeys(AFTERWARDS, judged),
        further=[*(afterwards(judged, one) for one in AFTERWARDS), renamed(judged, judged)],
        pictures={f"images/{name}": words for name, words in pictures.items()},
    )
    for name in pictures:
        assert f"](images/{name})" in text
        drawing = (tmp_path / name).read_text(encoding="utf-8")
        assert ElementTree.fromstring(drawing).tag.endswith("svg") and "<script" not in drawing
    assert "robust z-score" in (tmp_path / "detection-budget.svg").read_text(encoding="utf-8")
    assert "mass pull A06" in (tmp_path / "detection-kinds.svg").read_text(encoding="utf-8")
    assert "## Other names, other times" in text and "## Each detector left out" in text
    assert "## Kinds of attack that came later (A36 to A42), in view since\n" in text
    assert "## Kinds of attack that came after those (A43 to A50), in view since\n" in text
    assert "## Kinds of attack that came after all those (A51 to A60), in view since\n" in text
    assert f"## {AFTERWARDS['unheard'].title}\n" in text
    assert f"## {AFTERWARDS['unforeseen'].title}\n" in text
    assert f"## {AFTERWARDS['uncharted'].title}\n" in text
    assert f"## {AFTERWARDS['unimagined'].title}\n" in text
    assert text.count("| kinds not developed on | ≥ 60 % | 50 % (9 %–91 %), 1 of 2 | no |") == 1
    later = ("A36 to A42", "A43 to A50", "A51 to A60", "A61 to A70", "A71 to A80", "A81 to A90", "A91 to A100")
    assert all(f"{kinds} were" in text for kinds in later)
    assert "| all | 50 % (9 %–91 %), 1 of 2 |" in text


def test_a_renamed_run_that_differs_says_so() -> None:
    """Side by side, with a word for each line."""
    judged = Judged(runs(), [score(one) for one in runs()])
    deaf = [replace(one, said=[]) for one in runs()]
    rows = {row[0]: row for row in renamed(judged, Judged(deaf, [score(one) for one in deaf])).rows}
    assert rows["found"][1:] == ("50 % (9 %–91 %), 1 of 2", "0 % (0 %–66 %), 0 of 2", "no")
    assert rows["surprises that alert"][-1] == "yes"


def test_captures_are_left_out_where_they_are_not(tmp_path: Path) -> None:
    """An installed package has none; with them, each says what was found and what was told beside."""
    assert told(tmp_path) == []
    spoken = table([Told(CAPTURES[0], 10, {"pull_surge": 1}), Told(CAPTURES[0], 10, {"password_guessing": 2})])
    assert spoken.rows[0][2:] == ("brute force: MISSED", "pull_surge")
    assert spoken.rows[1][2:] == ("brute force: found", "password_guessing")


@pytest.mark.parametrize("place", range(len(CAPTURES)))
def test_the_files_of_the_captures_are_there(place: int) -> None:
    """A renamed sample would silently shorten the page."""
    assert all((SAMPLES / file).is_file() for file in CAPTURES[place].files)
