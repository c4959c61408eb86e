"""What a scanner found, as one line of text: every scanner counts by severity, each with words of its own."""

from __future__ import annotations

from collections.abc import Mapping

from collector.lines import whole

_ORDER = ("critical", "high", "medium", "low", "negligible", "unknown", "none")


def severity_text(counts: Mapping[str, object], fixable: int | None = None) -> str:
    """`3 vulnerabilities: critical 1, low 2; 1 fixable` of counts by severity, however the severities are written.

    Severities that are in no scanner's list count as unknown, so that no foreign word gets into the text.
    """
    known = dict.fromkeys(_ORDER, 0)
    for severity, count in counts.items():
        name = severity.lower()
        known[name if name in known else "unknown"] += whole(count) or 0
    total = sum(known.values())
    parts = ", ".join(f"{name} {count}" for name, count in known.items() if count)
    text = f"{total} {'vulnerability' if total == 1 else 'vulnerabilities'}" + (f": {parts}" if parts else "")
    return text + (f"; {fixable} fixable" if fixable is not None else "")
