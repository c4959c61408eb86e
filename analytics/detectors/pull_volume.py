"""Pulls above what is usual for an actor, a client, a repository or a project, at this hour.

Notices: mass pulls (one source, much more than ever, perhaps from many repositories new to it), and surges from many
sources at once, which are mostly scale-outs, releases or retries and are told with low severity. Assumes that pulls are
logged with their actor or address. Speaks after two days of history; until a subject is known for a week it borrows
from its cohort. Method: negative-binomial tail over a robust seasonal mean, judged in sliding hours every five minutes,
with the threshold set on weeks that the mean was not learned from, one budget for the whole registry; a subject must
also exceed all its earlier days but one. Never sees: a few pulls a day more than usual, and pulls that the log does not
have (a node that holds the image already).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from analytics.acts import acts_of
from analytics.columns import Columns
from analytics.daily import carried, each_day
from analytics.detector import Suspicion
from analytics.pull_days import PullDays
from analytics.pulls import KINDS, DayOfPulls, Odd, Pulls, day_of_pulls, history_start
from analytics.replay import Replay, floor, horizon, remember
from analytics.surprise import a_week
from analytics.windows import DAY, minute, moment
from analytics.wording import names, number, plain, several
from store.contract import EventQuery, EventReader
from store.finding import Severity

_MANY_CLIENTS = 4.0  # effective number of sources from which on a surge has no single author
_MANY_ACTORS = 3.0
_FIELDS = {"actor": "actor", "client": "client_ip", "repository": "repository", "project": "repository"}
_MUCH, _MANY_PULLS = 10.0, 30  # times the usual, and pulls, of a single source in known repositories
_FLOOD, _FLOODS = 100, 30.0  # pulls in an hour, and times the usual, that are worth a look even of an account at home


@dataclass(slots=True)
class PullVolume:
    """See the top of the file."""

    alerts_per_week: float = 3.0
    name: str = "pull_volume"
    subject: str = "repository"
    every: timedelta = timedelta(minutes=5)
    history: timedelta = timedelta(days=28)
    next_step: str = (
        "Ask the owner of the account or address whether this was planned (migration, mirror, scan); "
        "if not, revoke its token and list what was pulled."
    )
    _kept: dict[datetime, PullDays] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            judged = self._day(store, day, now)
            if judged:
                first, end = minute(max(since, day)), -(-now.timestamp() // 60)
                found += self._surges(store, judged, first, int(min(end, minute(day + DAY))), now)
                found += self._new_repositories(store, judged, first, int(min(end, minute(day + DAY))), now)
        return found

    def _day(self, store: EventReader, day: datetime, now: datetime) -> DayOfPulls | None:
        def judged() -> DayOfPulls | None:
            return day_of_pulls(
                self._before(store, day).with_today(day, acts_of(store, day, now)), day, self.alerts_per_week
            )

        return remember(store, "day of pulls", (day, self.alerts_per_week), judged)

    def _before(self, store: EventReader, day: datetime) -> PullDays:
        def after(before: PullDays, over: datetime) -> PullDays:
            return before.after(over, acts_of(store, over, over + DAY))

        span = day - history_start(day, self.history)
        return carried(store, self.name, day, span, self._kept, lambda: PullDays(span), after)

    def _surges(self, store: EventReader, day: DayOfPulls, first: int, end: int, now: datetime) -> Iterator[Suspicion]:
        """One suspicion per cause and cell of five minutes."""
        of_span = [odd for odd in day.odd if first <= odd.start < end]
        for start in sorted({odd.start for odd in of_span}):
            hour = day.pulls.between(start - 55, start + 5)
            for group in _causes(hour, [odd for odd in of_span if odd.start == start]):
                yield _surge(store, day, group, hour, now)

    def _new_repositories(
        self, store: EventReader, day: DayOfPulls, first: int, end: int, now: datetime
    ) -> Iterator[Suspicion]:
        """Actors that touch many repositories that are new to them though the repositories are not new."""
        pairs = day.new_pairs
        for place in np.flatnonzero((pairs.starts >= first) & (pairs.starts < end)):
            actor = int(pairs.actors[place])
            if pairs.in_a_day[place] >= pairs.limits[actor]:
                yield _novelty(store, day, actor, int(pairs.starts[place]), now)


def _causes(hour: Pulls, odd: list[Odd]) -> Iterator[list[Odd]]:
    """Odd subjects that are odd by the same pulls, together: those that share a third of the smaller one's pulls."""
    groups: list[list[Odd]] = []
    for one in sorted(odd, key=lambda odd: (KINDS.index(odd.kind), odd.tail, odd.code)):
        mine = hour.codes[one.kind] == one.code
        joined = [one]
        apart: list[list[Odd]] = []
        for group in groups:
            shared = max(
                hour.amounts[mine & (hour.codes[other.kind] == other.code)].sum() / min(one.count, other.count)
                for other in group
            )
            if shared >= 1 / 3:
                joined = [*group, *joined]
            else:
                apart.append(group)
        groups = [*apart, joined]
    yield from groups


def _surge(store: EventReader, day: DayOfPulls, group: list[Odd], hour: Pulls, now: datetime) -> Suspicion:
    """What one cause looks like: who pulled what from where, and how much of it is unlike before."""
    rows = hour.where(np.logical_or.reduce([hour.codes[odd.kind] == odd.code for odd in group]))
    lead = min(group, key=lambda odd: (KINDS.index(odd.kind), odd.tail, odd.code))  # who did it says more than where
    sources = {kind: _sources(rows, kind) for kind in ("actor", "client")}
    start, end = moment(hour.starts.min()), moment(lead.start + 5)
    many = sources["client"][1] >= _MANY_CLIENTS or sources["actor"][1] >= _MANY_ACTORS
    actor = sources["actor"][0]
    new = _new_from_one_place(day, actor, lead.start)
    unlike = actor >= 0 and len(new) >= day.new_pairs.limits[actor]
    times = lead.count / max(lead.mean, 1.0)
    shared = many and not unlike
    source = None
    if not shared:
        rows, source = _of_source(rows, sources)
    moved = lead.kind == "client" and all(odd.kind != "actor" for odd in group)
    severity = _severity(day, lead, rows, len(new), shared, unlike, moved)
    name = plain(day.pulls.names[lead.kind][lead.code])
    usual = day.baselines[lead.kind].usual(lead.code, lead.start - 55)
    by_whom = plain(source[1]) or "nobody named" if source else ""
    by = f", {int(rows.amounts.sum())} of them by {by_whom}" if by_whom and lead.kind not in sources else ""
    unheard = _named(day.pulls, "repository", new)
    learning = f"; still learning: known for {usual.known_days:.1f} days" if usual.learning else ""
    clients, repositories = _distinct(rows, "client"), _distinct(rows, "repository")
    return Suspicion(
        kind="pull_surge_from_many" if shared else "pull_surge",
        cause=(*_surge_cause(rows, source), f"{start:%Y-%m-%d}"),
        severity=severity,
        title=f"{name}: {several(lead.count, 'pull')} in 1 h{by}; usual: {number(usual.median)}",
        start=start,
        end=min(end, now),
        subjects=_subjects(rows),
        score=round(
            -min(odd.tail for odd in group) + lead.count / 1e4, 4
        ),  # tails end at -20: among those the larger count is stranger
        expected=(
            f"{number(usual.low)} to {number(usual.high)} pulls {usual.season} for this {lead.kind}, "
            f"{number(usual.mean)} on average{learning}"
        ),
        observed=(
            f"{several(lead.count, 'pull')} in 1 h of {several(len(repositories), 'repository', 'repositories')} "
            f"from {several(len(clients), 'address', 'addresses')}"
            + (f"; {several(len(new), 'repository', 'repositories')} new to {name}" if len(new) else "")
        ),
        evidence=_evidence(store, day.pulls, lead, source, unheard, start, min(end, now)),
        explanation=_why(shared, unlike, times, names(unheard)),
        chance=_chance(day, group, actor, len(new) if unlike else 0),
    )


def _chance(day: DayOfPulls, group: list[Odd], actor: int, new: int) -> float:
    """How many as strange a week the past gives: by the count of pulls, or by the repositories new to the account."""
    by_count = a_week(-min(odd.tail for odd in group), day.past, day.past_weeks)
    return min(by_count, day.new_pairs.chance(actor, new)) if new else by_count


def _severity(day: DayOfPulls, lead: Odd, rows: Pulls, new: int, shared: bool, unlike: bool, moved: bool) -> Severity:
    """Low for what many do at once, for little, for an account that is new itself (a first sync), for an account in
    its own repositories at its own addresses, unless it is a flood, and for one that pulls as ever though its address
    has moved (`moved`: the address is odd, the account is not).
    """
    actor, client = _sources(rows, "actor")[0], _sources(rows, "client")[0]
    if shared:
        return Severity.LOW
    if unlike:
        return Severity.HIGH if new >= 2 * day.new_pairs.limits[actor] else Severity.MEDIUM
    past = day.pulls.between(0, int(rows.starts.min()) - 1440)
    named = actor >= 0
    if lead.count < max(_MANY_PULLS, _MUCH * lead.mean) or (named and (moved or actor not in past.codes["actor"])):
        return Severity.LOW
    at_home = ((past.codes["actor"] == actor) & (past.codes["client"] == client)).any()
    return Severity.LOW if at_home and lead.count < max(_FLOOD, _FLOODS * lead.mean) else Severity.MEDIUM


def _new_from_one_place(day: DayOfPulls, actor: int, start: int) -> np.ndarray:
    """Repositories new to the actor within a day; none if many addresses share in it, as when a cluster gets new
    work.
    """
    none = np.zeros(0, dtype=np.int64)
    new = day.new_pairs.of(actor, start - 1435, start + 5) if actor >= 0 else none
    if not len(new):
        return none
    recent = day.pulls.between(start - 1435, start + 5)
    rows = recent.where((recent.codes["actor"] == actor) & np.isin(recent.codes["repository"], new))
    return none if _fleet(day, actor, rows) else np.unique(new)


def _fleet(day: DayOfPulls, actor: int, rows: Pulls) -> bool:
    """Whether an account that many addresses use got new work there: it comes to many of them, or to none that is
    new.
    """
    if _sources(rows, "client")[1] >= _MANY_CLIENTS:
        return True
    past = day.pulls.between(0, int(rows.starts.min()) - 1440)
    homes = np.unique(past.codes["client"][past.codes["actor"] == actor])
    return len(homes) >= _MANY_CLIENTS and bool(np.isin(rows.codes["client"], homes).all())


def _novelty(store: EventReader, day: DayOfPulls, actor: int, at: int, now: datetime) -> Suspicion:
    """An actor in many repositories that it never touched before."""
    pulls, name = day.pulls, day.pulls.names["actor"][actor]
    new = day.new_pairs.of(actor, at - 1435, at + 5)
    usual, limit = int(day.new_pairs.records[actor]), int(day.new_pairs.limits[actor])
    recent = pulls.between(at - 1435, at + 5)
    rows = recent.where((recent.codes["actor"] == actor) & np.isin(recent.codes["repository"], new))
    start, end = moment(rows.starts.min()), min(moment(at + 5), now)
    what = several(len(new), "repository", "repositories")
    many = _fleet(day, actor, rows)
    severity = Severity.LOW if many else Severity.HIGH if len(new) >= 2 * limit else Severity.MEDIUM
    wanted = set(_named(pulls, "repository", new))
    query = EventQuery(
        since=start,
        until=end,
        action=("pull",),
        outcome=("success",),
        actor=name,
        limit=1000,
        columns=("event_id", "repository"),
    )
    return Suspicion(
        kind="new_repositories",
        cause=("source", "actor", name, f"{start:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(name)}: pulled {what} new to it within a day; usual: at most {usual}",
        start=start,
        end=end,
        subjects=_subjects(rows),
        score=float(len(new)) / limit,
        expected=f"at most {several(usual, 'new repository', 'new repositories')} within a day so far",
        observed=f"{what} never pulled by it in {day.history_days:.0f} days: {names(sorted(wanted), 5)}",
        evidence=[event["event_id"] for event in store.events(query) if event["repository"] in wanted],
        explanation=f"Chance and this account's past would explain up to {limit - 1} within a day."
        + (" Many addresses use this account: looks like a cluster that got new work." if many else ""),
        chance=day.new_pairs.chance(actor, len(new)),
    )


def _sources(rows: Pulls, kind: str) -> tuple[int, float]:
    """The code of the largest source (-1 when none is named), and how many equal ones would spread the pulls as
    much.
    """
    codes, place = np.unique(rows.codes[kind], return_inverse=True)
    amounts = np.bincount(place, weights=rows.amounts)
    return int(codes[amounts.argmax()]), float(amounts.sum() ** 2 / (amounts**2).sum())


def _of_source(rows: Pulls, sources: dict[str, tuple[int, float]]) -> tuple[Pulls, tuple[str, str]]:
    """The pulls of the one account or, where none is named, address that most come from, and what and who that is (an empty
    name where neither is named): who happens to be in the same project is no suspect.
    """
    kind = "actor" if sources["actor"][0] >= 0 else "client"
    code = sources[kind][0]
    return rows.where(rows.codes[kind] == code), (kind, rows.names[kind][code] if code >= 0 else "")


def _surge_cause(rows: Pulls, source: tuple[str, str] | None) -> tuple[str, str, str]:
    """The same through all steps of one surge, though the oddest subject changes: its source, or its largest
    project.
    """
    if source is not None:
        return "source", *source
    project = _sources(rows, "project")[0]
    return "many", "project", rows.names["project"][project] if project >= 0 else ""


def _subjects(rows: Pulls) -> dict[str, list[str]]:
    """Who and what takes part, the twenty with the most pulls, without those that have a fiftieth of the first one's or
    less.
    """
    found: dict[str, list[str]] = {}
    for kind in ("actor", "client", "repository"):
        codes, place = np.unique(rows.codes[kind], return_inverse=True)
        amounts = np.bincount(place, weights=rows.amounts, minlength=len(codes))
        largest = np.lexsort((codes, -amounts))[:20]
        chosen = [int(codes[at]) for at in largest if codes[at] >= 0 and amounts[at] * 50 > amounts.max()]
        found[kind] = sorted(rows.names[kind][code] for code in chosen)
    return found


def _evidence(
    store: EventReader,
    pulls: Pulls,
    lead: Odd,
    source: tuple[str, str] | None,
    unheard: list[str],
    start: datetime,
    end: datetime,
) -> list[str]:
    """The first pulls of the subject, those by its one source and, before others, from repositories that are new to it; asked for
    once a day, since an hour that is odd is so in a dozen steps.
    """
    name, day = pulls.names[lead.kind][lead.code], floor(moment(lead.start), DAY)
    asked: dict[tuple[str, str], list[dict[str, Any]]] = remember(store, "pulls for evidence", day, dict)
    if (lead.kind, name) not in asked:
        asked[lead.kind, name] = _pulls_of(store, lead.kind, name, day, min(day + DAY, horizon(store, end)))
    mine = [event for event in asked[lead.kind, name] if start <= event["timestamp"] < end]
    if source is not None:
        kind, who = source
        first = set(unheard)
        mine = [event for event in mine if not who or event[_FIELDS[kind]] == who]
        mine.sort(key=lambda event: event["repository"] not in first)
    return [event["event_id"] for event in mine[:50]]


def _pulls_of(store: EventReader, kind: str, name: str, day: datetime, until: datetime) -> list[dict[str, Any]]:
    """Of the day and the one before. Of a day that is over everybody's are read at once, for many are asked for."""
    columns = ("event_id", "timestamp", *sorted(set(_FIELDS.values())))
    query = EventQuery(since=day - DAY, until=until, action=("pull",), outcome=("success",), columns=columns)
    if not isinstance(store, Replay) or until >= store.until or "*" in name or "?" in name:
        one = replace(
            query,
            actor=name if kind == "actor" else None,
            client=name if kind == "client" else None,
            repository={"repository": name, "project": f"{name}/*"}.get(kind),
        )
        return list(store.events(one))
    events = remember(store, "all pulls for evidence", day, lambda: Columns(store.table(query)))
    column = events.coded(_FIELDS[kind])
    if kind != "project":
        return events.events(np.flatnonzero(column.equal(name)))
    inside = column.where(lambda one: one is not None and one.startswith(f"{name}/"))
    return events.events(np.flatnonzero(inside))


def _why(shared: bool, unlike: bool, times: float, new: str) -> str:
    if shared:
        return (
            "Many sources did the same in the same hour: looks like a scale-out, a release or retries after an outage."
        )
    if unlike:
        return f"One source pulls far more than usual, also from repositories new to it: {new}."
    return f"One source pulls {number(times)} times as much as usual."


def _distinct(rows: Pulls, kind: str) -> list[str]:
    return _named(rows, kind, np.unique(rows.codes[kind]))


def _named(pulls: Pulls, kind: str, codes: np.ndarray) -> list[str]:
    return sorted({pulls.names[kind][code] for code in codes if code >= 0})


DETECTOR = PullVolume
