"""What should worry somebody, as sentences with numbers, from the figures alone."""

from __future__ import annotations

from typing import Any

from analytics.reports.shown import number, seconds, size


def risks(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """`{kind, count, text}` for each risk that is there, the gravest first; `count` is also in the text."""
    found = [*_people(figures), *_traffic(figures), *_ourselves(figures)]
    return [{"kind": kind, "count": count, "text": text} for kind, count, text in found if count]


def _people(figures: dict[str, Any]) -> list[tuple[str, int, str]]:
    waiting = [row for row in figures["incidents"] if row["state"] == "open"]
    grave = [row for row in waiting if row["severity"] in ("high", "critical")]
    untold = [row for row in figures["incidents"] if row["seconds_to_notify"] is None]
    slow = figures["response"]["mean_seconds_to_acknowledge"]
    return [
        ("grave_incidents_open", len(grave), f"{_of(len(grave), 'incident')} of high or critical severity nobody looks after."),
        ("incidents_open", len(waiting) - len(grave), f"{_of(len(waiting) - len(grave), 'lesser incident')} nobody looks after."),
        ("incidents_untold", len(untold), f"{_of(len(untold), 'incident')} nobody was told of: see the channels under [alerts]."),
        ("slow_acknowledgement", int(slow or 0) if (slow or 0) > 4 * 3600 else 0,
         f"It took {seconds(slow)} on average until somebody looked after an incident."),
    ]  # fmt: skip


def _traffic(figures: dict[str, Any]) -> list[tuple[str, int, str]]:
    anonymous = figures["without_account"]
    outside = figures["costs"]["outside_downloads"]
    new = figures["new"]["actors"]["in_all"]
    return [
        ("anonymous_pulls", anonymous["pulls"], f"{_of(anonymous['pulls'], 'pull')} without an account."),
        ("anonymous_changes", anonymous["changes"], f"{_of(anonymous['changes'], 'push or deletion', 'pushes and deletions')} "
         "without an account."),
        ("downloads_outside", outside, f"{_of(outside, 'download')} by public addresses, "
         f"{size(figures['costs']['outside_bytes'])}."),
        ("new_accounts", new, f"{_of(new, 'account')} that did nothing in the span before."),
    ]  # fmt: skip


def _ourselves(figures: dict[str, Any]) -> list[tuple[str, int, str]]:
    missed = figures["missed"]
    lines = sum(row["lines"] for row in figures["dead_letters"])
    return [
        ("gaps", missed["gaps_in_all"], f"{_of(missed['gaps_in_all'], 'known loss', 'known losses')} of log lines: what "
         "happened meanwhile is not in this report."),
        ("dead_letters", lines, f"{_of(lines, 'line')} (of all time) that nobody could read."),
        ("failed_runs", missed["failed_runs_in_all"], f"{_of(missed['failed_runs_in_all'], 'run')} of jobs failed."),
        ("messages_given_up", missed["messages_given_up"], f"{_of(missed['messages_given_up'], 'message')} given up: a channel "
         "does not answer."),
    ]  # fmt: skip


def _of(count: int, one: str, many: str | None = None) -> str:
    return f"{number(count)} {one if count == 1 else many or one + 's'}"
