"""The sessions that are open: found by where a request comes from and goes to, closed when nothing more comes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from analytics.open_session import Open, began
from analytics.session import Kind, Session
from store.event import Action

IDLE = timedelta(minutes=5)
LONGEST = timedelta(hours=1)
SAME_BREATH = timedelta(seconds=10)  # between the manifests of an index, where only the order of requests tells
MOST_OPEN = 20_000


class OpenSessions:
    """The open sessions by last activity, and by place. Bounded: with too many, the oldest are closed."""

    def __init__(self) -> None:
        self._open: OrderedDict[Open, None] = OrderedDict()
        self._at: dict[tuple[Any, ...], list[Open]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def expire(self, now: datetime) -> Iterator[Session]:
        """Those that nothing more belongs to."""
        while self._open and (len(self._open) > MOST_OPEN or next(iter(self._open)).last < now - IDLE):
            yield self._close()

    def finish(self) -> Iterator[Session]:
        """All of them, the oldest first."""
        while self._open:
            yield self._close()

    def _close(self) -> Session:
        session, _ = self._open.popitem(last=False)
        others = self._at[session.place]
        others.remove(session)
        if not others:
            del self._at[session.place]
        return session.close()

    def candidates(self, event: dict[str, Any], kind: Kind, within: timedelta) -> Iterator[Open]:
        """The open sessions of a kind that this event may belong to, the youngest first."""
        earliest = event["timestamp"] - within
        agent = event.get("user_agent")
        for session in reversed(self._at.get(_place(event), ())):
            if (
                session.kind is kind
                and not session.finished
                and session.last >= earliest
                and session.start >= event["timestamp"] - LONGEST
                and (agent is None or session.user_agent is None or agent == session.user_agent)
                and _same_actor(session, event)
            ):
                yield session

    def pushes(self, event: dict[str, Any]) -> Iterator[Open]:
        """Open pushes, those of the same tool first: layers may be sent by one tool and their manifest by another.

        Behind a manifest that was stored by digest, only the same tool can be at work on the same index, in one breath.
        So is who asks about layers: others may ask whether they can be mounted from here.
        """
        at_once = event["action"] == Action.LAYER_CHECK
        for session in self.candidates(event, Kind.PUSH, IDLE):
            if not (session.asks or at_once) or began(event) - session.last <= SAME_BREATH:
                yield session
        for session in self.candidates(event | {"user_agent": None}, Kind.PUSH, SAME_BREATH if at_once else IDLE):
            if not session.asks:
                yield session

    def new(self, kind: Kind, event: dict[str, Any]) -> Open:
        place = _place(event)
        session = Open(kind, place, event, event["timestamp"], began(event), event.get("user_agent"))
        self._open[session] = None
        self._at.setdefault(place, []).append(session)
        session.take(event, began(event))
        return session

    def took(self, session: Open, event: dict[str, Any]) -> None:
        session.take(event, began(event))
        self._open.move_to_end(session)


def _place(event: dict[str, Any]) -> tuple[Any, ...]:
    client = event.get("client_ip")
    return event.get("registry"), event.get("repository"), client, event.get("actor") if client is None else None


def _same_actor(session: Open, event: dict[str, Any]) -> bool:
    actor = None if event.get("actor_kind") == "internal" else event.get("actor")
    return actor is None or session.actor is None or actor == session.actor
