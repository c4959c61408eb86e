"""One run of the whole way, small: what is planted goes through files, collector, store and a detector, and is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from regsight.cli import app
from regsight.evaluation.match import score
from regsight.evaluation.plan import Plan, Setup
from regsight.evaluation.run import run


def test_a_guessed_password_is_found_and_explained() -> None:
    """Harbor's audit log alone: many refusals, then success; every figure of the outcome is filled."""
    setup = Setup(learn=1, judge=1)
    planned = Plan(seed=3, scenario="harbor", setup=setup, attacks=("A01/blatant@1.3",), surprises=())
    outcome = run(planned, only=("credential_probe",))
    judged = score(outcome)
    assert judged.attacks[0].found and not judged.false
    assert judged.attacks[0].said[0].severity in ("high", "critical")
    assert judged.attacks[0].incident.actors[0] in judged.attacks[0].said[0].actors
    assert outcome.dead_letters == 0 and outcome.events > 500
    assert set(outcome.yardsticks) == {"fixed", "seasonal", "forest", "isolated", "components", "neighbours"}
    assert outcome.seconds["detect credential_probe"] >= 0 and outcome.peak_mib > 50


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seeds", "x"], "--seeds"),
        (["--scenarios", "mainframe"], "mainframe"),
    ],
)
def test_wrong_calls_are_refused(arguments: list[str], says: str) -> None:
    """The message names the option, and nothing is run."""
    result = CliRunner().invoke(app, ["evaluate", "--short", *arguments])
    assert result.exit_code != 0 and says in str(result.exception)


def test_simulate_writes_files_and_the_truth(tmp_path: Path) -> None:
    """The command plants what it is asked for, in every log that it is asked for."""
    out = tmp_path / "sim"
    call = ["simulate", "--out", str(out), "--days", "0.2", "--attacks", "A28/blatant@0.05", "--describe"]
    result = CliRunner().invoke(app, [*call, "--source", "distribution-text", "--source", "harbor-audit"])
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == {"registry.log", "auditlog-exts.jsonl", "truth.json"}
    assert json.loads((out / "truth.json").read_text())["scenarios"][0]["kind"] == "A28"
    assert "variance/mean in a minute" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--preset", "huge"], "huge"),
        (["--source", "paper"], "paper"),
        (["--attacks", "A999"], "A999"),
        (["--start", "whenever"], "--start"),
    ],
)
def test_simulate_refuses_what_it_does_not_know(arguments: list[str], says: str, tmp_path: Path) -> None:
    """The message names what is wrong."""
    result = CliRunner().invoke(app, ["simulate", "--out", str(tmp_path), "--days", "0.1", *arguments])
    assert result.exit_code != 0 and says in str(result.exception)


def test_the_catalogue_lists_every_scenario() -> None:
    """All attacks, surprises and sources, without writing anything."""
    result = CliRunner().invoke(app, ["simulate", "--out", "nowhere", "--catalogue"])
    assert result.exit_code == 0
    for word in ("A06", "mass pull", "B11", "holiday", "ecr-cloudtrail"):
        assert word in result.stdout
    assert not Path("nowhere").exists()
