"""An account that runs images, and never stored any, stores one: its password is in every node's settings, for reading alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from analytics.detector import Suspicion
from analytics.hands import PROBATION, Account, Custom, Repository
from analytics.ledger import home
from analytics.replay import EPOCH
from analytics.walk import Event, Memory
from analytics.wording import names, plain, several
from store.finding import Severity

WRITES = "pull_account_writes"  # the kinds of its findings
ONE_DAY = timedelta(days=1)  # further pushes belong to the first for so long; then it is an account that pushes


def perhaps_puller_writes(
    memory: Memory, event: Event, account: Account, repository: Repository
) -> Iterator[Suspicion]:
    """To be asked before the push is entered: whether it is the first of an account that only ever ran images."""
    at, name = event["timestamp"], event["actor"]
    if account.writes > EPOCH:
        if at - account.writes > ONE_DAY:
            return
    elif not account.push_days and at - account.first >= PROBATION and account.steady(_repositories(memory)):
        account.writes = at
    else:
        return
    account.wrote = account.wrote.enter(event)
    account.loud = account.loud or (home(event) in account.repositories and bool(repository.pushers.keys() - {name}))
    yield _suspicion(event, account)


def _repositories(memory: Memory) -> int:
    return memory.table("custom", Custom)["all"].repositories


def _suspicion(event: Event, account: Account) -> Suspicion:
    at, name, wrote = event["timestamp"], event["actor"], account.wrote
    severity = Severity.HIGH if account.loud else Severity.MEDIUM
    many = len(wrote.evidence)
    why = "The account is a cluster's: whoever gets out of a container has its password, which should be good for pulls only. "
    why += "What it put is where it fetches what it runs. " if account.loud else ""
    why += "Harmless if a build or another tool was given the same account: then it should have one of its own."
    return Suspicion(
        kind=WRITES,
        cause=(WRITES, name, f"{wrote.day:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(name)}, which only ever pulled, pushed to {names(sorted(wrote.repositories), 2)}",
        start=wrote.start,
        end=at,
        subjects=wrote.subjects(name),
        score=10.0 * severity.rank + min(many, 9),
        expected=f"pulls, as on {several(account.pull_days, 'day')} before",
        observed=several(many, "push", "pushes") + (", over what it runs itself" if account.loud else ""),
        evidence=list(wrote.evidence),
        explanation=why,
        next_step="Take the account's right to push away, set the tags back, and look at what runs on the node it came from.",
    )
