"""Harbor's jobservice.log: what Harbor did of itself: replication, scans, retention, garbage collection, purging of the audit log.

One event for each run of such a job that ended, from the line that says how (`Job 'IMAGE_SCAN:<id>' exit with …`, src/jobservice/
runner/redis.go). That line names no image. A replication that worked is told by its own lines instead, one for each
repository (src/controller/replication/transfer/image). Jobs work at the same time and their lines stand between one another, so
nothing is concluded from neighbours.

Garbage collection also names the untagged artifacts that it takes; no audit row tells of those. Whether it was a dry run is
said elsewhere only, so their outcome is unknown.

Webhook jobs print whole requests over many lines; these, like reports and tables, are ignored.
"""

from __future__ import annotations

import re

from collector.errors import NotMine
from collector.go_output import is_go_output
from collector.harbor_logger import LoggerLine, read_logger_line
from collector.image_reference import is_digest
from collector.lines import as_text
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_JOBS = {
    "REPLICATION": Action.REPLICATE,
    "IMAGE_SCAN": Action.SCAN,
    "SBOM": Action.SCAN,
    "RETENTION": Action.RETAIN,
    "GARBAGE_COLLECTION": Action.GC,
    "PURGE_AUDIT_LOG": Action.CONFIG,
    "AUDIT_LOGS_GDPR_COMPLIANT": Action.CONFIG,
}
_ENDED = re.compile(
    r"Job '?([A-Z0-9_]{1,60}):([0-9A-Za-z@-]{1,80}?)'? (exit with success|exit with error: (.*)|is stopped)", re.DOTALL
)
_COPIED = re.compile(
    r"copy (\S{1,300}):\[(\S{0,4000})\]\(source registry\) to \S{1,4400}\(destination registry\) completed"
)
_COPY_DELETED = re.compile(r"the (?:manifest of artifact|tag) (\S{1,300}?):(\S{1,300}) is deleted")
_UNTAGGED = re.compile(
    r"(?:\[[^\]]{1,40}\])*\s?delete the untagged artifact: ProjectID:\(\d{1,18}\)-RepositoryName\(([^()]{1,300})\)"
    r"-MediaType:\([^()]{0,200}\)-Digest:\(([^()]{1,300})\)"
)
# How the lines of a longer message begin: JSON, tables, HTML of a refused webhook.
_CONTINUATION = (b" ", b"\t", b"{", b"}", b"[", b"]", b"|", b"+-", b"<", b'"')


def claims(head: bytes) -> float:
    if b"[/jobservice/" not in head and b"[/pkg/scan/job.go:" not in head:
        return 0.0
    return 0.95 * share_of_lines(head, _is_mine)


def _is_mine(data: bytes) -> bool:
    return data.startswith(_CONTINUATION) or read_logger_line(as_text(data)) is not None


def parse_line(line: Line) -> Event | None:
    read = read_logger_line(as_text(line.data))
    if read is not None:
        return _event(read)
    if line.data.startswith(_CONTINUATION) or is_go_output(line.data):
        return None
    raise NotMine("not a line of Harbor's logger")


def _event(line: LoggerLine) -> Event | None:
    if line.file.endswith("/runner/redis.go") and (ended := _ENDED.fullmatch(line.message)) is not None:
        return _job(line, *ended.groups())
    if "/replication/transfer/" in line.file:
        return _replicated(line)
    if line.file.endswith("/garbage_collection.go") and (taken := _UNTAGGED.match(line.message)) is not None:
        repository, digest = taken.groups()
        return _told(line, Action.GC, Outcome.UNKNOWN) | {
            "repository": repository,
            "reference": digest if is_digest(digest) else None,
        }
    return None


def _job(line: LoggerLine, name: str, number: str, end: str, error: str | None) -> Event | None:
    action = _JOBS.get(name)
    succeeded = end == "exit with success"
    if action is None or (action is Action.REPLICATE and succeeded):
        return None
    event = _told(line, action, Outcome.SUCCESS if succeeded else Outcome.FAILURE)
    if not succeeded:
        event["reason"] = "server_error" if error is not None else "aborted"
    event["error_message"] = f"{name} {number}" + (f": {error.strip()}" if error else "")
    return event


def _replicated(line: LoggerLine) -> Event | None:
    if (copied := _COPIED.fullmatch(line.message)) is not None:
        repository, references = copied.groups()
        one = references if references and "," not in references else None
    elif (deleted := _COPY_DELETED.fullmatch(line.message)) is not None:
        repository, one = deleted.groups()
    else:
        return None
    return _told(line, Action.REPLICATE, Outcome.SUCCESS) | {"repository": repository, "reference": one}


def _told(line: LoggerLine, action: Action, outcome: Outcome) -> Event:
    return {
        "channel": Channel.APPLICATION.value,
        "timestamp": line.when,
        "action": action.value,
        "outcome": outcome.value,
        "actor": "harbor-jobservice",
        "actor_kind": "internal",
    }


FORMAT = one_by_one(
    "harbor-jobservice",
    claims,
    parse_line,
    title="Harbor jobservice (replication, scans, retention, garbage collection)",
    registry_kind="harbor",
    facts=Facts(
        versions="2.x",
        tested=True,
        never=("address", "user", "bytes", "duration", "image of a scan", "who started a job"),
    ),
)
