"""Images from hands that never made them, in use: a stranger's push to a known tag, a repository made by hand that clusters run.

Notices: an account that pushes to a repository in whose project it never pushed and is no regular guest, once somebody who used
that repository before fetches what it pushed (louder if the tag had been there, or if many build upon the repository); a new
repository, first pushed by an account that hardly ever pushes, that is then pulled by an account which runs images (pulls from
many repositories, not from nearly all of them, and never pushes). Needs: logs that name accounts; a week of history. Method:
bookkeeping of who pushes where, who pulls from where, and which image came last. Wakes nobody where new repositories made by hand
are the custom of several accounts, nor for a robot that was renewed (the same name up to a number, the old one silent since).
Never sees: an image changed by the hands that always change it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.detector import Suspicion
from analytics.ledger import COLUMNS, home
from analytics.replay import EPOCH
from analytics.walk import Event, Memory, Walk
from analytics.windows import DAY
from analytics.wording import duration, plain, several
from store.contract import EventReader
from store.event import Action, Outcome, Traffic
from store.finding import Severity

HAND_MADE, STRANGER = "hand_made_image_runs", "stranger_push_used"  # the kinds of its findings
ACTIONS = (Action.PUSH, Action.PULL)
SETTLED = timedelta(days=7)  # of history, before anybody is a stranger
FRESH = timedelta(days=2)  # a push is waited for so long to be used
FEWEST_PUSHES = 3  # of others, before a repository has its usual hands
MAKER_DAYS = 4  # days with pushes that make an account one that makes images
RUNS = 6  # repositories pulled by an account that runs images
RUN_DAYS = 4
CUSTOM = 3  # accounts whose repositories, made by hand, are run: then that is how it is done here, whoever makes many of them
BASE = 4  # accounts that pull from a repository and push elsewhere: it is built upon
MOST_OF_ALL = 0.6  # of all repositories; whoever pulls from more scans or copies
MOST_REPOSITORIES = 2_000  # remembered of one account
HOME_SHARE = 0.3  # of an account's pulls in a project that make it its own
_NOT_USE = frozenset((Traffic.SCANNER, Traffic.MIRROR, Traffic.PROBE))


@dataclass(slots=True)
class _Account:
    """Days with pushes, projects pushed to, pulls per project, repositories pulled from (as many as matter)."""

    first: datetime = EPOCH
    push_days: int = 0
    last_push: datetime = EPOCH
    projects: set[str] = field(default_factory=set)
    pulls: dict[str, int] = field(default_factory=dict)
    repositories: set[str] = field(default_factory=set)
    pull_days: int = 0
    last_pull: datetime = EPOCH
    seen: datetime = EPOCH

    def runs(self, of_all: int) -> bool:
        """Whether it runs images; who pulls from nearly `of_all` repositories scans or copies them."""
        some = RUNS <= len(self.repositories) <= MOST_OF_ALL * of_all
        return not self.push_days and self.pull_days >= RUN_DAYS and some

    def makes(self, at: datetime) -> bool:
        """Whether making images is what it does, as builds do: on half of its days, at least."""
        return self.push_days >= MAKER_DAYS and self.push_days >= 0.5 * ((at - self.first) / DAY)

    def own(self, project: str) -> bool:
        """Whether it pushed in the project, or works with it: a good part of its pulls, on more than a day."""
        total = sum(self.pulls.values())
        return project in self.projects or (total >= 4 and self.pulls.get(project, 0) >= HOME_SHARE * total)


@dataclass(slots=True)
class _Repository:
    """Pushes so far, by whom, since when; who pulls; the strange push that nobody used yet."""

    first: datetime = EPOCH
    pushes: int = 0
    pushers: set[str] = field(default_factory=set)
    pullers: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    strange: _Push | None = None
    seen: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class _Push:
    at: datetime
    actor: str
    client: str | None
    tag: str | None
    digest: str | None
    event_id: str
    made: bool  # the repository itself is new
    known_tag: bool


@dataclass(slots=True)
class _Custom:
    """How many repositories there are, and by whose hands new ones were made that were run."""

    repositories: int = 0
    by_hand: set[str] = field(default_factory=set)
    seen: datetime = EPOCH


@dataclass(slots=True)
class UnusualHands:
    """See the top of the file."""

    name: str = "unusual_hands"
    subject: str = "repository"
    every: timedelta = timedelta(minutes=5)
    history: timedelta = timedelta(days=28)
    next_step: str = (
        "Ask the account how this was built; until it is clear, keep the image from running and set the tag back."
    )
    walk: Walk = field(init=False)

    def __post_init__(self) -> None:
        columns = (*COLUMNS, "project", "actor_kind", "traffic_class")
        self.walk = Walk(self.name, ACTIONS, self.history, _see, outcomes=(Outcome.SUCCESS,), columns=columns)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return self.walk.between(store, since, now)


def _see(memory: Memory, event: Event) -> Iterator[Suspicion]:
    if not event["repository"] or not event["actor"] or event["actor_kind"] == "internal":
        return
    if event["action"] == Action.PUSH:
        _pushed(memory, event)
    else:
        yield from _pulled(memory, event)


def _project(event: Event) -> str:
    return str(event["project"] or event["repository"].partition("/")[0])


def _pushed(memory: Memory, event: Event) -> None:
    at, name, project = event["timestamp"], event["actor"], _project(event)
    account = memory.table("accounts", _Account)[name]
    repository = memory.table("repositories", _Repository)[home(event)]
    settled = memory.began is not None and at - memory.began >= SETTLED
    made = not repository.pushes and not repository.pullers
    if made:
        _count(memory, at)
    others = repository.pushes >= FEWEST_PUSHES and name not in repository.pushers
    strange = not account.makes(at) if made else others and not account.own(project)
    if settled and strange:
        known_tag = bool(event["tag"]) and event["tag"] in repository.tags
        push = _Push(at, name, event["client_ip"], event["tag"], event["digest"], event["event_id"], made, known_tag)
        before = repository.strange
        # Several tags of one push: the one that was there before is what clusters ask for.
        if before is None or before.actor != name or at - before.at > FRESH or (known_tag and not before.known_tag):
            repository.strange = push
    elif (before := repository.strange) is not None and before.actor != name and before.tag == event["tag"]:
        # Pushed over by somebody who may; what runs by then is told apart by its digest only.
        repository.strange = before if before.digest else None
    account.first = account.first if account.first > EPOCH else at
    account.push_days += account.last_push.date() != at.date()
    if not (settled and strange):
        account.projects.add(project)
    account.last_push = account.seen = at
    repository.first = repository.first if repository.first > EPOCH else at
    repository.pushes += 1
    if not (settled and others and strange):
        repository.pushers.add(name)
    if event["tag"] and len(repository.tags) < 500:
        repository.tags.add(event["tag"])
    repository.seen = at


def _renewed(memory: Memory, repository: _Repository, name: str) -> bool:
    """Whether it took over from an account of the same name up to a number, of which nothing was seen since."""
    accounts = memory.table("accounts", _Account)
    own = accounts.look(name)
    kin = [
        one for other in repository.pushers if _stem(other) == _stem(name) and (one := accounts.look(other)) is not None
    ]
    return own is not None and bool(kin) and all(max(one.last_push, one.last_pull) <= own.first for one in kin)


def _stem(name: str) -> str:
    """The name without a number, date or version at its end."""
    stem = name.rstrip("0123456789._-")
    if stem != name and stem.endswith(("-v", "_v", ".v", "+v")):
        stem = stem[:-2]
    return stem or name


def _pulled(memory: Memory, event: Event) -> Iterator[Suspicion]:
    at, name = event["timestamp"], event["actor"]
    accounts, repositories = memory.table("accounts", _Account), memory.table("repositories", _Repository)
    key, project = home(event), _project(event)
    repository, account = repositories.look(key), accounts.look(name)
    push = repository.strange if repository is not None else None
    if (
        repository is not None
        and push is not None
        and push.actor != name
        and at - push.at <= FRESH
        and _is_it(push, event)
        and event["traffic_class"] not in _NOT_USE
    ):
        yield from _used(memory, event, repository, push, account)
    account = accounts[name]
    account.first = account.first if account.first > EPOCH else at
    account.pull_days += account.last_pull.date() != at.date()
    account.last_pull = account.seen = at
    if len(account.repositories) < MOST_REPOSITORIES:
        account.repositories.add(key)
    account.pulls[project] = account.pulls.get(project, 0) + 1
    if repository is None:
        _count(memory, at)
    if repository is None or (name not in repository.pullers and len(repository.pullers) < 200):
        repository = repositories[key]
        repository.pullers.add(name)
        repository.seen = at


def _count(memory: Memory, at: datetime) -> None:
    custom = memory.table("custom", _Custom)["all"]
    custom.repositories, custom.seen = custom.repositories + 1, at


def _is_it(push: _Push, event: Event) -> bool:
    """Whether what was pulled is what was pushed, as far as the lines say."""
    if push.digest and event["digest"]:
        return bool(push.digest == event["digest"])
    return bool(push.tag) and bool(push.tag == event["tag"])


def _used(
    memory: Memory, event: Event, repository: _Repository, push: _Push, account: _Account | None
) -> Iterator[Suspicion]:
    accounts = memory.table("accounts", _Account)
    custom = memory.table("custom", _Custom)["all"]
    runs = account is not None and account.runs(custom.repositories)
    builders = sum(
        1 for name in repository.pullers if (one := accounts.look(name)) is not None and one.makes(event["timestamp"])
    )
    if push.made:
        if not runs:
            return
        severity = Severity.MEDIUM if len(custom.by_hand - {push.actor}) < CUSTOM else Severity.LOW
        custom.by_hand.add(push.actor)
        custom.seen = event["timestamp"]
        kind = HAND_MADE
        why = "What runs here comes from builds; this was made by hand, in a repository of its own."
        expected = "new repositories that clusters run are first pushed by an account that makes images day by day"
    else:
        if event["actor"] not in repository.pullers:
            return
        severity = Severity.HIGH if (push.known_tag and runs) or builders >= BASE else Severity.MEDIUM
        renewed = _renewed(memory, repository, push.actor)
        severity = Severity.LOW if renewed else severity
        kind = STRANGER
        why = "Whoever uses this repository now runs, or builds upon, what a stranger put there."
        why += (
            " An account of nearly the same name did so before and is silent since: it was renewed." if renewed else ""
        )
        expected = (
            f"pushes by {several(len(repository.pushers), 'account')} that made the {repository.pushes - 1} before"
        )
    memory.table("repositories", _Repository)[home(event)].strange = None
    who = f"{plain(push.actor)}"
    tag = f":{plain(push.tag)}" if push.tag else ""
    name = f"{plain(event['repository'])}{tag}"
    yield Suspicion(
        kind=kind,
        cause=(kind, event["repository"], push.actor, f"{push.at:%Y-%m-%d}"),
        severity=severity,
        title=f"{name} was pushed by {who}, who never did before, and pulled by {plain(event['actor'])}",
        start=push.at,
        end=event["timestamp"],
        subjects={
            "actor": [push.actor],
            "client": [push.client] if push.client else [],
            "repository": [event["repository"]],
        },
        score=10.0 * severity.rank + min(builders, 9),
        expected=expected,
        observed=f"pulled {duration(event['timestamp'] - push.at)} after its push"
        + (f"; {several(builders, 'account')} that make images pull from it" if builders else ""),
        evidence=[push.event_id, event["event_id"]],
        explanation=why,
    )


DETECTOR = UnusualHands
