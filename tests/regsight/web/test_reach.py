"""The picture of an incident: who, which repositories, and who pulled what was pushed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from seeded_store import HOSTILE

from regsight.web.reach import MOST, NO_REPOSITORY, drawing, reach_of
from store.contract import EventQuery, Position, Store
from store.event import schema
from store.locate import open_store

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"delta:{tmp_path}")
    yield opened
    opened.close()


def add(store: Store, *rows: dict[str, Any]) -> None:
    events = []
    for number, row in enumerate(rows):
        plain = dict.fromkeys(HOSTILE, None) | {"timestamp": AT + timedelta(minutes=number), "outcome": "success"}
        ids = {
            "event_id": f"e{number}",
            "stream": "s",
            "offset": number,
            "parts": [f"s:{number}"],
            "channel": "application",
        }
        events.append({**plain, **ids, **row})
    store.commit(pa.Table.from_pylist(events, schema=schema()), [Position(stream="s", offset=len(events))])


def reached(store: Store, kind: str, name: str) -> Any:
    events = list(store.events(EventQuery(**{kind: name})))  # type: ignore[arg-type]  # names of text fields only
    return reach_of(store, kind, events, AT + timedelta(hours=2))


def test_what_was_pushed_is_followed_to_the_nodes(store: Store) -> None:
    """From the address over the account and the repository to who pulled it since, not to who did before."""
    add(
        store,
        {"action": "pull", "repository": "shop/api", "actor": "early", "client_ip": "10.0.0.1"},
        {"action": "login", "outcome": "denied", "actor": "mia", "client_ip": "198.51.100.7"},
        {"action": "login", "outcome": "denied", "actor": "mia", "client_ip": "198.51.100.7"},
        {"action": "push", "repository": "shop/api", "actor": "mia", "client_ip": "198.51.100.7"},
        {"action": "pull", "repository": "shop/web", "actor": "mia", "client_ip": "198.51.100.7"},
        {
            "action": "pull",
            "repository": "shop/api",
            "actor": "k8s",
            "client_ip": "10.0.0.9",
            "client_class": "containerd",
        },
        {"action": "pull", "repository": "shop/api", "actor": "omar", "client_ip": "10.0.0.3"},
        {"action": "pull", "repository": "shop/web", "actor": "omar", "client_ip": "10.0.0.3"},
    )
    reach = reached(store, "client", "198.51.100.7")
    assert {key: dict(counted) for key, counted in reach.touched.items()} == {
        ("mia", NO_REPOSITORY): {"refused": 2},
        ("mia", "shop/api"): {"push": 1},
        ("mia", "shop/web"): {"pull": 1},
    }
    assert reach.takers == {("shop/api", "10.0.0.9"): 1, ("shop/api", "omar"): 1}
    assert reach.right() == [("10.0.0.9", 1), ("omar", 1)] and reach.nodes == {"10.0.0.9"}
    picture = drawing(reach)
    assert picture.count('class="tried"') == 1 and picture.count('<rect class="node"') == 1
    assert "2 refused" in picture and "1 push" in picture
    assert [name for name, _ in reached(store, "actor", "mia").column(0)] == ["198.51.100.7"]


def test_names_are_text_and_a_crowd_is_counted(store: Store) -> None:
    """Markup is escaped, control characters do nothing, and no more is drawn than one can look at."""
    rows = [{"action": "pull", "actor": "mia", "repository": f"team/{number}"} for number in range(MOST + 5)]
    add(store, *rows, {"action": "pull", "actor": "mia", "repository": '</text><script>alert("\x1b[31m")</script>'})
    picture = drawing(reached(store, "actor", "mia"))
    assert "<script" not in picture and "\x1b" not in picture and "&lt;script&gt;" in picture
    assert picture.count('<rect class="image"') == MOST and "and 6 more" in picture
    heights = re.findall(r'viewBox="0 0 980 (\d+)"', picture)
    assert heights and int(heights[0]) < 600
