"""The page says all that is needed: its example, put where the page says, is a format that passes every suite."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-format.md").read_text()
COPIED = ("collector", "store", "analytics", "regsight", "alerts", "dashboards")
TESTS = ("format_samples.py", "collector/formats/test_every_format.py", "collector/formats/test_hostile.py")
NEEDED = ("collector/formats/planting.py",)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the page's files in it."""
    root = tmp_path_factory.mktemp("project")
    for name in COPIED:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "samples", root / "tests" / "samples")
    for name in (*TESTS, *NEEDED):
        target = root / "tests" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests" / name, target)
    shutil.copy(ROOT / "pyproject.toml", root)
    found = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(found) == 4
    for name, text in found:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        assert not target.exists(), "the page's example is now a part of the project: choose another"
        target.write_text(text)
    return root


def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(project)}
    return subprocess.run(
        [sys.executable, *words], cwd=project, env=environment, capture_output=True, text=True, check=False
    )


def test_the_example_passes_every_suite(project: Path) -> None:
    """Its own test and those that every format has to pass."""
    tests = [*(f"tests/{name}" for name in TESTS[1:]), "tests/collector/formats/test_caddy_access.py"]
    done = run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", "caddy")
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None and int(passed[1]) > 25


def test_the_example_is_read_by_the_command_line(project: Path) -> None:
    """As the page says: the sample is recognised, and read to the last line."""
    done = run(project, "-m", "regsight", "parse", "--check", "tests/samples/caddy-access/documented.log")
    assert done.returncode == 0, done.stderr
    assert re.search(r"caddy-access +3 +3 +0 +0 +100.0%", done.stdout), done.stdout


def test_every_attribute_that_the_page_names_exists() -> None:
    """The page's words are those of the code."""
    from collector.stages import Format

    named = set(re.findall(r"^\| (.+?) \|", PAGE, re.MULTILINE))
    attributes = {word for row in named for word in re.findall(r"`(\w+)", row)}
    assert attributes == {name for name in {*vars(Format), *Format.__annotations__} if not name.startswith("_")}
