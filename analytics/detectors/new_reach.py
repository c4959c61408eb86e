"""Accounts that reach further than ever: new repositories, new images, within an hour, a day and a week.

Notices: images carried off slowly: an account that pulls from repositories new to it, or (people) images new to it, a few a day
for a week. Counted against its own past and that of accounts of its kind, by the rate at which each meets new ones: a robot with
five new repositories is evidence, a person is not; repositories of a project in which it is at home count half, and those from
which anybody pulls since less than a week not at all. Needs: logs that name accounts; a week of each account's past. Method:
thresholds of an over-dispersed count at one false alarm a week per thousand accounts (negative binomial), raised to what the last
two weeks would have given. Wakes nobody where many addresses share the new ones (a cluster with new work): any addresses of a
machine's account, for others those from which the account always pulled, since a cluster's account may have a name like a
person's; nor where several accounts meet the same ones on the same day, each from where it always was (a course, a new team).
Never sees: a person who takes one image a day out of their own project.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from analytics.acts import CELL, Acts, acts_of
from analytics.daily import carried, each_day
from analytics.detector import Suspicion
from analytics.lone_node import lone_nodes
from analytics.novelty import chance
from analytics.reach import Reach
from analytics.reach_today import LIMITS, SETTLED_DAYS, SPANS, WEEK, Account, New, Today
from analytics.replay import days_since_epoch, remember
from analytics.windows import DAY
from analytics.wording import names, number, plain
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

SHARE_OF_BUDGET = 0.25  # of the false alarms a week that this detector may use
MANY_CLIENTS = 4
COMPANY = 3  # others who meet the same repositories on the same day: a course, a new team
MOST_NEW = 200  # names kept of one account


@dataclass(slots=True)
class NewReach:
    """See the top of the file."""

    alerts_per_week: float = 3.0
    name: str = "new_reach"
    subject: str = "actor"
    every: timedelta = timedelta(minutes=CELL)
    history: timedelta = timedelta(days=35)
    next_step: str = "Ask the account's owner what they need these images for; if nobody knows, revoke its token."
    _kept: dict[datetime, Reach] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            start, end = max(since, day), min(day + DAY, now)
            today = remember(store, f"{self.name} {self.alerts_per_week}", day, partial(self._day, store, day, now))
            told: set[str] = set()
            for actor in sorted(today.touched(start, end)):
                judged = list(_judge(store, today, actor, start, end))
                found += [replace(one, chance=chance(one.score, today.past.many)) for one in judged]
                told |= {actor for one in judged if one.severity.rank >= Severity.MEDIUM.rank}
            found += lone_nodes(store, today, start, end, told)
        return found

    def _day(self, store: EventReader, day: datetime, now: datetime) -> Today:
        allowed = self.alerts_per_week * SHARE_OF_BUDGET
        return Today(self._reach(store, day), named(store, day, now), days_since_epoch(day), allowed)

    def _reach(self, store: EventReader, day: datetime) -> Reach:
        def after(reach: Reach, over: datetime) -> Reach:
            return reach.after(named(store, over, over + DAY), days_since_epoch(over))

        return carried(store, self.name, day, self.history, self._kept, lambda: Reach(span=self.history // DAY), after)


def named(store: EventReader, day: datetime, now: datetime) -> Acts:
    """Pulls and pushes of a day that name an account and a repository."""
    return acts_of(store, day, now).named()


def _judge(store: EventReader, today: Today, actor: str, start: datetime, now: datetime) -> Iterator[Suspicion]:
    account = today.account(actor)
    fresh = [one for one in account.fresh if one[0] < now]
    touched = [at for at, _, _ in fresh if at + timedelta(minutes=CELL) > start]
    if touched:
        reached = []
        for width, span in SPANS.items():
            limit = LIMITS[width](account.rate) * today.past.raised[width]
            earlier = [one for one in account.new if width == "week" and one[0] >= today.day - span + DAY]
            inside = [one for one in fresh if width != "hour" or one[0] > touched[-1] - span]
            amount = sum(weight for _, weight, _ in [*earlier, *inside])
            if amount >= limit:
                reached.append((amount / limit, width, amount, limit, [*earlier, *inside]))
        if reached:
            yield _reach(store, today, account, max(reached, key=lambda one: one[0]), now)
    if account.person:
        yield from _images(store, today, account, start, now)


def _reach(
    store: EventReader,
    today: Today,
    account: Account,
    reached: tuple[float, str, float, float, list[New]],
    now: datetime,
) -> Suspicion:
    score, width, amount, limit, new = reached
    actor, day = account.name, today.day
    repositories = sorted({repository for _, _, repository in new})[:MOST_NEW]
    clients = today.clients(actor, set(repositories), now)
    ordinary = _ordinary(today, account, set(repositories), clients, now)
    # A machine that gets new work is ordinary; one that walks through what it never needed goes on for longer.
    most = Severity.HIGH if account.person or width == "week" else Severity.MEDIUM
    severity = Severity.LOW if ordinary else most if score >= 2 else Severity.MEDIUM
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
        subjects={"actor": [actor], "client": clients, "repository": repositories},
        score=round(score, 3),
        expected=f"fewer than {number(limit)} {span} for this {kind}, which meets {account.rate:.2f} new ones a day",
        observed=f"{number(amount)}, {outside} of them in projects where it is no guest: {names(repositories, 5)}",
        evidence=_evidence(store, actor, set(repositories), start, now),
        explanation=ordinary
        or "Slower than a burst, and more than chance and its own past explain: images may be carried off.",
    )


def _ordinary(today: Today, account: Account, repositories: set[str], clients: list[str], now: datetime) -> str:
    """What explains it without an intruder; empty if nothing does."""
    usual = today.usual(account.name, clients)
    if (usual if account.person else len(clients)) >= MANY_CLIENTS:
        return "Many addresses use this account: looks like a cluster that got new work."
    company = today.company(account.name, repositories, now)
    if usual and len(company) >= COMPANY:
        return f"{names(company, 3)} met the same repositories today: looks like a course, or a new team."
    return ""


def _images(store: EventReader, today: Today, account: Account, start: datetime, now: datetime) -> Iterator[Suspicion]:
    """People: images new to them within a week, against their own weeks before."""
    actor, day, days = account.name, today.day, account.new_images
    fresh = {image: at for image, at in account.images.items() if at < now}
    if not any(at + timedelta(minutes=CELL) > start for at in fresh.values()):
        return
    counted = days | {day: len(fresh)}
    recent = _week(counted, day)
    weeks = [
        _week(days, moment)
        for moment in sorted(days)
        if moment <= day - WEEK and moment - account.first >= timedelta(days=SETTLED_DAYS)
    ]
    limit = 3 * max(weeks, default=0) + 40
    if not weeks or recent < limit:
        return
    severity = Severity.HIGH if recent >= 2 * limit else Severity.MEDIUM
    repositories = sorted({repository for repository, _ in fresh})[:MOST_NEW]
    # The day on which it became too many: what is told again on the days after it is one finding.
    since = next(one for one in (day - n * DAY for n in reversed(range(7))) if _week(counted, one) >= limit)
    yield Suspicion(
        kind="new_images",
        cause=("new_images", actor, f"{since:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor)}: pulled {recent} images new to them within a week; at most {max(weeks)} before",
        start=min(fresh.values()) if since == day else since,
        end=now,
        subjects={"actor": [actor], "client": today.clients(actor, set(repositories), now), "repository": repositories},
        score=round(recent / limit, 3),
        expected=f"fewer than {limit} new images within a week: three times this person's largest week, and 40",
        observed=f"{recent} in a week, {len(fresh)} of them today: {names(repositories, 5)}",
        evidence=_evidence(store, actor, set(repositories), min(fresh.values()), now),
        explanation="A person fetches image after image, as somebody does who wants to have them all.",
    )


def _week(days: dict[datetime, int], last: datetime) -> int:
    """How many in the week that ends with the day."""
    return sum(many for at, many in days.items() if last - WEEK < at <= last)


def _week_of(day: datetime) -> datetime:
    return day - timedelta(days=day.weekday())


def _evidence(store: EventReader, actor: str, repositories: set[str], since: datetime, until: datetime) -> list[str]:
    query = EventQuery(
        since=since,
        until=until,
        action=(Action.PULL,),
        outcome=(Outcome.SUCCESS,),
        actor=actor,
        limit=2000,
        columns=("event_id", "repository"),
    )
    seen: set[str] = set()
    found = []
    for event in store.events(query):
        if event["repository"] in repositories and event["repository"] not in seen:
            seen.add(event["repository"])
            found.append(event["event_id"])
    return found


DETECTOR = NewReach
