"""`docs/detectors.md`, made from the detectors' own words and the rule files.

`python -m regsight.detector_page` in the project's root rewrites it; a test fails when it lags.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analytics.detector import Detector
    from analytics.rules.model import Rule

INTRODUCTION = """\
# Detectors

What each detector and each rule notices, what it assumes and needs, and what it can never see. Made by
`python -m regsight.detector_page` from the detectors and the rules: change those, not this page. Which of them run, and with which
budget of false alarms, is set under `[analytics]` ([reference.md](reference.md)); what to do when one fires is in its
[runbook](runbooks).

No detector sees what the logs do not say. [formats.md](formats.md) has what each log can tell and never can: where accounts are
missing, everything about accounts is silent, and so it is with addresses, digests and refused requests.

Findings inform (`info`), may be looked at (`low`), should be (`medium`), or must be soon (`high`, `critical`). What you mark with
`regsight findings ack ID --expected` informs only from then on, for the names and the time that you say.
"""
_WORDS = ("Notices", "Assumes", "Needs", "Method", "Never sees", "Speaks", "Does not", "First check")


def page() -> str:
    """The whole page."""
    from analytics.rules.load import pack
    from regsight.discover import detectors

    parts = [INTRODUCTION]
    parts += [
        _section(detector) for detector in sorted(detectors(), key=lambda one: one.name) if detector.name != "rules"
    ]
    parts.append(_rules(pack()))
    return "\n".join(parts)


def _section(detector: Detector) -> str:
    from analytics.wording import duration

    module = importlib.import_module(type(detector).__module__)
    title, _, rest = (inspect.getdoc(module) or "").partition("\n\n")
    text = _lines(rest)
    about = detector.subject.replace("_", " ")
    facts = f"Judges by {about}, every {duration(detector.every)}, with {duration(detector.history)} of history."
    if hasattr(detector, "alerts_per_week"):
        facts += " Calibrated to the budget `alerts_per_week`."
    link = f"Runbook: [{detector.name}](runbooks/{detector.name}.md)."
    return f"## `{detector.name}`\n\n{' '.join(title.split())}\n\n{text}\n\n{facts} {link}\n"


def _lines(text: str) -> str:
    """A docstring's paragraph as a list: one item for each of the words that our detectors explain themselves with."""
    joined = " ".join(text.split())
    marked = re.sub(rf"(?:^|(?<=[.?)]) )(?=(?:{'|'.join(_WORDS)})\b)", "\n", joined)
    return "\n".join(f"- {line.strip()}" for line in marked.splitlines() if line.strip())


def _rules(rules: tuple[Rule, ...]) -> str:
    rows = ["| rule | kind | severity | notices | needs | harmless if |", "| --- | --- | --- | --- | --- | --- |"]
    for rule in rules:
        cells = (
            f"[`{rule.id}`](runbooks/rules/{rule.id}.md)",
            rule.kind,
            rule.severity,
            rule.description,
            "; ".join(rule.needs) or "–",
            "; ".join(rule.false_positives),
        )
        rows.append(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |")
    return (
        "## `rules`\n\n"
        "Each rule looks at single events, or at those of a window; it knows the past only as far as its window and its history "
        "reach. It never sees what stays below its figures, nor what is spread over many accounts and addresses, unless it says "
        "so.\n\n" + "\n".join(rows) + "\n"
    )


def main(root: Path) -> None:
    """Write it."""
    (root / "docs" / "detectors.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path.cwd())
