"""The live view as server-sent events: what comes, to whom, and what happens to those who do not take it."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from seeded_store import END, HOSTILE, seed
from starlette.datastructures import QueryParams
from web_server import seeded_state, serving

from regsight.web import stream
from regsight.web.access import Access, Role
from regsight.web.filters import read_filters
from regsight.web.state import WebState
from regsight.web.stream import EventStream, Full, Hub
from store.contract import EventQuery, Position, Store
from store.errors import Unavailable
from store.event import schema
from store.locate import open_store

TOKEN, LOOKS = "an operator's own token", "a viewer's own token"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"delta:{tmp_path}")
    seed(opened)
    yield opened
    opened.close()


def live(store: Store) -> WebState:
    return replace(seeded_state(store), anchor_time=None, clock=lambda: END, live_seconds=0)


def add(store: Store, id: str, **changed: Any) -> None:
    """One more event, a second before the end."""
    offset = max((one.offset for one in store.positions() if one.stream == "s-live"), default=0) + 1
    event = {**HOSTILE, "event_id": id, "timestamp": END - timedelta(seconds=1), "actor": "mia", "action": "pull",
             "outcome": "success", "stream": "s-live", "offset": offset, "parts": [f"s-live:{offset}"],
             "channel": "application", **changed}  # fmt: skip
    store.commit(pa.Table.from_pylist([event], schema=schema()), [Position(stream="s-live", offset=offset)])


@contextmanager
def listening(address: str, last: str = "", token: str = "") -> Iterator[Iterator[dict[str, Any]]]:
    """What a browser gets of a stream: `event`, `id` and the decoded `data` of each message but the heartbeats."""
    headers = {"Last-Event-ID": last} if last else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")

        def messages() -> Iterator[dict[str, Any]]:
            said: dict[str, Any] = {}
            for line in answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    said[name] = value
                elif "data" in said:
                    yield said | {"data": json.loads(said["data"])}
                    said = {}

        yield (one for one in messages() if one["event"] != "beat")


def test_what_fits_comes_as_it_is_stored(store: Store) -> None:
    """First the newest rows, then each that fits as soon as it is stored; markup in a name stays text."""
    with serving(live(store)) as site, listening(site + "/api/live?actor=mia&text=CHROM") as messages:
        first = next(messages)
        assert (first["event"], first["data"]["rows"].strip()) == ("reset", "")
        add(store, "l-other", actor="omar", user_agent="chromium")
        add(store, "l-without", user_agent="curl")
        add(store, "l-mine", user_agent="Chromium/1", repository="<b>bold</b>")
        second = next(messages)
        assert second["event"] == "rows"
        assert second["data"]["rows"].count("<tr") == 1 and 'data-id="l-mine"' in second["data"]["rows"]
        assert "&lt;b&gt;bold&lt;/b&gt;" in second["data"]["rows"]


def test_who_comes_back_gets_what_was_missed(store: Store) -> None:
    """Behind the last id that was heard; all rows anew where nobody knows that id any more."""
    with serving(live(store)) as site:
        address = site + "/api/live?actor=mia"
        with listening(address) as messages:
            last = next(messages)["id"]
        add(store, "l-missed")
        with listening(address, last) as messages:
            missed = next(messages)
            assert missed["event"] == "rows" and 'data-id="l-missed"' in missed["data"]["rows"]
            assert missed["data"]["rows"].count("<tr") == 1
        with listening(address, "of-another-start.7") as messages:
            assert next(messages)["event"] == "reset"
        with listening(address + "&last=" + missed["id"]) as messages:
            add(store, "l-next")
            assert 'data-id="l-next"' in next(messages)["data"]["rows"]


def test_only_so_many_may_watch(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told to come again, and comes in as soon as somebody has left."""
    monkeypatch.setattr(stream, "MOST_CLIENTS", 1)
    with serving(live(store)) as site:
        with listening(site + "/api/live") as messages:
            next(messages)
            with pytest.raises(urllib.error.HTTPError) as refused, listening(site + "/api/live"):
                pass
            assert refused.value.code == 503 and refused.value.headers["Retry-After"]
            refused.value.close()
        deadline = time.monotonic() + 20
        while True:
            try:
                with listening(site + "/api/live") as messages:
                    assert next(messages)["event"] == "reset"
                    return
            except urllib.error.HTTPError as error:
                error.close()
                assert time.monotonic() < deadline
                time.sleep(0.1)


def test_who_may_look_may_watch(store: Store) -> None:
    """A viewer's token opens the stream; without one there is none; a filter that is none is named."""
    state = replace(live(store), token=TOKEN, access=Access(tokens={Role.VIEWER: LOOKS}))
    with serving(state) as site:
        with listening(site + "/api/live", token=LOOKS) as messages:
            assert next(messages)["event"] == "reset"
        for token, query, status in (("", "", 401), ("wrong", "", 401), (LOOKS, "?action=fly", 400)):
            with pytest.raises(urllib.error.HTTPError) as refused, listening(site + "/api/live" + query, token=token):
                pass
            assert refused.value.code == status
            refused.value.close()


def test_an_open_stream_does_not_hold_up_the_stop(store: Store) -> None:
    """The server ends its streams in good order; one that it had to cut off would end in an error here."""
    with ExitStack() as server:
        site = server.enter_context(serving(live(store)))
        with listening(site + "/api/live") as messages:
            next(messages)
            server.close()
            assert list(messages) == []


def joined(hub: Hub, last: str = "", **params: str) -> Any:
    return hub.join(read_filters(QueryParams(params), END), last)


def test_who_comes_takes_nothing_from_others(store: Store) -> None:
    """Where nothing fitted before: what is stored before the second page comes is told to the first."""

    async def watched() -> None:
        hub = Hub(live(store))
        first = await joined(hub, actor="mia")
        reading = hub.read(first)
        heard = [await anext(reading) for _ in range(3)]  # how soon to come again, a beat, the rows that there are
        assert hub._task is not None
        hub._task.cancel()  # the next look is ours
        async with first.watch.lock:
            await asyncio.to_thread(add, store, "l-between")
        await joined(hub, actor="mia")
        await hub._round(first.watch)
        heard.append(await asyncio.wait_for(anext(reading), 20))
        assert "l-between" in heard[-1]
        hub.ended = lambda: True
        await reading.aclose()

    asyncio.run(watched())


def test_a_slow_browser_is_dropped_and_the_others_go_on(store: Store) -> None:
    """Who takes nothing loses the stream when its queue is full; the other has everything, in order."""

    async def watched() -> None:
        hub = Hub(live(store))
        slow, quick = await joined(hub), await joined(hub)
        reading = hub.read(slow)
        await anext(reading)
        heard: list[str] = []

        async def hear() -> None:
            heard.extend([text async for text in hub.read(quick)])

        task = asyncio.create_task(hear())
        some = next(store.events(EventQuery(limit=1)))
        for number in range(stream.QUEUE + 3):
            slow.watch.tell([{**some, "event_id": f"l-{number}"}])
            await asyncio.sleep(0.01)
        assert slow.dropped and slow not in slow.watch.clients and hub.clients == 1
        assert slow.queue.qsize() == stream.QUEUE
        hub.ended = lambda: True
        await task
        numbers = [text.partition('data-id=\\"l-')[2].partition("\\")[0] for text in heard if "event: rows" in text]
        assert numbers == [str(number) for number in range(stream.QUEUE + 3)]
        assert "".join([text async for text in reading]).count("event: rows") == 0

    asyncio.run(watched())


def test_a_browser_that_stops_reading_ends_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that takes nothing holds its place for a while only."""
    monkeypatch.setattr(stream, "SEND_SECONDS", 0.05)
    closed = []

    async def endless() -> Any:
        try:
            while True:
                yield "event: rows\n\n"
        finally:
            closed.append(True)

    async def stuck(message: Any) -> None:
        await asyncio.sleep(60)

    async def connected() -> Any:
        await asyncio.sleep(60)

    async def run() -> None:
        content = endless()
        await asyncio.wait_for(EventStream(content)({"type": "http", "asgi": {}}, connected, stuck), 10)
        await content.aclose()

    asyncio.run(run())


def test_filters_have_a_limit_and_are_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each filter costs a look into the store: so many at a time, and none for which nobody watches."""
    monkeypatch.setattr(stream, "MOST_WATCHES", 1)
    monkeypatch.setattr(stream, "KEPT_SECONDS", 0.0)

    async def watched() -> None:
        hub = Hub(live(store))
        reading = hub.read(await joined(hub, actor="mia"))
        await anext(reading)
        with pytest.raises(Full):
            await joined(hub, actor="omar")
        await reading.aclose()
        deadline = time.monotonic() + 20
        while True:
            try:
                await joined(hub, actor="omar")
                return
            except Full:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)

    asyncio.run(watched())


def test_a_store_that_is_away_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream goes on; its heartbeat says that the store does not answer, and when it does again."""
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.0)

    async def watched() -> None:
        state = live(store)
        hub = Hub(state)
        client = await joined(hub)

        def gone(*_: Any) -> Any:
            raise Unavailable("the store does not answer")

        real = hub._look
        hub._look = gone  # type: ignore[method-assign]  # the store itself cannot be taken away from one reader
        said = []
        async for text in hub.read(client):
            if text.startswith("event: beat"):
                said.append(json.loads(text.partition("data: ")[2])["store"])
            if said and said[-1] is False:
                hub._look = real  # type: ignore[method-assign]
            if said[-2:] == [False, True]:
                return

    asyncio.run(asyncio.wait_for(watched(), 200))
