"""Docker Hub's audit log: pages of `GET /v2/auditlogs/{account}`.

It holds pushes, deletions and changes of rights, never pulls, and no addresses. Actors may carry the label of the access token
that was used; it is taken off. Rows have no id: one that comes in two pages is one event by what it says.

Docker Hub API, "Audit Logs" (list of actions, example of a row).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import is_digest
from collector.lines import moment, word
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_ACTIONS: dict[str, Action] = {
    "repo.tag.push": Action.PUSH,
    "repo.tag.delete": Action.UNTAG,
    "repo.delete": Action.DELETE,
    "repo.change_privacy": Action.PERMISSION,
    "org.create": Action.CONFIG,
}
# Who may do what: members, teams, roles, tokens, domains, single sign-on. Then everything else that is set.
_RIGHTS = re.compile(
    r"(?:org\.)?(?:member|team|access_token|customrole|domain)\..+|(?:enterprise\.)?sso\..+|(?:oidc\.)?connection\..+"
)
_SETTINGS = re.compile(r"repo\..+|org\..+|(?:enterprise\.)?setting\..+")
_WITH_TOKEN = re.compile(r'(.+?) - access token ".*"', re.DOTALL)


def claims(head: bytes) -> float:
    start = head.lstrip()[:16_384]
    if start[:1] not in (b"{", b"["):
        return 0.0
    if b'"action_description"' in start and b'"account"' in start:
        return 0.95
    return (
        0.3 if re.fullmatch(rb'\{\s*"logs"\s*:\s*\[\s*\]\s*\}', start.rstrip()) else 0.0
    )  # a page behind the last row


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    body = document if isinstance(document, dict) else {"logs": document}
    rows = body.get("logs", [body] if "action" in body and "actor" in body else None)
    if not isinstance(rows, list):
        raise NotMine("no page of Docker Hub's audit log")  # the API's own error answers: {"message": …}
    seen: Counter[bytes] = Counter()
    for told in rows:
        try:
            row = object_or_reject(told, "the audit row")
            action = _action(word(row.get("action")))
            if action is None:
                continue
            same = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
            seen[same] += 1  # two equal rows of a page are two events within one second
            yield _event(row, action, numbered_event_id("dockerhub", same.decode(), str(seen[same])))
        except LineError as error:
            yield error


def _action(told: str | None) -> Action | None:
    """None for what is of no registry: plans, seats, leases."""
    if told is None:
        raise Unreadable("an audit row without an action")
    if told in _ACTIONS:
        return _ACTIONS[told]
    if _RIGHTS.fullmatch(told):
        return Action.PERMISSION
    return Action.CONFIG if _SETTINGS.fullmatch(told) else None


def _event(row: dict[str, Any], action: Action, event_id: str) -> Event:
    data, actor = as_object(row.get("data")), word(row.get("actor"))
    with_token = _WITH_TOKEN.fullmatch(actor or "")
    name = word(row.get("name")) if str(row["action"]).startswith("repo.") else None
    tag, digest = word(data.get("tag")), word(data.get("digest"))
    return {
        "event_id": event_id,
        "channel": Channel.AUDIT.value,
        "timestamp": moment(row.get("timestamp")),
        "action": action.value,
        "outcome": Outcome.SUCCESS.value,
        "actor": with_token[1] if with_token else actor,
        "repository": name,
        "project": word(row.get("account")),
        "reference": tag or digest,
        "tag": tag,
        "digest": digest if digest and is_digest(digest) else None,
    }


FORMAT = DocumentFormat(
    name="dockerhub-audit",
    title="Docker Hub audit log (API pages)",
    registry_kind="dockerhub",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="API v2, 2021 to 2026",
        tested=False,
        never=("pulls", "address", "user agent", "denied requests", "bytes", "duration"),
    ),
)
