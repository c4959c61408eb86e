"""The captured logs of real registries as a check that nothing was tuned on: each episode in them is found, nothing else is.

The captures lie in the repository (`tests/samples`), not in the package; where they are missing the section is left out.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from regsight.evaluation.table import Table

SAMPLES = Path("tests/samples")


@dataclass(frozen=True, slots=True)
class Capture:
    """Files of one test drive, and the kinds of findings of which each episode in it must give one."""

    name: str
    files: tuple[str, ...]
    episodes: dict[str, frozenset[str]]


_GUESSED = frozenset(("password_guessing", "password_spraying"))
CAPTURES = (
    Capture("Distribution 2.8, text", ("distribution-live/v2.8.2-text/registry.log",), {"brute force": _GUESSED}),
    Capture("Distribution 2.8, JSON", ("distribution-live/v2.8.2-json/registry.log",), {"brute force": _GUESSED}),
    Capture("Distribution 3, JSON", ("distribution-live/v3-json/registry.log",), {"brute force": _GUESSED}),
    Capture(
        "Harbor 2.12",
        tuple(
            f"harbor-live/v2.12.4/{name}"
            for name in ("api.audit-logs.json", "api.audit-logs.page2.json", "core.log")
        ),
        {"brute force": _GUESSED, "deleted robot goes on": frozenset(("deleted_account_goes_on",))},
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a capture: kinds of findings at medium or above, and how many of each."""

    capture: Capture
    events: int
    kinds: dict[str, int]

    @property
    def found(self) -> list[str]:
        return [name for name, kinds in self.capture.episodes.items() if kinds & self.kinds.keys()]

    @property
    def beside(self) -> list[str]:
        """Kinds that belong to no episode, and repeats of one."""
        wanted = frozenset().union(*self.capture.episodes.values())
        return [kind for kind, many in self.kinds.items() if kind not in wanted or many > 1]


def told(samples: Path = SAMPLES) -> list[Told]:
    """Every capture that is there, judged by all detectors from its first to its last event."""
    return [_told(capture, samples) for capture in CAPTURES if all((samples / file).exists() for file in capture.files)]


def _told(capture: Capture, samples: Path) -> Told:
    from analytics.config import AnalyticsConfig
    from analytics.jobs import detect_span, prepare
    from collector.sources.file_tail import FileTail
    from regsight.app import pipeline_over
    from regsight.discover import detectors
    from store.finding import Severity
    from store.locate import open_store

    with tempfile.TemporaryDirectory(prefix="regsight-evaluate-") as folder:
        store = open_store(f"delta:{folder}")
        try:
            files = [str(samples / file) for file in capture.files]
            source = FileTail("captured", files, registry="captured", follow=False)
            summary = pipeline_over(store, [source]).run()
            span = store.span()
            assert span is not None
            found = detect_span(
                store, prepare(detectors(), AnalyticsConfig()), span[0], span[1] + timedelta(microseconds=1)
            )
        finally:
            store.close()
    kinds: dict[str, int] = {}
    for finding in found:
        if finding.severity.rank >= Severity.MEDIUM.rank:
            kinds[finding.kind] = kinds.get(finding.kind, 0) + 1
    return Told(capture, summary.events, kinds)


def table(captures: list[Told]) -> Table:
    """Episode by episode."""
    rows = [
        (
            one.capture.name,
            f"{one.events:,}",
            ", ".join(f"{name}: {'found' if name in one.found else 'MISSED'}" for name in one.capture.episodes),
            ", ".join(one.beside) or "nothing",
        )
        for one in captures
    ]
    note = "Test drives of real servers, minutes long and without a past. Told at medium or above; each episode once."
    return Table("Captured logs of real registries", ("capture", "events", "episodes", "told beside"), rows, note)
