"""Writes the table of `docs/reliability.md` from the results of the last full run of each seed, and the soak's figures under it.

cd tests && python -m faults.table
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from faults import soak
from faults.catalogue import FAULTS, HERE, Fault

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
RESULTS = Path(__file__).with_name("results.json")
BEGIN, END = "<!-- faults: generated -->", "<!-- faults: end -->"
COLUMNS = (
    "fault",
    "what is done",
    "tests",
    "runs",
    "lines written",
    "lost",
    "doubled",
    "what the gap report said",
    "not covered",
)


Runs = dict[str, dict[str, Any]]  # seed → what `faults.run` found


def table(results: Runs) -> str:
    """One row per fault, in Markdown; over all seeds."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    lines += [f"| {' | '.join(_row(fault, results))} |" for fault in FAULTS]
    return "\n".join(lines)


def _row(fault: Fault, results: Runs) -> Iterable[str]:
    found = [figures for run in results.values() for figures in run["figures"] if figures["fault"] == fault.id]
    outcomes = [run["outcomes"].get(test, "not run") for run in results.values() for test in fault.tests]
    passed = sum(outcome == "passed" for outcome in outcomes)
    state = f"{passed} of {len(outcomes)} pass" if outcomes else "none"
    yield fault.id
    yield fault.what
    yield state + "".join(
        f", {outcomes.count(word)} {word}" for word in ("failed", "skipped", "not run") if word in outcomes
    )
    if not found:
        yield from ("", "", "", "", "")
    else:
        for name in ("runs", "written", "lost", "doubled"):
            yield f"{sum(figures[name] for figures in found):,}"
        yield "; ".join(dict.fromkeys(figures["said"] for figures in found))
    yield fault.not_covered


def foot(results: Runs) -> str:
    """Under the table: when, how long, with which seeds."""
    tests = [test for fault in FAULTS for test in fault.tests]
    own = sum(test.startswith(HERE) for test in tests)
    runs = [
        f"{'full' if run['size'] == 'full' else 'little data'}, {run['day']}, seed {run['seed']}, {run['minutes']} minutes "
        f"on {run['cores']} cores"
        for run in results.values()
    ]
    return f"Runs: {'; '.join(runs)}. In each {len(tests)} tests, {own} of them made for this table."


def soaked(found: dict[str, dict[str, Any]]) -> str:
    """The long runs, one column for each kind of store, and their drawing."""
    rows: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
        ("lasted", lambda one: f"{one['seconds'] / 60:.0f} minutes at {one['rate']:,} lines/s, seed {one['seed']}"),
        ("lines written", lambda one: f"{one['written']:,}"),
        ("lost, doubled, out of order", lambda one: f"{one['lost']}, {one['doubled']}, {one['out_of_order']}"),
        ("rotations, `kill -9`", lambda one: f"{one['rotations']}, {one['kills']}"),
        ("requests to Elasticsearch that were refused", _refused),
        ("lines waiting at most", lambda one: f"{one['waiting_at_most']:,}"),
        (
            "memory of the last process after its warm-up",
            lambda one: (
                f"{one['memory_mib'][0]} to {one['memory_mib'][1]} MiB over {one['watched_seconds'] / 60:.0f} minutes, "
                f"{one['memory_mib_per_hour']:+.1f} ± {one['memory_error_mib_per_hour']:.1f} MiB an hour"
            ),
        ),
        (
            "its open descriptors",
            lambda one: (
                "median {:.0f}, at the end {:.0f}; ".format(*soak.usual_descriptors(one))
                + "{} to {}".format(*one["descriptors"])
            ),
        ),
    )
    lines = [f"| F44, soak | {' | '.join(found)} |", "|" + "---|" * (len(found) + 1)]
    lines += [f"| {name} | {' | '.join(map(show, found.values()))} |" for name, show in rows]
    return "\n".join(lines) + "\n\n![Memory, descriptors and waiting lines over the soak](images/soak.svg)\n"


def _refused(one: dict[str, Any]) -> str:
    refused = {mode: count for mode, count in one["refused"].items() if mode != "ok"}
    if not one["refused"]:
        return "–"
    return f"{refused.get('429', 0):,} whole, {refused.get('item429', 0):,} in part, in {one['refusal_spells']} spells"


def page(text: str, results: Runs, long_runs: dict[str, dict[str, Any]]) -> str:
    """The page's text with the table, and the long runs where there are any, put in anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    soak_part = f"\n{soaked(long_runs)}" if long_runs else ""
    return f"{before}{BEGIN}\n{table(results)}\n\n{foot(results)}\n{soak_part}{END}{after}"


def found_results() -> tuple[Runs, dict[str, dict[str, Any]]]:
    """Of the last full run of each seed, and of the long ones."""
    long_runs = json.loads(soak.RESULTS.read_text()) if soak.RESULTS.exists() else {}
    return json.loads(RESULTS.read_text()), long_runs


def main() -> None:
    PAGE.write_text(page(PAGE.read_text(), *found_results()))


if __name__ == "__main__":
    main()
