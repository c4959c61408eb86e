"""A session that is not over: what its requests have told so far, and what it was once nothing more comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from analytics.session import Kind, Session, State, artifact_of, platform_of
from store.event import BAD_CREDENTIALS, INDEX_TYPES, Action, Outcome

MOST_DIGESTS = 2_000  # of one session; no image has so many layers, and a client could ask for anything


@dataclass(slots=True, eq=False)
class Ask:
    """One manifest request of a session."""

    at: datetime
    reference: str | None
    tag: str | None
    digest: str | None
    media_type: str | None
    outcome: str
    reason: str | None
    audited: bool = False

    @staticmethod
    def of(event: dict[str, Any]) -> Ask:
        return Ask(
            at=event["timestamp"],
            reference=event.get("reference"),
            tag=event.get("tag"),
            digest=event.get("digest"),
            media_type=event.get("media_type"),
            outcome=event["outcome"],
            reason=event.get("reason"),
        )

    @property
    def media_type_is_index(self) -> bool:
        return self.media_type in INDEX_TYPES

    @property
    def may_be_repeated(self) -> bool:
        """A client that has no token yet is refused first and asks again with one."""
        return self.outcome == Outcome.DENIED and self.reason != BAD_CREDENTIALS


@dataclass(slots=True, eq=False)
class Open:
    """A session that is not over. `place` is where its requests come from and go to."""

    kind: Kind
    place: tuple[Any, ...]
    first: dict[str, Any]
    last: datetime
    start: datetime
    user_agent: str | None
    actor: str | None = None
    actor_kind: str | None = None
    client_class: str | None = None
    asks: list[Ask] = field(default_factory=list)
    head: Ask | None = None
    tag_from: str | None = None
    given_tag: str | None = None
    fetched: set[str] = field(default_factory=set)
    broken: dict[str, tuple[str, str | None]] = field(
        default_factory=dict
    )  # layer → outcome and reason of its last try
    uploaded: dict[str, None] = field(default_factory=dict)
    mounted: dict[str, None] = field(default_factory=dict)
    present: dict[str, None] = field(default_factory=dict)
    since_put: set[str] = field(default_factory=set)
    known: frozenset[str] | None = None
    uploads: int = 0  # begun or continued
    checked: int = 0
    broken_uploads: set[str] = field(default_factory=set)
    problem: tuple[str, str | None] | None = None
    bytes: int | None = None
    resumed: bool = False
    requests: int = 0
    finished: bool = False
    asked: int = 0  # which of the folded events its last manifest request was
    child_before_layers: bool = False
    traffic_class: str | None = None

    @property
    def top(self) -> Ask | None:
        """The manifest that the session is about: the first that was fetched, the last that was stored."""
        if not self.asks:
            return None
        return self.asks[-1] if self.kind is Kind.PUSH else self.asks[0]

    @property
    def digests(self) -> set[str]:
        return {ask.digest for ask in self.asks if ask.digest}

    @property
    def holds_index(self) -> bool | None:
        """Whether more manifests are to be expected; None where no line says what the first one was."""
        media_type = self.asks[0].media_type if self.asks else None
        return None if media_type is None else media_type in INDEX_TYPES

    def take(self, event: dict[str, Any], began: datetime) -> None:
        """What every request adds, whatever it is."""
        self.requests += 1
        self.last = max(self.last, event["timestamp"])
        self.start = min(self.start, began)
        if self.actor is None and event.get("actor_kind") != "internal":
            self.actor, self.actor_kind = event.get("actor"), event.get("actor_kind") if event.get("actor") else None
        self.client_class = event.get("client_class") or self.client_class
        self.traffic_class = self.traffic_class or event.get("traffic_class")

    def add_bytes(self, amount: int | None) -> None:
        if amount is not None:
            self.bytes = (self.bytes or 0) + amount

    def download(self, event: dict[str, Any]) -> None:
        """What a request for a layer adds to a pull."""
        digest = event.get("digest") or ""
        if event["outcome"] == Outcome.SUCCESS:
            self.add_bytes(_layer_bytes(event))
            self.resumed = self.resumed or event.get("status") == 206 or digest in self.broken
            self.broken.pop(digest, None)
            if len(self.fetched) < MOST_DIGESTS:
                self.fetched.add(digest)
        elif digest not in self.fetched and len(self.broken) < MOST_DIGESTS:
            self.broken[digest] = event["outcome"], event.get("reason")

    def upload(self, event: dict[str, Any]) -> None:
        """What a request about a layer adds to a push."""
        digest, good = event.get("digest"), event["outcome"] == Outcome.SUCCESS
        if event["action"] == Action.LAYER_CHECK:
            self.checked += 1
            if good and digest:
                self._note(self.present, digest)
            elif event["outcome"] == Outcome.DENIED:
                self.problem = event["outcome"], event.get("reason")
            return
        self.uploads += 1
        upload = _upload_id(event)
        if not good:
            self.problem = event["outcome"], event.get("reason")
            if upload and len(self.broken_uploads) < MOST_DIGESTS:
                self.broken_uploads.add(upload)
            return
        # Asking how far an upload came, or sending more after it broke off, is going on with it.
        self.resumed = self.resumed or event.get("method") == "GET" or upload in self.broken_uploads
        if event["action"] == Action.MOUNT and digest:
            self._note(self.mounted, digest)
        elif digest and event.get("status") in (201, None):
            self._note(self.uploaded, digest)
            size = event.get("request_bytes")
            self.add_bytes(event.get("size_bytes") if size is None else size)
        elif event.get("request_bytes"):
            self.add_bytes(event["request_bytes"])

    def _note(self, where: dict[str, None], digest: str) -> None:
        if len(where) < MOST_DIGESTS:
            where[digest] = None
            self.since_put.add(digest)

    def close(self) -> Session:
        """What it was, now that nothing more will come."""
        kind, top = self._kind(), self.top or self.head
        state, outcome, reason = self._result(kind)
        tag = (top.tag if top else None) or self.given_tag
        manifests = [ask.digest for ask in self.asks if ask.digest and ask.outcome == Outcome.SUCCESS]
        first = self.first
        return Session(
            id="s-" + blake2b(f"{first['event_id']}\x1f{kind}".encode(), digest_size=12).hexdigest(),
            kind=kind,
            artifact=artifact_of(tag, self.client_class),
            state=state,
            outcome=outcome,
            reason=reason,
            registry=first.get("registry"),
            repository=first["repository"],
            tag=tag,
            tag_from=(self.tag_from or "request") if tag else None,
            digest=top.digest if top else None,
            manifests=tuple(dict.fromkeys(manifests)),
            actor=self.actor,
            actor_kind=self.actor_kind,
            client_ip=first.get("client_ip"),
            client_via=first.get("client_via"),
            client_class=self.client_class,
            traffic_class=self.traffic_class,
            platform=platform_of(self.user_agent),
            layers_fetched=len(self.fetched),
            layers_uploaded=len(self.uploaded),
            layers_mounted=len(self.mounted),
            layers_present=self._present(kind),
            bytes=self.bytes,
            start=self.start,
            end=self.last,
            resumed=self.resumed,
            requests=self.requests,
        )

    def _kind(self) -> Kind:
        if self.kind is Kind.PUSH and not self.asks and not self.uploads and not self.mounted and self.checked:
            return Kind.CHECK
        return self.kind

    def _present(self, kind: Kind) -> int | None:
        if kind is Kind.PUSH:
            return len(self.present)
        return len(self.known - self.fetched) if kind is Kind.PULL and self.known is not None else None

    def _result(self, kind: Kind) -> tuple[State, str, str | None]:
        top = self.top or self.head
        if kind is Kind.PUSH and not self.asks:
            outcome, reason = self.problem or (Outcome.UNKNOWN.value, None)
            return State.ABANDONED, outcome, reason
        if top is not None and top.outcome != Outcome.SUCCESS:
            return State.FAILED, top.outcome, top.reason
        if top is None and self.problem is not None and not self.fetched and not self.present:
            return State.FAILED, *self.problem
        for outcome, reason in self.broken.values():
            return State.INCOMPLETE, outcome, reason
        return State.COMPLETE, Outcome.SUCCESS.value, None


def _upload_id(event: dict[str, Any]) -> str | None:
    """The upload that a PATCH or PUT belongs to; None where it has no name yet."""
    last = (event.get("uri") or "").partition("?")[0].rpartition("/")[2]
    return last or None


def _layer_bytes(event: dict[str, Any]) -> int | None:
    """A redirect to an object store answers with a few bytes; the layer itself comes from there."""
    sent: int | None = event.get("response_bytes")
    if event.get("status") in (302, 303, 307, 308) or sent is None:
        size: int | None = event.get("size_bytes")
        return size
    return sent


def began(event: dict[str, Any]) -> datetime:
    """When a request came in: lines are written when it has been answered."""
    took = event.get("duration_ns")
    moment: datetime = event["timestamp"]
    return moment - timedelta(microseconds=took / 1000) if took and took < 86_400 * 10**9 else moment
