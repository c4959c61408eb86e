"""`simulate`: traffic of a registry that does not exist, with what is unusual in it written down beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regsight.commands.options import UsageError, point


def simulate(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where log files and truth.json are written.")],
    preset: Annotated[str, typer.Option(help="Size of the installation: small, medium, large, dal09.")] = "small",
    days: Annotated[float, typer.Option(min=0.01, max=3660, help="How many days.")] = 7.0,
    start: Annotated[str, typer.Option(metavar="TIME", help="The first moment; a whole day is best.")] = "2026-11-02",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    attacks: Annotated[
        str,
        typer.Option(
            metavar="all|none|LIST",
            help="Which attacks to plant: A06,A18/stealthy,A01/moderate@9.5 (difficulty, days after the start).",
        ),
    ] = "none",
    surprises: Annotated[
        str, typer.Option(metavar="all|none|LIST", help="Which harmless but unusual things to plant: B01,B11@3 …")
    ] = "none",
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="In which log it is told; several tell of the same traffic. See --catalogue."
        ),
    ] = None,
    describe: Annotated[
        bool, typer.Option("--describe", help="Hold the traffic against figures of real registries; print the table.")
    ] = False,
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="Print the attacks, surprises and sources there are, and stop.")
    ] = False,
) -> None:
    """Simulate a registry's traffic: log files as a registry writes them, and truth.json with what was planted."""
    from regsight.terminal import progress, say
    from regsight.traffic.attacks import ATTACKS
    from regsight.traffic.population import PRESETS
    from regsight.traffic.simulate import SOURCES
    from regsight.traffic.simulate import simulate as run
    from regsight.traffic.surprises import SURPRISES

    if catalogue:
        _catalogue()
        return
    if preset not in PRESETS:
        raise UsageError(f"--preset: {preset!r} is none of {', '.join(PRESETS)}")
    chosen = source or ["distribution-json"]
    if unknown := [name for name in chosen if name not in SOURCES]:
        raise UsageError(f"--source: {unknown[0]!r} is none of {', '.join(SOURCES)}")
    begin = point(start, "--start")
    assert begin is not None
    with progress() as display:
        task = display.add_task("simulating", total=1000)
        try:
            truth = run(
                out,
                preset=preset,
                start=begin,
                days=days,
                seed=seed,
                attacks=_wanted(attacks, list(ATTACKS)),
                surprises=_wanted(surprises, list(SURPRISES)),
                source=chosen,
                on_progress=lambda share: display.update(task, completed=int(share * 1000)),
            )
        except ValueError as error:
            raise UsageError(str(error)) from None
    for file, lines in truth.lines.items():
        say(f"{out / file}: {lines:,} lines")
    say(f"{out / 'truth.json'}: {len(truth.scenarios)} scenarios")
    if describe:
        _describe(out)


def _wanted(text: str, every: list[str]) -> list[str]:
    """`all`, `none` or a list as codes."""
    if text == "all":
        return every
    return [] if text in ("none", "") else [part.strip() for part in text.split(",") if part.strip()]


def _describe(out: Path) -> None:
    from regsight.terminal import write_lines
    from regsight.traffic.describe import describe, table

    try:
        write_lines(table(describe(out)).splitlines())
    except (ValueError, StopIteration):
        raise UsageError(
            "--describe needs a source with access lines: distribution-json or distribution-text"
        ) from None


def _catalogue() -> None:
    from regsight.terminal import write_lines, write_table
    from regsight.traffic.attacks import LATER, every
    from regsight.traffic.simulate import SOURCES
    from regsight.traffic.surprises import SURPRISES

    recipes = (every() | SURPRISES).values()
    rows = [(one.code, one.name, one.evidence, " ".join(one.technique)) for one in recipes]
    write_table("", ("code", "what", "evidence", "technique"), rows)
    write_lines(["", f"{next(iter(LATER))} and above must be named: `--attacks all` leaves them out"])
    write_lines(["sources: " + ", ".join(SOURCES)])


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)
