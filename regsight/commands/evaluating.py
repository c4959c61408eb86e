"""`evaluate`: what of planted attacks is found, how soon, and how often the alarm is false."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regsight.commands.options import UsageError

if TYPE_CHECKING:
    from regsight.evaluation.outcome import Outcome
    from regsight.evaluation.plan import Plan, Setup
    from regsight.evaluation.table import Table
    from regsight.evaluation.tables import Judged

SHORT_SEEDS = "1-4,6,22,23"
LONG_SEEDS = "1-30"
REPORT_SEEDS = "1001-1030"


def evaluate(
    seeds: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="1-6,21: from 21 to 999 nothing is planted; from 1001 on for reports only."),
    ] = None,
    scenarios: Annotated[
        str, typer.Option(metavar="LIST", help="Which logs, in turn: distribution, harbor, ecr, distribution-text.")
    ] = "distribution,harbor,ecr,distribution-text",
    short: Annotated[
        bool, typer.Option("--short", help="A small registry, 10 days learned, 7 judged, 7 seeds: minutes.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write the page with targets beside what was reached.")
    ] = False,
    page: Annotated[Path, typer.Option(metavar="FILE", help="Where --report writes.")] = Path("docs/detection.md"),
    rename: Annotated[
        bool,
        typer.Option("--rename", help="Also with other names, 11 days and 5 hours later: figures side by side."),
    ] = False,
    later: Annotated[
        bool,
        typer.Option(
            "--later", help="Also with the kinds of attack that were written after the detectors, told apart."
        ),
    ] = False,
    newest: Annotated[
        bool,
        typer.Option("--newest", help="Also with the kinds that came after those (A43 to A50), told apart from both."),
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Also with the kinds that came after all those (A51 to A60), told apart."),
    ] = False,
    unheard: Annotated[
        bool,
        typer.Option("--unheard", help="Also with the kinds that nobody had heard of (A61 to A70), told apart."),
    ] = False,
    unforeseen: Annotated[
        bool,
        typer.Option("--unforeseen", help="Also with the kinds that nobody had foreseen (A71 to A80), told apart."),
    ] = False,
    uncharted: Annotated[
        bool,
        typer.Option("--uncharted", help="Also with the kinds on nobody's map (A81 to A90), told apart."),
    ] = False,
    unimagined: Annotated[
        bool,
        typer.Option("--unimagined", help="Also with the kinds that nobody had imagined (A91 to A100), told apart."),
    ] = False,
    captures: Annotated[
        Path, typer.Option(metavar="DIR", help="Captured logs of real registries; left out where they are not.")
    ] = Path("tests/samples"),
    work: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep each run here, and take it from here the next time.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at the same time.")] = 2,
    json: Annotated[bool, typer.Option("--json", help="The tables as JSON on stdout.")] = False,
) -> None:
    """Plant attacks and surprises in simulated traffic, run the whole way over it, and hold findings against the truth."""
    from dataclasses import replace

    from regsight.evaluation.captures import table as captured
    from regsight.evaluation.captures import told
    from regsight.evaluation.match import score
    from regsight.evaluation.plan import SCENARIOS, Setup
    from regsight.evaluation.tables import Judged, afterwards, all_tables, renamed
    from regsight.evaluation.targets import targets
    from regsight.terminal import say, write_json, write_lines, write_table

    chosen = [name.strip() for name in scenarios.split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in SCENARIOS]:
        raise UsageError(f"--scenarios: {unknown[0]!r} is none of {', '.join(SCENARIOS)}")
    setup = Setup() if short else _long()
    text = seeds or (SHORT_SEEDS if short else REPORT_SEEDS if report else LONG_SEEDS)

    def judge(setup: Setup) -> Judged:
        outcomes = _outcomes(_numbers(text), chosen, setup, work, jobs)
        return Judged(outcomes, [score(one) for one in outcomes])

    judged = judge(setup)
    asked = {"later": later, "newest": newest, "fresh": fresh, "unheard": unheard}
    asked |= {"unforeseen": unforeseen, "uncharted": uncharted, "unimagined": unimagined}
    families = [name for name, given in asked.items() if given]
    new = {family: judge(replace(setup, family=family)) for family in families}
    further = [afterwards(runs, family) for family, runs in new.items()]
    if rename:
        further.append(renamed(judged, judge(replace(setup, renamed=True))))
    if caught := told(captures):
        further.append(captured(caught))
    tables = [targets(judged, new), *all_tables(judged), *further]
    if json:
        for table in tables:
            rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
            write_json({"title": table.title, "rows": rows, "note": table.note})
    else:
        for table in tables:
            write_table(f"\n{table.title}", table.columns, table.rows)
            write_lines([table.note] if table.note else [])
    if report:
        flags = "".join(f" --{name}" for name in ["short"] * short + families + ["rename"] * rename)
        _write(page, judged, new, setup, text, flags, further)
        say(f"written: {page}")


def _long() -> Setup:
    from regsight.evaluation.plan import Setup

    return Setup(preset="medium", learn=21, judge=21, attacks_a_week=5)


def _numbers(text: str) -> list[int]:
    """`1-3,7` as numbers."""
    found: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            found += range(int(first), int(last or first) + 1)
    except ValueError:
        raise UsageError(f"--seeds: {text!r} is no list such as 1-6,21") from None
    if not found:
        raise UsageError("--seeds: the list is empty")
    return found


def _outcomes(seeds: list[int], scenarios: list[str], setup: Setup, work: Path | None, jobs: int) -> list[Outcome]:
    """A process for each run, so that memory is each run's own; what is kept from before is not run again."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    from regsight.evaluation.outcome import Outcome
    from regsight.evaluation.plan import plan
    from regsight.evaluation.run import run
    from regsight.terminal import progress, say

    found: dict[int, Outcome] = {}
    open_plans = []
    for seed in seeds:
        planned = plan(seed, scenarios, setup)
        kept = _kept(work, planned)
        if kept is not None and kept.exists():
            found[seed] = Outcome.read(kept)
        else:
            open_plans.append(planned)
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1)
    with pool, progress() as display:
        task = display.add_task("evaluating", total=len(open_plans))
        waiting = {pool.submit(run, planned): planned for planned in open_plans}
        for done in as_completed(waiting):
            planned, outcome = waiting[done], done.result()
            found[planned.seed] = outcome
            kept = _kept(work, planned)
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                outcome.write(kept)
            display.advance(task)
            spent = sum(outcome.seconds.values())
            say(f"  seed {planned.seed} ({planned.scenario}): {outcome.lines:,} lines, {spent:.0f} s of CPU")
    return [found[seed] for seed in seeds]


def _kept(work: Path | None, planned: Plan) -> Path | None:
    if work is None:
        return None
    setup = planned.setup
    family = "" if setup.family == "catalogue" else f"-{setup.family}"
    name = f"{setup.preset}-{setup.learn}-{setup.judge}{'-renamed' if setup.renamed else ''}{family}"
    return work / name / f"{planned.scenario}-{planned.seed}.json"


def _write(
    path: Path,
    judged: Judged,
    unseen: Mapping[str, Judged],
    setup: Setup,
    seeds: str,
    flags: str,
    further: Sequence[Table],
) -> None:
    """The page, and its pictures in the folder `images` beside it."""
    from datetime import UTC, datetime

    from regsight.evaluation.budgets import curves
    from regsight.evaluation.page import page
    from regsight.evaluation.pictures import write

    caution = ""
    if any(one.seed < 1000 for one in judged.outcomes):
        caution = "\n**These are development seeds**: the detectors were written with some of them in view."
    pictures = write(path.parent / "images", judged, curves(judged.outcomes, judged.outcomes))
    text = page(
        judged,
        unseen=unseen,
        day=datetime.now(UTC).date(),
        command=f"regsight evaluate --report{flags} --seeds {seeds}",
        setup=f"{setup.preset}/{setup.learn}/{setup.judge}",
        seeds=seeds,
        caution=caution,
        further=further,
        pictures={f"images/{name}": words for name, words in pictures.items()},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)
