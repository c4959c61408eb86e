"""The auditor's report in plain sentences, from its figures alone."""

from __future__ import annotations

from typing import Any

from analytics.reports.shown import moment, number, size


def audit_in_words(found: dict[str, Any]) -> str:
    """What there is to see."""
    span = f"Between {moment(found['since'])} and {moment(found['until'])} UTC"
    if not found["access"] and not found["denied"]:
        return f"{span} nothing is recorded. Ask for a month that is stored: `regsight status` shows the span."
    rights = len(found["rights"])
    return (
        f"{span} {_of(found['accounts'], 'account')} had access to {_of(found['repositories'], 'repository', 'repositories')}. "
        f"{_of(found['denied_in_all'], 'request')} {'was' if found['denied_in_all'] == 1 else 'were'} refused. "
        f"Rights and settings were changed {_of(rights, 'time')}. "
        f"There {'was' if len(found['incidents']) == 1 else 'were'} {_of(len(found['incidents']), 'incident')}."
    )


def completeness_in_words(found: dict[str, Any]) -> str:
    """Whether all lines are accounted for, and how one can check that."""
    if found["holds"] is None:
        counted = (
            "No running collector has counted these logs: they were read once with `regsight collect`, which accounts for "
            "every line when it runs and keeps no total."
        )
    else:
        lines, sum_ = (sum(row[name] for row in found["sources"]) for name in ("lines", "difference"))
        counted = (
            f"{_of(lines, 'line')} of {_of(len(found['sources']), 'source')} were read since the first run, and every one is "
            "accounted for: an event, a dead letter, or a line that is no event of its own."
            if found["holds"]
            else f"Of {_of(lines, 'line')} that were read since the first run the sum differs by {number(sum_)}: documents that "
            "tell of several things count once as a line; any other source with a difference should be looked into."
        )
    sealed = (
        f" {size(found['sealed_bytes'])} are sealed in {_of(found['sealed_segments'], 'segment')}: `regsight verify` compares "
        "them with the files."
        if found["sealed_segments"]
        else ""
    )
    letters = found["dead_letters_kept"]
    kept = f" {_of(letters, 'line')} nobody could read {_is(letters)} kept with the reason." if letters else ""
    return f"{counted}{kept}{sealed}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _of(count: int, one: str, many: str | None = None) -> str:
    return f"{number(count)} {one if count == 1 else many or one + 's'}"
