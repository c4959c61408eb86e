"""Uploads that lead to no image: storage is filled with what nobody lists, or bytes are parked there.

Notices: an account that begins uploads on five occasions within three days, on none of which an image followed in that repository
within six hours; and, where the log does not tell the steps of an upload apart (CloudTrail), a hundred steps into three or more
repositories over an hour without a single image. Needs: logs that tell of uploads and of pushes, and name accounts. Method: exact
bookkeeping. Wakes nobody for one push that broke off, nor for an account most of whose uploads end in an image. The rule
`uploads_unfinished` tells of hundreds within two hours. Never sees: how large what was left is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.detector import Suspicion
from analytics.ledger import home
from analytics.replay import EPOCH
from analytics.walk import Event, Memory, Walk
from analytics.windows import HOUR
from analytics.wording import names, plain, several
from store.contract import EventReader
from store.event import Action, Outcome
from store.finding import Severity

WAITED = 6 * HOUR  # for the image
SPAN = timedelta(days=3)
OCCASIONS = 5
STEPS = 100  # of uploads, where the log does not tell them apart
AT_ONCE = 3  # repositories
LONG = HOUR
MOST_IDS = 50
MOST_IMAGES = 1_000
_IMAGES = (Action.PUSH, Action.SIGN, Action.TAG)


@dataclass(slots=True)
class _Occasion:
    """Uploads of one account to one repository that no image has followed yet."""

    repository: str
    first: datetime
    client: str | None
    ids: list[str] = field(default_factory=list)
    steps: int = 0


@dataclass(slots=True)
class _Account:
    """Occasions that are open, by repository of its registry; those that came to nothing; when others ended in an image."""

    open: dict[str, _Occasion] = field(default_factory=dict)
    left: list[_Occasion] = field(default_factory=list)
    images: list[datetime] = field(default_factory=list)
    told: datetime = EPOCH
    seen: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class _Due:
    actor: str
    home: str
    first: datetime


@dataclass(slots=True)
class UnfinishedUploads:
    """See the top of the file."""

    name: str = "unfinished_uploads"
    subject: str = "actor"
    every: timedelta = timedelta(minutes=5)
    history: timedelta = timedelta(days=4)
    next_step: str = (
        "Ask the account what it uploads; if it does not know, take its right to push away, and purge old uploads "
        "(`storage.maintenance.uploadpurging`)."
    )
    walk: Walk = field(init=False)

    def __post_init__(self) -> None:
        columns = (
            "event_id", "timestamp", "action", "method", "registry", "repository", "actor", "actor_kind", "client_ip",
        )  # fmt: skip
        actions = (Action.LAYER_UPLOAD, *_IMAGES)
        self.walk = Walk(self.name, actions, self.history, _see, _late, outcomes=(Outcome.SUCCESS,), columns=columns)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return self.walk.between(store, since, now)


def _see(memory: Memory, event: Event) -> Iterator[Suspicion]:
    actor, at = event["actor"], event["timestamp"]
    if not actor or not event["repository"] or event["actor_kind"] == "internal":
        return
    account = memory.table("accounts", _Account)[actor]
    account.seen = at
    if event["action"] in _IMAGES:
        lately = bisect_right(account.images, at - SPAN)
        account.images = [*account.images[lately:], at][-MOST_IMAGES:]
        account.open.pop(home(event), None)
        return
    occasion = account.open.get(home(event))
    if occasion is None:
        occasion = account.open[home(event)] = _Occasion(event["repository"], at, event["client_ip"])
        memory.wait(at + WAITED, _Due(actor, home(event), at))
    if len(occasion.ids) < MOST_IDS:
        occasion.ids.append(event["event_id"])
    occasion.steps += 1
    if event["method"] is None and occasion.steps % 10 == 0:
        yield from _at_once(account, actor, at)


def _at_once(account: _Account, actor: str, at: datetime) -> Iterator[Suspicion]:
    """Hundreds of steps into several repositories, and no image."""
    mine = list(account.open.values())
    steps, first = sum(one.steps for one in mine), min(one.first for one in mine)
    many = len(mine) >= AT_ONCE and steps >= STEPS and at - first >= LONG
    if many and at - account.told >= SPAN and not any(image >= first for image in account.images):
        account.told = at
        yield _suspicion(actor, mine, at, f"{steps} steps of uploads to {len(mine)} repositories, and not one image")


def _late(memory: Memory, at: datetime, due: _Due) -> Iterator[Suspicion]:
    account = memory.table("accounts", _Account)[due.actor]
    occasion = account.open.get(due.home)
    if occasion is None or occasion.first != due.first:
        return
    del account.open[due.home]
    account.left = [*(one for one in account.left if at - one.first < SPAN), occasion]
    account.seen = at
    images = sum(at - one < SPAN for one in account.images)
    if len(account.left) >= OCCASIONS and len(account.left) > images:
        told = f"{several(len(account.left), 'time')} within {SPAN.days} days uploads were begun that led to no image"
        yield _suspicion(due.actor, account.left, at, told)


def _suspicion(actor: str, left: list[_Occasion], at: datetime, told: str) -> Suspicion:
    first = min(one.first for one in left)
    repositories = sorted({one.repository for one in left})
    return Suspicion(
        kind="uploads_without_image",
        cause=("uploads_without_image", actor, f"{first:%Y-%m-%d}"),
        severity=Severity.MEDIUM,
        title=f"{plain(actor)} uploads to {names(repositories, 2)}, and no image comes of it",
        start=first,
        end=at,
        subjects={
            "actor": [actor],
            "client": sorted({one.client for one in left if one.client}),
            "repository": repositories,
        },
        score=10.0 * Severity.MEDIUM.rank + min(len(left), 9),
        expected="an upload ends with an image, or it is tried again until it does",
        observed=told,
        evidence=[id for one in left for id in one.ids],
        explanation="What is uploaded and belongs to no image is listed nowhere, and keeps its place until it is purged.",
        without_past=True,
    )


DETECTOR = UnfinishedUploads
