"""The live view as a stream of server-sent events: what is stored, row by row, to whoever watches.

One task looks into the store for each filter that somebody watches, and for nobody as long as nobody does. It never waits
for a browser: each has a queue of its own, and one that does not take what is in it is dropped and may come again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Send

from regsight.web.filters import Filters, names_text
from regsight.web.newest import TEXT_SCANNED, newest
from regsight.web.rendering import fragment
from regsight.web.state import WebState
from store.contract import EventQuery
from store.errors import StoreError

log = logging.getLogger(__name__)

ROWS = 60  # that a live page holds
LOOKED_AT = 500  # of the newest events of a filter, each time
LATE = timedelta(minutes=15)  # what is stored later than that after it happened is not shown as new
KEPT_ROWS = 4 * ROWS  # for browsers that come back
MOST_CLIENTS, MOST_WATCHES = 50, 20
QUEUE = 32  # messages that wait for one browser
KEPT_SECONDS = 60.0  # a filter is looked at so long after the last browser left
HEARTBEAT_SECONDS = 15.0
SEND_SECONDS = 20.0  # a browser that takes nothing for so long is gone
LIFE_SECONDS = 600.0  # then it comes again, and is asked anew who it is
TICK_SECONDS = 0.5  # how soon a stream notices that it is to end
LONGEST_PAUSE = 30.0
SHARE = 4  # a look that took a second is followed by so many seconds without one


class Full(Exception):
    """As many watch as may; asking again later helps."""


@dataclass(frozen=True, slots=True)
class Message:
    """One server-sent event. `number` counts those of a filter; `rows` is how many rows `data` holds."""

    kind: str
    id: str
    number: int
    rows: int
    data: dict[str, Any]

    def encode(self) -> str:
        return f"event: {self.kind}\nid: {self.id}\ndata: {json.dumps(self.data)}\n\n"


@dataclass(slots=True, eq=False)
class Client:
    """One open page. What is in `first` is sent before the queue; `last` is the message up to which that reaches."""

    watch: Watch
    first: list[Message] = field(default_factory=list)
    last: str = ""
    queue: asyncio.Queue[Message] = field(default_factory=lambda: asyncio.Queue(QUEUE))
    dropped: bool = False

    def offer(self, message: Message) -> None:
        """Never waits."""
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.dropped = True


@dataclass(slots=True, eq=False)
class Watch:
    """One filter that is looked at, with what it gave lately. Its name tells it from the same filter of an earlier start."""

    query: EventQuery
    text: str
    name: str = field(default_factory=lambda: secrets.token_hex(6))
    number: int = 0
    begun: bool = False  # whether what there was before is in `seen`; it may be nothing
    seen: dict[str, None] = field(default_factory=dict)  # ids, in the order in which they were seen
    kept: deque[Message] = field(default_factory=deque)
    clients: set[Client] = field(default_factory=set)
    left: float = field(default_factory=time.monotonic)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answers: bool = True  # the store, when it was last asked

    def message(self, kind: str, events: list[dict[str, Any]], more: int = 0) -> Message:
        data = {"rows": fragment("live_rows.html", events=events), "more": more}
        return Message(kind, f"{self.name}.{self.number}", self.number, len(events), data)

    def beat(self, now: str) -> Message:
        return Message("beat", f"{self.name}.{self.number}", self.number, 0, {"at": now, "store": self.answers})

    def missed_since(self, last: str) -> list[Message] | None:
        """What came behind the message of that id; None where that is not known any more."""
        name, _, number = last.partition(".")
        if name != self.name or not (number.isascii() and number.isdigit()):
            return None
        behind = [one for one in self.kept if one.number > int(number)]
        return behind if len(behind) == self.number - int(number) else None

    def tell(self, fresh: list[dict[str, Any]]) -> None:
        """New events, newest first, to everybody who watches; the page has room for `ROWS` of them."""
        self.number += 1
        message = self.message("rows", fresh[:ROWS], max(0, len(fresh) - ROWS))
        self.kept.append(message)
        while sum(one.rows for one in self.kept) > KEPT_ROWS:
            self.kept.popleft()
        for client in list(self.clients):
            client.offer(message)
            if client.dropped:
                self.clients.discard(client)
                log.info("a live view was dropped: it did not take what it was sent")


class Hub:
    """All live views of one page. Everything but the looks into the store happens in the server's own loop; those happen in
    the loop's own threads, for which it waits when it ends: the store is closed behind it.
    """

    def __init__(self, state: WebState, ended: Callable[[], bool] = lambda: False) -> None:
        self._state = state
        self._watches: dict[tuple[str, EventQuery], Watch] = {}
        self._task: asyncio.Task[None] | None = None
        self._joining = 0
        self.ended = ended  # whether the server is to stop: an open stream must not hold it up

    @property
    def clients(self) -> int:
        return sum(len(watch.clients) for watch in self._watches.values())

    async def join(self, filters: Filters, last: str = "") -> Client:
        """Watch what fits; from the message `last` on where that is still known, else from the newest events on.

        Raises:
            Full: too many do.
            StoreError: it does not answer.
        """
        query = replace(filters.query(), since=None, until=None, limit=None)
        key = filters.text, query
        many = self.clients + self._joining >= MOST_CLIENTS
        if many or (key not in self._watches and len(self._watches) >= MOST_WATCHES):
            raise Full
        watch = self._watches.setdefault(key, Watch(query, filters.text))
        self._joining += 1
        try:
            return await self._joined(watch, last)
        finally:
            self._joining -= 1

    async def _joined(self, watch: Watch, last: str) -> Client:
        async with watch.lock:
            if not watch.begun:
                self._remember(watch, await asyncio.to_thread(self._look, watch))
                watch.begun = True
            missed = watch.missed_since(last)
            if missed is None:
                missed = [watch.message("reset", await asyncio.to_thread(self._newest, watch))]
            client = Client(watch, missed, f"{watch.name}.{watch.number}")
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._rounds())
        return client

    async def read(self, client: Client) -> AsyncIterator[str]:
        """The stream of one page, until it is dropped, its time is over, or the server stops."""
        ends = time.monotonic() + LIFE_SECONDS
        # Only here, for a browser that went away before its stream began would keep its place for ever.
        client.first += client.watch.missed_since(client.last) or []
        client.watch.clients.add(client)
        try:
            yield "retry: 2000\n\n"
            yield client.watch.beat(self._now()).encode()
            for message in client.first:
                yield message.encode()
            beat = time.monotonic()
            while not (client.dropped or self.ended() or time.monotonic() > ends):
                try:
                    message = await asyncio.wait_for(client.queue.get(), TICK_SECONDS)
                except TimeoutError:
                    if time.monotonic() - beat < HEARTBEAT_SECONDS:
                        continue
                    message = client.watch.beat(self._now())
                yield message.encode()
                beat = time.monotonic()
        finally:
            client.watch.clients.discard(client)
            client.watch.left = time.monotonic()

    async def _rounds(self) -> None:
        """Look for what is new as long as somebody watches."""
        while not self.ended():
            self._forget()
            if not self._watches:
                return
            began = time.monotonic()
            for watch in list(self._watches.values()):
                await self._round(watch)
            took = time.monotonic() - began
            await asyncio.sleep(max(self._state.live_seconds - took, min(SHARE * took, LONGEST_PAUSE)))

    async def _round(self, watch: Watch) -> None:
        async with watch.lock:
            try:
                found = await asyncio.to_thread(self._look, watch)
            except StoreError:
                if watch.answers:
                    log.warning("live views wait: the store does not answer", exc_info=True)
                watch.answers = False
                return
            watch.answers = True
            fresh = self._remember(watch, found)
            if fresh:
                watch.tell(fresh)

    def _forget(self) -> None:
        now = time.monotonic()
        for key, watch in list(self._watches.items()):
            if not watch.clients and not watch.lock.locked() and now - watch.left > KEPT_SECONDS:
                del self._watches[key]

    def _look(self, watch: Watch) -> list[dict[str, Any]]:
        """The newest events that fit, newest first, as far back as late ones are waited for."""
        span = self._state.store.span()
        since = min(span[1] if span else self._state.now(), self._state.now()) - LATE
        limit = TEXT_SCANNED if watch.text else LOOKED_AT
        found = self._state.store.events(replace(watch.query, since=since, limit=limit, newest_first=True))
        return [event for event in found if names_text(event, watch.text)]

    def _newest(self, watch: Watch) -> list[dict[str, Any]]:
        return newest(self._state.store, watch.query, self._state.now(), ROWS, watch.text)

    @staticmethod
    def _remember(watch: Watch, found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        fresh = [event for event in found if event["event_id"] not in watch.seen]
        watch.seen.update((event["event_id"], None) for event in reversed(fresh))
        while len(watch.seen) > 2 * TEXT_SCANNED:
            del watch.seen[next(iter(watch.seen))]
        return fresh

    def _now(self) -> str:
        return f"{self._state.clock():%H:%M:%S}"


class EventStream(StreamingResponse):
    """Server-sent events to one browser. One that takes nothing any more ends its own stream, and holds up nobody."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[str]) -> None:
        super().__init__(content, headers={"X-Accel-Buffering": "no"})  # nginx would hold it back

    async def stream_response(self, send: Send) -> None:
        async def patiently(message: Any) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        try:
            await super().stream_response(patiently)
        except TimeoutError:
            log.info("a live view was dropped: nobody reads what it is sent")
