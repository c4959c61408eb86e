"""GitHub's webhooks `package` and `registry_package`: a container was published, or a version of it was changed.

Which of the two comes is a matter of the subscription; where both name the same version and time they are one event.
`package_type` may be wrong (GitHub's own example of a container says `npm`), so what counts is the ecosystem, the registry, or
the container's own metadata. A time of the year 1 is GitHub's way to leave it out: then the package's time is taken.

Fields: octokit/webhooks, payload-examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import read_image
from collector.lines import moment, whole, word
from collector.posted import read_posted
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_CONTAINERS = frozenset(("docker", "container"))
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_NO_TIME = "0001-01-01"


def claims(head: bytes) -> float:
    start = head.lstrip()
    if start[:1] not in (b"{", b"["):
        return 0.0
    named = re.search(rb'\\?"(?:registry_)?package\\?"\s*:\s*\{', start[:16_384])
    return 0.9 if named and b"package_type" in start and b"package_version" in start else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    posted = read_posted(document)
    body = object_or_reject(posted.body, "the notification")
    package = as_object(body.get("registry_package")) or as_object(body.get("package"))
    if not package:
        if "zen" in body:  # the ping of a new webhook
            return
        raise NotMine("no webhook of a package")
    version = as_object(package.get("package_version"))
    if not _is_container(package, version):
        return
    event = _event(package, version, word(body.get("action")) or "")
    event["actor"] = word(as_object(body.get("sender")).get("login"))
    when = _time(version, package) or (moment(posted.received_at) if posted.received_at is not None else None)
    if when is not None:
        event["timestamp"] = when
    if (number := whole(version.get("id"))) is not None and when is not None:
        parts = (str(number), event["action"], event.get("tag") or "", event.get("digest") or "", when.isoformat())
        event["event_id"] = numbered_event_id("ghcr", *parts)
    yield event


def _is_container(package: dict[str, Any], version: dict[str, Any]) -> bool:
    told = (package.get("ecosystem"), package.get("package_type"), as_object(package.get("registry")).get("type"))
    return "container_metadata" in version or any(
        isinstance(each, str) and each.lower() in _CONTAINERS for each in told
    )


def _event(package: dict[str, Any], version: dict[str, Any], done: str) -> Event:
    container = as_object(version.get("container_metadata"))
    manifest, tagged = as_object(container.get("manifest")), as_object(container.get("tag"))
    tag = word(tagged.get("name"))
    digests = (version.get("version"), tagged.get("digest"), manifest.get("digest"))
    digest = next((each for each in digests if isinstance(each, str) and _SHA256.fullmatch(each)), None)
    if done not in ("published", "updated"):
        raise Unreadable("a webhook of an unknown action")
    action = Action.PUSH if done == "published" else Action.TAG if tag else Action.CONFIG
    return {
        "channel": Channel.NOTIFICATION.value,
        "action": action.value,
        "outcome": Outcome.SUCCESS.value,
        "repository": _repository(package, version),
        "reference": tag or digest,
        "tag": tag,
        "digest": digest,
        "media_type": word(manifest.get("media_type")),
        "size_bytes": whole(manifest.get("size")) or None,
    }


def _repository(package: dict[str, Any], version: dict[str, Any]) -> str | None:
    """As clients name it: `ghcr.io/<owner>/<name>:<tag>` without host and tag; else owner and name of the package."""
    url = word(version.get("package_url")) or ""
    host, slash, rest = url.partition("/")
    if slash and "." in host and rest.strip(":"):
        return read_image(rest.rstrip(":")).repository
    owner, name = word(as_object(package.get("owner")).get("login")), word(package.get("name"))
    return f"{owner}/{name}" if owner and name else None


def _time(*holders: dict[str, Any]) -> datetime | None:
    for holder in holders:
        for name in ("updated_at", "created_at"):
            told = holder.get(name)
            if told is not None and not (isinstance(told, str) and told.startswith(_NO_TIME)):
                return moment(told)
    return None


FORMAT = DocumentFormat(
    name="ghcr-webhook",
    title="GitHub container packages (webhook)",
    registry_kind="ghcr",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="2019 to 2026",
        tested=False,
        never=("address", "user agent", "pulls", "deletions", "denied requests", "bytes", "duration"),
    ),
)
