"""GitHub's audit log of an organisation or enterprise, as far as it matters to the container registry (ghcr).

Rows one a line (streamed, exported), pages of the API, and rows inside another program's object (`{"github": {…}}`). Told are
packages that are published and deleted, and who may do that: members, teams, roles, tokens, visibility. All other rows are
ignored, and so are packages of other ecosystems where a row names one. Downloads are never recorded; addresses only where an
organisation lets them be shown. The first version of a package makes two rows: `config` for the package, and the push.

GitHub documentation, "Audit log events for your organization".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from collector.documents import DocumentFormat, object_or_reject
from collector.epoch import epoch_moment
from collector.errors import LineError, NotMine
from collector.image_reference import is_digest
from collector.lines import address, word
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_PACKAGES: dict[str, Action] = {
    "package_version_published": Action.PUSH,
    "package_version_deleted": Action.DELETE,
    "package_deleted": Action.DELETE,
    "package_published": Action.CONFIG,
    "package_restored": Action.CONFIG,
    "package_version_restored": Action.CONFIG,
}
_CHANGES = {
    "add": "created",
    "invite": "created",
    "create": "created",
    "remove": "deleted",
    "destroy": "deleted",
}
_ECOSYSTEMS = frozenset(("docker", "container"))
_RIGHTS = re.compile(
    r"(?:org|business)\.(?:add|remove|update|invite)_(?:member|admin|billing_manager|outside_collaborator|organization)"
    r"|org\.update_default_repository_permission"
    r"|team\.(?:create|destroy|(?:add|remove)_(?:member|repository)|update_repository_permission|change_privacy"
    r"|(?:promote|demote)_maintainer)"
    r"|repo\.(?:access|transfer|(?:add|remove|update)_member)"
    r"|(?:role|organization_role|personal_access_token|org_credential_authorization|oauth_access)\..+"
    r"|integration_installation\.(?:create|destroy|repositories_added|repositories_removed|version_updated)"
)


def claims(head: bytes) -> float:
    start = head.lstrip()[:16_384]
    if start[:1] not in (b"{", b"[") or b'"action"' not in start or b'"actor"' not in start:
        return 0.0
    if b'"@timestamp"' not in start and b'"created_at"' not in start:
        return 0.0
    shape = re.search(rb'"action"\s*:\s*"[a-z0-9_]{2,60}\.[a-z0-9_]{2,80}"', start)
    own = re.search(rb'"(?:_document_id|github|org|business|actor_id)"\s*:', start)
    return 0.9 if shape and own else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    for told in document if isinstance(document, list) else [document]:
        try:
            row = object_or_reject(told, "the audit row")
            row = row["github"] if isinstance(row.get("github"), dict) else row
            event = _event(row)
            if event is not None:
                yield event
        except LineError as error:
            yield error


def _event(row: dict[str, Any]) -> Event | None:
    name = word(row.get("action"))
    if name is None or "." not in name:
        raise NotMine("no row of GitHub's audit log")
    category, _, done = name.partition(".")
    action = _PACKAGES.get(done) if category == "packages" else Action.PERMISSION if _RIGHTS.fullmatch(name) else None
    ecosystem = word(row.get("ecosystem"))
    if action is None or (ecosystem is not None and ecosystem.lower() not in _ECOSYSTEMS):
        return None
    client = address(word(row.get("actor_ip")) or "")
    event: Event = {
        "channel": Channel.AUDIT.value,
        "timestamp": epoch_moment(row.get("@timestamp", row.get("created_at")), per_second=1000),
        "action": action.value,
        "outcome": Outcome.SUCCESS.value,
        "actor": word(row.get("actor")),
        "client_ip": client,
        "client_via": "log" if client else None,
        "user_agent": word(row.get("user_agent")),
        "request_id": word(row.get("request_id")),
        "project": word(row.get("org")) or word(row.get("user")),
    }
    if (own := word(row.get("_document_id"))) is not None:
        event["event_id"] = numbered_event_id("github", own)
    return event | (_package(row) if category == "packages" else _target(category, done, row))


def _target(category: str, done: str, row: dict[str, Any]) -> Event:
    """Whom or what the row is about. A member who is removed is still an account of GitHub's: only the membership ends."""
    verb, _, sort = done.partition("_")
    told = {name: word(row.get(name)) for name in ("user", "team", "repo", "name")}
    member = told["user"] if sort or category in ("org", "business") else None
    target = member or told.get(category) or told["team"] or told["repo"] or told["name"]
    end = _CHANGES.get(verb) or ("changed" if target else None)
    kind = sort if member and sort else category
    return {"target": target, "change": f"{kind}_{end}"} if target else {}


def _package(row: dict[str, Any]) -> Event:
    owner, package = word(row.get("org")) or word(row.get("user")), word(row.get("package"))
    version = word(row.get("version"))
    return {
        "repository": f"{owner}/{package}" if owner and package else package,
        "reference": version,
        "digest": version if version and is_digest(version) else None,
    }


FORMAT = DocumentFormat(
    name="github-audit",
    title="GitHub audit log (packages and who may publish them)",
    registry_kind="ghcr",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(versions="2021 to 2026", tested=False, never=("pulls", "denied requests", "bytes", "duration")),
)
