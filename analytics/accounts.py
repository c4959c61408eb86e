"""Who of those whose credentials are refused is an attacker, who has tired fingers, and whose token ran out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean, median, pstdev

from analytics.tries import Ledger, Try
from analytics.windows import CELL, DAY, HOUR

FEWEST_TRIES = 5  # on one account within five minutes; people mistype two to four times
GRACE = timedelta(minutes=2)  # nine in ten mistyped passwords are followed by the right one within one minute
# Within which span how many are too many: tries on one account, accounts at one address.
_GUESSING = ((CELL, FEWEST_TRIES), (HOUR, 10), (DAY, 20))
SLOW_SPAN = timedelta(days=7)
_SLOW, _SLOW_UNPLACED, _SLOW_DAYS = 10, 12, 3  # tries within that time, where no address is known, and days
_AT_REST = 0.4  # of the tries, at least, at hours at which the account never works
_SPRAYING = ((CELL, 3), (HOUR, 3), (DAY, 5))
FINGERS = 12  # tries of a person who has forgotten the password, in a network where the account is at home
_HOPELESS = 60  # tries in five minutes; no client with an expired token is that fast
_BREATH = timedelta(seconds=10)
_UNKNOWN = ((HOUR, 8), (DAY, 15))  # accounts that never got in, tried all over the registry
_EVEN = 0.25  # of the mean gap, at most, where no address says whether it is the account's own client


def by_account(run: list[Try]) -> dict[str, list[Try]]:
    """The tries of each account, in order; those that name none under the empty name."""
    accounts: dict[str, list[Try]] = defaultdict(list)
    for one in run:
        accounts[one.actor].append(one)
    return accounts


def is_guessing(tries: list[Try], at_once: bool = True) -> bool:
    """Whether these tries on one account are more than mistyping; `at_once` also looks at five minutes alone."""
    return _exceeds(tries, _GUESSING if at_once else _GUESSING[1:], len)


def slow_tries(ledger: Ledger, actor: str, client: str, now: datetime) -> int:
    """How often a known account was refused at the address within a week, if somebody takes his time: on three days, from
    where it never got in nor belongs. Where the log has no addresses: at hours at which it never works, with no success
    soon behind it. 0 if it is not so.
    """
    cells = [(at, many) for at, many in ledger.refusals.get((actor, client), []) if now - SLOW_SPAN <= at < now]
    if not client:
        cells = [(at, many) for at, many in cells if not ledger.succeeded(actor, client, at, at + 3 * CELL)]
    tries = [at for at, many in cells for _ in range(many)]
    least = _SLOW if client else _SLOW_UNPLACED
    if len(tries) < least or len({at.date() for at in tries}) < _SLOW_DAYS or not ledger.knows(actor, tries[0]):
        return 0
    if client:
        # A success after that many is no home: it may be the one try that fitted.
        before = ledger.succeeded(actor, client, tries[0] - SLOW_SPAN, tries[least - 1])
        return 0 if before or ledger.near_home(actor, client, tries[0]) else len(tries)
    works = {at.hour for at in ledger.successes.get((actor, client), []) if at >= now - SLOW_SPAN}
    near = {(hour + step) % 24 for hour in works for step in (-1, 0, 1)}
    at_rest = sum(at.hour not in near for at in tries)
    return len(tries) if at_rest >= _AT_REST * len(tries) else 0


def is_spraying(tries: list[Try]) -> bool:
    """Whether these tries at one address are on more accounts than share an address by accident."""
    return _exceeds(tries, _SPRAYING, lambda some: len({one.actor for one in some}))


def unknown_accounts(ledger: Ledger, tries: list[Try], now: datetime) -> list[Try]:
    """The tries on accounts that have not got in for a week, if these are too many for mistyped names; else none. One address
    that tries many of them is left out: that is spraying.
    """
    known = {actor: ledger.knows(actor, now) for actor in {one.actor for one in tries if one.actor}}
    unknown = [one for one in tries if one.actor and not known[one.actor]]
    at_client: dict[str, set[str]] = defaultdict(set)
    for one in unknown:
        at_client[one.client].add(one.actor)
    scattered = [one for one in unknown if not one.client or len(at_client[one.client]) < _SPRAYING[0][1]]
    for span, limit in _UNKNOWN:
        recent = [one for one in scattered if one.at > now - span]
        if len({one.actor for one in recent}) >= limit:
            return recent
    return []


def odd_accounts(ledger: Ledger, accounts: dict[str, list[Try]], now: datetime) -> list[str]:
    """Named accounts that fail at one address without belonging there.

    Behind a shared address (office, VPN) most of those who fail are at home there or succeed soon; then only the others
    are odd. Elsewhere a success does not excuse: it may be the one password that fitted. Who failed just now has some
    grace, unless ten others failed as well, three fail within seconds, or the address is guessing already.
    """
    named = {actor: tries for actor, tries in accounts.items() if actor}
    home = {actor for actor, tries in named.items() if ledger.at_home(actor, tries[0].client, tries[0].at)}
    soon = {
        actor
        for actor, tries in named.items()
        if len(tries) <= FEWEST_TRIES and ledger.succeeded(actor, tries[0].client, tries[-1].at, now)
    }
    shared = len(home | soon) * 2 >= len(named)
    strangers = {actor: tries for actor, tries in named.items() if actor not in (home | soon if shared else home)}
    crowd = len(named) >= 10 and not shared
    if crowd or _in_one_breath(strangers.values()) or any(is_guessing(tries) for tries in strangers.values()):
        return list(strangers)
    return [actor for actor, tries in strangers.items() if tries[-1].at <= now - GRACE or len(tries) >= FEWEST_TRIES]


def is_expired(ledger: Ledger, tries: list[Try], alone: bool) -> bool:
    """Whether this is a client that goes on with a credential that no longer holds.

    It is at home here and not faster than any client retries; or, in a network where the account is at home or where nothing is
    known of it: a person tries a few times with one tool, the account is refused at several of its homes and works nowhere (a
    cluster whose nodes share it), or one agent tries one account (`alone`) at a machine's even pace.
    """
    first, agents = tries[0], {one.agent for one in tries}
    if _fastest(tries) > _HOPELESS or len(agents) > 2:
        return False
    gaps = [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(tries)]
    if not first.client:  # no address: only a machine's pace tells its own client from somebody who guesses
        return len(gaps) < 4 or pstdev(gaps) <= _EVEN * fmean(gaps)
    if ledger.at_home(first.actor, first.client, first.at):
        return True
    if not first.actor or not ledger.near_home(first.actor, first.client, first.at):
        return False
    few = len(agents) == 1 and len(tries) <= FINGERS and ledger.knows(first.actor, first.at)
    if few or ledger.fails_everywhere(first.actor, tries[-1].at):
        return True
    even = len(gaps) >= 4 and median(gaps) >= 5 and pstdev(gaps) <= 0.5 * fmean(gaps)
    return even and alone and len(agents) == 1


def _exceeds(tries: list[Try], limits: tuple[tuple[timedelta, int], ...], measure: Callable[[list[Try]], int]) -> bool:
    """Whether any of the spans that end with the last try reaches its limit."""
    return bool(tries) and any(
        measure([one for one in tries if one.at > tries[-1].at - span]) >= limit for span, limit in limits
    )


def _in_one_breath(accounts: Iterable[list[Try]]) -> bool:
    """Whether three of the accounts fail within seconds of each other, as people at one address do not."""
    last = sorted(tries[-1].at for tries in accounts)
    return any(third - first <= _BREATH for first, third in zip(last, last[2:], strict=False))


def _fastest(tries: list[Try]) -> int:
    """The most tries in any five minutes."""
    most = first = 0
    for place, one in enumerate(tries):
        while tries[first].at <= one.at - CELL:
            first += 1
        most = max(most, place - first + 1)
    return most
