"""A row as joining looks at it: who, what, when, as one log told it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

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
    its row in the batch.
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

    @property
    def stream(self) -> str:
        return str(self.row["stream"])

    @property
    def voice(self) -> tuple[str, str]:
        """Which log of the registry this is, whatever file of it."""
        return self.row["dataset"] or "", self.row["channel"] or ""

    @property
    def front(self) -> bool:
        """Whether it is from a proxy in front of the registry: its peer is nearer to the client than the registry's."""
        return self.row["registry_kind"] == "proxy" or self.row["dataset"] in FRONTS

    @property
    def actor(self) -> str | None:
        """Who asked; None where the line names nobody, or only the service in between."""
        actor = self.row["actor"]
        return None if actor in SERVICE_ACCOUNTS else actor

    @property
    def address(self) -> str | None:
        """The client's address; None where it is known to be a proxy's."""
        return None if self.row["client_via"] == Via.PROXY else self.row["client_ip"]

    @property
    def forwarded(self) -> bool:
        return self.row["client_via"] in (Via.FORWARDED, Via.PROXIED)


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
