"""What somebody built at a desk, and clusters run: an image that never had a tag but its maker's own was never rolled out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.approvals import shape_of
from analytics.detector import Suspicion
from analytics.hands import Account, Repository, follows_kin
from analytics.ledger import home, is_release
from analytics.replay import EPOCH
from analytics.walk import Event, Memory
from analytics.wording import duration, plain, several
from store.finding import Severity

OWN_BUILD = "own_build_runs"  # the kinds of its findings
FEWEST = 8  # builds of a repository that were run, before it is known whose and which are
FEWEST_OF_ALL = 40  # of a cluster, before that is known of it
SINCE = timedelta(days=3)  # the first of them
FRESH = timedelta(days=7)  # a build is waited for so long to be run
CUSTOM = 2  # others whose builds a cluster ran before: then that is what it is for
MOST_TAGS = 500


@dataclass(slots=True)
class _Build:
    """An image: who pushed it when and from where, under which tags; whether a cluster runs it."""

    at: datetime = EPOCH
    actors: dict[str, datetime] = field(default_factory=dict)
    clients: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    event_id: str = ""
    run: bool = False
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Hands:
    """Who, of those that do not make images day by day, made builds with tags of one shape that were run."""

    accounts: set[str] = field(default_factory=set)
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Tag:
    """What the tag points to."""

    key: str = ""
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Run:
    """Of the builds that clusters ran of a repository, or one cluster of all: how many, since when, whose they were, and their
    tags; of a cluster, also whose own builds it ran, that nobody else did.
    """

    builds: int = 0
    since: datetime = EPOCH
    makers: dict[str, datetime] = field(default_factory=dict)  # account → when it was last
    tags: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    seen: datetime = EPOCH

    def learned(self, at: datetime, fewest: int) -> bool:
        return self.builds >= fewest and at - self.since >= SINCE

    def ordinary(self, build: _Build) -> bool:
        """Whether builds of these hands, or under such a tag, were run before."""
        return bool(build.actors.keys() & self.makers.keys() or build.tags & self.tags)

    def enter(self, build: _Build, at: datetime) -> None:
        self.since = self.since if self.builds else at
        self.builds += 1
        self.makers |= build.actors
        if len(self.tags) < MOST_TAGS:
            self.tags |= build.tags
        self.seen = at


def built(memory: Memory, event: Event) -> None:
    """An image was pushed."""
    at, where, tag = event["timestamp"], home(event), event["tag"]
    key = event["digest"] or f"{tag} {event['event_id']}"
    build = memory.table("builds", _Build)[where, key]
    if not build.actors:
        build.at, build.event_id = at, event["event_id"]
    build.actors[event["actor"]] = build.seen = at
    if event["client_ip"]:
        build.clients.add(event["client_ip"])
    if tag:
        build.tags.add(tag)
        memory.table("built tags", _Tag)[where, tag] = _Tag(key, at)


def ran(memory: Memory, event: Event, settled: bool) -> Iterable[Suspicion]:
    """A cluster's account pulled an image."""
    where, key = home(event), event["digest"]
    if not key:
        tag = memory.table("built tags", _Tag).look((where, event["tag"]))
        key = tag.key if tag is not None else ""
    known = memory.table("builds", _Build).look((where, key))
    return () if known is None or known.run else _ran_first(memory, event, (where, key), settled)


def _ran_first(memory: Memory, event: Event, key: tuple[str, str], settled: bool) -> Iterator[Suspicion]:
    at, where, actor = event["timestamp"], key[0], event["actor"]
    build = memory.table("builds", _Build)[key]
    here, cluster = memory.table("run", _Run)[where], memory.table("run by", _Run)[actor]
    build.run = True
    # Where too little was built lately to say how it is done, what the cluster runs elsewhere says it.
    run = here if here.learned(at, FEWEST) else cluster if cluster.learned(at, FEWEST_OF_ALL) else None
    ordinary, maker = here.ordinary(build), next(iter(build.actors))
    alike = not ordinary and _as_others_did(memory, build, maker, at)
    expected = ordinary or any(map(is_release, build.tags)) or _sole_hand(memory, where, build, at)
    if run is not None and not expected and not run.ordinary(build):
        again = follows_kin(maker, build.at, run.makers)
        custom = alike or len(cluster.own - {maker}) >= CUSTOM
        cluster.own.add(maker)
        if settled and at - build.at <= FRESH:
            yield _suspicion(event, build, run, maker, again, custom)
    else:
        cluster.enter(build, at)
    here.enter(build, at)
    cluster.seen = at


def _sole_hand(memory: Memory, where: str, build: _Build, at: datetime) -> bool:
    """Whether nobody else is known to push to the repository, by an account that makes images day by day."""
    repository, accounts = memory.table("repositories", Repository).look(where), memory.table("accounts", Account)
    makes = any((one := accounts.look(name)) is not None and one.makes(at) for name in build.actors)
    return makes and repository is not None and repository.pushers.keys() <= build.actors.keys()


def _as_others_did(memory: Memory, build: _Build, maker: str, at: datetime) -> bool:
    """Whether other people's builds of such a name (`hotfix-#`) were run before: what is done here when it burns."""
    account = memory.table("accounts", Account).look(maker)
    if account is not None and account.makes(at):
        return False
    alike = False
    for shape in {shape_of(tag) for tag in build.tags} - build.tags:
        hands = memory.table("own shapes", _Hands)[shape]
        alike |= bool(hands.accounts - {maker})
        hands.accounts.add(maker)
        hands.seen = at
    return alike


def _suspicion(event: Event, build: _Build, run: _Run, maker: str, again: bool, custom: bool) -> Suspicion:
    at, repository = event["timestamp"], event["repository"]
    severity = Severity.LOW if again or custom else Severity.MEDIUM
    tags = ", ".join(plain(tag) for tag in sorted(build.tags)[:3])
    why = (
        "It has no tag that anything here was ever rolled out under, and no build of this account was run here before. "
    )
    why += "An account of nearly the same name made the others and is silent since: it was renewed. " if again else ""
    why += "Builds of several people were run before, here or under such a name: that is done here. " if custom else ""
    return Suspicion(
        kind=OWN_BUILD,
        cause=(OWN_BUILD, repository, maker, f"{build.at:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(event['actor'])} runs {plain(repository)} as {plain(maker)} built it, {tags or 'without a tag'}",
        start=build.at,
        end=at,
        subjects={"actor": [maker], "client": sorted(build.clients), "repository": [repository]},
        score=10.0 * severity.rank,
        expected=f"builds of {several(len(run.makers), 'account')}, as the {run.builds} before that were run",
        observed=f"a build by {plain(maker)}, pulled {duration(at - build.at)} after its push",
        evidence=[build.event_id, event["event_id"]],
        explanation=why.strip(),
        next_step="Ask the account, and whoever rolled it out; set the deployment back to what the pipeline built.",
    )
