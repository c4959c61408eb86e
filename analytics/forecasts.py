"""When what is limited runs out: rate limits, quotas, storage, disks, certificates, tokens.

Limits come from the settings, or from the log where it tells them (quota warnings of Harbor). Deletes and garbage
collection are not subtracted and layers that two images share may be sent twice: growth by the log is an upper bound.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from analytics import certificate
from analytics.creations import last_creation
from analytics.forecast import HISTORY, Forecast, filling, first_day
from analytics.limits import Limit, size
from analytics.pull_forecasts import pulls
from analytics.replay import floor
from analytics.trend import of_increments
from analytics.windows import DAY
from store.contract import EventQuery, Store
from store.event import Action, Outcome

QUOTA_REASONS = ("quota_warning", "quota_exceeded")
_QUOTA = re.compile(r"storage used ([\d.]+ ?[KMGTP]?i?B) of ([\d.]+ ?[KMGTP]?i?B)")
STORED = (str(Action.PUSH), str(Action.LAYER_UPLOAD))


def forecasts(store: Store, limits: Iterable[Limit], now: datetime) -> list[Forecast]:
    """One for each limit, for each project whose quota the log tells, and for the disk of an embedded store. What runs
    out first comes first.

    Raises:
        Unavailable: the store did not answer.
    """
    made = [_of(store, limit, now) for limit in limits]
    made += _quotas(store, now)
    made += _own_disk(store, now)
    return sorted(made, key=lambda one: (one.exhausted_at is None, one.exhausted_at or now, one.subject))


def _of(store: Store, limit: Limit, now: datetime) -> Forecast:
    if limit.kind == "pulls":
        return pulls(store, limit, now)
    if limit.kind == "storage":
        return _storage(store, limit, now)
    if limit.kind == "disk":
        return _disk(limit, _stored_a_day(store, None, now), now)
    return _certificate(limit, now) if limit.kind == "certificate" else _token(store, limit, now)


# what adds up: storage


def _storage(store: Store, limit: Limit, now: datetime) -> Forecast:
    assert limit.bytes is not None
    used = float(limit.used)
    if limit.since is not None:
        used += sum(_stored_a_day(store, limit, now, limit.since))
    elif not limit.used:
        note = "what is used is not known: set `used` and `since`"
        return Forecast(subject=limit.name, kind=limit.kind, unit="bytes", limit=limit.bytes, note=note)
    growth = of_increments(_stored_a_day(store, limit, now))
    return filling(
        Forecast(subject=limit.name, kind=limit.kind, unit="bytes", now=used, limit=limit.bytes), growth, now
    )


def _stored_a_day(store: Store, limit: Limit | None, now: datetime, since: datetime | None = None) -> list[float]:
    """Bytes that were stored on each whole day up to today's midnight; with `since` from there on, and today too."""
    begin = since or first_day(store, now)
    end = now if since else floor(now, DAY)
    if begin is None or begin >= end:
        return []
    fields = limit.fields() if limit else []
    frame = store.counts(begin, end, ["action", "outcome", *fields], DAY)
    days = [0.0] * (math.ceil((end - floor(begin, DAY)) / DAY))
    for row in frame.to_dict("records"):
        stored = row["action"] in STORED and row["outcome"] == Outcome.SUCCESS
        if stored and (limit is None or limit.fits({str(name): value for name, value in row.items()})):
            days[(row["window_start"] - floor(begin, DAY)) // DAY] += float(row["bytes"])
    return days


def _quotas(store: Store, now: datetime) -> Iterator[Forecast]:
    """Projects of Harbor about whose quota a webhook told: used and limit as of then, and what was stored since."""
    told: dict[str, tuple[datetime, float, float]] = {}
    query = EventQuery(since=now - HISTORY, until=now, reason=QUOTA_REASONS)
    for event in store.events(query):
        match = _QUOTA.search(event["error_message"] or "")
        if match and event["project"]:
            told[event["project"]] = (event["timestamp"], float(size(match[1])), float(size(match[2])))
    for project, (at, used, limit) in sorted(told.items()):
        own = Limit(name=f"quota of {project}", kind="storage", bytes=int(limit), used=int(used), project=project)
        used += sum(_stored_a_day(store, own, now, at))
        known = Forecast(subject=own.name, kind="quota", unit="bytes", now=used, limit=limit)
        yield filling(known, of_increments(_stored_a_day(store, own, now)), now)


# disks


def _disk(limit: Limit, growth: Sequence[float], now: datetime) -> Forecast:
    assert limit.path is not None
    known = Forecast(subject=limit.name, kind=limit.kind, unit="bytes")
    try:
        usage = shutil.disk_usage(limit.path)
    except OSError as error:
        return replace(known, note=f"{limit.path}: {error.strerror}")
    # What is free counts: a part of the disk may be kept for root.
    known = replace(known, now=float(usage.total - usage.free), limit=float(usage.total))
    return filling(known, of_increments(growth), now)


def _own_disk(store: Store, now: datetime) -> Iterator[Forecast]:
    """The disk of an embedded store, by what each day takes of it."""
    if not store.url.startswith("delta:"):
        return
    today = f"{now:%Y-%m-%d}"
    days = {one.day: float(one.bytes) for one in store.days() if one.day < today}
    growth: list[float] = []
    if days:
        first = max(datetime.fromisoformat(min(days)).replace(tzinfo=UTC) + DAY, floor(now - HISTORY, DAY))
        whole = int((floor(now, DAY) - first) / DAY)
        growth = [days.get(f"{first + place * DAY:%Y-%m-%d}", 0.0) for place in range(whole)]
    own = Limit(name="disk of Regsight's store", kind="disk", path=Path(store.url.removeprefix("delta:")))
    yield _disk(own, growth, now)


# dates


def _certificate(limit: Limit, now: datetime) -> Forecast:
    try:
        end = certificate.of_file(limit.path) if limit.path else certificate.of_address(limit.address or "")
    except certificate.NoCertificate as error:
        return Forecast(subject=limit.name, kind=limit.kind, unit="days", note=str(error))
    return Forecast(
        subject=limit.name,
        kind=limit.kind,
        unit="days",
        now=(end - now) / DAY,
        limit=0,
        per_day=-1,
        exhausted_at=end,
        exhausted_interval=(end, end),
        method="its own date",
    )


def _token(store: Store, limit: Limit, now: datetime) -> Forecast:
    assert limit.valid is not None
    since = limit.since
    if since is None:
        made = last_creation(store, limit.actor or "", now)
        since = made["timestamp"] if made is not None else None
    if since is None:
        note = f"no event tells when {limit.actor} was made: set `since`"
        return Forecast(subject=limit.name, kind=limit.kind, unit="days", limit=limit.valid / DAY, note=note)
    end = since + limit.valid
    return Forecast(
        subject=limit.name,
        kind=limit.kind,
        unit="days",
        now=(now - since) / DAY,
        limit=limit.valid / DAY,
        per_day=1,
        exhausted_at=end,
        exhausted_interval=(end, end),
        method="its age",
    )
