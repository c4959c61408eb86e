"""One image under ever more tags: lists are drowned, and whoever keeps the newest tags throws the good ones away.

Notices: tags that one image is given within a day, eight at least, and more than twice as many (and four) as any image of the
repository ever had in a day. Needs: logs that name the digest of a push; a week of history. Method: bookkeeping by repository and
digest. Never sees: tags of several images, a few each (`push_volume` counts images), and pushes whose lines name no digest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from analytics.detector import Suspicion
from analytics.ledger import COLUMNS, home, image_of_tag
from analytics.replay import EPOCH
from analytics.walk import Event, Memory, Walk
from analytics.wording import names, plain, several
from store.contract import EventReader
from store.event import Action, Outcome
from store.finding import Severity

KIND = "tags_pile_up"  # the kinds of its findings
ACTIONS = (Action.PUSH, Action.TAG)
SETTLED = timedelta(days=7)  # of history, before there is a custom
FEWEST = 8  # tags of one image: a build gives a version, its shorter forms, a commit, `latest`
TIMES, MORE = 2, 4  # the most that any image of the repository had in a day, that often, and so many more
MANY = 100
MOST_TAGS = 2_000  # of one image in a day


@dataclass(slots=True)
class _Repository:
    """Tags that its images were given today, with the events; the most of any image on a day before."""

    day: date = date.min
    tags: dict[str, dict[str, str]] = field(default_factory=dict)  # digest → tag → event
    most: int = 0
    told: dict[str, int] = field(default_factory=dict)  # digest → at how many tags
    start: dict[str, datetime] = field(default_factory=dict)
    seen: datetime = EPOCH


@dataclass(slots=True)
class TagPiles:
    """See the top of the file."""

    name: str = "tag_piles"
    subject: str = "repository"
    every: timedelta = timedelta(minutes=5)
    history: timedelta = timedelta(days=28)
    next_step: str = (
        "Stop the clean-up of this repository, ask the account what it tags, and remove its tags by their digest."
    )
    walk: Walk = field(init=False)

    def __post_init__(self) -> None:
        columns = (*COLUMNS, "actor_kind")
        self.walk = Walk(self.name, ACTIONS, self.history, _see, outcomes=(Outcome.SUCCESS,), columns=columns)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return self.walk.between(store, since, now)


def _see(memory: Memory, event: Event) -> Iterator[Suspicion]:
    tag, digest, at = event["tag"], event["digest"], event["timestamp"]
    if not tag or not digest or not event["repository"] or event["actor_kind"] == "internal" or image_of_tag(tag):
        return
    repository = memory.table("repositories", _Repository)[home(event)]
    repository.seen = at
    if repository.day != at.date():
        repository.most = max(repository.most, max(map(len, repository.tags.values()), default=0))
        repository.day, repository.tags, repository.told, repository.start = at.date(), {}, {}, {}
    tags = repository.tags.setdefault(digest, {})
    repository.start.setdefault(digest, at)
    if len(tags) < MOST_TAGS:
        tags.setdefault(tag, event["event_id"])
    limit = max(FEWEST, TIMES * repository.most + MORE)
    # Told when there are too many, and again whenever there are twice as many.
    if len(tags) >= max(limit, 2 * repository.told.get(digest, 0)) and memory.reaches_back(at, SETTLED):
        repository.told[digest] = len(tags)
        yield _suspicion(event, repository, digest, limit)


def _suspicion(event: Event, repository: _Repository, digest: str, limit: int) -> Suspicion:
    tags = repository.tags[digest]
    severity = Severity.HIGH if len(tags) >= max(MANY, limit) else Severity.MEDIUM
    who = plain(event["actor"] or event["client_ip"] or "") or "nobody named"
    return Suspicion(
        kind=KIND,
        cause=(KIND, event["repository"], digest, f"{repository.day:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(event['repository'])}: one image was given {len(tags)} tags by {who} within a day",
        start=repository.start[digest],
        end=event["timestamp"],
        subjects={
            "actor": [event["actor"]] if event["actor"] else [],
            "client": [event["client_ip"]] if event["client_ip"] else [],
            "repository": [event["repository"]],
        },
        score=round(len(tags) / limit, 3),
        expected=f"fewer than {several(limit, 'tag')} of one image a day; at most {repository.most} here so far",
        observed=f"{digest[:19]}… as {names(list(tags), 4)}",
        evidence=list(tags.values()),
        explanation="A build gives an image a handful of names. Ever new ones push others out of what is kept, or out of sight.",
    )


DETECTOR = TagPiles
