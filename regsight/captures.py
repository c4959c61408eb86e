"""The real captured registry logs that Regsight ships: which, from which server, read as which registry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

# The first captured line is from 2026-11-24 02:17:11 UTC; simulated traffic ends before it.
CAPTURED_FROM = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
CAPTURED_UNTIL = datetime(2026, 11, 24, 3, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Capture:
    """Some files of one real server, with what they are."""

    registry: str
    files: tuple[str, ...]
    what: str


CAPTURES: tuple[Capture, ...] = (
    Capture(
        "staging-2.8",
        ("distribution-live/v2.8.2-text/registry.log", "distribution-live/v2.8.2-text/notifications.jsonl"),
        "Docker Distribution 2.8.2, text log and notifications",
    ),
    Capture(
        "staging-3",
        ("distribution-live/v3-json/registry.log", "distribution-live/v3-json/notifications.jsonl"),
        "Distribution 3.1.2, JSON log and notifications",
    ),
    Capture(
        "harbor",
        ("harbor-live/v2.15.2-harbor-log/api.auditlog-exts.page1.json",),
        "Harbor 2.15.2, audit log from its REST API",
    ),
)


def captures_folder() -> Path:
    """Where the captures lie: inside the package when installed from a wheel, in `tests/samples` in a checkout.

    Raises:
        FileNotFoundError: neither is there; the message says so.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "captured", here.parent / "tests" / "samples"):
        if (folder / "distribution-live").is_dir():
            return folder
    raise FileNotFoundError("the captured registry logs are not part of this installation; install from the wheel")
