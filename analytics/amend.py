"""Judging a time again because more is known of it now: findings are made anew, changed ones keep their id, and those that
the late events explain are withdrawn.

A finding that was told stays in the store, for it was told; withdrawn it informs only and says why. Its id is that of its
cause: an amended finding is not a new one, and is told again only if it has become more severe.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from store.contract import Store
from store.finding import Finding, Severity

LEAST_BACK = timedelta(hours=6)  # how far before the late events a finding may have begun and be made anew


def touched(
    store: Store, detectors: Collection[str], since: datetime, until: datetime
) -> tuple[datetime, dict[str, Finding]]:
    """From when to judge again so that every finding that late events of `since` may change is made anew as a whole, and
    those findings by id.

    A finding that began long before (longer than the time that is judged again, and than `LEAST_BACK`) is left as it is,
    and only grows.
    """
    limit = since - max(LEAST_BACK, until - since)
    able = [
        one
        for one in store.findings(since=limit)
        if one.detector in detectors and one.start >= limit and not one.withdrawn
    ]
    start = since
    while True:
        open_then = [one for one in able if one.end >= start or one.detected_at > start]
        earliest = min((one.start for one in open_then), default=start)
        if earliest >= start:
            return start, {one.id: one for one in open_then}
        start = earliest


def amended(before: Mapping[str, Finding], made: Mapping[str, Finding], now: datetime) -> Iterable[Finding]:
    """What is to be stored after judging again: findings that are new, changed, or withdrawn."""
    for id, finding in made.items():
        old = before.get(id)
        if old is None:  # nobody could know it before the late events came
            yield replace(finding, detected_at=now)
        elif _said(old) != _said(finding):
            yield replace(finding, detected_at=old.detected_at, similar=old.similar)
    for id, old in before.items():
        if id not in made:
            yield replace(
                old,
                severity=Severity.INFO,
                withdrawn=f"Events that were stored late explain it: judged again at {now:%Y-%m-%d %H:%M} UTC, it is "
                f"no longer found (it was {old.severity}).",
            )


def _said(finding: Finding) -> Finding:
    """A finding without what depends on when it was judged."""
    return replace(finding, detected_at=finding.start, similar=[], causes=[])
