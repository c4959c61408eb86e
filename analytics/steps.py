"""The steps of a span: when which detector judges, from what it reads, and what it then suspects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from analytics.detector import Detector
from analytics.models.shelf import Shelf
from analytics.replay import EPOCH, Lasting, Replay, floor
from analytics.windows import DAY
from store.contract import Store

# So long after midnight the day before is taken for over; longer than the timetable's overlap, within which rows come
# without being late.
SETTLES = timedelta(minutes=30)
Step = tuple[datetime, list[tuple[Detector, datetime]]]
"""A moment, the detectors that are due at it, and from when on each then judges."""


def steps_of(detectors: Iterable[Detector], since: datetime, until: datetime) -> list[Step]:
    """A detector is due at the multiples of its `every` in (since, until], and at the end itself for what is left."""
    due: dict[datetime, list[tuple[Detector, datetime]]] = {}
    for detector in detectors:
        step = floor(since, detector.every) + detector.every
        while step <= until:
            due.setdefault(step, []).append((detector, max(step - detector.every, EPOCH)))
            step += detector.every
        if step - detector.every < until:
            due.setdefault(until, []).append((detector, step - detector.every))
    return sorted(due.items(), key=lambda item: item[0])


def read_from(since: datetime, detectors: Iterable[Detector]) -> datetime:
    """From when on a reader must reach for these detectors to judge from `since` on."""
    return floor(since, DAY) - max(detector.history for detector in detectors) - DAY


def reader_of(store: Store, first: datetime, until: datetime, lasting: Lasting | None = None) -> Replay:
    """What the steps read: the store from `first` up to `until`, each part asked for once."""
    return Replay(store, first, until, lasting=lasting, settled=floor(until - SETTLES, DAY))


def equip(detectors: Sequence[Detector], store: Store | None) -> None:
    """Give those that use trained models the store's; without a store, none."""
    for detector in detectors:
        if hasattr(detector, "models"):
            detector.models = None if store is None else Shelf(store, detector.name)
