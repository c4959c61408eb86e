"""Two voices about one manifest: a line that knows the address, and an audit row or webhook that knows the account.

Harbor's audit log has no addresses and its proxy's log no accounts; no request id joins them. The row waits `GRACE`; then
it belongs to the manifest request of the same repository that is nearest in time and agrees in tag and digest. Where
another request is about as near, the row is counted with the nearest and tells it nothing, unless all rows of that moment
say the same: then it does not matter which of them is whose.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from analytics.open_session import Ask, Open
from analytics.session import Kind
from store.event import Action

GRACE = timedelta(seconds=2)
MOST_WAITING = 10_000
_CLEARLY = 3  # how many times farther away the second nearest must be
_GRAIN = timedelta(milliseconds=5)
_WHOLE_SECOND = timedelta(seconds=1)  # the grain of a line whose time has no fraction
_SAME_BURST = timedelta(milliseconds=500)
_PUSHING = (Action.PUSH, Action.SIGN)
_WAIT = (Action.PULL, Action.REFERRERS, *_PUSHING)


class Voices:
    """Rows that wait, and the manifest requests that they may be about."""

    def __init__(self) -> None:
        self._waiting: deque[dict[str, Any]] = deque()
        self._said: OrderedDict[tuple[Any, ...], deque[tuple[datetime, bool, Any, Any]]] = OrderedDict()
        self._asks: OrderedDict[tuple[Any, ...], deque[tuple[Open, Ask]]] = OrderedDict()

    def wait(self, event: dict[str, Any]) -> bool:
        """Whether the event is such a row; then it is given back later, or taken by a session."""
        if event.get("client_ip") is not None or event["action"] not in _WAIT or event.get("actor") is None:
            return False
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append(event)
        said = self._said.setdefault(_key(event), deque())
        said.append((event["timestamp"], event["action"] in _PUSHING, event["actor"], _image(event)))
        self._said.move_to_end(_key(event))
        return True

    def saw(self, session: Open, ask: Ask) -> None:
        """A manifest request with an address; Harbor's own are never audited."""
        if session.first.get("client_ip") is None or session.client_class == "harbor":
            return
        key = _key(session.first)
        self._asks.setdefault(key, deque()).append((session, ask))
        self._asks.move_to_end(key)

    def overdue(self, now: datetime) -> Iterator[dict[str, Any]]:
        """The rows whose grace is over and that no session took."""
        while self._waiting and self._waiting[0]["timestamp"] < now - GRACE:
            yield from self._settle(self._waiting.popleft())
        while self._asks and next(iter(self._asks.values()))[-1][1].at < now - 3 * GRACE:
            self._asks.popitem(last=False)
        while self._said and next(iter(self._said.values()))[-1][0] < now - 3 * GRACE:
            self._said.popitem(last=False)

    def finish(self) -> Iterator[dict[str, Any]]:
        while self._waiting:
            yield from self._settle(self._waiting.popleft())

    def _settle(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        asks = self._asks.get(_key(row))
        while asks and asks[0][1].at < row["timestamp"] - 3 * GRACE:
            asks.popleft()
        near = sorted(
            (_distance(ask, row), number) for number, (_, ask) in enumerate(asks or ()) if self._fits(row, number)
        )
        free = [(distance, number) for distance, number in near if asks is not None and not asks[number][1].audited]
        if asks is None or not free or free[0][0] > GRACE:
            yield row
            return
        session, ask = asks[free[0][1]]
        ask.audited = True
        session.requests += 1
        grain = _GRAIN if ask.at.microsecond else _WHOLE_SECOND
        rivals = sum(distance <= free[0][0] * _CLEARLY + grain for distance, _ in near) > 1
        actors, references = self._said_around(row, _SAME_BURST + grain)
        if not rivals or actors == 1:
            _give_actor(row, session)
        if not rivals or references == 1:
            _give_image(row, session, ask)

    def _said_around(self, row: dict[str, Any], around: timedelta) -> tuple[int, int]:
        """How many different actors, and how many different images, the rows of the repository name in this moment."""
        said = self._said.get(_key(row), deque())
        while said and said[0][0] < row["timestamp"] - 3 * GRACE:
            said.popleft()
        pushing = row["action"] in _PUSHING
        near = [told for told in said if told[1] is pushing and abs(told[0] - row["timestamp"]) <= around]
        return len({actor for _, _, actor, _ in near}), len({image for _, _, _, image in near})

    def _fits(self, row: dict[str, Any], number: int) -> bool:
        session, ask = self._asks[_key(row)][number]
        pushing = session.kind is Kind.PUSH
        return (
            ask.outcome == row["outcome"]
            and pushing is (row["action"] in _PUSHING)
            and (session.actor is None or session.actor == row["actor"])
            and _agree(ask.digest, row.get("digest"))
            and _agree(ask.tag or (session.given_tag if ask is session.top else None), row.get("tag"))
        )


def _give_actor(row: dict[str, Any], session: Open) -> None:
    if session.actor is None:
        session.actor, session.actor_kind = row["actor"], row.get("actor_kind")


def _give_image(row: dict[str, Any], session: Open, ask: Ask) -> None:
    if ask.digest is None:
        ask.digest = row.get("digest")
    if ask is session.top and ask.tag is None and session.given_tag is None and row.get("tag") is not None:
        session.given_tag, session.tag_from = row["tag"], "audit"


def _key(event: dict[str, Any]) -> tuple[Any, ...]:
    return event.get("registry"), event.get("repository")


def _distance(ask: Ask, row: dict[str, Any]) -> timedelta:
    """Between a request and a row; a time without a fraction stands for its whole second."""
    away: timedelta = row["timestamp"] - ask.at
    if not ask.at.microsecond and timedelta() <= away < _WHOLE_SECOND:
        return timedelta()
    return abs(away)


def _image(event: dict[str, Any]) -> tuple[Any, ...]:
    return event.get("reference"), event.get("digest")


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other
