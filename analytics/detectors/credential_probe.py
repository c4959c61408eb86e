"""Credentials that are tried: one account guessed, many accounts sprayed, and the success that follows.

Notices: refused passwords and tokens from one client or on one account within 5 minutes, an hour and a day, and a few a
day for days; many accounts from one client; one account from many clients; accounts all over the registry from many
clients; many repositories forbidden to one client. A success behind it makes it critical. Does not count the auth
challenge nor requests without credentials. Needs no history, but tells people from attackers better with a week of it:
an account that is at home at an address (it succeeded from there before) and fails now has an expired token or tired
fingers, not an attacker. Method: exact bookkeeping with counts that no person reaches by mistyping (2 to 4 times). First check: was
it the account's owner? Never sees: a stolen password that fits at once, and tries against a login that another system keeps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from analytics.accounts import (
    FEWEST_TRIES,
    GRACE,
    by_account,
    is_expired,
    is_guessing,
    is_spraying,
    odd_accounts,
    slow_tries,
    unknown_accounts,
)
from analytics.daily import each_day
from analytics.detector import Suspicion
from analytics.replay import floor
from analytics.tries import Before, Ledger, Try, ledger_of
from analytics.windows import CELL, DAY, HOUR, MOMENT
from analytics.wording import duration, names, number, plain, several
from store.contract import EventQuery, EventReader
from store.finding import Severity

_MANY_TRIES = 50  # from here on high
_MANY_ACCOUNTS = 5
_STUFFED_ACCOUNTS, _STUFFED_CLIENTS = 15, 10
_FORBIDDEN_REPOSITORIES = 10


@dataclass(slots=True)
class CredentialProbe:
    """See the top of the file."""

    name: str = "credential_probe"
    subject: str = "client"
    every: timedelta = MOMENT  # on what there is of a window: whoever guesses passwords is quick
    history: timedelta = timedelta(days=9)
    next_step: str = (
        "Ask the owner of the account whether it was them. If not: block the address, change the account's password or "
        "token, and look at everything the account did since."
    )
    _kept: dict[datetime, Before] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            ledger = ledger_of(store, day, now, self._kept)
            start, until = max(since, day), min(day + DAY, now)
            while start < until:
                end = min(floor(start, MOMENT) + MOMENT, until)
                found += _step(store, ledger, start, end)
                start = end
        return found


def _step(store: EventReader, ledger: Ledger, start: datetime, now: datetime) -> Iterator[Suspicion]:
    """What is to be said at `now`. Tries of the step before are looked at again, for their grace has run out only
    now, and those of the day behind which an account succeeds now."""
    recent = ledger.refused.between(start - CELL, now)
    tried = [one for actor in ledger.visitors(start, now) for one in ledger.refused.run("actor", actor, now)]
    for client in sorted({one.client for one in (*recent, *tried)}):
        yield from _client(store, ledger, ledger.refused.run("client", client, now), now)
    for actor in sorted({one.actor for one in (*recent, *tried) if one.actor}):
        yield from _account(store, ledger, ledger.refused.run("actor", actor, now), now)
    for actor, client in sorted({(one.actor, one.client) for one in (*recent, *tried) if one.actor}):
        yield from _slowly(store, ledger, actor, client, now)
    if recent:
        yield from _stuffing(ledger, ledger.refused.between(now - HOUR, now), now)
        yield from _unknown(unknown_accounts(ledger, ledger.refused.between(now - DAY, now), now))
    for client in sorted({one.client for one in ledger.forbidden.between(start, now)}):
        yield from _forbidden(ledger.forbidden.run("client", client, now))


def _client(store: EventReader, ledger: Ledger, run: list[Try], now: datetime) -> Iterator[Suspicion]:
    """One address: spraying, else guessing; and accounts at home there with a credential that ran out."""
    accounts = by_account(run)
    odd = odd_accounts(ledger, accounts, now)
    sprayed = [one for actor in odd for one in accounts[actor]]
    if run[0].client and odd and is_spraying(sprayed):
        yield _spraying(store, ledger, sorted(sprayed, key=lambda one: one.at), run, now)
        return
    for actor, tries in accounts.items():
        if not is_guessing(tries):
            continue
        if is_expired(ledger, tries, alone=len(accounts) == 1):
            if not ledger.succeeded(actor, tries[0].client, tries[-1].at + CELL, now):
                yield _expired_credential(ledger, tries)
        else:
            yield _guessing(store, ledger, tries, now)


def _account(store: EventReader, ledger: Ledger, run: list[Try], now: datetime) -> Iterator[Suspicion]:
    """One account from many addresses at which it is not at home, none of which tries often enough by itself."""
    strange = [one for one in run if not ledger.at_home(one.actor, one.client, run[0].at)]
    clients = {one.client for one in strange}
    busiest = max((sum(one.client == client for one in strange) for client in clients), default=0)
    if len(clients) < 3 or busiest >= FEWEST_TRIES or not is_guessing(strange, at_once=False):
        return
    actor = plain(run[0].actor)
    span = duration(strange[-1].at - strange[0].at)
    suspicion = _suspicion(
        "distributed_guessing",
        ("account", run[0].actor),
        strange,
        Severity.HIGH if len(strange) >= _MANY_TRIES else Severity.MEDIUM,
        title=f"{actor}: {several(len(strange), 'refused login')} in {span} from {len(clients)} addresses; usual: 0",
        expected="no refused logins from addresses at which the account is not at home",
        explanation="Many addresses try the same account, each only a few times.",
    )
    yield _with_success(store, ledger, suspicion, strange, now)


def _slowly(store: EventReader, ledger: Ledger, actor: str, client: str, now: datetime) -> Iterator[Suspicion]:
    """One account, a few times a day, day after day."""
    total = slow_tries(ledger, actor, client, now)
    tries = [one for one in ledger.refused.between(now - DAY, now) if (one.actor, one.client) == (actor, client)]
    if not total or not tries or is_guessing(tries):
        return
    suspicion = _suspicion(
        "slow_guessing",
        ("slow", actor, client),
        tries,
        Severity.MEDIUM,
        title=f"{plain(actor)}: {several(total, 'refused login')} within a week from {plain(client) or 'an unknown address'}, "
        "a few a day",
        expected="a few at once, then the right password, from where the account is at home",
        explanation="Somebody takes his time: too few an hour for a limit, on day after day.",
    )
    yield _with_success(store, ledger, replace(suspicion, cause=("slow", actor, client, f"{now:%Y-%m}")), tries, now)


def _stuffing(ledger: Ledger, hour: list[Try], now: datetime) -> Iterator[Suspicion]:
    """Many accounts from many addresses in one hour, none at home there, hardly any that then succeeds."""
    by_pair: dict[tuple[str, str], list[Try]] = defaultdict(list)
    for one in hour:
        if one.actor and one.client:
            by_pair[one.actor, one.client].append(one)
    tries: list[Try] = []
    for (actor, client), of_pair in by_pair.items():
        fresh = of_pair[-1].at > now - GRACE
        settled = ledger.succeeded(actor, client, of_pair[-1].at, now)
        if not fresh and not settled and not ledger.at_home(actor, client, of_pair[0].at):
            tries += of_pair
    accounts, clients = {one.actor for one in tries}, {one.client for one in tries}
    if len(accounts) < _STUFFED_ACCOUNTS or len(clients) < _STUFFED_CLIENTS:
        return
    tries.sort(key=lambda one: one.at)
    agents = {one.agent for one in tries}
    yield _suspicion(
        "credential_stuffing",
        ("registry",),
        tries,
        Severity.HIGH,
        title=f"{len(accounts)} accounts refused from {len(clients)} addresses in 1 h; usual: a few that soon succeed",
        expected="people who mistype succeed within minutes, from addresses they used before",
        explanation=f"Accounts and addresses do not belong together; {several(len(agents), 'user agent')} in all.",
    )


def _unknown(tries: list[Try]) -> Iterator[Suspicion]:
    """Accounts all over the registry that are not its own, whether or not the log says from where they are tried."""
    if not tries:
        return
    accounts, clients = {one.actor for one in tries}, {one.client for one in tries} - {""}
    where = (
        f"from {several(len(clients), 'address', 'addresses')}"
        if clients
        else "from addresses that the log does not have"
    )
    yield _suspicion(
        "credential_stuffing",
        ("registry",),
        tries,
        Severity.HIGH if len(accounts) >= _MANY_TRIES else Severity.MEDIUM,
        title=f"{len(accounts)} accounts that never got in lately refused within {duration(tries[-1].at - tries[0].at)}, {where}",
        expected="a mistyped name now and then",
        explanation="A list of names is tried: most of them are nobody's here.",
    )


def _forbidden(run: list[Try]) -> Iterator[Suspicion]:
    """Known accounts that ask for one repository after another that they may not see."""
    hour = [one for one in run if one.at > run[-1].at - HOUR]
    repositories = {one.repository for one in hour if one.repository}
    if len(repositories) < _FORBIDDEN_REPOSITORIES:
        return
    yield _suspicion(
        "forbidden_probe",
        ("forbidden", run[0].client),
        hour,
        Severity.MEDIUM,
        title=f"{plain(run[0].client)}: {len(repositories)} repositories forbidden to it in 1 h",
        expected=f"fewer than {_FORBIDDEN_REPOSITORIES} repositories in an hour: a wrong project, a typing error",
        explanation="Somebody with valid credentials tries which repositories they open.",
    )


def _spraying(store: EventReader, ledger: Ledger, tries: list[Try], run: list[Try], now: datetime) -> Suspicion:
    accounts = sorted({one.actor for one in tries})
    usual = ledger.usual_a_day(None, run[0].client, run[0].at)
    many = len(accounts) >= _MANY_ACCOUNTS or len(run) >= 10
    suspicion = _suspicion(
        "password_spraying",
        ("client", run[0].client),
        run,
        Severity.HIGH if many else Severity.MEDIUM,
        title=(
            f"{plain(run[0].client)}: {several(len(run), 'refused login')} on {several(len(accounts), 'account')} in "
            f"{duration(run[-1].at - run[0].at)}; usual: {number(usual)} a day"
        ),
        expected=f"{number(usual)} refused logins a day from this address, on accounts that are at home there",
        explanation=f"One address tries accounts that do not belong there: {names(accounts, 5)}.",
    )
    return _with_success(store, ledger, suspicion, tries, now)


def _guessing(store: EventReader, ledger: Ledger, tries: list[Try], now: datetime) -> Suspicion:
    who = plain(tries[0].actor) or "unnamed account"
    usual = ledger.usual_a_day(tries[0].actor, tries[0].client, tries[0].at)
    suspicion = _suspicion(
        "password_guessing",
        ("client", tries[0].client) if tries[0].client else ("account", tries[0].actor),
        tries,
        Severity.HIGH if len(tries) >= _MANY_TRIES else Severity.MEDIUM,
        title=(
            f"{who}: {several(len(tries), 'refused login')} in {duration(tries[-1].at - tries[0].at)} "
            f"from {plain(tries[0].client) or 'an unknown address'}; usual: {number(usual)} a day"
        ),
        expected=f"{number(usual)} refused logins a day of this account from this address",
        explanation="More refused logins on one account than anybody mistypes.",
    )
    return _with_success(store, ledger, suspicion, tries, now)


def _expired_credential(ledger: Ledger, tries: list[Try]) -> Suspicion:
    first, gap = tries[0], (tries[-1].at - tries[0].at) / (len(tries) - 1)
    return _suspicion(
        "expired_credential",
        ("expired", first.actor, first.client),
        tries,
        Severity.LOW,
        title=f"{plain(first.actor)}: expired credential? refused every {duration(gap)} from {plain(first.client)}",
        expected=f"{number(ledger.usual_a_day(first.actor, first.client, first.at))} refused logins a day",
        explanation="Same address, same agent: a client goes on with a password or token that no longer holds.",
    )


def _with_success(
    store: EventReader, ledger: Ledger, suspicion: Suspicion, tries: list[Try], now: datetime
) -> Suspicion:
    """The same, critical, if a tried account then succeeded from a trying address, or from one that is new to it."""
    for actor, of_account in sorted(by_account(tries).items()):
        enough = 1 if suspicion.kind == "password_spraying" else 3
        if not actor or len(of_account) < enough:
            continue
        trying = {one.client for one in of_account}
        elsewhere = ledger.homes.get(actor, set()) - trying if len(of_account) >= 5 else set()
        strangers = {
            other
            for other in elsewhere
            if not ledger.at_home(actor, other, of_account[0].at, inclusive=True)
            and not ledger.near_home(actor, other, of_account[0].at)
        }
        for client in sorted(trying | strangers):
            since = of_account[enough - 1].at
            if client and ledger.succeeded(actor, client, since, now):
                query = EventQuery(since=since, until=now, actor=actor, client=client, outcome=("success",), limit=5)
                after = [event for event in store.events(query) if event["timestamp"] > since]
                if after:
                    return _critical(suspicion, actor, client, after[0]["timestamp"], [e["event_id"] for e in after])
    return suspicion


def _critical(suspicion: Suspicion, actor: str, client: str, at: datetime, ids: list[str]) -> Suspicion:
    told = f"then {plain(actor)} succeeded from {plain(client)} at {at:%H:%M:%S} UTC"
    return replace(
        suspicion,
        severity=Severity.CRITICAL,
        title=f"{suspicion.title}; {told}",
        end=max(suspicion.end, at),
        subjects={**suspicion.subjects, "client": sorted({*suspicion.subjects["client"], client})},
        score=suspicion.score + 100,
        observed=f"{suspicion.observed}, {told}",
        evidence=[*ids, *suspicion.evidence],
        explanation=f"{suspicion.explanation} One try seems to have fitted.",
    )


def _suspicion(
    kind: str,
    cause: tuple[str, ...],
    tries: list[Try],
    severity: Severity,
    title: str,
    expected: str,
    explanation: str,
) -> Suspicion:
    """What is the same for all kinds: the cause ends with the day on which the tries began."""
    actors = sorted({one.actor for one in tries if one.actor})
    clients = sorted({one.client for one in tries if one.client})
    repositories = sorted({one.repository for one in tries if one.repository})
    return Suspicion(
        kind=kind,
        cause=(*cause, f"{tries[0].at:%Y-%m-%d}"),
        severity=severity,
        title=title,
        start=tries[0].at,
        end=tries[-1].at,
        subjects={"actor": actors[:50], "client": clients[:50], "repository": repositories[:50]},
        score=float(len(tries)) if severity.rank > Severity.LOW.rank else len(tries) / 1000,
        expected=expected,
        observed=(
            f"{several(len(tries), 'refusal')} in {duration(tries[-1].at - tries[0].at)}: "
            f"{several(len(actors), 'account')}, {several(len(clients), 'address', 'addresses')}, "
            f"{several(len(repositories), 'repository', 'repositories')}"
        ),
        evidence=[one.id for one in tries[:50]],
        explanation=explanation,
        without_past=True,
    )


DETECTOR = CredentialProbe
