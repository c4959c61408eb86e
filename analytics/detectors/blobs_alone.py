"""Images that are fetched layer by layer, without their manifests: where pulls are counted there is none.

Notices: an account (an address, where no account is named) that downloads blobs of repositories in which it asked for no manifest
on the day or the days before, in three repositories within four days at least, and more than it ever did. A client asks for the
manifest first, and one that has it asks whether it is still the same; blobs alone are a pull that is resumed, or somebody who got
the digests elsewhere. Quiet where several do so on one day: then the log lacks lines. Needs: logs with downloads of blobs; a
week of history. Method: exact bookkeeping of pairs of account and repository. Never sees: blobs fetched from a storage that the
registry does not front, and who asks for manifests as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from analytics.acts import CELL, NAMES
from analytics.columns import Columns
from analytics.daily import block_of, carried, settled_days
from analytics.detector import Suspicion
from analytics.firsts import LastSeen, pair, parted
from analytics.pullers import name_of, pullers
from analytics.replay import days_since_epoch, remember
from analytics.windows import DAY, Ints, minute
from analytics.wording import names, plain, several
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

LATELY = 4  # days over which repositories add up, and for which a manifest is remembered
SETTLED = timedelta(days=7)
FEWEST = 3
MORE = 3  # than ever before
MANY = 12  # repositories that nobody resumes at once
CROWD = 3  # who do so on one day: manifests are missing in the log
MOST_EVIDENCE = 200
_ASKS, _BLOBS = (Action.PULL, Action.CHECK), (Action.LAYER_DOWNLOAD,)


@dataclass(frozen=True, slots=True)
class _Requests:
    """Of some days, by minute: pairs of who and repository, first of each day, of blobs and of manifests."""

    minutes: Ints
    pairs: Ints
    blobs: np.ndarray  # whether a blob was fetched, or a manifest asked for

    def of(self, first: int, end: int) -> _Requests:
        chosen = slice(*np.searchsorted(self.minutes, [first, end]))
        return _Requests(self.minutes[chosen], self.pairs[chosen], self.blobs[chosen])


@dataclass(frozen=True, slots=True)
class _Past:
    """When manifests were asked for, by pair; pairs that went without, by day."""

    span: int
    asked: LastSeen = field(default_factory=LastSeen)
    alone: tuple[tuple[int, Ints], ...] = ()

    def after(self, requests: _Requests, day: int) -> _Past:
        oldest = day + 1 - self.span
        alone = np.unique(_alone(self, requests, day)[1])
        kept = (*(one for one in self.alone if one[0] >= oldest), (day, alone))
        return replace(self, asked=self.asked.seen(requests.pairs[~requests.blobs], day, day - LATELY), alone=kept)

    def within(self, who: int, first: int, last: int) -> Ints:
        """Repositories of which somebody got blobs alone, from one day to another."""
        found = [parted(pairs) for day, pairs in self.alone if first <= day <= last]
        return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(there[by == who] for by, there in found)]))


@dataclass(slots=True)
class BlobsAlone:
    """See the top of the file."""

    name: str = "blobs_alone"
    subject: str = "actor"
    every: timedelta = timedelta(minutes=CELL)
    history: timedelta = timedelta(days=28)
    next_step: str = "Ask the account's owner which tool fetches layers alone; if none does, revoke its token."
    _kept: dict[datetime, _Past] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day, begin in settled_days(store, since, now, SETTLED):
            start, end = max(since, day), min(day + DAY, now)
            minutes, pairs = self._today(store, day, now)
            known = minutes < -(-int(end.timestamp()) // 60)
            who, _ = parted(pairs[known])
            lately = np.unique(who[minutes[known] + CELL > minute(start)])
            many = len(np.unique(who))
            past = self._past(store, day)
            for one in sorted(lately.tolist(), key=lambda number: name_of(number)[1]):
                found += _judge(store, past, one, pairs[known][who == one], many, begin, day, end)
        return found

    def _past(self, store: EventReader, day: datetime) -> _Past:
        def after(past: _Past, over: datetime) -> _Past:
            return past.after(_requests(store, over, over + DAY), days_since_epoch(over))

        return carried(store, self.name, day, self.history, self._kept, lambda: _Past(self.history // DAY), after)

    def _today(self, store: EventReader, day: datetime, now: datetime) -> tuple[Ints, Ints]:
        """Blobs alone: when, and of which pair; in a replay worked out once for the day."""

        def alone() -> tuple[Ints, Ints]:
            return _alone(self._past(store, day), _requests(store, day, now), days_since_epoch(day))

        return remember(store, f"{self.name} today", day, alone)


def _alone(past: _Past, requests: _Requests, day: int) -> tuple[Ints, Ints]:
    """The first download of each pair that asked for no manifest before it, on the day or lately."""
    pairs, first = np.unique(requests.pairs[requests.blobs], return_index=True)
    minutes = requests.minutes[requests.blobs][first]
    asked, at = np.unique(requests.pairs[~requests.blobs], return_index=True)
    today = LastSeen(asked, requests.minutes[~requests.blobs][at]).of(pairs)
    alone = (past.asked.of(pairs) < day - LATELY) & ((today < 0) | (today > minutes))
    order = np.argsort(minutes[alone], kind="stable")
    return minutes[alone][order], pairs[alone][order]


def _requests(store: EventReader, day: datetime, now: datetime) -> _Requests:
    return block_of(store, "blobs and manifests", day, now, _read).of(minute(day), minute(day + DAY))


def _read(store: EventReader, since: datetime, until: datetime) -> _Requests:
    query = EventQuery(
        since=since,
        until=until,
        action=(*_ASKS, *_BLOBS),
        outcome=(Outcome.SUCCESS,),
        columns=("timestamp", "action", "actor", "client_ip", "repository"),
    )
    events = Columns(store.table(query))
    actor, client = (
        NAMES[kind].numbers(events.coded(name)) for kind, name in (("actor", "actor"), ("client", "client_ip"))
    )
    repository = NAMES["repository"].numbers(events.coded("repository"))
    who = pullers(actor, client)
    action = events.coded("action")
    is_blob = action.where(_BLOBS.__contains__)
    minutes = events.times() // 60_000_000
    # Whoever asks for a manifest has asked as an account and as an address: logs that name accounts may tell of manifests only.
    asked = np.flatnonzero(~is_blob & (actor >= 0))
    rows = np.concatenate([np.arange(len(who)), asked])
    who = np.concatenate([who, pullers(np.full(len(asked), -1), client[asked])])
    named = (who >= 0) & (repository[rows] >= 0)
    rows, who = rows[named], who[named]
    # The first of each minute says as much as all of them.
    found = np.stack([minutes[rows], pair(who, repository[rows]), is_blob[rows].astype(np.int64)], axis=1)
    found = np.unique(found, axis=0) if len(found) else found
    return _Requests(found[:, 0], found[:, 1], found[:, 2].astype(bool))


def _judge(
    store: EventReader, past: _Past, who: int, today: Ints, many: int, began: datetime, day: datetime, now: datetime
) -> Iterator[Suspicion]:
    number = days_since_epoch(day)
    settled = days_since_epoch(began) + SETTLED.days
    lately = past.within(who, max(number - LATELY + 1, settled), number - 1)
    repositories = np.union1d(lately, parted(today)[1])
    ends = range(settled, number - LATELY)
    most = max((len(past.within(who, end - LATELY + 1, end)) for end in ends), default=0)
    limit = max(FEWEST, most + MORE, 2 * most)
    if len(repositories) >= limit:
        yield _suspicion(store, *name_of(who), repositories, most, limit, many >= CROWD, day, now)


def _suspicion(
    store: EventReader,
    kind: str,
    who: str,
    repositories: Ints,
    most: int,
    limit: int,
    crowd: bool,
    day: datetime,
    now: datetime,
) -> Suspicion:
    there = {NAMES["repository"].words[number] for number in repositories.tolist()}
    query = EventQuery(
        since=day - (LATELY - 1) * DAY,
        until=now,
        actor=who if kind == "actor" else None,
        client=who if kind == "client" else None,
        action=_BLOBS,
        outcome=(Outcome.SUCCESS,),
        columns=("event_id", "timestamp", "actor", "client_ip", "repository"),
    )
    field_name = "actor" if kind == "actor" else "client_ip"
    events = [one for one in store.events(query) if one["repository"] in there and one[field_name] == who]
    start = events[0]["timestamp"] if events else day
    severity = Severity.LOW if crowd else Severity.HIGH if len(there) >= max(MANY, limit) else Severity.MEDIUM
    return Suspicion(
        kind="blobs_alone",
        cause=("blobs_alone", kind, who, f"{start:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(who)}: fetched layers of {several(len(there), 'repository', 'repositories')} without any manifest",
        start=start,
        end=now,
        subjects={
            "actor": [who] if kind == "actor" else [],
            "client": sorted({one["client_ip"] for one in events if one["client_ip"]})[:20],
            "repository": sorted(there),
        },
        score=round(len(there) / limit, 3),
        expected=f"a manifest is asked for before its layers; without one at most {several(most, 'repository', 'repositories')}"
        f" within {LATELY} days",
        observed=f"layers of {names(sorted(there), 4)}, and no manifest there for {LATELY} days",
        evidence=[one["event_id"] for one in events][:MOST_EVIDENCE],
        explanation="Several do so today: it is rather the log that lacks lines of manifests."
        if crowd
        else "Who knows the digests can put the image together without a pull that anybody counts.",
    )


DETECTOR = BlobsAlone
