"""The page that a report becomes: Markdown with every figure, every miss, and how to get the same again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from regsight.evaluation.table import Table
from regsight.evaluation.tables import AFTERWARDS, Judged, all_tables
from regsight.evaluation.targets import targets

_HEAD = """# Detection, measured

How well Regsight finds what is planted in simulated traffic ([simulator](simulator.md)): log files go in, through the
collector, the store and all detectors in the steps of the timetable, and findings of severity medium or above come out.
This page is written by `{command}`; it holds what came out, also where that is less than was aimed at.

- A finding belongs to an incident if it overlaps its time (or the 24 hours after) and names one of its accounts or
  addresses; where either of them names nobody, one of its repositories. Every other finding at medium or above is false,
  and counted once a day and cause.
- An incident counts only where the logs of its scenario suffice to know of it.
- A finding that belongs to two incidents (one account, two attacks) is one finding; what it lists is true if it is of either.
- Simulated traffic is not real traffic: figures say what is possible, and what changes when a rule changes. Nobody has
  published figures for registries that these could be held against.
- What was missed, by example, and what would find it: [misses](misses.md). On simulators of other authors there were more
  false alerts: [how many, and of what](misses.md#traffic-of-another-maker).
- Seeds below 1000 were looked at while detectors were written, seeds from 1001 on only for reports.
- The catalogue of the simulator (A01 to A35) was known when the detectors were written: what is found of it says little of
  other attacks. {unseen}

Written {day}. Preset `{preset}`, {learn} days learned, {judge} days judged, seeds {seeds}.{caution}
"""


_NONE_UNSEEN = (
    "With `--later`, `--newest`, `--fresh`, `--unheard`, `--unforeseen`, `--uncharted` and `--unimagined`, kinds written "
    "afterwards have a table each."
)


def page(
    judged: Judged,
    *,
    unseen: Mapping[str, Judged] | None = None,
    day: date,
    command: str,
    setup: str,
    seeds: str,
    caution: str = "",
    further: Sequence[Table] = (),
    pictures: Mapping[str, str] | None = None,
) -> str:
    """The whole page. `unseen` are the runs with kinds that came after the detectors, by family, `further` tables of
    other runs; `pictures` are paths as the page names them, with what they show.
    """
    preset, learn, judge = setup.split("/")
    head = _HEAD.format(
        command=command,
        day=day.isoformat(),
        preset=preset,
        learn=learn,
        judge=judge,
        seeds=seeds,
        caution=caution,
        unseen=" ".join(AFTERWARDS[family].told for family in unseen or ()) or _NONE_UNSEEN,
    )
    shown = "".join(f"![{words}]({path})\n\n" for path, words in (pictures or {}).items())
    tables = [targets(judged, unseen), *all_tables(judged), *further]
    return f"{head}\n{markdown(tables[0])}\n{shown}" + "\n".join(map(markdown, tables[1:]))


def markdown(table: Table) -> str:
    """A table in Markdown, with its title and note."""
    lines = [f"## {table.title}", ""]
    if not table.rows:
        return "\n".join([*lines, "None.", ""])
    lines.append("| " + " | ".join(column or " " for column in table.columns) + " |")
    lines.append("|" + "---|" * len(table.columns))
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table.rows]
    return "\n".join([*lines, "", *([table.note, ""] if table.note else [])])
