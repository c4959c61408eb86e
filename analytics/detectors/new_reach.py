"""Accounts that reach further than ever: new repositories, new images, within an hour, a day and a week.

Notices: images carried off slowly: an account that pulls from repositories new to it, or (people) images new to it, a few a day
for a week. Counted against its own past and that of accounts of its kind, by the rate at which each meets new ones: a robot with
five new repositories is evidence, a person is not; repositories of a project in which it is at home count half. Needs: logs that
name accounts; a week of each account's past. Method: thresholds of an over-dispersed count at one false alarm a week per thousand
accounts (negative binomial), raised to what the last two weeks would have given. Wakes nobody where many addresses share the
new ones (a cluster with new work). Never sees: a person who takes one image a day out of their own project.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from analytics.daily import each_day, learned
from analytics.detector import Suspicion
from analytics.novelty import chance
from analytics.windows import DAY, HOUR
from analytics.wording import names, number, plain
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

if TYPE_CHECKING:
    import pandas as pd

CELL = timedelta(minutes=5)
WEEK = timedelta(days=7)
SETTLED_DAYS = 7
SETTLED_ACTIVE = 5
UNSEEN = timedelta(days=14)  # the end of the past, on which the thresholds are tried
AT_HOME = 0.5  # what a new repository counts in a project of one's own
MOST_RAISED = 2.0  # somebody who steals for two weeks must not raise the bar for himself without end
SHARE_OF_BUDGET = 0.25  # of the false alarms a week that this detector may use
MANY_CLIENTS = 4
MOST_NEW = 200  # names kept of one account


@dataclass(slots=True)
class _Account:
    """One account before the day."""

    first: datetime
    days: int = 0
    repositories: set[str] = field(default_factory=set)
    projects: set[str] = field(default_factory=set)
    images: set[tuple[str, str]] = field(default_factory=set)
    new: list[tuple[datetime, float, str]] = field(default_factory=list)  # day, weight, repository
    new_images: list[datetime] = field(default_factory=list)
    person: bool = False

    def settled(self, day: datetime) -> bool:
        return day - self.first >= timedelta(days=SETTLED_DAYS) and self.days >= SETTLED_ACTIVE

    def rate(self, before: datetime) -> float:
        """New repositories a day, a little raised for accounts of which little is known."""
        since = self.first + timedelta(days=SETTLED_DAYS)
        known = max((before - since) / DAY, 1.0)
        return (sum(weight for at, weight, _ in self.new if since <= at < before) + 0.5) / (known + SETTLED_DAYS)


@dataclass(frozen=True, slots=True)
class _Past:
    """What the days before say of everybody, and by how much the thresholds are raised."""

    accounts: dict[str, _Account]
    known: frozenset[str]  # repositories that are older than the day
    raised: dict[str, float]


JUST_MADE = timedelta(hours=2)  # after a push, within which a pull is what the push was for

# Width → the threshold at a rate of r new ones a day.
LIMITS = {
    "hour": lambda rate: 4.0 + 8.0 * rate,
    "day": lambda rate: 5.0 + 14.0 * rate,
    "week": lambda rate: 6.0 + 40.0 * rate,
}
_BY = ("actor", "client_ip", "repository", "digest")
_SPANS = {"hour": HOUR, "day": DAY, "week": WEEK}


@dataclass(slots=True)
class NewReach:
    """See the top of the file."""

    alerts_per_week: float = 3.0
    name: str = "new_reach"
    subject: str = "actor"
    every: timedelta = CELL
    history: timedelta = timedelta(days=35)
    next_step: str = "Ask the account's owner what they need these images for; if nobody knows, revoke its token."
    _learned: dict[datetime, _Past] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            start, end = max(since, day), min(day + DAY, now)
            if len(_pulls(store, start, end, CELL, _BY)):
                today = _pulls(store, day, end, CELL, _BY)
                made = _pushes(store, day - JUST_MADE, end, CELL, ("actor", "repository"))
                past = self._past(store, day)
                for actor in sorted(set(today.loc[today["window_start"] > start - CELL, "actor"])):
                    account = past.accounts.get(actor)
                    if account is not None and account.settled(day):
                        rows = today[today["actor"] == actor]
                        judged = _judge(store, actor, account, past, rows, made, day, start, end)
                        found += [replace(one, chance=chance(one.score, len(past.accounts))) for one in judged]
        return found

    def _past(self, store: EventReader, day: datetime) -> _Past:
        kind = f"{self.name} {self.alerts_per_week}"
        return learned(
            store,
            kind,
            day,
            self._learned,
            lambda: _learn(store, day - self.history, day, self.alerts_per_week),
        )


def _pulls(store: EventReader, since: datetime, until: datetime, width: timedelta, by: Sequence[str]) -> pd.DataFrame:
    return _done(store, Action.PULL, since, until, width, by)


def _pushes(store: EventReader, since: datetime, until: datetime, width: timedelta, by: Sequence[str]) -> pd.DataFrame:
    return _done(store, Action.PUSH, since, until, width, by)


def _done(
    store: EventReader, action: Action, since: datetime, until: datetime, width: timedelta, by: Sequence[str]
) -> pd.DataFrame:
    frame = store.counts(since, until, (*by, "action", "outcome"), width)
    chosen = (frame["action"] == action) & (frame["outcome"] == Outcome.SUCCESS)
    return frame[chosen & frame["actor"].notna() & frame["repository"].notna()]


def _learn(store: EventReader, since: datetime, day: datetime, alerts_per_week: float) -> _Past:
    frame = _pulls(store, since, day, DAY, ("actor", "actor_kind", "repository", "digest"))
    accounts: dict[str, _Account] = {}
    first_of: dict[str, datetime] = {}
    last_day: dict[str, datetime] = {}
    columns = ("actor", "actor_kind", "repository", "digest", "window_start")
    for actor, kind, repository, digest, start in zip(*(frame[name] for name in columns), strict=True):
        at = start.to_pydatetime()
        known_since = first_of.setdefault(repository, at)
        account = accounts.get(actor)
        if account is None:
            account = accounts[actor] = _Account(first=at)
        account.person = account.person or kind == "human"
        if last_day.get(actor) != at:
            last_day[actor] = at
            account.days += 1
        if repository not in account.repositories:
            weight = AT_HOME if repository.partition("/")[0] in account.projects else 1.0
            if at > known_since:
                account.new.append((at, weight, repository))
            account.repositories.add(repository)
            account.projects.add(repository.partition("/")[0])
        if digest and (repository, digest) not in account.images:
            account.images.add((repository, digest))
            account.new_images.append(at)
    pushes = _pushes(store, since, day, DAY, ("actor", "actor_kind", "repository", "digest"))
    for actor, repository in zip(pushes["actor"], pushes["repository"], strict=True):
        if actor in accounts:  # what an account makes is not new to it
            accounts[actor].repositories.add(repository)
            accounts[actor].projects.add(repository.partition("/")[0])
    raised = _raised(accounts, day, alerts_per_week)
    return _Past(accounts=accounts, known=frozenset(first_of), raised=raised)


def _raised(accounts: dict[str, _Account], day: datetime, alerts_per_week: float) -> dict[str, float]:
    """By how much the thresholds must be raised so that the last two weeks, judged by what was known before them, would
    have given no more false alarms than may be."""
    begin = day - UNSEEN
    allowed = int(alerts_per_week * SHARE_OF_BUDGET * (UNSEEN / WEEK))
    raised = {}
    for width in ("day", "week"):
        worst = []
        for account in accounts.values():
            if account.settled(begin) and account.new:
                limit = LIMITS[width](account.rate(begin))
                sums = [
                    sum(weight for at, weight, _ in account.new if moment - _SPANS[width] < at <= moment)
                    for moment in sorted({at for at, _, _ in account.new if at >= begin})
                ]
                worst.append(max(sums, default=0.0) / limit)
        worst.sort(reverse=True)
        raised[width] = min(max(1.0, worst[allowed] * 1.05 if len(worst) > allowed else 1.0), MOST_RAISED)
    return raised | {"hour": raised["day"]}


def _judge(
    store: EventReader,
    actor: str,
    account: _Account,
    past: _Past,
    rows: pd.DataFrame,
    made: pd.DataFrame,
    day: datetime,
    start: datetime,
    now: datetime,
) -> Iterator[Suspicion]:
    fresh = _fresh(actor, account, past, rows, made)
    touched = [at for at, _, _ in fresh if at + CELL > start]
    if touched:
        rate = account.rate(day)
        reached = []
        for width, span in _SPANS.items():
            limit = LIMITS[width](rate) * past.raised[width]
            earlier = [one for one in account.new if width == "week" and one[0] >= day - span + DAY]
            inside = [one for one in fresh if width != "hour" or one[0] > touched[-1] - span]
            amount = sum(weight for _, weight, _ in [*earlier, *inside])
            if amount >= limit:
                reached.append((amount / limit, width, amount, limit, [*earlier, *inside]))
        if reached:
            yield _reach(store, actor, account, rows, max(reached, key=lambda one: one[0]), day, now)
    if account.person:
        yield from _images(store, actor, account, rows, day, start, now)


def _fresh(
    actor: str, account: _Account, past: _Past, rows: pd.DataFrame, made: pd.DataFrame
) -> list[tuple[datetime, float, str]]:
    """The repositories that the account touches for the first time today, of those that were there before; not what it
    pushed to itself, nor what anybody has just pushed: an image that was just made is fetched by whom it was made for.
    """
    pushed: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for by, repository, moment in zip(made["actor"], made["repository"], made["window_start"], strict=True):
        pushed[repository].append((moment.to_pydatetime(), by))
    first: dict[str, datetime] = {}
    for repository, start in zip(rows["repository"], rows["window_start"], strict=True):
        moment = start.to_pydatetime()
        if repository not in past.known or repository in account.repositories or repository in first:
            continue
        if not any(at <= moment and (by == actor or moment - at <= JUST_MADE) for at, by in pushed[repository]):
            first[repository] = moment
    return sorted(
        (at, AT_HOME if repository.partition("/")[0] in account.projects else 1.0, repository)
        for repository, at in first.items()
    )


def _reach(
    store: EventReader,
    actor: str,
    account: _Account,
    rows: pd.DataFrame,
    reached: tuple[float, str, float, float, list[tuple[datetime, float, str]]],
    day: datetime,
    now: datetime,
) -> Suspicion:
    score, width, amount, limit, new = reached
    repositories = sorted({repository for _, _, repository in new})[:MOST_NEW]
    many = _shared(account, rows, set(repositories))
    # A machine that gets new work is ordinary; one that walks through what it never needed goes on for longer.
    most = Severity.HIGH if account.person or width == "week" else Severity.MEDIUM
    severity = Severity.LOW if many else most if score >= 2 else Severity.MEDIUM
    span = f"within {'an' if width == 'hour' else 'a'} {width}"
    start = max(min(at for at, _, _ in new), now - WEEK)
    kind = "person" if account.person else "machine"
    outside = sum(weight == 1.0 for _, weight, _ in new)
    return Suspicion(
        kind="new_reach",
        cause=("new_reach", actor, f"{_week_of(day):%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor)}: pulled from {len(repositories)} repositories new to it {span}",
        start=start,
        end=now,
        subjects={
            "actor": [actor],
            "client": _clients(rows, set(repositories)),
            "repository": repositories,
        },
        score=round(score, 3),
        expected=f"fewer than {number(limit)} {span} for this {kind}, which meets {account.rate(day):.2f} new ones a day",
        observed=f"{number(amount)}, {outside} of them in projects where it is no guest: {names(repositories, 5)}",
        evidence=_evidence(store, actor, set(repositories), start, now),
        explanation="Many addresses use this account: looks like a cluster that got new work."
        if many
        else "Slower than a burst, and more than chance and its own past explain: images may be carried off.",
    )


def _images(
    store: EventReader, actor: str, account: _Account, rows: pd.DataFrame, day: datetime, start: datetime, now: datetime
) -> Iterator[Suspicion]:
    """People: images new to them within a week, against their own weeks before."""
    fresh: dict[tuple[str, str], datetime] = {}
    for repository, digest, moment in zip(rows["repository"], rows["digest"], rows["window_start"], strict=True):
        if digest and (repository, digest) not in account.images:
            fresh.setdefault((repository, digest), moment.to_pydatetime())
    if not any(at + CELL > start for at in fresh.values()):
        return
    days: dict[datetime, int] = defaultdict(int)
    for at in account.new_images:
        days[at] += 1
    recent = sum(many for at, many in days.items() if at > day - WEEK) + len(fresh)
    weeks = [
        sum(many for at, many in days.items() if moment - WEEK < at <= moment)
        for moment in sorted(days)
        if moment <= day - WEEK and moment - account.first >= timedelta(days=SETTLED_DAYS)
    ]
    limit = 3 * max(weeks, default=0) + 40
    if not weeks or recent < limit:
        return
    severity = Severity.HIGH if recent >= 2 * limit else Severity.MEDIUM
    repositories = sorted({repository for repository, _ in fresh})[:MOST_NEW]
    yield Suspicion(
        kind="new_images",
        cause=("new_images", actor, f"{_week_of(day):%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor)}: pulled {recent} images new to them within a week; at most {max(weeks)} before",
        start=min(fresh.values()),
        end=now,
        subjects={"actor": [actor], "client": _clients(rows, set(repositories)), "repository": repositories},
        score=round(recent / limit, 3),
        expected=f"fewer than {limit} new images within a week: three times this person's largest week, and 40",
        observed=f"{recent} in a week, {len(fresh)} of them today: {names(repositories, 5)}",
        evidence=_evidence(store, actor, set(repositories), min(fresh.values()), now),
        explanation="A person fetches image after image, as somebody does who wants to have them all.",
    )


def _week_of(day: datetime) -> datetime:
    return day - timedelta(days=day.weekday())


def _shared(account: _Account, rows: pd.DataFrame, repositories: set[str]) -> bool:
    return not account.person and len(_clients(rows, repositories)) >= MANY_CLIENTS


def _clients(rows: pd.DataFrame, repositories: set[str]) -> list[str]:
    found: Any = rows[rows["repository"].isin(repositories)]["client_ip"].dropna().unique()
    return sorted(map(str, found))[:20]


def _evidence(store: EventReader, actor: str, repositories: set[str], since: datetime, until: datetime) -> list[str]:
    query = EventQuery(
        since=since, until=until, action=(Action.PULL,), outcome=(Outcome.SUCCESS,), actor=actor, limit=2000
    )
    seen: set[str] = set()
    found = []
    for event in store.events(query):
        if event["repository"] in repositories and event["repository"] not in seen:
            seen.add(event["repository"])
            found.append(event["event_id"])
    return found


DETECTOR = NewReach
