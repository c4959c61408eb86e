"""The events of a day, read once for all ledgers that walk through it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from analytics.columns import Coded, coded
from analytics.replay import Replay
from store.contract import EventQuery
from store.plain import plain_rows

if TYPE_CHECKING:
    import pyarrow as pa

HOME = "home"  # what of an event is worked out for all of a day at once: see `home_of`


@dataclass(frozen=True, slots=True)
class _Asked:
    """What walks ask for: actions, outcomes, columns."""

    actions: frozenset[str] = frozenset()
    outcomes: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()

    def with_more(self, query: EventQuery) -> _Asked:
        """Together with what this query asks for."""
        columns = {*query.columns, "action", "outcome", "timestamp"}
        return _Asked(
            self.actions.union(map(str, query.action)),
            self.outcomes.union(map(str, query.outcome)),
            self.columns.union(columns),
        )


@dataclass(slots=True)
class _Walked:
    """What the walks of a replay have asked for so far, and the day that was read last, with what was known of that then."""

    asked: _Asked = _Asked()
    read: _Asked = _Asked()
    span: tuple[datetime | None, datetime | None] = (None, None)
    events: list[dict[str, Any]] = field(default_factory=list)
    sorts: dict[str, Coded] = field(default_factory=dict)  # of the events: their actions and outcomes

    def load(self, store: Replay, query: EventQuery) -> None:
        self.events = []  # the day before need not be held while this one is read
        asked = self.asked
        wanted = replace(
            query, action=sorted(asked.actions), outcome=sorted(asked.outcomes), columns=sorted(asked.columns)
        )
        rows = store.store.table(wanted)
        self.sorts = {name: coded(rows[name]) for name in ("action", "outcome")}
        if {"registry", "repository"} <= asked.columns:
            rows = rows.append_column(HOME, _homes(rows))
        self.events = plain_rows(rows)
        self.span, self.read = (query.since, query.until), asked

    def chosen(self, query: EventQuery) -> Iterable[dict[str, Any]]:
        """Of the day's events those that the query asks for."""
        fits = self._among("action", query.action) & self._among("outcome", query.outcome)
        return self.events if fits.all() else compress(self.events, fits.tolist())

    def _among(self, sort: str, wanted: Sequence[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return self.sorts[sort].where(frozenset(map(str, wanted)).__contains__)


def of_day(store: Replay, query: EventQuery) -> Iterable[dict[str, Any]]:
    """The events that a walk asks for, in order of time; they may have more columns and are not to be changed.

    Several walks go through the same days, one after the other: from the second day on each day is read with what all of them
    look at. One day is held at a time.
    """
    if not query.action or not query.outcome or not query.columns:
        return store.store.events(query)
    walked = store.memo("walked", "", _Walked)
    walked.asked = walked.asked.with_more(query)
    if walked.span != (query.since, query.until) or walked.read.with_more(query) != walked.read:
        walked.load(store, query)
    return walked.chosen(query)


@lru_cache(maxsize=50_000)
def home_of(registry: str | None, repository: str | None) -> str:
    """The repository as one of its registry: two registries may each have one of that name."""
    return f"{registry or ''}\x1f{repository}"


def _homes(rows: pa.Table) -> pa.Array:
    import pyarrow as pa

    registries, repositories = coded(rows["registry"]), coded(rows["repository"])
    pairs, place = np.unique(repositories.codes * len(registries.values) + registries.codes, return_inverse=True)
    found = [divmod(pair, len(registries.values)) for pair in pairs.tolist()]
    words = [home_of(registries.values[one], repositories.values[other]) for other, one in found]
    return pa.array(words, pa.string()).take(pa.array(place))
