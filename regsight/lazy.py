"""A group of commands that are imported when they are called: until then a name and a sentence stand for each."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from regsight.commands import COMMANDS


class LazyGroup(TyperGroup):
    """The group of `COMMANDS`. Typer reads the signature of every command that it is given, which is half of a start."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, sentence) in COMMANDS.items():
            self.commands[name] = TyperCommand(name=name, help=sentence)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As typer's, but with the command itself."""
        name, known, rest = super().resolve_command(ctx, args)
        return name, known and loaded(str(name)), rest


def loaded(name: str) -> Any:
    """The command of this name, its file imported."""
    file = typer.Typer(rich_markup_mode=None)
    import_module(f"regsight.commands.{COMMANDS[name][0]}").register(file)
    file.callback()(_nothing)  # makes it a group also where the file has one command
    group = typer.main.get_command(file)
    assert isinstance(group, TyperGroup)
    return group.commands[name]


def _nothing() -> None:
    pass
