"""Events as Elasticsearch documents: index templates from `store.event.FIELDS`, and the way there and back.

A document is the merged event under its flat ECS names. Once an event has more than one part, the parts themselves are
kept in the document too (`ROWS`, not indexed): the next part is merged with them, not with what an earlier merge chose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from store.event import BY_NAME, FIELDS, Field, to_ecs
from store.merge import PART_FIELDS, distinct, merge, part_key

# Above the built-in templates (100) and Fleet's (200); no index is named `logs-…`, which would be a data stream.
PRIORITY = 501
ROWS = "oci.rows"
# What of a document tells which parts it has.
PART_NAMES = tuple(f"{under}{BY_NAME[name].ecs}" for under in ("", f"{ROWS}.") for name in PART_FIELDS)
RECORDS = ("findings", "incidents", "outbox", "jobs", "leases", "dead-letters", "state", "rollups")

_TYPES: Mapping[str, dict[str, Any]] = {
    "string": {"type": "keyword", "ignore_above": 1024},
    "strings": {"type": "keyword", "ignore_above": 1024},
    "int": {"type": "long"},
    "float": {"type": "double"},
    "bool": {"type": "boolean"},
    "time": {"type": "date"},
}
_SETTINGS = {"number_of_shards": 1, "auto_expand_replicas": "0-1"}


def _type(field: Field) -> dict[str, Any]:
    return _TYPES[field.kind] if field.index else _TYPES[field.kind] | {"index": False, "doc_values": False}


def events_template(alias: str) -> dict[str, Any]:
    """The index template of the event-day indices; what reads asks the alias."""
    properties: dict[str, Any] = {field.ecs: _type(field) for field in FIELDS}
    # The field name that people write by hand: {"term": {"action": "push"}}.
    properties["action"] = {"type": "alias", "path": BY_NAME["action"].ecs}
    properties[ROWS] = {"type": "object", "enabled": False}
    return {
        "index_patterns": [f"{alias}-*"],
        "priority": PRIORITY,
        "template": {
            "settings": {"index": _SETTINGS | {"codec": "best_compression"}},
            "mappings": {"dynamic": False, "properties": properties},
            "aliases": {alias: {}},
        },
        "_meta": {"description": "Regsight: container registry events"},
    }


def records_template(namespace: str) -> dict[str, Any]:
    """The template of the few changing documents. Times are keywords: of fixed width, they sort as text to the µs."""
    keywords = ["id", "kind", "job", "state", "channel", "finding_id", "stream", "reason"]
    keywords += ["start", "end", "detected_at", "created_at", "due_at", "read_at"]
    properties: dict[str, Any] = {name: {"type": "keyword", "ignore_above": 1024} for name in keywords}
    properties |= {"rank": {"type": "integer"}, "offset": {"type": "long"}}
    properties["body"] = {"type": "object", "enabled": False}
    return {
        "index_patterns": [f"regsight-{name}-{namespace}" for name in RECORDS],
        "priority": PRIORITY,
        "template": {
            "settings": {"index": _SETTINGS},
            "mappings": {"dynamic": False, "properties": properties},
        },
        "_meta": {
            "description": "Regsight: findings, deliveries, job runs, leases, dead letters, positions, hourly counts"
        },
    }


def document(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The document of one event, from its parts."""
    parts = distinct(rows)
    if len(parts) == 1:
        return to_ecs(parts[0])
    return to_ecs(merge(parts)) | {ROWS: [to_ecs(part) for part in parts]}


def event_of(source: Mapping[str, Any], names: Iterable[str] = tuple(BY_NAME)) -> dict[str, Any]:
    """The event in a document: these fields of it, all in the order of `FIELDS` if none are named; nulls present."""
    event: dict[str, Any] = {}
    for field in map(BY_NAME.__getitem__, names):
        value = source.get(field.ecs)
        event[field.name] = datetime.fromisoformat(value) if field.kind == "time" and value is not None else value
    return event


def rows_of(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts in a document."""
    return [event_of(part) for part in source.get(ROWS) or [source]]


def part_keys(source: Mapping[str, Any]) -> list[tuple[int, int, str, int]]:
    """`part_key` of each part in a document, of which no more is needed than `PART_NAMES`."""
    return [
        part_key({name: part.get(BY_NAME[name].ecs) for name in PART_FIELDS}) for part in source.get(ROWS) or [source]
    ]
