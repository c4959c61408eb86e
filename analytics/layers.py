"""Which pushes brought layers that their repository never had: another image, even where no line names its digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.ledger import home
from analytics.replay import EPOCH
from analytics.walk import Event, Memory

ONE_PUSH = timedelta(minutes=2)  # between an image's last layer and its manifest
MOST_LAYERS = 20_000  # of one repository; from then on none is new
_CREATED = 201  # a layer is complete


@dataclass(frozen=True, slots=True)
class _Stored:
    """When somebody last stored a new layer in a repository."""

    seen: datetime


@dataclass(slots=True)
class _Layers:
    """What was stored in a repository."""

    digests: set[str] = field(default_factory=set)
    seen: datetime = EPOCH


def stored(memory: Memory, event: Event) -> None:
    """Enter the upload of a layer. One that the repository never had is of an image that will be pushed; builds that run again
    store the same ones.
    """
    digest, at = event["digest"], event["timestamp"]
    if not event["repository"] or not digest or event["status"] != _CREATED:
        return
    layers = memory.table("layers", _Layers)[home(event)]
    layers.seen = at
    if digest not in layers.digests and len(layers.digests) < MOST_LAYERS:
        layers.digests.add(digest)
        memory.table("stored", lambda: _Stored(EPOCH))[_pusher(event)] = _Stored(at)


def new_layers(memory: Memory, push: Event) -> datetime | None:
    """When the last new layer of this push was stored; None where it brought none."""
    last = memory.table("stored", lambda: _Stored(EPOCH)).look(_pusher(push))
    at = push["timestamp"]
    return last.seen if last is not None and last.seen <= at <= last.seen + ONE_PUSH else None


def _pusher(event: Event) -> tuple[str, str, str]:
    return home(event), event["actor"] or "", event["client_ip"] or ""
