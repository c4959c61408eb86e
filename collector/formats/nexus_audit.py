"""Sonatype Nexus Repository 3, its audit: the file log/audit/audit.log (one JSON a line) and the global audit webhook, which
posts the same inside of `audit`. Repository webhooks, which name an asset, are read too.

Who deleted what, who changed users, roles, repositories and settings, and from where. Reads are never audited. That an asset
was created or updated may mean a push, or that a proxy repository fetched it for somebody who pulls; the line does not say
which, so the action is `other`: request.log tells the pushes. Components repeat their assets, and `updated-…` is bookkeeping;
both are ignored, and so is what is done to packages that are no images. The audit webhook says no time: that of its arrival
is taken, which is wrong for bodies that were kept in a file.

AuditDTO.java and AssetAuditor.java of sonatype/nexus-public; "Webhooks" in Sonatype's help.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import Ambiguous, LineError, NotMine, Unreadable
from collector.lines import address, moment, word
from collector.posted import read_posted
from collector.request import Kind, read_request
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_INITIATOR = re.compile(rb'\\?"initiator\\?"\s*:')
_SHAPE = re.compile(rb'\\?"(?:domain|repositoryName)\\?"\s*:')
_ASSET, _COMPONENT = "repository.asset", "repository.component"
_PEOPLE = ("security.", "userToken", "ldap", "crowd", "saml")
_REMOVED = ("deleted", "purged")
_IMAGE_PATH = re.compile(r"/?(v2/.+)", re.DOTALL)
_SHARED_BLOB = "-"  # in the place of an image's name: the blob belongs to whichever image names it


def claims(head: bytes) -> float:
    if head.lstrip()[:1] not in (b"{", b"[") or b"nodeId" not in head:
        return 0.0
    return 0.9 if _INITIATOR.search(head) is not None and _SHAPE.search(head) is not None else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    posted = read_posted(document)
    for told in posted.body if isinstance(posted.body, list) else [posted.body]:
        try:
            event = _event(object_or_reject(told, "the audit entry"), posted.received_at)
            if event is not None:
                yield event
        except LineError as error:
            yield error


def _event(entry: dict[str, Any], received_at: Any) -> Event | None:
    audit = _audit_of(entry)
    domain, kind = word(audit.get("domain")), word(audit.get("type"))
    if domain is None or kind is None:
        raise Unreadable("an audit entry without domain or type")
    about = _about(domain, kind, audit)
    if about is None:
        return None
    actor, client = _initiator(word(entry.get("initiator")))
    event: Event = {
        "channel": Channel.AUDIT.value,
        "outcome": Outcome.SUCCESS.value,  # what did not succeed is not audited
        "actor": actor,
        "client_ip": client,
        "client_via": "log" if client else None,
    }
    if (when := _when(entry, received_at)) is not None:
        event["timestamp"] = when
    return event | about


def _audit_of(entry: dict[str, Any]) -> dict[str, Any]:
    """The part that says what was done, in the shape of the audit file."""
    if isinstance(entry.get("audit"), dict):
        return as_object(entry["audit"])
    repository = word(entry.get("repositoryName"))
    if repository is None:
        if "initiator" not in entry:
            raise NotMine("no audit entry of Nexus")
        return entry
    asset = entry.get("asset")
    attributes = as_object(asset or entry.get("component")) | {"repository.name": repository}
    kind = (word(entry.get("action")) or "").lower()
    return {"domain": _ASSET if asset else _COMPONENT, "type": kind, "attributes": attributes}


def _when(entry: dict[str, Any], received_at: Any) -> datetime | None:
    """`2025-02-24 10:11:12,345+0000` in the file, `2016-11-10T23:57:49.664+0000` in webhooks."""
    told = entry.get("timestamp", received_at)
    return None if told is None else moment(told)


def _initiator(told: str | None) -> tuple[str | None, str | None]:
    """`admin/127.0.0.1`: user and address; a user's name may hold a slash. Tasks have no address, and no slash.

    Raises:
        Ambiguous: what stands behind the slash is no address: a part of the name, or what a forwarded header brought.
    """
    name, slash, last = (told or "").rpartition("/")
    if not slash:
        return told, None
    client = address(last)
    if client is None:
        raise Ambiguous
    return name or None, client


def _about(domain: str, kind: str, audit: dict[str, Any]) -> Event | None:
    """What was done to what; None where no event of its own was."""
    attributes = as_object(audit.get("attributes"))
    if domain == _COMPONENT or kind.startswith("updated-"):
        return None
    nexus_repository = word(attributes.get("repository.name"))
    if domain == _ASSET:
        path = word(attributes.get("path")) or word(attributes.get("name")) or word(audit.get("context")) or ""
        return _asset(kind, nexus_repository, path)
    action = Action.PERMISSION if domain.startswith(_PEOPLE) else Action.CONFIG
    if domain == "repository" and kind in _REMOVED:
        action = Action.DELETE
    project = nexus_repository or (word(audit.get("context")) if domain == "repository" else None)
    return {"action": action.value, "project": project}


def _asset(kind: str, nexus_repository: str | None, path: str) -> Event | None:
    if kind == "purged":  # a number of assets at once, named by numbers only
        return {"action": Action.DELETE.value, "project": nexus_repository}
    found = _IMAGE_PATH.fullmatch(path)
    if found is None:
        return None
    request = read_request("DELETE" if kind in _REMOVED else "PUT", "/" + found[1])
    if request.kind not in (Kind.MANIFEST, Kind.BLOB):
        return None
    named = [nexus_repository, None if request.repository == _SHARED_BLOB else request.repository]
    return {
        "action": (request.action if kind in _REMOVED else Action.OTHER).value,
        "repository": "/".join(filter(None, named)) if named[1] else None,
        "project": nexus_repository,
        "reference": request.reference,
        "digest": request.digest,
    }


FORMAT = DocumentFormat(
    name="nexus-audit",
    title="Nexus audit log and audit webhook",
    registry_kind="nexus",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="3.x; webhooks as captured, audit.log by the source",
        tested=False,
        never=("pulls", "pushes (as such)", "user agent", "bytes", "duration", "denied requests"),
    ),
)
