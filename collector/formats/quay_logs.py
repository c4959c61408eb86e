"""Quay's action logs: pages of its API, exports, rows of its Elasticsearch model (also by Kafka and Kinesis), rows for Splunk.

The API names the kind of a row and who did it; the Elasticsearch model has numbers instead, which each Quay's own database gives
out: such a row is read by its request where FEATURE_EXTENDED_ACTION_LOGGING wrote it, and is a dead letter where not.
Aggregated logs count rows of a day without saying whose, and are ignored. Failed pulls, pushes and logins are only there if
ACTION_LOG_AUDIT_* is on, and pulls of a namespace can be switched off. HEAD on a manifest is a `pull_repo` too: only the
extended fields tell that from a pull. Rows of pages have no id: one that comes in two pages is one event by what it says.

initdb.py (kinds), data/logs_model, util/audit.py, endpoints/api/__init__.py (`log_unauthorized`) of quay/quay.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.epoch import epoch_moment
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import is_digest
from collector.lines import address, apache_moment, moment, word
from collector.quay_kinds import IGNORED, change_of, meaning
from collector.request import Kind, read_request
from collector.sheet import numbered_event_id, request_event_id
from collector.stages import Facts
from store.event import BAD_CREDENTIALS, FORBIDDEN, NO_CREDENTIALS, Action, Channel, Event, Outcome

# Of these `metadata.username` is who did it; of changes of rights it is whom they are for.
_OWN_NAME = frozenset((Action.PULL, Action.PUSH, Action.UNTAG, Action.TAG, Action.LOGIN, Action.LOGOUT, Action.TOKEN))

_RFC_2822 = re.compile(r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d:\d\d:\d\d) ([+-]\d{4})")


def claims(head: bytes) -> float:
    start = head.lstrip()[:16_384]
    if start[:1] not in (b"{", b"["):
        return 0.0
    if b'"aggregated"' in start and b'"kind"' in start:
        return 0.8
    if b'"datetime"' not in start or (b'"metadata"' not in start and b'"metadata_json"' not in start):
        return 0.0
    return 0.92 if b'"kind"' in start or b'"kind_id"' in start else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    rows, of_page = _rows(document)
    seen: Counter[str] = Counter()
    for told in rows:
        try:
            row = object_or_reject(told, "the row")
            if "terminator" in row or word(row.get("kind")) in IGNORED:
                continue
            event = _event(row)
            if of_page and "event_id" not in event:
                same = orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode()
                seen[same] += 1  # two equal rows of a page are two events within one second
                event["event_id"] = numbered_event_id("quay", registry or "", same, str(seen[same]))
            yield event
        except LineError as error:
            yield error


def _rows(document: Any) -> tuple[list[Any], bool]:
    """(rows, whether they are of a page). A line of a stream is one row: it comes once, and needs no id of its own."""
    if isinstance(document, list):
        return document, True
    body = object_or_reject(document, "the document")
    if isinstance(body.get("aggregated"), list):
        return [], True
    if isinstance(body.get("logs"), list):
        return body["logs"], True
    hits = as_object(body.get("hits")).get("hits")
    if isinstance(hits, list):
        return [as_object(hit).get("_source") for hit in hits], True
    for holder in ("event", "_source"):  # Splunk's HTTP collector, Elasticsearch
        if isinstance(body.get(holder), dict):
            body = body[holder]
    if "datetime" not in body or ("kind" not in body and "kind_id" not in body):
        raise NotMine("no row of Quay's action log")
    return [body], False


def _event(row: dict[str, Any]) -> Event:
    metadata = _metadata(row)
    method, url = word(row.get("http_method")), word(row.get("request_url"))
    action, outcome = _action(word(row.get("kind")), method, url)
    actor = _actor(row, metadata, action)
    client = address(word(row.get("ip")) or "")
    event: Event = {
        "channel": Channel.AUDIT.value,
        "timestamp": _time(row.get("datetime")),
        "action": action.value,
        "outcome": outcome.value,
        "reason": _reason(action, outcome, row, actor),
        "actor": actor,
        "client_ip": client,
        "client_via": "log" if client else None,
        "forwarded_for": word(row.get("x_forwarded_for")),
        "user_agent": word(row.get("user_agent"))
        or word(metadata.get("user-agent"))
        or word(metadata.get("useragent")),
        "method": method,
        "uri": url,
        "request_id": word(row.get("request_id")),
        "error_message": word(metadata.get("message")),
    }
    event |= _image(row, metadata)
    event |= _target(word(row.get("kind")), row, metadata)
    if (own := word(row.get("random_id"))) is not None:
        event["event_id"] = numbered_event_id("quay", own)
    elif event["request_id"] is not None:
        event["event_id"] = request_event_id(event["request_id"], event["action"], event["tag"])
    return event


def _metadata(row: dict[str, Any]) -> dict[str, Any]:
    told = row.get("metadata", row.get("metadata_json"))
    if isinstance(told, str):
        try:
            told = orjson.loads(told)
        except ValueError:
            raise Unreadable("torn or mutated JSON in the metadata") from None
    return as_object(told)


def _action(kind: str | None, method: str | None, url: str | None) -> tuple[Action, Outcome]:
    request = read_request(method, url) if method and url else None
    if kind is not None:
        action, outcome = meaning(kind)
        if action is Action.PULL and request is not None and request.action is Action.CHECK:
            return Action.CHECK, outcome
        return action, outcome
    if request is None or request.kind is Kind.OUTSIDE:
        raise Unreadable("kind_id without the name of the kind or the request")
    return request.action, Outcome.UNKNOWN


def _reason(action: Action, outcome: Outcome, row: dict[str, Any], actor: str | None) -> str | None:
    if outcome is not Outcome.DENIED:
        return None
    if action is Action.LOGIN:
        return BAD_CREDENTIALS
    if row.get("auth_type") == "anonymous":
        return NO_CREDENTIALS
    return FORBIDDEN if actor else None


def _actor(row: dict[str, Any], metadata: dict[str, Any], action: Action) -> str | None:
    performer = row.get("performer")
    told = word(performer) or word(as_object(performer).get("name")) or word(row.get("performer_username"))
    if told is None and action in _OWN_NAME:  # of a robot that is refused, `username` is whose robot it is
        told = _first(metadata, ("robot", "username") if action is Action.LOGIN else ("username",))
    if told is None and row.get("performer_kind") == "anonymous":
        return "anonymous"
    return told


def _target(kind: str | None, row: dict[str, Any], metadata: dict[str, Any]) -> Event:
    """The account that a row is about; a robot under its whole name, as it logs in."""
    change = change_of(kind or "")
    if change is None:
        return {}
    namespace = _namespace(row, metadata)
    sort = change.partition("_")[0]
    if sort == "organization":
        target = namespace
    elif sort == "robot":
        target = word(metadata.get("robot"))
        if target and "+" not in target:
            target = f"{namespace}+{target}" if namespace else None
    else:
        told = ("member", "username", "team") if sort == "member" else ("username", "team")
        target = _first(metadata, told)
    return {"target": target, "change": change} if target else {}


def _first(metadata: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """What the first of these fields says that says anything."""
    return next((said for said in map(word, map(metadata.get, names)) if said), None)


def _namespace(row: dict[str, Any], metadata: dict[str, Any]) -> str | None:
    return (
        word(metadata.get("namespace"))
        or word(row.get("namespace_name"))
        or word(row.get("account"))
        or word(as_object(row.get("namespace")).get("name"))
    )


def _image(row: dict[str, Any], metadata: dict[str, Any]) -> Event:
    digest = word(metadata.get("manifest_digest")) or word(metadata.get("digest"))
    tag = word(metadata.get("tag"))
    return {
        "repository": _repository(row, metadata),
        "project": _namespace(row, metadata),
        "reference": tag or digest,
        "tag": tag,
        "digest": digest if digest and is_digest(digest) else None,
        "media_type": word(metadata.get("mediaType")),
    }


def _repository(row: dict[str, Any], metadata: dict[str, Any]) -> str | None:
    name = word(metadata.get("repo")) or word(row.get("repository_name")) or word(row.get("repository"))
    namespace = _namespace(row, metadata)
    return f"{namespace}/{name}" if name and namespace else name


def _time(told: Any) -> datetime:
    """RFC 2822 with `-0000` (API), ISO 8601 without a zone (Elasticsearch: the container's, which is UTC), seconds (Splunk)."""
    if not isinstance(told, str):
        return epoch_moment(told)
    if told[:1].isdigit():
        has_zone = told.endswith("Z") or told[-6:-5] in ("+", "-")
        return moment(told if has_zone else told + "Z")
    found = _RFC_2822.fullmatch(told)
    if found is None:
        raise Unreadable("no time that can be read")
    day, month, year, clock, zone = found.groups()
    return apache_moment(f"{day}/{month}/{year}:{clock} {zone}")


FORMAT = DocumentFormat(
    name="quay-logs",
    title="Quay action logs (API, exports, Elasticsearch, Kafka, Splunk)",
    registry_kind="quay",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(versions="3.x", tested=False, never=("bytes", "duration", "HTTP status")),
)
