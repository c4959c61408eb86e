"""A row as joining looks at it: who, what, when, as one log told it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from collector.joins.numbered import number_of
from store.event import Action, Channel, Via

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000  # µs
_MICROSECOND = timedelta(microseconds=1)

# The columns that a part is made of.
COLUMNS = (
    "event_id", "revision", "channel", "timestamp", "read_at", "action", "outcome", "dataset", "registry",
    "registry_kind", "actor", "actor_kind", "client_ip", "client_port", "client_via", "peer_ip", "user_agent", "method",
    "uri", "request_id", "status", "response_bytes", "duration_ns", "repository", "project", "reference", "tag",
    "digest", "stream", "offset", "parts", "join_confidence",
)  # fmt: skip

# Accounts that a service uses towards the registry behind it: they name nobody who asked.
SERVICE_ACCOUNTS = frozenset(("harbor_registry_user",))
FRONTS = frozenset(("nginx-timed-combined",))  # formats of proxies that are a registry's own


@dataclass(slots=True, eq=False)
class Part:
    """`begin` and `end` are the µs since the epoch between which it happened, as far as the line says; `at` orders the
    lines of a stream. `placed`: the time is the line's own, not that of reading. `fresh`: not stored yet; `place` is then
    its row in the batch. The rest is out of `row`, once, because comparing asks for it again and again.

    Attributes:
        voice: which log of the registry this is, whatever file of it.
        front: whether it is from a proxy in front of the registry: its peer is nearer to the client than the registry's.
        uploading: a step of an upload; its URI is told once and may take minutes between its first byte and its last.
        actor: who asked; None where the line names nobody, or only the service in between.
        address: the client's address; None where it is known to be a proxy's.
        number: the registry's own number of the request; two parts with different ones are two requests.
        whats: by what it is looked for (`memory`); empty until it is asked for.
    """

    row: Mapping[str, Any]
    event_id: str
    begin: int
    end: int
    at: int
    exact: bool
    placed: bool
    fresh: bool = False
    place: int = -1
    changes: dict[str, Any] = field(default_factory=dict)
    stream: str = field(init=False)
    voice: tuple[str, str] = field(init=False)
    front: bool = field(init=False)
    uploading: bool = field(init=False)
    actor: str | None = field(init=False)
    address: str | None = field(init=False)
    forwarded: bool = field(init=False)
    number: str | None = field(init=False)
    whats: tuple[tuple[Any, ...], ...] = ()

    def __post_init__(self) -> None:
        row = self.row
        self.stream = row["stream"]
        self.voice = row["dataset"] or "", row["channel"] or ""
        self.front = row["registry_kind"] == "proxy" or row["dataset"] in FRONTS
        self.uploading = uploading_uri(row["uri"])
        self.number = number_of(row)
        self.tell(row)

    def tell(self, row: Mapping[str, Any]) -> None:
        """Take over another row of the same line, in which more is known of who asked."""
        self.row = row
        actor, via = row["actor"], row["client_via"]
        self.actor = None if actor in SERVICE_ACCOUNTS else actor
        self.address = None if via == Via.PROXY else row["client_ip"]
        self.forwarded = via == Via.FORWARDED or via == Via.PROXIED


def uploading_uri(uri: str | None) -> bool:
    """`…/blobs/uploads/<uuid>…`."""
    if uri is None or "/blobs/uploads/" not in uri:
        return False
    return len(uri.partition("/blobs/uploads/")[2].partition("?")[0]) > 1


def part_of(row: Mapping[str, Any], place: int = -1) -> Part:
    """The part in a row (keys of `COLUMNS`); with a `place`, one that is not stored yet."""
    at = micros(row["timestamp"])
    placed = row["timestamp"] != row["read_at"]
    exact = placed and at % SECOND != 0
    begin, end = at, at if exact else at + SECOND - 1
    if row["duration_ns"] and placed:
        begin -= row["duration_ns"] // 1000
    return Part(
        row=row, event_id=row["event_id"], begin=begin, end=end, at=at, exact=exact, placed=placed, fresh=place >= 0, place=place
    )  # fmt: skip


def micros(moment: datetime) -> int:
    """µs since the epoch."""
    return (moment - EPOCH) // _MICROSECOND


def moment_of(at: int) -> datetime:
    return EPOCH + at * _MICROSECOND


def natural_keys(part: Part) -> list[tuple[Any, ...]]:
    """By which a stored row is known again when its line is read again: its event id may have been taken from a partner.

    The first is the one to ask with: the id of the request, the place of the line, or, for documents whose rows come
    again on other pages, what the row says.
    """
    row = part.row
    if row["request_id"] is not None:
        return [("request", _asked(row), row["dataset"], row["stream"])]
    line = ("line", row["stream"], row["offset"], row["action"], row["repository"], row["reference"], row["actor"])
    said = ("said", row["stream"], part.at, row["action"], row["repository"], row["reference"], row["actor"])
    return [said, line] if part.fresh and part.event_id.startswith("a-") else [line, said]


def request_key(part: Part) -> tuple[str, ...] | None:
    """What the registry's own number of the request says: the same from its log and from its notifications."""
    row = part.row
    if row["request_id"] is None or row["channel"] not in (Channel.APPLICATION, Channel.NOTIFICATION):
        return None
    return _asked(row)


def _asked(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What `collector.sheet.request_event_id` makes an id of."""
    tag = row["reference"] if row["action"] == Action.UNTAG else ""
    return row["request_id"], row["action"], tag
