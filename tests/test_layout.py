"""What the layout promises: common names that nobody else claims, plugins that are all found, and a quick `--help`."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = ("store", "collector", "analytics", "alerts", "dashboards", "regsight")
HEAVY = ("pandas", "pyarrow", "duckdb", "deltalake", "elasticsearch", "sklearn", "starlette", "apprise", "grafanalib")


def test_no_other_distribution_claims_our_names() -> None:
    """The folders at the root are import packages with common names: nothing else installed may ship one."""
    claimed = packages_distributions()
    for name in OURS:
        assert set(claimed.get(name, ["regsight"])) == {"regsight"}


def test_help_imports_nothing_heavy() -> None:
    """`regsight --help` stays quick because no slow library is imported for it."""
    code = (
        "import sys\nimport regsight.cli\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_command_explains_itself() -> None:
    """`--help` of the program names every command with a sentence."""
    shown = subprocess.run(
        [sys.executable, "-m", "regsight", "--help"], check=True, cwd=ROOT, capture_output=True, text=True
    ).stdout
    for command in (
        "demo",
        "run",
        "collect",
        "parse",
        "events",
        "detect",
        "findings",
        "report",
        "dashboards",
        "alerts",
        "config",
        "status",
    ):
        assert any(line.strip().startswith(command) for line in shown.splitlines()), command


def test_every_plugin_file_offers_its_object() -> None:
    """A file in a plugin folder that offered nothing would silently do nothing."""
    from regsight import discover

    assert len(discover.formats()) >= 6
    assert len(discover.enrichers()) >= 2
    assert len(discover.detectors()) >= 3
