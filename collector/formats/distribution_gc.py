"""What `registry garbage-collect` writes: on standard output what it keeps and what it could delete, on standard error
(logrus, text or JSON) what it deletes. Both in one file, or each in its own.

Each blob and manifest deleted is an event `gc` with its time and digest. The summary (`26 blobs marked, 4 blobs and 0 manifests
eligible for deletion`) is one too, of unknown outcome: a dry run writes the same. Its line has no time: that of a wrapper is
taken, else that of reading. What is only marked is ignored.

registry/storage/garbagecollect.go and vacuum.go of distribution/distribution.
"""

from __future__ import annotations

import re
from typing import Any

from collector.errors import LineError, NotMine
from collector.go_output import is_go_output
from collector.image_reference import NAME, is_digest
from collector.lines import as_text, moment, word
from collector.logrus_line import read_json, read_text
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_SUMMARY = re.compile(r"\d{1,12} blobs marked, \d{1,12} blobs and \d{1,12} manifests eligible for deletion")
_KEPT = re.compile(
    rf"(?:{NAME}: (?:marking (?:manifest|blob|configuration)|layer link eligible for deletion:|adding manifest to delete)"
    r"|(?:blob|manifest) eligible for deletion:|manifest tags path of repository) .{1,600}"
)
_NAME = re.compile(NAME)
_FAILED = re.compile(r"failed to garbage collect: (.*)", re.DOTALL)
_DELETING = re.compile(r"[Dd]eleting (blob|manifest): (/\S{1,600})")
_RELATED = re.compile(r"[Dd]eleting (?:layer link path ?|manifest tag reference|repo): ")
_BLOB = re.compile(r".*/blobs/(\w{1,20})/[0-9a-f]{2}/([0-9a-f]{32,128})")
_MANIFEST = re.compile(r".*/repositories/(.{1,255})/_manifests/revisions/(\w{1,20})/([0-9a-f]{32,128})")


def claims(head: bytes) -> float:
    if b"eleting " not in head and b": marking " not in head and b"eligible for deletion" not in head:
        return 0.0
    return share_of_lines(head, _is_mine)


def _is_mine(data: bytes) -> bool:
    text = as_text(data)
    if data[:1] == b"{" or data.startswith(b"time="):
        message = (_entry(data) or {}).get("msg")
        return isinstance(message, str) and bool(_DELETING.fullmatch(message) or _RELATED.match(message))
    # The name of a repository alone says little, but between such lines it stands before each repository's own.
    return any(form.fullmatch(text) for form in (_SUMMARY, _KEPT, _FAILED, _NAME))


def _entry(data: bytes) -> dict[str, Any] | None:
    try:
        return read_json(data) if data[:1] == b"{" else read_text(data)
    except LineError:
        return None


def parse_line(line: Line) -> Event | None:
    if line.data[:1] == b"{":
        return _told(read_json(line.data))
    if line.data.startswith(b"time="):
        return _told(read_text(line.data))
    text = as_text(line.data)
    when = line.wrapper_time or line.now
    if _SUMMARY.fullmatch(text) is not None:
        return _event(Outcome.UNKNOWN) | {"timestamp": when, "error_message": text}
    if (failed := _FAILED.fullmatch(text)) is not None:
        return _event(Outcome.FAILURE) | {"timestamp": when, "error_message": failed[1]}
    if _KEPT.fullmatch(text) or _NAME.fullmatch(text) or is_go_output(line.data):
        return None
    raise NotMine("not a line of garbage-collect")


def _told(entry: dict[str, Any]) -> Event | None:
    found = _DELETING.fullmatch(word(entry["msg"]) or "")
    if found is None:
        return None
    subject = _blob(found[2]) if found[1] == "blob" else _manifest(found[2])
    return _event(Outcome.SUCCESS) | {"timestamp": moment(entry["time"])} | subject


def _blob(path: str) -> Event:
    found = _BLOB.fullmatch(path)
    return {"reference": _digest(found[1], found[2])} if found is not None else {}


def _manifest(path: str) -> Event:
    found = _MANIFEST.fullmatch(path)
    return {"repository": found[1], "reference": _digest(found[2], found[3])} if found is not None else {}


def _digest(algorithm: str, value: str) -> str | None:
    digest = f"{algorithm}:{value}"
    return digest if is_digest(digest) else None


def _event(outcome: Outcome) -> Event:
    return {
        "channel": Channel.APPLICATION.value,
        "action": Action.GC.value,
        "outcome": outcome.value,
        "actor_kind": "internal",
    }


FORMAT = one_by_one(
    "distribution-gc",
    claims,
    parse_line,
    title="Distribution garbage-collect output",
    registry_kind="distribution",
    facts=Facts(versions="2.x, 3.x", tested=True, never=("address", "user", "bytes", "duration", "pulls")),
)
