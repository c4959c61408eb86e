"""What the page is given to show. The roof fills it in; the page asks again for each request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypedDict

from regsight.web.access import Access, Role
from store.contract import Store


class SourceRow(TypedDict, total=False):
    """One log that is being read. `lag_seconds` is 0 when everything is read; what is not known is left out or None."""

    name: str
    stream: str
    path: str
    format: str | None
    events: int | None
    dead_letters: int | None
    offset: int
    lag_bytes: int | None
    lag_seconds: float | None
    last_event: datetime | None


class JobRow(TypedDict, total=False):
    """One job of the timetable. `state` is that of its last run: running, ok, failed, or None when it never ran."""

    name: str
    last: datetime | None
    state: str | None
    next: datetime | None
    note: str


class SentRow(TypedDict, total=False):
    """One message as the demo's own receiver got it."""

    received_at: datetime
    channel: str
    title: str
    body: str


HOSTS = ("127.0.0.1", "localhost", "[::1]")


def _no_rows() -> Sequence[Any]:
    return ()


def _no_metrics() -> tuple[bytes, str]:
    return b"", "text/plain; version=0.0.4; charset=utf-8"


def _ready() -> tuple[bool, str]:
    return True, "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebState:
    """Everything behind the page. The callables are asked from several threads at once and must not wait long.

    `anchor_time` stands in for the clock where the data ends in the past (the demo). Without `token` the page answers
    only requests whose Host is one of `hosts`: a foreign page that points its own name at this address reads nothing.
    """

    store: Store
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sources: Callable[[], Sequence[SourceRow]] = _no_rows
    jobs: Callable[[], Sequence[JobRow]] = _no_rows
    sent: Callable[[], Sequence[SentRow]] = _no_rows
    metrics: Callable[[], tuple[bytes, str]] = _no_metrics
    ready: Callable[[], tuple[bool, str]] = _ready
    title: str = "Regsight"
    demo: bool = False
    anchor_time: datetime | None = None
    token: str | None = field(default=None, repr=False)  # an operator's; `access` knows of more
    access: Access = field(default_factory=Access)
    ack_secret: Callable[[], str | None] = lambda: None  # what acknowledge links are signed with
    settings: Callable[[], Mapping[str, Any]] | None = None  # those in force, secrets masked; None: not shown
    refresh_seconds: int = 15  # how often an open page asks again
    live_seconds: int = 2  # the same for the live page
    hosts: tuple[str, ...] = HOSTS

    def who(self) -> Access:
        """Who may do what, `token` included."""
        if self.token is None:
            return self.access
        return replace(self.access, tokens={**self.access.tokens, Role.OPERATOR: self.token})

    def now(self) -> datetime:
        """The moment that "the last 24 hours" ends at."""
        return self.anchor_time or self.clock()
