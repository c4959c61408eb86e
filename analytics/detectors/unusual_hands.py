"""Images from hands that never made them, in use: a stranger's push to a known tag, a repository made by hand that clusters run.

Notices: an account that pushes to a repository in whose project it never pushed and is no regular guest, once somebody who used
that repository before fetches what it pushed (louder if the tag had been there, or if many build upon the repository), or
somebody who makes or runs images fetches it by a tag that had been there; the same where hardly anybody pushes to the repository,
though others do to its project or a cache fills it (five repositories in use, no push at all), if the tag was in use or the line
names the image: then whoever runs images may fetch it; a new repository, first pushed by an account that hardly ever pushes, that
is then pulled by an account which runs images (pulls from many repositories, not from nearly all of them, and never pushes); an
account which runs images round the clock and, for the first time, pushes one; an image that such an account runs, though no build
of its maker was run there before, under no tag that anything was run by. Needs: logs that name accounts; a week of history.
Method: bookkeeping of who pushes where, who pulls from where, and which image came last. Wakes nobody where new repositories made
by hand are the custom of several accounts, nor for a robot that was renewed (the same name up to a number, the old one silent
since) or took over (it pushes on another day as well, and the old ones are silent since it began). Never sees: an image changed
by the hands that always change it, and a push that names no digest where all pull by digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from analytics.detector import Suspicion
from analytics.hands import USED, Account, Custom, Project, Push, Repository, renewed, took_over
from analytics.ledger import COLUMNS, PULL, home, project_of
from analytics.own_builds import built, ran
from analytics.puller_writes import perhaps_puller_writes
from analytics.replay import EPOCH
from analytics.walk import Event, Memory, Walk
from analytics.wording import duration, plain, several
from store.contract import EventReader
from store.event import NOT_USE, Action, Outcome, Traffic
from store.finding import Severity

HAND_MADE, STRANGER = "hand_made_image_runs", "stranger_push_used"  # the kinds of its findings
ACTIONS = (Action.PUSH, Action.PULL)
SETTLED = timedelta(days=7)  # of history, before anybody is a stranger
ONE_PUSH = timedelta(minutes=2)  # all tags of one image
FRESH = timedelta(days=2)  # a push is waited for so long to be used
FEWEST_PUSHES = 3  # of others, before a repository has its usual hands
CUSTOM = 3  # accounts whose repositories, made by hand, are run: then that is how it is done here, whoever makes many of them
BASE = 4  # accounts that pull from a repository and push elsewhere: it is built upon
MOST_PULLERS = 200  # remembered of one repository
MOST_TAGS = 500
MOST_REPOSITORIES = 2_000  # remembered of one account
_CI = Traffic.CI.value  # the plain word
MOST_HELD = 100  # images of one repository to which hardly anybody pushes


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


def _see(memory: Memory, event: Event) -> Iterable[Suspicion]:
    if not event["repository"] or not event["actor"] or event["actor_kind"] == "internal":
        return ()
    return _pulled(memory, event) if event["action"] == PULL else _pushed(memory, event)


def _pushed(memory: Memory, event: Event) -> Iterator[Suspicion]:
    at, name, project = event["timestamp"], event["actor"], project_of(event)
    account = memory.table("accounts", Account)[name]
    repository, around = memory.table("repositories", Repository)[home(event)], _project_of(memory, event)
    settled = memory.reaches_back(at, SETTLED)
    if settled:
        yield from perhaps_puller_writes(memory, event, account, repository)
    built(memory, event)
    made = not repository.pushes and not repository.pullers
    if made:
        _count(memory, at)
    others = repository.pushes >= FEWEST_PUSHES and name not in repository.pushers
    still = not made and not others and _still(repository, around, account, event)
    before = at - ONE_PUSH if still else at  # what belongs to this push itself does not make it usual
    own = account.own(project, before, by_pulls=not around.cache(at))
    strange = not account.makes(at) if made else (others or still) and not own
    if settled and strange:
        makers = len(around.pushers if still else repository.pushers)
        repository.strange = _strange(repository, event, made, makers, still)
    elif (earlier := repository.strange) is not None and earlier.actor != name and _over(earlier, event):
        # Pushed over by somebody who may; what runs by then is told apart by its digest only.
        repository.strange = earlier if earlier.digest else None
    account.first = account.first if account.first > EPOCH else at
    account.push_days += account.last_push.date() != at.date()
    if settled and strange:
        account.entered.setdefault(project, at)
    else:
        account.projects.setdefault(project, at)
        around.pushes, around.seen = around.pushes + 1, at
        if len(around.pushers) < MOST_PULLERS:
            around.pushers.add(name)
    account.last_push = account.seen = at
    repository.first = repository.first if repository.first > EPOCH else at
    repository.pushes += 1
    if not (settled and (others or still) and strange):
        repository.pushers.setdefault(name, at)
    if event["tag"] and len(repository.tags) < MOST_TAGS:
        repository.tags.add(event["tag"])
    repository.seen = at


def _project_of(memory: Memory, event: Event) -> Project:
    project: Project = memory.table("projects", Project)[event.get("registry"), project_of(event)]
    return project


def _still(repository: Repository, around: Project, account: Account, event: Event) -> bool:
    """Whether both have been known for a while, hardly anybody pushed there in that time, though others push to the project (or
    a cache fills it), and the tag is one that is used, as far as anybody asks for tags; an image that the line names is told by
    its use.
    """
    at, name = event["timestamp"], event["actor"]
    known = account.first > EPOCH and at - account.first >= SETTLED and at - repository.first >= SETTLED
    stranger = at - repository.pushers.get(name, at) <= ONE_PUSH  # another tag of the same image may have come first
    made_here = around.pushes >= FEWEST_PUSHES or around.cache(at)
    used = bool(event["digest"]) or not repository.asked or event["tag"] in repository.asked
    return known and stranger and made_here and used


def _over(push: Push, event: Event) -> bool:
    """Whether another push hides what came of it: under its tag, or anyhow where no line says which image it was."""
    return event["tag"] in push.tags or (push.still and not push.digest)


def _strange(repository: Repository, event: Event, made: bool, makers: int, still: bool) -> Push:
    """The push as it is waited for: the first of an account, with all tags that it sets at once."""
    at, name, tag, before = event["timestamp"], event["actor"], event["tag"], repository.strange
    known_tag = bool(tag) and (tag in repository.tags or tag in repository.asked)
    tags = (tag,) if tag else ()
    push = Push(at, name, event["client_ip"], tags, event["digest"], event["event_id"], made, known_tag, makers, still)
    if before is None or before.actor != name or at - before.at > FRESH:
        return push
    if at - before.at <= ONE_PUSH and before.digest == push.digest:
        return replace(before, tags=before.tags + tags, known_tag=before.known_tag or known_tag)
    return push if known_tag and not before.known_tag else before


def _pulled(memory: Memory, event: Event) -> list[Suspicion]:
    found: list[Suspicion] = []
    at, name = event["timestamp"], event["actor"]
    accounts, repositories = memory.table("accounts", Account), memory.table("repositories", Repository)
    key, project = home(event), project_of(event)
    repository, account = repositories.look(key), accounts.look(name)
    of_all = memory.table("custom", Custom)["all"].repositories
    push = repository.strange if repository is not None else None
    if (
        repository is not None
        and push is not None
        and push.actor != name
        and at - push.at <= FRESH
        and _is_it(push, repository, event)
        and event["traffic_class"] not in NOT_USE
        and not (account is not None and account.reads_all(of_all))
    ):
        found += _used(memory, event, repository, push, account)
    if account is not None and account.steady(of_all) and event["traffic_class"] not in NOT_USE:
        found += ran(memory, event, memory.reaches_back(at, SETTLED))
    account = accounts[name]
    account.first = account.first if account.first > EPOCH else at
    account.pull_days += account.last_pull.date() != at.date()
    account.hours |= 1 << at.hour
    account.builds += event["traffic_class"] == _CI
    account.last_pull = account.seen = at
    if len(account.repositories) < MOST_REPOSITORIES:
        account.repositories.add(key)
    account.pulls[project] = account.pulls.get(project, 0) + 1
    if repository is None:
        _count(memory, at)
    _enter(memory, event)
    tag = event["tag"]
    asked = bool(tag) and (repository is None or (tag not in repository.asked and len(repository.asked) < MOST_TAGS))
    image = hash(event["digest"]) if event["digest"] and _keeps(repository, at) else None
    news = image is not None and (repository is None or image not in repository.held)
    new = repository is None or (name not in repository.pullers and len(repository.pullers) < MOST_PULLERS)
    if new or asked or news:
        repository = repositories[key]
        repository.first = repository.first if repository.first > EPOCH else at
        if len(repository.pullers) < MOST_PULLERS:
            repository.pullers.add(name)
        if image is not None:
            repository.held.add(image)
        if asked:
            repository.asked.add(tag)
        repository.seen = at
    return found


def _enter(memory: Memory, event: Event) -> None:
    """That the project is pulled from; written down once a day, and while it is not known how much of it is."""
    at, name = event["timestamp"], event["repository"]
    known = memory.table("projects", Project).look((event.get("registry"), project_of(event)))
    if known is None or known.seen.date() != at.date() or (len(known.used) < USED and name not in known.used):
        project = _project_of(memory, event)
        project.pulled = project.pulled if project.pulled > EPOCH else at
        project.seen = at
        if len(project.used) < USED:
            project.used.add(name)


def _keeps(repository: Repository | None, at: datetime) -> bool:
    """Whether it is written down what is pulled; not while somebody is waited for who uses what nobody has named."""
    if repository is None:
        return True
    push = repository.strange
    waits = push is not None and push.still and not push.digest and at - push.at <= FRESH
    return not waits and repository.pushes < FEWEST_PUSHES and len(repository.held) < MOST_HELD


def _count(memory: Memory, at: datetime) -> None:
    custom = memory.table("custom", Custom)["all"]
    custom.repositories, custom.seen = custom.repositories + 1, at


def _is_it(push: Push, repository: Repository, event: Event) -> bool:
    """Whether what was pulled is what was pushed, as far as the lines say: of a push that names no image to a repository that
    gets no others it is the first that nobody had pulled.
    """
    if push.digest and event["digest"]:
        return bool(push.digest == event["digest"])
    if push.still and event["digest"] and not event["tag"]:
        return hash(event["digest"]) not in repository.held
    return event["tag"] in push.tags


def _used(
    memory: Memory, event: Event, repository: Repository, push: Push, account: Account | None
) -> Iterator[Suspicion]:
    accounts = memory.table("accounts", Account)
    custom = memory.table("custom", Custom)["all"]
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
        kind, known = HAND_MADE, True
        why = "What runs here comes from builds; this was made by hand, in a repository of its own."
        expected = "new repositories that clusters run are first pushed by an account that makes images day by day"
    else:
        known = (event["actor"] in repository.pullers and event["actor"] not in push.told) or (push.still and runs)
        builds = runs or (account is not None and account.makes(event["timestamp"]))
        if not known and (push.told or not push.known_tag or not builds):
            return
        loud = not push.still and ((push.known_tag and runs) or builders >= BASE)
        severity = Severity.HIGH if loud else Severity.MEDIUM
        again = renewed(memory, repository, push.actor)
        instead = not again and took_over(memory, repository, push.actor)
        severity = Severity.LOW if again or instead else severity
        kind = STRANGER
        why = "Whoever uses this repository now runs, or builds upon, what a stranger put there."
        why += " An account of nearly the same name did so before and is silent since: it was renewed." if again else ""
        why += " Who made it before is silent since this account began, days ago: it took over." if instead else ""
        makers = several(push.makers, "account")
        here = f"the {repository.pushes - 1} before" if not push.still else "what is pushed in this project"
        expected = f"pushes by {makers} that made {here}" if push.makers else "nobody pushes here: a cache fills it"
    # Of who is new to the repository it is told, and it is waited on for those who are not.
    memory.table("repositories", Repository)[home(event)].strange = (
        None if known else replace(push, told=frozenset([event["actor"]]))
    )
    who = f"{plain(push.actor)}"
    shown = event["tag"] if event["tag"] in push.tags else next(iter(push.tags), "")
    tag = f":{plain(shown)}" if shown else ""
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
