"""`docs/reference.md`, made from the code it speaks of: formats, detectors, event fields, metrics, commands.

`python -m regsight.reference` rewrites it; a test fails when it lags.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

INTRODUCTION = "# Reference\n\nMade by `python -m regsight.reference` from the code; change the code, not this page.\n"


def reference() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *(f"## {title}\n\n{table}\n" for title, table in _sections())]
    return "\n".join(parts)


def _sections() -> Iterator[tuple[str, str]]:
    from regsight.discover import detectors, formats
    from store.event import FIELDS, Action, Channel, Outcome, Traffic, Via

    yield "Commands", _table(("command", "what it does"), _commands())
    yield (
        "Formats",
        _table(("`--format`", "registry", "what"), ((f"`{f.name}`", f.registry_kind, f.title) for f in formats())),
    )
    yield (
        "Detectors",
        _table(
            ("detector", "judges each", "runs every", "wants to see", "check first when it fires"),
            ((f"`{d.name}`", d.subject, d.every, d.history, d.next_step) for d in detectors()),
        ),
    )
    yield (
        "Event fields",
        _table(
            ("field", "ECS name", "kind", "meaning", "unit"),
            ((f"`{f.name}`", f"`{f.ecs}`", f.kind, f.meaning, f.unit) for f in FIELDS),
        ),
    )
    words = {"action": Action, "outcome": Outcome, "channel": Channel, "client_via": Via, "traffic_class": Traffic}
    yield (
        "Closed sets",
        _table(
            ("field", "values"), ((name, ", ".join(f"`{value}`" for value in kind)) for name, kind in words.items())
        ),
    )
    yield "Metrics", _table(("metric", "kind", "labels", "what"), _metrics())


def _commands() -> Iterator[tuple[str, str]]:
    from regsight.commands import COMMANDS
    from regsight.lazy import loaded

    def walk(command: object, name: str) -> Iterator[tuple[str, str]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            help = str(getattr(command, "help", "") or "")
            yield f"`regsight {name}`", " ".join(help.split("\n\n")[0].split())
        else:
            for word, below in sorted(inner.items()):
                yield from walk(below, f"{name} {word}".strip())

    for name in sorted(COMMANDS):
        yield from walk(loaded(name), name)


def _metrics() -> Iterator[tuple[str, str, str, str]]:
    from regsight.app import fresh_metrics

    for metric in sorted(fresh_metrics(), key=lambda each: each.name):
        yield f"`{metric.name}`", metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.help


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += [
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference.md").write_text(reference(), encoding="utf-8")
