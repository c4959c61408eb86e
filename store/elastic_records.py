"""The few things that change, as Elasticsearch documents: `store.contract.Records` beside the event indices.

What two processes could change at once (findings, deliveries, leases) is written on condition that nobody wrote in
between.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from store.contract import DeadLetter, Delivery, JobRun, Position
from store.documents import PAGE, Document, Documents, document_id
from store.errors import Rejected
from store.event import iso
from store.finding import Finding, Severity
from store.frames import ROLLUP, ROLLUP_BY, rollup_frame
from store.incident import Incident

if TYPE_CHECKING:
    import pandas as pd


class ElasticRecords:
    """`store.contract.Records`, and positions, in the indices `regsight-<what>-<namespace>`."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    # findings

    def put_finding(self, finding: Finding) -> bool:
        new = False

        def change(stored: Document | None) -> Document | None:
            nonlocal new
            new = stored is None
            kept = finding if stored is None else replace(finding, detected_at=_finding(stored).detected_at)
            shown = kept.as_json()
            if stored is not None and stored["body"] == shown:
                return None
            times = {name: shown[name] for name in ("start", "end", "detected_at")}
            return {"id": finding.id, "rank": finding.severity.rank, "body": shown} | times

        self._documents.update("findings", document_id(finding.id), change)
        return new

    def finding(self, id: str) -> Finding | None:
        stored = self._documents.get("findings", document_id(id))
        return None if stored is None else _finding(stored)

    def findings(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        min_severity: Severity = Severity.INFO,
        limit: int | None = None,
    ) -> list[Finding]:
        filters: list[Document] = [{"range": {"rank": {"gte": min_severity.rank}}}]
        if since is not None:
            filters.append({"range": {"end": {"gte": iso(since)}}})
        if until is not None:
            filters.append({"range": {"start": {"lt": iso(until)}}})
        return [
            _finding(stored) for stored in self._documents.search("findings", filters, ["-detected_at", "id"], limit)
        ]

    # incidents

    def incident(self, id: str) -> Incident | None:
        stored = self._documents.get("incidents", document_id(id))
        return None if stored is None else Incident.from_json(stored["body"])

    def incidents(
        self, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> list[Incident]:
        filters: list[Document] = []
        if since is not None:
            filters.append({"range": {"end": {"gte": iso(since)}}})
        if until is not None:
            filters.append({"range": {"start": {"lt": iso(until)}}})
        found = self._documents.search("incidents", filters, ["-detected_at", "id"], limit)
        return [Incident.from_json(stored["body"]) for stored in found]

    def change_incident(self, id: str, change: Callable[[Incident | None], Incident | None]) -> Incident | None:
        kept: Incident | None = None

        def write(stored: Document | None) -> Document | None:
            nonlocal kept
            before = None if stored is None else Incident.from_json(stored["body"])
            after = change(before)
            kept = before if after is None else after
            if after is None:
                return None
            shown = after.as_json()
            return {"id": id, "body": shown} | {name: shown[name] for name in ("start", "end", "detected_at")}

        self._documents.update("incidents", document_id(id), write)
        return kept

    # outbox

    def enqueue(self, finding_id: str, channels: Iterable[str], now: datetime) -> int:
        new = 0
        for channel in channels:
            delivery = {
                "finding_id": finding_id,
                "channel": channel,
                "state": "pending",
                "created_at": iso(now),
                "due_at": iso(now),
                "body": {"attempts": 0, "sent_at": None, "error": ""},
            }
            new += self._documents.create("outbox", document_id(finding_id, channel), delivery)
        return new

    def due(self, now: datetime, limit: int = 100) -> list[Delivery]:
        filters: list[Document] = [{"term": {"state": "pending"}}, {"range": {"due_at": {"lte": iso(now)}}}]
        found = self._documents.search("outbox", filters, ["due_at", "created_at", "finding_id", "channel"], limit)
        return [_delivery(stored) for stored in found]

    def mark_sent(self, delivery: Delivery, now: datetime) -> None:
        self._change_delivery(delivery, "sent", {"sent_at": iso(now), "error": ""})

    def mark_failed(self, delivery: Delivery, now: datetime, error: str, retry_at: datetime | None) -> None:
        state = "failed" if retry_at is None else "pending"
        self._change_delivery(delivery, state, {"error": error}, due_at=iso(retry_at or now))

    def _change_delivery(self, delivery: Delivery, state: str, body: Document, **fields: str) -> None:
        def change(stored: Document | None) -> Document | None:
            if stored is None or stored["state"] == "sent":  # what another process has sent meanwhile stays sent
                return None
            counted = {"attempts": stored["body"]["attempts"] + 1}
            return stored | fields | {"state": state, "body": stored["body"] | body | counted}

        self._documents.update("outbox", document_id(delivery.finding_id, delivery.channel), change)

    def deliveries(self, finding_id: str | None = None) -> list[Delivery]:
        filters = [] if finding_id is None else [{"term": {"finding_id": finding_id}}]
        found = self._documents.search("outbox", filters, ["created_at", "finding_id", "channel"], None)
        return [_delivery(stored) for stored in found]

    # job runs and leases

    def start_run(self, run: JobRun) -> None:
        body = {
            "started_at": iso(run.started_at),
            "finished_at": None if run.finished_at is None else iso(run.finished_at),
            "note": run.note,
        }
        due_at = iso(run.due_at)
        self._documents.put(
            "jobs", document_id(run.job, due_at), {"job": run.job, "due_at": due_at, "state": run.state, "body": body}
        )

    def finish_run(self, run: JobRun) -> None:
        self.start_run(run)

    def runs(self, job: str | None = None, limit: int = 50) -> list[JobRun]:
        filters = [] if job is None else [{"term": {"job": job}}]
        return [_run(stored) for stored in self._documents.search("jobs", filters, ["-due_at", "job"], limit)]

    def last_ok(self, job: str) -> JobRun | None:
        filters: list[Document] = [{"term": {"job": job}}, {"term": {"state": "ok"}}]
        found = self._documents.search("jobs", filters, ["-due_at"], 1)
        return _run(found[0]) if found else None

    def take_lease(self, name: str, holder: str, now: datetime, span: timedelta) -> bool:
        taken = False

        def change(stored: Document | None) -> Document | None:
            nonlocal taken
            body = {} if stored is None else stored["body"]
            taken = not body or body["holder"] == holder or body["until"] <= iso(now)
            return {"id": name, "body": {"holder": holder, "until": iso(now + span)}} if taken else None

        self._documents.update("leases", document_id(name), change)
        return taken

    def release_lease(self, name: str, holder: str) -> None:
        def change(stored: Document | None) -> Document | None:
            # An empty body is a free lease: emptied on condition, it cannot take away what another just took.
            return {"id": name, "body": {}} if stored is not None and stored["body"].get("holder") == holder else None

        self._documents.update("leases", document_id(name), change)

    # dead letters, notes, positions

    def put_dead_letters(self, dead: Iterable[DeadLetter]) -> None:
        for letter in dead:
            body = {
                "length": letter.length,
                "line": base64.b64encode(letter.line).decode(),
                "path": letter.path.encode("utf-8", "replace").decode(),
                "format": letter.format,
                "registry": letter.registry,
            }
            fields = {"stream": letter.stream, "offset": letter.offset, "reason": letter.reason, "body": body}
            if letter.read_at is not None:
                fields["read_at"] = iso(letter.read_at)
            self._documents.put("dead-letters", document_id(letter.stream, str(letter.offset)), fields)

    def dead_letters(self, limit: int = 100, stream: str | None = None) -> list[DeadLetter]:
        """Newest first."""
        filters = [] if stream is None else [{"term": {"stream": stream}}]
        found = self._documents.search("dead-letters", filters, ["-read_at", "stream", "offset"], limit)
        return [_dead_letter(stored) for stored in found]

    def drop_dead_letters(self, letters: Iterable[DeadLetter]) -> int:
        return sum(
            self._documents.delete("dead-letters", document_id(letter.stream, str(letter.offset))) for letter in letters
        )

    def dead_letter_counts(self) -> dict[str, int]:
        body = {"size": 0, "aggs": {"reasons": {"terms": {"field": "reason", "size": PAGE}}}}
        found = self._documents.ask("dead-letters", body).get("aggregations")
        buckets = found["reasons"]["buckets"] if found else []
        return {bucket["key"]: bucket["doc_count"] for bucket in buckets}

    def put_note(self, key: str, value: Mapping[str, Any]) -> None:
        # As text: what is in a note is the writer's own, dots in names and all.
        self._documents.put(
            "state", document_id("note", key), {"kind": "note", "id": key, "body": {"value": json.dumps(dict(value))}}
        )

    def note(self, key: str) -> dict[str, Any] | None:
        stored = self._documents.get("state", document_id("note", key))
        return None if stored is None else dict(json.loads(stored["body"]["value"]))

    def notes(self, prefix: str) -> dict[str, dict[str, Any]]:
        filters: list[Document] = [{"term": {"kind": "note"}}, {"prefix": {"id": prefix}}]
        found = self._documents.search("state", filters, ["id"], None)
        return {stored["id"]: dict(json.loads(stored["body"]["value"])) for stored in found}

    def put_position(self, position: Position) -> None:
        """The offset is the document's version: one that is behind the stored one is refused, and that is well."""
        body = {"value": json.dumps(dict(position.detail))}
        fields = {"kind": "position", "stream": position.stream, "offset": position.offset, "body": body}
        self._documents.put_version("state", document_id("position", position.stream), fields, position.offset)

    def position(self, stream: str) -> Position | None:
        stored = self._documents.get("state", document_id("position", stream))
        return None if stored is None else _position(stored)

    def positions(self) -> list[Position]:
        found = self._documents.search("state", [{"term": {"kind": "position"}}], ["stream"], None)
        return [_position(stored) for stored in found]

    # hourly counts of dropped days

    def put_rollup(self, day: str, batch: int, counts: pd.DataFrame) -> None:
        rows: dict[str, Document] = {}
        for row in counts[list(ROLLUP)].to_dict("records"):
            start = iso(row["window_start"])
            names = {name: row[name] for name in ROLLUP_BY}
            id = document_id(day, str(batch), start, json.dumps(names))
            body = {"names": names, "events": int(row["events"]), "bytes": int(row["bytes"])}
            rows[id] = {"id": day, "stream": id, "start": start, "offset": batch, "body": body}
        self._documents.put_many("rollups", rows)

    def rollups(self, since: datetime, until: datetime) -> pd.DataFrame:
        filters: list[Document] = [{"range": {"start": {"gte": iso(since), "lt": iso(until)}}}]
        found = self._documents.search("rollups", filters, ["start", "stream"], None)
        columns: dict[str, list[Any]] = {name: [one["body"]["names"][name] for one in found] for name in ROLLUP_BY}
        columns["window_start"] = [datetime.fromisoformat(one["start"]) for one in found]
        columns |= {name: [one["body"][name] for one in found] for name in ("events", "bytes")}
        return rollup_frame(columns)

    def drop_rollups(self, before: str) -> int:
        return self._documents.drop("rollups", "start", datetime.fromisoformat(before).replace(tzinfo=UTC))

    def prune(self, before: datetime) -> dict[str, int]:
        """Drop dead letters and job runs older than `before`. Findings and deliveries are few and stay."""
        return {
            "dead_letters_dropped": self._documents.drop("dead-letters", "read_at", before),
            "job_runs_dropped": self._documents.drop("jobs", "due_at", before),
        }


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _finding(stored: Document) -> Finding:
    return Finding.from_json(stored["body"])


def _delivery(stored: Document) -> Delivery:
    return Delivery(
        finding_id=stored["finding_id"],
        channel=stored["channel"],
        state=stored["state"],
        attempts=stored["body"]["attempts"],
        created_at=datetime.fromisoformat(stored["created_at"]),
        due_at=datetime.fromisoformat(stored["due_at"]),
        sent_at=_time(stored["body"]["sent_at"]),
        error=stored["body"]["error"],
    )


def _run(stored: Document) -> JobRun:
    return JobRun(
        job=stored["job"],
        due_at=datetime.fromisoformat(stored["due_at"]),
        started_at=datetime.fromisoformat(stored["body"]["started_at"]),
        finished_at=_time(stored["body"]["finished_at"]),
        state=stored["state"],
        note=stored["body"]["note"],
    )


def _dead_letter(stored: Document) -> DeadLetter:
    return DeadLetter(
        stream=stored["stream"],
        offset=stored["offset"],
        length=stored["body"]["length"],
        reason=stored["reason"],
        line=base64.b64decode(stored["body"]["line"]),
        path=stored["body"]["path"],
        format=stored["body"]["format"],
        read_at=_time(stored.get("read_at")),
        registry=stored["body"].get("registry"),
    )


def _position(stored: Document) -> Position:
    """Raises: Rejected, where somebody else wrote into it."""
    try:
        return Position(stream=stored["stream"], offset=stored["offset"], detail=json.loads(stored["body"]["value"]))
    except (ValueError, LookupError, TypeError) as error:
        name = stored.get("stream", "unknown")
        raise Rejected(
            f"the position of stream {name} is not one ({error}): delete that document, its log is read again"
        ) from error
