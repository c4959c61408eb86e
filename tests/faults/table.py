"""Writes the table of `docs/reliability.md` from the results of the last full run.

cd tests && python -m faults.table
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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


def table(results: dict[str, Any]) -> str:
    """One row per fault, in Markdown."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    lines += [f"| {' | '.join(_row(fault, results))} |" for fault in FAULTS]
    return "\n".join(lines)


def _row(fault: Fault, results: dict[str, Any]) -> Iterable[str]:
    found = [figures for figures in results["figures"] if figures["fault"] == fault.id]
    outcomes = [results["outcomes"].get(test, "not run") for test in fault.tests]
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


def foot(results: dict[str, Any]) -> str:
    """Under the table: when, how long, with which seed."""
    tests = [test for fault in FAULTS for test in fault.tests]
    own = sum(test.startswith(HERE) for test in tests)
    how = "Full run" if results["size"] == "full" else "Run with little data (not the full one)"
    return (
        f"{how} of {results['day']}, seed {results['seed']}, {results['minutes']} minutes on {results['cores']} cores: "
        f"{len(tests)} tests, {own} of them made for this table."
    )


def page(text: str, results: dict[str, Any]) -> str:
    """The page's text with the table put in anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(results)}\n\n{foot(results)}\n{END}{after}"


def main() -> None:
    results = json.loads(RESULTS.read_text())
    PAGE.write_text(page(PAGE.read_text(), results))


if __name__ == "__main__":
    main()
