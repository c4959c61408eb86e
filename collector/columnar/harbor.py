"""Harbor's audit log by columns: rows of its API one a line, and lines forwarded by syslog. Images and tags only; accounts,
projects and settings are told rarely, and line by line.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columnar.rows import Columns, Rows, fill, hashed_texts, ids, words
from collector.columnar.templates import Group, Template, groups
from collector.columnar.text import BlockText
from collector.columnar.values import by_combination, codes, joined, like, mask, moments, no_empty
from collector.harbor_audit_line import ONLY_DONE, is_audit_line
from collector.harbor_logger import read_logger_line
from collector.harbor_operations import action_of_operation, result_of_operation
from collector.syslog_header import read_syslog
from store.event import Action, Channel, Outcome

if TYPE_CHECKING:
    from collector.columnar.text import Mask, Places

_TEXTS = ("op_time", "operation", "resource_type", "resource", "username", "operation_description")
_NEEDED = ("op_time", "operation", "resource_type", "resource")
_IMAGES = ("artifact", "tag")
_DIGEST = r"sha256:[0-9a-f]{64}"
_DIGEST_LENGTH = len("sha256:") + 64
_BY_DIGEST = rf"^[^:@]+@{_DIGEST}$"
_BY_TAG = r"^[^:@]+:[A-Za-z0-9_][A-Za-z0-9._-]*$"
_LONGEST_TAG = 128
_DESCRIBED = rf"^(?:[^@]* )?[^:@ ]+@{_DIGEST}$"
_NOTHING = pa.scalar(None, pa.string())
_KINDS = pa.array(_IMAGES)
_TAIL = r'^"\]: action:[a-z_]{1,60}, resource:[^, ]+, operation_description:[^,]+$'
_GO_TIME = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})? [+-]\d{4} [^ ]{1,40}(?: m=[+-]\d{1,20}\.\d{1,9})?$"


def audit_rows(text: BlockText, lines: Places, known: dict[int, list[Template]], registry: str) -> list[Rows]:
    """Rows of the lines that are surely read."""
    return [
        _group_rows(group, registry)
        for group in groups(text, lines, known)
        if _readable(group.template) and len(group.lines)
    ]


def _readable(template: Template) -> bool:
    others = template.numbers.keys() | template.fixed.keys()
    texts = all(key in template.texts for key in _NEEDED) and others.isdisjoint(_TEXTS)
    result = template.fixed.get("operation_result", True)
    return (
        texts
        and "id" in template.numbers
        and isinstance(result, bool)
        and "operation_result" not in (template.texts | template.numbers)
    )


def _group_rows(group: Group, registry: str) -> Rows:
    said: dict[str, Any] = {key: group.string(key) for key in _TEXTS}
    keys = group.template.texts.keys() | group.template.fixed.keys()
    table = "ext" if keys & {"operation_result", "operation_description"} else "classic"
    succeeded = group.template.fixed.get("operation_result", True)
    columns, sure, by_digest = _image(said["resource"], said["operation_description"])
    columns |= _done(said["resource_type"], said["operation"], succeeded)
    sure &= mask(pc.is_in(said["resource_type"], value_set=_KINDS)) & mask(pc.not_equal(said["operation"], ""))
    columns["timestamp"], timed = moments(said["op_time"])
    if said["username"] is not None:
        columns["actor"] = no_empty(said["username"])
    columns["channel"] = pa.repeat(pa.scalar(Channel.AUDIT.value), len(group.lines))
    number = group.numbers["id"].cast(pa.string())
    front = "\x1f".join(("harbor", table, registry))
    hashed = hashed_texts(pa.scalar(front), number, said["op_time"])
    columns["event_id"] = ids("a", hashed)
    fill(columns, by_digest)
    return Rows(group.lines, columns).where(sure & timed)


def _done(kinds: pa.Array, operations: pa.Array, succeeded: bool | None) -> Columns:
    """Action and outcome; `succeeded` None where the line does not say it of everything."""
    kind, known = codes(kinds)
    operation, said = codes(operations)

    def read(kind: int, operation: int) -> tuple[Action, Any]:
        action = action_of_operation(known[kind], said[operation])
        if succeeded is None and known[kind] not in ONLY_DONE:
            return action, {"outcome": Outcome.UNKNOWN.value}
        return action, result_of_operation(succeeded is not False, action)

    numbers, answers = by_combination([kind, operation], read)
    return {
        "action": words(numbers, [action.value for action, _ in answers]),
        "outcome": words(numbers, [result["outcome"] for _, result in answers]),
        "reason": words(numbers, [result.get("reason") for _, result in answers]),
    }


def _image(resource: pa.Array, described: pa.Array | None, *, wholly: bool = False) -> tuple[Columns, Mask, Mask]:
    """(repository, reference, tag, digest; which were read; which by digest): `read_image` of `name:tag` and `name@sha256:…`.
    `wholly`: only where the description names a digest as well."""
    by_digest, by_tag = like(resource, _BY_DIGEST), like(resource, _BY_TAG)
    sure = by_digest | by_tag
    columns = _named(resource, by_digest, by_tag)
    sure &= mask(pc.less_equal(pc.binary_length(columns["reference"]), _LONGEST_TAG))
    if described is not None:
        names = like(described, _DESCRIBED)
        own = pc.utf8_slice_codeunits(described, -_DIGEST_LENGTH)
        if not names.all():
            own = pc.if_else(pa.array(names), own, _NOTHING)
            sure &= names if wholly else names | ~mask(pc.match_substring(described, "@"))
        columns["digest"] = pc.coalesce(columns["digest"], own)
    return columns, sure, by_digest


def _named(resource: pa.Array, by_digest: Mask, by_tag: Mask) -> Columns:
    if by_digest.all():
        digest = pc.utf8_slice_codeunits(resource, -_DIGEST_LENGTH)
        name = pc.utf8_slice_codeunits(resource, 0, stop=-_DIGEST_LENGTH - 1)
        return {"repository": name, "reference": digest, "tag": pa.nulls(len(name), pa.string()), "digest": digest}
    tagged = resource if by_tag.all() else pc.if_else(pa.array(by_tag), resource, pa.scalar("a:a"))
    halves = pc.split_pattern(tagged, ":").flatten()
    even = np.arange(0, len(halves), 2)
    name, tag = halves.take(pa.array(even)), halves.take(pa.array(even + 1))
    columns = {"repository": name, "reference": tag, "tag": tag, "digest": pa.nulls(len(name), pa.string())}
    rows = np.flatnonzero(by_digest)
    if len(rows):
        others = resource.take(pa.array(rows))
        for key, column in _named(others, np.ones(len(rows), bool), np.zeros(len(rows), bool)).items():
            columns[key] = joined(columns[key], column, rows)
    return columns


def forwarded_lines(text: BlockText, newest: datetime, zone: tzinfo) -> list[Rows]:
    """Rows of the forwarded lines that are surely read. Nothing is escaped in them, so none with a backslash is."""
    for sign in (b"\\", b"#"):
        text.spoil_lines_with(sign)
    lines = np.flatnonzero(text.plain & (text.count == 6))
    if not len(lines):
        return []
    places = text.quotes_of(lines, 6)
    fit = text.says(places[2], b'" resourceType="') & (places[3] == places[2] + len('" resourceType='))
    fit &= text.says(places[4], b'" time="') & (places[5] == places[4] + len('" time='))
    lines, places = lines[fit], places[:, fit]
    if not len(lines):
        return []
    heads, tails = text.cut(places[0], places[1]), text.cut(places[6], places[7])
    actors, kinds = text.cut(places[1] + 1, places[2]), text.cut(places[3] + 1, places[4])
    sure = (
        _headed(heads, newest, zone)
        & like(tails, _TAIL)
        & like(actors, "^[^,:]*$")
        & mask(pc.is_in(kinds, value_set=_KINDS))
    )
    at = pa.array(np.flatnonzero(sure))
    lines, tails, actors, kinds = lines[sure], tails.take(at), actors.take(at), kinds.take(at)
    times = text.cut(places[5][sure] + 1, places[6][sure])
    if not len(lines):
        return []
    said = pc.split_pattern(pc.utf8_slice_codeunits(tails, len('"]: action:')), ", ", max_splits=2).flatten()
    third = np.arange(0, len(said), 3)
    operations = said.take(pa.array(third))
    resources = pc.utf8_slice_codeunits(said.take(pa.array(third + 1)), len("resource:"))
    described = pc.utf8_slice_codeunits(said.take(pa.array(third + 2)), len("operation_description:"))
    columns, good, by_digest = _image(resources, described, wholly=True)
    columns |= _done(kinds, operations, None)
    columns["timestamp"], timed = _go_times(times)
    columns["actor"] = no_empty(actors)
    columns["channel"] = pa.repeat(pa.scalar(Channel.AUDIT.value), len(lines))
    columns["event_id"] = ids(
        "a", hashed_texts(pa.scalar("harbor-audit-line"), times, actors, kinds, operations, resources)
    )
    fill(columns, by_digest)
    return [Rows(lines, columns).where(good & timed)]


def _headed(heads: pa.Array, newest: datetime, zone: tzinfo) -> Mask:
    """Which lines begin as Harbor's logger begins an audit line of the newer table, behind a syslog header or none."""

    def good(head: str) -> bool:
        if not head.endswith("[operator="):
            return False
        rest = '"u" resourceType="artifact" time="t"]: x'
        found = read_syslog(f"{head}{rest}".encode(), newest, zone)
        inner = f"{head}{rest}" if found is None else found.payload.decode("utf-8", "replace")
        line = read_logger_line(inner)
        return line is not None and is_audit_line(line) and line.file.endswith("/pkg/auditext/manager.go")

    number, said = codes(heads)
    found: Mask = np.array([good(head) for head in said], bool)[number]
    return found


def _go_times(times: pa.Array) -> tuple[pa.Array, Mask]:
    fit = like(times, _GO_TIME)
    shaped = pc.if_else(pa.array(fit), times, pa.scalar("1970-01-01 00:00:00 +0000 UTC"))
    parts = pc.split_pattern(shaped, " ", max_splits=3).flatten()
    at = np.arange(0, len(parts), 4)
    day, clock, zone = (parts.take(pa.array(at + number)) for number in range(3))
    hours, minutes = pc.utf8_slice_codeunits(zone, 0, 3), pc.utf8_slice_codeunits(zone, 3)
    stamps = pc.binary_join_element_wise(pc.binary_join_element_wise(day, clock, "T"), hours, "")
    read, timed = moments(pc.binary_join_element_wise(stamps, minutes, ":"))
    return read, fit & timed
