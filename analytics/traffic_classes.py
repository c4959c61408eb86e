"""What sort of traffic comes from whom, learned from what each account, address and tool did over days.

A line alone shows little (`collector.enrichers.traffic`): a containerd without a name, a robot with a common name. Days
show more: who pulls around the clock and at weekends is no person, who goes through every repository in one hour of the
night is a scanner. Every verdict says why, in figures; with too little to go by there is none. What is set under
`[traffic]` stands above all.

The thresholds are those of a small set of habits, not fitted to any one installation; `docs/identity.md` names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from store.event import Action, Outcome, Traffic
from store.traffic import TrafficRules

if TYPE_CHECKING:
    import pandas as pd

    from store.contract import EventReader

HOUR = timedelta(hours=1)
FEWEST_REQUESTS = 12
FEWEST_DAYS = 2
AROUND_THE_CLOCK = 20  # of the 24 hours of the day
SLEEP = 6  # hours of the day without any request, one after the other
NIGHT = 8  # the same, of a single day of one person
MOST_BY_HAND = 25  # pulls and pushes a day that one person makes
MOST_ADDRESSES = 4  # that one person has in some weeks: office, home, VPN, a journey
MANY_REPOSITORIES = 5
MOST_OF_ALL = 0.6  # of the repositories that anybody pulls
WEEKEND = 0.12  # of requests; evenly spread they are 0.29

_KEYS = ("actor", "client_ip", "client_class")
_PUSHING = (Action.PUSH, Action.LAYER_UPLOAD, Action.MOUNT, Action.SIGN)
_ASKING = (Action.CHECK, Action.LIST_TAGS, Action.CATALOG, Action.REFERRERS)
_RUNTIMES = frozenset(("containerd", "cri-o"))
_BUILDERS = frozenset(("kaniko", "buildkit", "buildah", "ko", "jib"))
_SCANNERS = frozenset(("trivy", "grype", "clair", "container-analysis"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What one account did from one address with one tool. `gap` is the usual number of hours between two active hours."""

    actor: str | None
    client_ip: str | None
    client_class: str | None
    requests: int
    got: int  # successes that concern a repository
    pulls: int
    pushes: int
    asks: int
    repositories: int
    of_all: float  # share of all repositories that anybody pulled
    days: int
    hours_a_day: float
    hours_of_day: int
    quiet: int  # longest run of hours of the day without a request
    weekend: float | None  # None if no weekend was looked at
    gap: int
    regular: float  # share of the gaps that are `gap`
    account_a_day: float  # pulls and pushes on a day with any, of the account as a whole: builds have many addresses
    account_addresses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The class of one account, address and tool; `traffic` is None while nothing can be said. `origin`: set, learned."""

    habits: Habits
    traffic: Traffic | None
    why: str
    origin: str

    def as_json(self) -> dict[str, Any]:
        shown = {name: getattr(self.habits, name) for name in self.habits.__dataclass_fields__}
        return shown | {"traffic": self.traffic, "why": self.why, "origin": self.origin}


def verdicts(store: EventReader, since: datetime, until: datetime, rules: TrafficRules) -> list[Verdict]:
    """Whoever asked anything in [since, until), those with most requests first."""
    by = (*_KEYS, "repository", "action", "outcome")
    frame = store.counts(since, until, by, HOUR)
    return [verdict(habits, rules) for habits in habits_of(frame)]


def verdict(habits: Habits, rules: TrafficRules = TrafficRules()) -> Verdict:  # noqa: B008 (immutable)
    """The class that the settings, or else the habits, give."""
    rule = rules.rule_for(habits.actor, habits.client_ip)
    if rule is not None:
        return Verdict(habits=habits, traffic=rule[0], why=f'[traffic] "{rule[1]}" in the settings', origin="set")
    for traffic, judge in _JUDGES:
        why = judge(habits)
        if why:
            return Verdict(habits=habits, traffic=traffic, why=why, origin="learned")
    few = habits.requests < FEWEST_REQUESTS or habits.days < FEWEST_DAYS
    why = f"only {habits.requests} requests on {habits.days} days" if few else "fits no class clearly"
    return Verdict(habits=habits, traffic=None, why=why, origin="learned")


def habits_of(frame: pd.DataFrame) -> list[Habits]:
    """From counts per hour by actor, client_ip, client_class, repository, action, outcome."""
    import pandas as pd

    if frame.empty:
        return []
    frame = frame.assign(
        hour=pd.DatetimeIndex(frame["window_start"]).as_unit("s").asi8 // 3600,
        pull=(frame["action"] == Action.PULL) & (frame["outcome"] == Outcome.SUCCESS),
        push=frame["action"] == Action.PUSH,
        pushing=frame["action"].isin(_PUSHING),
        ask=frame["action"].isin(_ASKING),
        good=(frame["outcome"] == Outcome.SUCCESS) & frame["repository"].notna(),
    )
    all_pulled = max(int(frame.loc[frame["pull"], "repository"].nunique()), 1)
    hours = frame["hour"]
    weekend = any((hour // 24 + 3) % 7 >= 5 for hour in range(int(hours.min()), int(hours.max()) + 1, 24))
    accounts = _accounts(frame)
    named = set(frame.loc[frame["actor"].notna(), ["client_ip", "client_class"]].itertuples(index=False, name=None))
    groups = frame.groupby(list(_KEYS), dropna=False, sort=False)
    found = [
        _habits(key, group, all_pulled, weekend, accounts)
        for key, group in groups
        # Every client is asked who it is first: that belongs to the accounts behind the address.
        if isinstance(key[0], str) or key[1:] not in named or not (group["action"] == Action.PING).all()
    ]
    return sorted(found, key=lambda one: (-one.requests, one.actor or "", one.client_ip or "", one.client_class or ""))


def _accounts(frame: pd.DataFrame) -> dict[str, tuple[float, int]]:
    """Account → pulls and pushes on a day with any requests, and number of addresses."""
    named = frame[frame["actor"].notna()]
    found: dict[str, tuple[float, int]] = {}
    for actor, group in named.groupby("actor"):
        done = int(group.loc[group["pull"] | group["push"], "events"].sum())
        found[str(actor)] = done / int((group["hour"] // 24).nunique()), int(group["client_ip"].nunique())
    return found


def _habits(
    key: Any, group: pd.DataFrame, all_pulled: int, weekend: bool, accounts: dict[str, tuple[float, int]]
) -> Habits:
    import numpy as np

    events, hours = group["events"], np.unique(group["hour"].to_numpy())
    gaps, many = np.unique(np.diff(hours), return_counts=True)
    days = hours // 24
    # The first of January 1970 was a Thursday.
    at_weekend = (group["hour"] // 24 + 3) % 7 >= 5
    actor, client, tool = (value if isinstance(value, str) else None for value in key)
    a_day, addresses = accounts.get(actor or "", (0.0, 0))
    return Habits(
        actor=actor,
        client_ip=client,
        client_class=tool,
        requests=int(events.sum()),
        got=int(events[group["good"]].sum()),
        pulls=int(events[group["pull"]].sum()),
        pushes=int(events[group["push"]].sum() or events[group["pushing"]].sum() // 10),
        asks=int(events[group["ask"]].sum()),
        repositories=int(group.loc[group["good"], "repository"].nunique()),
        of_all=round(group.loc[group["pull"], "repository"].nunique() / all_pulled, 3),
        days=len(np.unique(days)),
        hours_a_day=round(len(hours) / len(np.unique(days)), 1),
        hours_of_day=len(np.unique(hours % 24)),
        quiet=_longest_quiet(set((hours % 24).tolist())),
        weekend=round(float(events[at_weekend].sum() / events.sum()), 3) if weekend else None,
        gap=int(gaps[many.argmax()]) if len(gaps) else 0,
        regular=round(float(many.max() / many.sum()), 2) if len(gaps) else 0.0,
        account_a_day=round(a_day, 1),
        account_addresses=addresses,
    )


def around_the_clock(days: Iterable[int]) -> bool:
    """Whether days, each as the hours in which somebody was there (a bit each), are a machine's: nearly all hours of the day,
    and no rest on half of the days. A person who comes early and late by turns is seen at all hours too, but sleeps each day.
    """
    seen = [*days]
    if reduce(or_, seen, 0).bit_count() < AROUND_THE_CLOCK:
        return False
    return 2 * sum(not _rests(hours) for hours in seen) >= len(seen)


@lru_cache(maxsize=10_000)
def _rests(hours: int) -> bool:
    return _longest_quiet({hour for hour in range(24) if hours >> hour & 1}) >= NIGHT


def _longest_quiet(active: set[int]) -> int:
    longest = run = 0
    for hour in range(48):  # twice around: the night goes over midnight
        run = 0 if hour % 24 in active else run + 1
        longest = max(longest, run)
    return min(longest, 24)


def _awake(habits: Habits) -> bool:
    """Around the clock, and at weekends where there were any."""
    return habits.hours_of_day >= AROUND_THE_CLOCK and (habits.weekend is None or habits.weekend >= WEEKEND)


def _enough(habits: Habits) -> bool:
    return habits.requests >= FEWEST_REQUESTS and habits.days >= FEWEST_DAYS


def _probe(h: Habits) -> str:
    if h.client_class == "probe" and not h.repositories:
        return "calls itself a probe and asks for no repository"
    if h.actor is None and not h.repositories and _enough(h) and h.hours_a_day >= AROUND_THE_CLOCK:
        return f"asks for no repository, {h.hours_a_day:g} hours a day"
    return ""


def _noise(h: Habits) -> str:
    if h.actor is None and not h.got:
        return f"{h.requests} requests without an account, and got nothing"
    return ""


def _scanner(h: Habits) -> str:
    many = (
        f"pulls {h.of_all:.0%} of all repositories that anybody pulls ({h.repositories}), {h.hours_a_day:g} hours a day"
    )
    if h.client_class in _SCANNERS and not h.pushes and h.repositories >= MANY_REPOSITORIES:
        return f"{h.client_class}, {many}, never pushes"
    wide = h.of_all >= MOST_OF_ALL and h.repositories >= 4 * MANY_REPOSITORIES
    return f"{many}, never pushes" if _enough(h) and wide and not h.pushes and h.hours_a_day <= 6 else ""


def _ci(h: Habits) -> str:
    if not h.pushes or h.client_class == "harbor":
        return ""
    if h.client_class in _BUILDERS and h.requests >= FEWEST_REQUESTS:
        return f"pushes {h.pushes} times with {h.client_class}, a builder"
    if _enough(h) and h.actor is not None and (h.account_a_day > MOST_BY_HAND or h.account_addresses > MOST_ADDRESSES):
        return (
            f"pushes ({h.pushes} times from here); the account makes {h.account_a_day:.0f} pulls and pushes a day "
            f"from {h.account_addresses} addresses"
        )
    # A quiet pipeline: it stores much more than it fetches, on whichever runner is free.
    if _enough(h) and h.actor is not None and h.account_addresses >= 3 and h.pushes > 2 * h.pulls:
        return f"pushes {h.pushes} times and pulls {h.pulls} times from here; {h.account_addresses} addresses"
    return ""


def _mirror(h: Habits) -> str:
    if h.client_class == "harbor" and h.got:
        return "Harbor's own client: replication, proxy cache"
    if not _enough(h) or h.repositories < MANY_REPOSITORIES:
        return ""
    if not h.pulls and not h.pushes and h.asks and _awake(h):
        return f"only asks what is there, {h.asks} times, in {h.hours_of_day} of 24 hours"
    if h.regular >= 0.7 and h.gap >= 2 and h.days >= 3 and h.quiet <= h.gap:
        return f"every {h.gap} hours ({h.regular:.0%} of the time), {h.repositories} repositories"
    return ""


def _cluster(h: Habits) -> str:
    if h.pushes or not h.got:
        return ""
    round_the_clock = f"in {h.hours_of_day} of 24 hours, {h.repositories} repositories, never pushes"
    if h.client_class in _RUNTIMES and h.requests >= FEWEST_REQUESTS:
        return f"{h.client_class}, {round_the_clock}"
    if _enough(h) and _awake(h) and h.repositories >= MANY_REPOSITORIES and h.hours_a_day >= 6:
        return round_the_clock
    return ""


def _people(h: Habits) -> str:
    if h.client_class == "browser":
        return "a browser"
    machine = h.client_class in _RUNTIMES | _BUILDERS | _SCANNERS or h.client_class in ("harbor", "probe")
    if h.actor is None or machine or not _enough(h) or h.account_a_day > MOST_BY_HAND:
        return ""
    if h.quiet >= SLEEP or h.hours_a_day <= 4:
        return f"{h.account_a_day:.1f} pulls and pushes a day, {h.hours_a_day:g} hours a day, {h.quiet} hours of rest"
    return ""


_JUDGES: tuple[tuple[Traffic, Callable[[Habits], str]], ...] = (
    (Traffic.PROBE, _probe),
    (Traffic.NOISE, _noise),
    (Traffic.SCANNER, _scanner),
    (Traffic.CI, _ci),
    (Traffic.MIRROR, _mirror),
    (Traffic.CLUSTER, _cluster),
    (Traffic.PEOPLE, _people),
)
