"""Does something run out soon? Forecasts become findings: medium within a week, high within a day.

With hysteresis: a finding that was made holds until the forecast is beyond nine days again, so that a forecast which goes
to and fro around a week tells once. What runs out anew after that is a new finding.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from analytics.detector import Suspicion
from analytics.forecast import Forecast
from analytics.telemetry import AnalyticsTelemetry
from analytics.watch import Watch
from analytics.wording import duration, plain
from store.contract import Records
from store.event import iso
from store.finding import Finding, Severity

NOTE = "analytics.exhaustion"
SOON = timedelta(days=7)
AT_ONCE = timedelta(days=1)
OVER = timedelta(days=9)  # beyond this it no longer runs out


WATCH = Watch(
    name="exhaustion",
    subject="registry_wide",
    every=timedelta(hours=1),
    history=timedelta(days=56),
    next_step="Run `regsight forecast` for the figures; make room, raise the limit, or renew what ends.",
)


def watch_exhaustion(
    store: Records, made: Iterable[Forecast], now: datetime, telemetry: AnalyticsTelemetry | None = None
) -> list[Finding]:
    """Judge forecasts; findings are stored. Returns those that are new or changed.

    Raises:
        Unavailable: the store did not answer; calling again judges the same again.
    """
    before: dict[str, str] = dict((store.note(NOTE) or {}).get("since", {}))
    since: dict[str, str] = {}
    suspicions = []
    for one in made:
        if telemetry and one.exhausted_at is not None:
            telemetry.exhaustion(one.subject, (one.exhausted_at - now).total_seconds())
        left = None if one.exhausted_at is None else one.exhausted_at - now
        known = before.get(one.subject)
        if one.exhausted_at is None and one.note and known:
            since[one.subject] = known  # nothing can be said just now: what was said holds
        if left is None or left > (OVER if known else SOON):
            continue
        since[one.subject] = known or iso(now)
        if left <= SOON:
            suspicions.append(_suspicion(one, left, since[one.subject], now))
    found = WATCH.tell(store, suspicions, now, telemetry)
    if since != before:
        store.put_note(NOTE, {"since": since})
    return found


def _suspicion(one: Forecast, left: timedelta, since: str, now: datetime) -> Suspicion:
    assert one.exhausted_at is not None
    over = left <= timedelta(0)
    when = f"{one.exhausted_at:%Y-%m-%d %H:%M} UTC"
    name = plain(one.subject)
    ends = one.exhausted_interval
    between = f", between {_day(ends[0])} and {_day(ends[1])} with 90 %" if ends and ends[0] != ends[1] else ""
    return Suspicion(
        kind=f"{one.kind}_exhausted",
        cause=(one.subject, since),
        severity=Severity.HIGH if left <= AT_ONCE else Severity.MEDIUM,
        title=f"{name} has run out" if over else f"{name} runs out in {duration(left)}",
        start=datetime.fromisoformat(since),
        end=now,
        subjects={},
        score=SOON / max(left, timedelta(hours=1)),
        expected=f"more than {duration(SOON)} left",
        observed=f"{amount(one.now, one.unit)} of {amount(one.limit, one.unit)}; at its end on {when}{between}",
        explanation=f"Method: {one.method}." if one.method else one.note,
    )


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "never"


def amount(value: Any, unit: str) -> str:
    """A figure with its unit, sizes in GiB and the like."""
    if value is None:
        return "?"
    if unit != "bytes":
        return f"{value:,.0f} {unit}"
    for name in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024 or name == "TiB":
            break
        value /= 1024
    return f"{value:,.1f} {name}".replace(".0 B", " B")
