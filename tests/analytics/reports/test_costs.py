"""What a cache would have saved, on downloads that are spelled out, and against the slow way of counting."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from seeded_store import END, digest

from analytics.reports.costs import GIB, costs, is_public, network_of
from store.contract import EventQuery, Position, Store
from store.event import schema
from store.locate import open_store

DAY = timedelta(days=1)
ONE, TWO = digest("one"), digest("two")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"delta:{tmp_path}")
    yield opened
    opened.close()


def put(store: Store, rows: list[dict[str, Any]]) -> None:
    events = [
        {
            "event_id": f"e{number}",
            "timestamp": END - timedelta(minutes=100 - number),
            "action": "layer_download",
            "outcome": "success",
            "status": 200,
            "repository": "shop/api",
            "project": "shop",
            "stream": "s",
            "offset": number,
            "parts": [f"s:{number}"],
            "channel": "application",
            **row,
        }
        for number, row in enumerate(rows)
    ]
    store.commit(pa.Table.from_pylist(events, schema=schema()), [Position(stream="s", offset=len(events))])


def got(client: str | None, layer: str | None, size: int, **more: Any) -> dict[str, Any]:
    return {"client_ip": client, "digest": layer, "response_bytes": size, **more}


def test_a_cache_in_the_network_and_one_at_the_client(store: Store) -> None:
    """Three nodes of one network fetch one layer: a cache there has two of three; the node that comes again saves its own."""
    put(store, [got("10.0.0.1", ONE, 100), got("10.0.0.2", ONE, 100), got("10.0.0.3", ONE, 100), got("10.0.0.3", ONE, 100),
                got("10.0.1.1", ONE, 100), got("10.0.1.1", TWO, 300)])  # fmt: skip
    found = costs(store, END - DAY, END, 20)
    assert found["in_the_network"] == {
        "downloads": 6,
        "repeated": 3,
        "bytes": 800,
        "saved_bytes": 300,
        "share": 300 / 800,
    }
    assert found["at_the_client"] == {
        "downloads": 6,
        "repeated": 1,
        "bytes": 800,
        "saved_bytes": 100,
        "share": 100 / 800,
    }
    first = found["networks"]["rows"][0]
    assert (first["network"], first["addresses"], first["saved_bytes"], first["share"]) == ("10.0.0.0/24", 3, 300, 0.75)
    assert found["networks"]["in_all"] == 2


def test_what_the_logs_do_not_tell_is_in_no_share(store: Store) -> None:
    """Downloads without address or digest, refused ones, and redirects are set apart."""
    put(store, [got(None, ONE, 50), got("10.0.0.1", None, 70), got("10.0.0.1", ONE, 10, outcome="denied", status=403),
                got("10.0.0.1", ONE, 0, status=307), got("10.0.0.1", ONE, 0, status=307)])  # fmt: skip
    found = costs(store, END - DAY, END, 20)
    assert (found["layer_downloads"], found["layer_bytes"], found["unnamed_bytes"], found["redirects"]) == (
        4,
        120,
        120,
        2,
    )
    assert found["in_the_network"]["share"] is None
    assert found["in_the_network"]["repeated"] == 1


def test_public_addresses_cost(store: Store) -> None:
    """Bytes to addresses of the internet, their price, and what each project sent and received."""
    put(store, [got("8.8.8.8", ONE, GIB), got("10.0.0.1", ONE, GIB), got("2a00:1450::1", TWO, GIB),
                got("10.0.0.1", TWO, 0, action="layer_upload", request_bytes=500)])  # fmt: skip
    found = costs(store, END - DAY, END, 20, price_per_gib=0.09)
    assert (found["outside_downloads"], found["outside_bytes"], found["outside_cost"]) == (2, 2 * GIB, 0.18)
    assert found["projects"]["rows"] == [
        {"name": "shop", "down_bytes": 3 * GIB, "up_bytes": 500, "outside_bytes": 2 * GIB}
    ]
    assert costs(store, END - DAY, END, 20)["outside_cost"] is None


def test_nothing_moved(store: Store) -> None:
    """An empty store has shares of nothing, which are none."""
    found = costs(store, END - DAY, END, 20)
    assert found["in_the_network"]["share"] is None and found["networks"] == {"in_all": 0, "rows": []}


@pytest.mark.parametrize(
    ("address", "network", "public"),
    [
        ("10.1.2.3", "10.1.2.0/24", False),
        ("198.51.100.9", "198.51.100.0/24", False),
        ("8.8.4.4", "8.8.4.0/24", True),
        ("2a00:1450:4001::200e", "2a00:1450:4001::/64", True),
        ("fe80::1%eth0", "fe80::/64", False),
        ("AWS Internal", "AWS Internal", False),
    ],
)
def test_networks(address: str, network: str, public: bool) -> None:
    """A /24, a /64; what is no address stands for itself and is not outside."""
    assert (network_of(address), is_public(address)) == (network, public)


def test_against_the_events_one_by_one(seeded: Store) -> None:
    """Where all downloads of a layer have one size, the share is exactly what replaying them through caches gives."""
    since = END - timedelta(days=7)
    caches: dict[str, set[str]] = {}
    total = saved = 0
    for event in seeded.events(EventQuery(since=since, until=END, action=["layer_download"], outcome=["success"])):
        cache = caches.setdefault(event["client_ip"].rpartition(".")[0], set())
        total += event["response_bytes"]
        saved += event["response_bytes"] if event["digest"] in cache else 0
        cache.add(event["digest"])
    found = costs(seeded, since, END, 20)["in_the_network"]
    assert 0 < saved < total
    assert (found["bytes"], found["saved_bytes"], found["share"]) == (total, saved, saved / total)
