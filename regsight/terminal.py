"""What is printed: data on stdout, talk on stderr, and no control character of a log line ever reaches the terminal."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PIPE_WIDTH = 400

# Characters that could move the cursor, change colours, or reorder what is read (bidirectional overrides).
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def printable(value: object) -> str:
    """A value as text without control, format or surrogate characters: those are shown as escapes.

    >>> printable("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _UNSAFE else character
        for character in text
    )


def talk() -> Console:
    """The console for people: stderr, colour only on a terminal, NO_COLOR honoured."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """One plain sentence for people."""
    print(printable(text), file=sys.stderr)  # noqa: T201


def write_json(value: Any) -> None:
    """One JSON value on one line of stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True, default=str) + "\n")


def write_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "nothing") -> None:
    """A table on stdout; `empty` is the sentence shown where there is no row."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    count = 0
    for row in rows:
        table.add_row(*(Text("" if cell is None else printable(cell)) for cell in row))
        count += 1
    # A pipe or a file has no width: there a row is one line.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    if title:
        console.print(Text(title), soft_wrap=True)
    if count:
        console.print(table)
    else:
        console.print(Text(empty))


def write_fields(fields: Mapping[str, object]) -> None:
    """Name and value, one pair a line, on stdout."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        console.print(Text(f"{name:<{width}}  ", style="bold") + Text(printable(value)), soft_wrap=True)


def write_lines(lines: Iterable[str]) -> None:
    """Plain lines on stdout, each made printable and never folded."""
    for line in lines:
        sys.stdout.write("\n" * line.startswith("\n") + printable(line.lstrip("\n")) + "\n")


class Silent:
    """A progress display that nobody would see."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add_task(self, _description: str, total: float | None = None) -> TaskID:
        return cast("TaskID", 0)

    def advance(self, _task: TaskID, advance: float = 1) -> None:
        pass

    def update(self, _task: TaskID, *, completed: float | None = None, total: float | None = None) -> None:
        pass


def progress() -> Progress | Silent:
    """A progress display on stderr; where that is no terminal nothing is loaded for one."""
    if not sys.stderr.isatty():
        return Silent()
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = talk()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
