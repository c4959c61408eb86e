"""The list of commands that stands for them until one is called says of each what the command itself says."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import typer
import typer.main
from typer.testing import CliRunner

from regsight import commands
from regsight.cli import app
from regsight.lazy import loaded


def test_every_command_is_listed_with_its_own_first_sentence() -> None:
    for name, (_, sentence) in commands.COMMANDS.items():
        command = loaded(name)
        assert command.name == name
        assert command.get_short_help_str(1000) == sentence, name


def test_no_file_has_a_command_that_is_not_listed() -> None:
    folder = Path(commands.__file__).parent
    for file in sorted(folder.glob("*.py")):
        module = import_module(f"regsight.commands.{file.stem}")
        if not hasattr(module, "register"):
            continue
        of_file = typer.Typer()
        module.register(of_file)
        of_file.callback()(lambda: None)
        for name in getattr(typer.main.get_command(of_file), "commands", {}):
            assert commands.COMMANDS[name][0] == file.stem, name


def test_help_imports_no_command() -> None:
    code = (
        "import sys\n"
        "from regsight.cli import app\n"
        "try:\n    app(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "loaded = [name for name in sys.modules if name.startswith('regsight.commands.')]\n"
        "assert not loaded, loaded\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert all(name in shown for name in commands.COMMANDS)


def test_a_command_is_called_with_its_options() -> None:
    shown = CliRunner().invoke(app, ["collect", "--help"]).output
    assert "--follow" in shown
    assert "--store" in shown
    below = CliRunner().invoke(app, ["findings", "marks", "--help"])
    assert below.exit_code == 0


def test_a_mistyped_command_gets_a_suggestion() -> None:
    shown = CliRunner().invoke(app, ["colect"])
    assert shown.exit_code == 2
    assert "collect" in shown.output
