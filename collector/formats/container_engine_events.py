"""What a container engine says of its own pulls and pushes: `docker events --format json`, `podman events --format json`.

Docker tells an image event after it worked, and nothing of what did not; Podman has `pull-error` since 5.0. Neither says to
which machine the engine belongs: give each file its own source. Names are as they were typed: `alpine:latest` is of whatever
registry the engine asks first. Everything that is no pull and no push (containers, networks, local tags and deletions) is ignored.

Fields: EventMessage of Docker's Engine API; libpod/events of containers/podman.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import read_pulled_image
from collector.lines import moment, whole, word
from collector.pull_messages import cause_of
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_ACTIONS = {"pull": Action.PULL, "push": Action.PUSH, "pull-error": Action.PULL}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def claims(head: bytes) -> float:
    start = head.lstrip()[:16_384]
    if start[:1] != b"{" or b'"Type"' not in start:
        return 0.0
    docker = b'"Action"' in start and b'"Actor"' in start and b'"time"' in start
    podman = b'"Status"' in start and b'"Time"' in start and b'"Name"' in start
    return 0.9 if docker or podman else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    told = object_or_reject(document, "the event")
    kind, action = word(told.get("Type")), word(told.get("Action")) or word(told.get("Status"))
    if kind is None or action is None:
        raise NotMine("not an event of a container engine")
    if kind == "image" and action in _ACTIONS:
        yield _event(told, action)


def _event(told: dict[str, Any], action: str) -> Event:
    name = word(as_object(told.get("Actor")).get("ID")) or word(told.get("Name"))
    if name is None:
        raise Unreadable("an image event without a name")
    host, image = read_pulled_image(name)
    event: Event = {
        "channel": Channel.APPLICATION.value,
        "timestamp": _when(told),
        "action": _ACTIONS[action].value,
        "outcome": Outcome.SUCCESS.value,
        "actor_kind": "node",
        "host": host,
        "repository": image.repository,
        "reference": image.tag or image.digest,
        "tag": image.tag,
        "digest": image.digest,
    }
    if action == "pull-error":
        error = word(told.get("Error")) or word(as_object(told.get("Attributes")).get("error")) or ""
        outcome, reason = cause_of(error)
        event |= {"outcome": outcome.value, "reason": reason, "error_message": error or None}
    return event


def _when(told: dict[str, Any]) -> datetime:
    nanoseconds = whole(told.get("timeNano"))
    seconds = whole(told.get("time"))
    if nanoseconds is not None:
        return _since_epoch(nanoseconds // 1000)
    return _since_epoch(seconds * 10**6) if seconds is not None else moment(told.get("Time"))


def _since_epoch(microseconds: int) -> datetime:
    if microseconds > 253_000_000_000 * 10**6:
        raise Unreadable("no time that can be read")
    return _EPOCH + timedelta(microseconds=microseconds)


FORMAT = DocumentFormat(
    name="container-engine-events",
    title="Docker and Podman events (pulls and pushes)",
    registry_kind="engine",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="Docker 1.10 and later, Podman 2 and later",
        tested=True,
        never=(
            "address",
            "user",
            "node",
            "user agent",
            "digest of a pull by tag",
            "bytes",
            "duration",
            "denied requests",
        ),
    ),
)
