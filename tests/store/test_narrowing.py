"""Questions by name are answered from few parts, and the answer is the one that all parts give."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store import embedded
from store.contract import EventQuery
from store.embedded import EmbeddedStore
from store.event import schema

START = datetime(2026, 11, 1, 23, 59, 58, tzinfo=UTC)
NAMES = ["ann", "bob", "a_b", "a%", "*", None]
PATTERNS = ["ann", "bob", "a_b", "a%", "a*", "?ob", "*", "nobody"]
PART = st.fixed_dictionaries(
    {
        "event_id": st.sampled_from([f"r-{n}" for n in range(6)]),
        "channel": st.sampled_from(["application", "audit", "notification", "access", None]),
        "revision": st.integers(0, 1),
        "seconds": st.integers(0, 4),
        "actor": st.sampled_from(NAMES),
        "repository": st.sampled_from(NAMES),
        "digest": st.sampled_from(NAMES),
        "client_ip": st.sampled_from(NAMES),
        "reference": st.sampled_from(NAMES),
        "outcome": st.sampled_from(["success", "denied", None]),
    }
)
QUERY = st.builds(
    EventQuery,
    since=st.none() | st.integers(0, 4).map(lambda n: START + timedelta(seconds=n)),
    until=st.none() | st.integers(0, 5).map(lambda n: START + timedelta(seconds=n)),
    outcome=st.sampled_from([(), ("denied",)]),
    actor=st.none() | st.sampled_from(PATTERNS),
    repository=st.none() | st.sampled_from(PATTERNS),
    digest=st.none() | st.sampled_from(PATTERNS),
    client=st.none() | st.sampled_from(PATTERNS),
    reference=st.none() | st.sampled_from(PATTERNS),
    ids=st.sampled_from([(), ("r-1", "r-2"), ("nobody",)]),
    limit=st.none() | st.integers(1, 3),
    newest_first=st.booleans(),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("narrow")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PART, min_size=1, max_size=14), st.lists(QUERY, min_size=4, max_size=8))
def test_the_answer_is_the_same(folder, parts, queries):
    """Whatever parts there are and whatever is asked: narrowed or not, the same events in the same order."""
    store = EmbeddedStore(folder / f"s{abs(hash(str(parts)))}")
    rows = [
        {name: value for name, value in part.items() if name != "seconds"}
        | {"timestamp": START + timedelta(seconds=part["seconds"]), "stream": "s", "offset": place}
        for place, part in enumerate(parts)
    ]
    store.commit(pa.Table.from_pylist(rows, schema=schema()), [])
    for query in queries:
        narrowed = list(store.events(query))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(embedded, "CANDIDATES_AT_MOST", -1)
            assert narrowed == list(store.events(query))
    store.close()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(PART, min_size=1, max_size=5), min_size=2, max_size=4), st.lists(QUERY, min_size=2, max_size=4)
)
def test_what_is_remembered_of_files_changes_no_answer(folder, commits, queries):
    """Files come one after the other, and some hold more of events that are there: whoever asked before hears what one hears
    who asks for the first time.
    """
    path = folder / f"r{abs(hash(str(commits)))}"
    store = EmbeddedStore(path)
    span = (START - timedelta(days=1), START + timedelta(days=1), ("actor", "outcome"), timedelta(days=1))
    for number, parts in enumerate(commits):
        rows = [
            {name: value for name, value in part.items() if name != "seconds"}
            | {"timestamp": START + timedelta(seconds=part["seconds"]), "stream": f"s{number}", "offset": place}
            for place, part in enumerate(parts)
        ]
        store.commit(pa.Table.from_pylist(rows, schema=schema()), [])
        fresh = EmbeddedStore(path)
        assert store.counts(*span).equals(fresh.counts(*span))
        for query in queries:
            new = EmbeddedStore(path)
            assert list(store.events(query)) == list(new.events(query))
            new.close()
        assert store.total() == fresh.total()
        fresh.close()
    store.close()


def test_values_of_different_parts_meet(tmp_path, row, table):
    """One part says who, the other says what: asked for both, the event is found; a value that lost is not."""
    store = EmbeddedStore(tmp_path)
    line = row(1, event_id="r-1", channel="application", actor="ann", request_id="q")
    told = row(2, event_id="r-1", channel="notification", actor="bob", digest="d", stream="s2", request_id="q")
    store.commit(table(line, told, row(3, actor="ann")), [])
    query = EventQuery(actor="ann", digest="d")
    assert [event["event_id"] for event in store.events(query)] == ["r-1"]
    assert list(store.events(replace(query, actor="bob"))) == []
    store.close()


def test_a_name_that_everybody_has_is_read_whole(tmp_path, row, table, monkeypatch):
    """Above the limit nothing is narrowed, and nothing is missing."""
    monkeypatch.setattr(embedded, "CANDIDATES_AT_MOST", 3)
    store = EmbeddedStore(tmp_path)
    store.commit(table(*(row(n, actor="ci") for n in range(10))), [])
    assert len(list(store.events(EventQuery(actor="ci")))) == 10
    store.close()
