"""`regsight rules`: listed, tried, given away and taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from analytics.rules.load import PACK, pack
from regsight.cli import app
from regsight.commands.options import UsageError

GOOD = (PACK / "mass_delete.toml").read_text()


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["rules", *words], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mass_delete.toml").write_text(GOOD)
    return tmp_path


def test_listed_with_the_users_own(folder: Path) -> None:
    config = folder / "regsight.toml"
    config.write_text(f'[analytics]\nrules_folder = "{folder / "own"}"\nrules_off = ["tag_flapping"]\n')
    (folder / "own").mkdir()
    (folder / "mass_delete.toml").rename(folder / "own" / "mass_delete.toml")
    rows = {row["id"]: row for row in map(json.loads, run("list", "--json", "-c", str(config)).output.splitlines())}
    assert rows.keys() == {rule.id for rule in pack()} - {"tag_flapping"}
    assert {id for id, row in rows.items() if row["from"] == "own"} == {"mass_delete"}
    assert rows["mass_delete"]["when"] == {"by": ["actor"], "within": "10m", "count": 30, "unusual": True}


def test_tried(folder: Path) -> None:
    """Right, wrong, untested; and a file that is no rule names its line."""
    result = run("test", str(folder), "--json")
    assert (result.exit_code, json.loads(result.output)["result"]) == (0, "ok")
    file = folder / "mass_delete.toml"
    file.write_text(GOOD.replace("count = 30", "count = 300"))
    result = run("test", str(file), "--json")
    assert (result.exit_code, json.loads(result.output)["result"]) == (1, "wrong")
    file.write_text(GOOD.partition("[samples]")[0])
    assert json.loads(run("test", str(file), "--json").output)["result"] == "untested"
    file.write_text(GOOD.replace('kind = "frequency"', 'kind = "often"'))
    with pytest.raises(UsageError, match=r"mass_delete\.toml:3: kind"):
        run("test", str(file))


def test_given_away_and_taken(tmp_path: Path) -> None:
    result = run("export", str(tmp_path / "sigma"), "--to", "sigma")
    assert result.exit_code == 0
    assert {file.suffix for file in (tmp_path / "sigma").iterdir()} == {".yml"}
    assert len(list((tmp_path / "sigma").iterdir())) >= 30
    taken = run("import", str(tmp_path / "sigma" / "mass_delete.yml"), "--into", str(tmp_path / "own"))
    assert taken.exit_code == 0
    assert (tmp_path / "own" / "mass_delete.toml").exists()
    (tmp_path / "bad.yml").write_text("title: x\nlogsource: {product: windows}\ndetection: {a: {b: c}, condition: a}\n")
    assert run("import", str(tmp_path / "bad.yml"), "--into", str(tmp_path / "own")).exit_code == 1
