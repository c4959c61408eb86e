"""A rule tried on its own samples: it must fire on the one and stay silent on the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from analytics.detectors.rules import Rules
from analytics.replay import floor
from analytics.rules.condition import field_name
from analytics.rules.model import Rule, expanded
from store.contract import EventQuery, Voice
from store.event import FIELDS, schema

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from analytics.detector import Suspicion
    from store.arrivals import Arrival

START = datetime(2026, 11, 16, 9, tzinfo=UTC)  # minute 0 of the samples, a Monday morning
REST = timedelta(hours=8)  # at least so much time passes behind it
_TEXTS = ("actor", "client", "repository", "reference", "digest", "registry")


def try_rule(rule: Rule) -> list[str]:
    """What is wrong, in sentences; empty if the rule does what its samples say.

    A rule without samples is right: there is nothing that it promised.
    """
    if rule.samples is None:
        return []
    wrong = []
    fired = run(rule, rule.samples.fires)
    if not fired:
        wrong.append("samples.fires: the rule stays silent")
    silent = run(rule, rule.samples.silent)
    return wrong + [f"samples.silent: the rule fires: {suspicion.title}" for suspicion in silent]


def run(rule: Rule, samples: Sequence[Mapping[str, Any]]) -> Sequence[Suspicion]:
    """What the rule has to say of these samples, with the history of its own in front of them."""
    history = rule.samples.history if rule.samples else ()
    events = [_event(place, one) for place, one in enumerate(expanded([*history, *samples]))]
    events.sort(key=lambda event: (event["timestamp"], event["event_id"]))
    end = max([START, *(event["timestamp"] for event in events)]) + max(REST, 3 * rule.reach)
    return Rules(rules=(rule,)).detect(_Samples(events), START, end)


def _event(place: int, given: Mapping[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = {field.name: None for field in FIELDS}
    event |= {"event_id": f"sample-{place}", "timestamp": START + timedelta(minutes=float(given["at"]))}
    return event | {field_name(name): value for name, value in given.items() if name != "at"}


@dataclass(frozen=True, slots=True)
class _Samples:
    """An `EventReader` over a few events in memory, as far as rules ask one."""

    rows: Sequence[dict[str, Any]]

    def events(self, query: EventQuery) -> Iterator[dict[str, Any]]:
        if query.ids or query.limit is not None or any(getattr(query, name) is not None for name in _TEXTS):
            raise NotImplementedError("rules ask by time, action, outcome and reason only")
        for row in self.rows:
            if (
                (query.since is None or query.since <= row["timestamp"])
                and (query.until is None or row["timestamp"] < query.until)
                and all(
                    not wanted or row[name] in wanted
                    for name, wanted in (("action", query.action), ("outcome", query.outcome), ("reason", query.reason))
                )
            ):
                yield row

    def table(self, query: EventQuery) -> pa.Table:
        import pyarrow as pa

        return pa.Table.from_pylist(list(self.events(query)), schema()).select(query.columns or schema().names)

    def parts(
        self, query: EventQuery, *, numbered_by: Sequence[str] = (), besides: Collection[Voice] = ()
    ) -> Iterator[dict[str, Any]]:
        return self.events(query)

    def counts(
        self, since: datetime, until: datetime, by: Sequence[str], width: timedelta | None = None
    ) -> pd.DataFrame:
        import pandas as pd

        inside = [row for row in self.rows if since <= row["timestamp"] < until]
        starts = [floor(row["timestamp"], width) if width else since for row in inside]
        keys = Counter((start, *(row[name] for name in by)) for start, row in zip(starts, inside, strict=True))
        frame = pd.DataFrame(
            [[*key[1:], key[0], amount] for key, amount in keys.items()], columns=[*by, "window_start", "events"]
        )
        return frame.astype(dict.fromkeys(by, "object")).sort_values("window_start", kind="stable")

    def windows(self, since: datetime, until: datetime, width: timedelta, subject: str) -> pd.DataFrame:
        raise NotImplementedError("no rule asks for windows")

    def span(self) -> tuple[datetime, datetime] | None:
        return (self.rows[0]["timestamp"], self.rows[-1]["timestamp"]) if self.rows else None

    def arrived(self, stored_since: datetime, since: datetime, before: datetime) -> list[Arrival]:
        return []  # no sample comes late

    def total(self) -> int:
        return len(self.rows)
