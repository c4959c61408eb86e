"""What can go wrong here.

AnalyticsError
├── UnknownDetector   the settings name a detector that does not exist
├── ProcessEnded      a process that judges beside others ended before its work was done
└── Stopped           whoever asked for the work does not want it any more
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class AnalyticsError(Exception):
    """Root of all errors of this folder."""


class UnknownDetector(AnalyticsError):
    """A name in the settings that no file in `analytics/detectors/` offers. Retrying never helps."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        way_out = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(names)}"
        super().__init__(f"unknown detector {name!r} in [analytics], {way_out}")
        self.name = name


class ProcessEnded(AnalyticsError):
    """One of several processes that judge a past was ended from outside. What was found is stored; judging again goes on."""

    def __init__(self, detectors: Iterable[str], exit_code: int | None) -> None:
        super().__init__(
            f"the process that asks {', '.join(detectors)} ended with exit code {exit_code}; if there was too little memory, "
            "`--processes 1` takes less"
        )


class Stopped(AnalyticsError):
    """Judging was broken off between two steps. What was found is stored; the next call judges the same time again."""

    def __init__(self) -> None:
        super().__init__("stopped before its end; the same time is judged again at the next start")
