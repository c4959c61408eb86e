"""Damage in the store is told: as a gap, as a finding, and on every page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3
from seeded_store import END, seed
from web_server import seeded_state, serving

from analytics.integrity import watch_integrity
from regsight.store_health import NOTE, known_damage, open_gaps, watch_store
from store.contract import Store
from store.locate import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"delta:{tmp_path}")
    seed(opened)
    yield opened
    opened.close()


@pytest.fixture
def cut(store: Store, tmp_path: Path) -> Path:
    """A file of events, half of which the disk has lost."""
    path = sorted(tmp_path.glob("events/day=*/*.parquet"))[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def test_a_whole_store_has_nothing_to_tell(store: Store) -> None:
    """It was looked at, and nothing is said."""
    assert watch_store(store, END) == []
    assert open_gaps(store) == {} and known_damage(store) == [] and store.note(NOTE) is not None


def test_damage_is_a_finding_until_it_is_mended(store: Store, cut: Path) -> None:
    """One gap and one finding, however often it is looked at; after the repair the gap is over."""
    for minutes in (0, 10, 20):
        found = watch_store(store, END + timedelta(minutes=minutes))
        assert [one.path for one in found] == [str(cut)]
    (gap,) = open_gaps(store).values()
    assert gap["path"] == str(cut) and "regsight store repair" in gap["text"]
    told = [one for one in watch_integrity(store, END + timedelta(minutes=21)) if one.kind == "rows_missing"]
    assert len(told) == 1 and "regsight store repair" in told[0].explanation
    store.damage(repair=True)
    assert watch_store(store, END + timedelta(minutes=30)) == []
    assert open_gaps(store) == {} and known_damage(store) == []


def test_every_page_says_that_something_is_missing(store: Store, cut: Path) -> None:
    """The banner leads to what is lost and what to do; strangers learn nothing of it; it goes with the damage."""
    watch_store(store, END)
    with serving(seeded_state(store)) as site, urllib3.PoolManager(retries=False) as http:
        for path in ("/", "/events", "/live", "/incidents"):
            text = http.request("GET", site + path).data.decode()
            assert "Part of the store is damaged" in text and 'href="/sources#store"' in text
        sources = http.request("GET", site + "/sources").data.decode()
        assert cut.name in sources and "regsight store verify" in sources and 'id="store"' in sources
        assert http.request("GET", site + "/api/status").json()["store"]["damage"][0]["path"] == str(cut)
        store.put_note(NOTE, {"looked_at": "", "damage": []})
        assert "damaged" not in http.request("GET", site + "/").data.decode()
    watch_store(store, END)
    guarded = replace(seeded_state(store), token="a token of sixteen letters", clock=lambda: END)
    with serving(guarded) as site, urllib3.PoolManager(retries=False) as http:
        for path in ("/login", "/static/nothing.css"):
            assert "damaged" not in http.request("GET", site + path).data.decode()
