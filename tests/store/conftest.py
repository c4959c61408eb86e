"""Both stores, fresh for each test, and rows to put into them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from store.contract import Store
from store.event import schema
from store.locate import open_store

START = datetime(2026, 11, 1, tzinfo=UTC)
_namespaces = itertools.count()


@pytest.fixture(params=["delta", pytest.param("elastic", marks=pytest.mark.external_service)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty store of each kind."""
    if request.param == "delta":
        return f"delta:{tmp_path / 'a store'}"
    return f"{request.getfixturevalue('elasticsearch_url')}?namespace=t{next(_namespaces)}"


@pytest.fixture
def opened(store_url: str) -> Iterator[Callable[[], Store]]:
    """Opens the same store again and again, as several processes or a restart would."""
    stores: list[Store] = []

    def again() -> Store:
        stores.append(open_store(store_url))
        return stores[-1]

    yield again
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Callable[[], Store]) -> Store:
    return opened()


@pytest.fixture
def start() -> datetime:
    return START


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """One row; what is not given is as an ordinary access line would have it."""

    def make(number: int, **fields: Any) -> dict[str, Any]:
        moment = fields.get("timestamp", START + timedelta(seconds=number))
        stream, offset = fields.get("stream", "s1"), fields.get("offset", number * 100)
        ordinary = {
            "event_id": f"l-{number:032x}",
            "revision": 0,
            "channel": "access",
            "timestamp": moment,
            "read_at": moment + timedelta(seconds=5),
            "stored_at": moment + timedelta(seconds=6),
            "action": "pull",
            "outcome": "success",
            "dataset": "distribution",
            "stream": stream,
            "offset": offset,
            "parts": [f"{stream}:{offset}"],
        }
        return dict.fromkeys(schema().names) | ordinary | fields

    return make


@pytest.fixture
def table() -> Callable[..., pa.Table]:
    return lambda *rows: pa.Table.from_pylist(list(rows), schema=schema())


@pytest.fixture
def traffic(row: Callable[..., dict[str, Any]]) -> Callable[[int, int], list[dict[str, Any]]]:
    """Seeded rows of all sorts over three days: hostile names, nulls, repeated rows, parts of one request."""
    names = ["ci", "o'brien", 'a"b', "100%", "back\\slash", "*", "日本", "a_b", None]

    def make(seed: int, count: int) -> list[dict[str, Any]]:
        chance = random.Random(seed)
        rows = []
        for number in range(count):
            fields = _fields(chance, names) | {"timestamp": START + timedelta(microseconds=chance.randrange(3 * DAY))}
            rows.append(row(number, **fields))
            if chance.random() < 0.1:  # the same line, read twice
                rows.append(rows[-1] | {"read_at": rows[-1]["read_at"] + timedelta(seconds=1)})
            elif chance.random() < 0.2:  # another log tells of the same request
                channel = chance.choice(["application", "audit", "notification"])
                later = fields["timestamp"] + timedelta(microseconds=chance.randrange(-2_000_000, 2_000_000))
                other = _fields(chance, names) | {"channel": channel, "stream": "s2", "timestamp": later}
                rows.append(row(number, **other))
        chance.shuffle(rows)
        return rows

    return make


DAY = 86_400_000_000


def _fields(chance: random.Random, names: list[str | None]) -> Mapping[str, Any]:
    outcome = chance.choice(["success", "success", "denied", "failure", "unknown"])
    return {
        "action": chance.choice(["pull", "push", "delete", "check", "layer_download", "layer_upload", "login", "ping"]),
        "outcome": outcome,
        "reason": chance.choice(["bad_credentials", "forbidden"]) if outcome == "denied" else None,
        "actor": chance.choice(names),
        "client_ip": chance.choice(["10.0.0.1", "10.0.0.2", "2001:db8::1", None]),
        "client_class": chance.choice(["docker", "skopeo", None]),
        "repository": chance.choice(["shop/web", "shop/api", "base/[x]", "50%_off/a", None]),
        "project": chance.choice(["shop", "base", None]),
        "registry": chance.choice(["main", None]),
        "reference": chance.choice(["latest", "v1.2", "sha256:aa", None]),
        "digest": chance.choice(["sha256:aa", "sha256:bb", None]),
        "status": chance.choice([200, 401, 404, None]),
        "response_bytes": chance.choice([None, 0, 2**40, 1_234]),
        "request_bytes": chance.choice([None, 17, 5_000]),
        "size_bytes": chance.choice([None, 99]),
        "duration_ns": chance.choice([None, 5_000_000, 7]),
        "request_id": f"r{chance.random()}",
    }
