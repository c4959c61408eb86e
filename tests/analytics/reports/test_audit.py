"""The auditor's report against the events, counted here the slow way, and as files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from seeded_store import ATTACKER, END, HOSTILE, START, VICTIM, seed

from analytics.reports.audit import audit, completeness
from analytics.reports.markdown_audit import render_audit_markdown
from analytics.reports.render import render_audit
from analytics.reports.words_audit import completeness_in_words
from analytics.reports.write import write_audit
from store.contract import EventQuery, Position, Store
from store.event import schema
from store.locate import open_store


@pytest.fixture(scope="module")
def found(seeded: Store) -> dict[str, Any]:
    return audit(seeded, START, END)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"delta:{tmp_path / 'own'}")
    seed(store)
    yield store
    store.close()


def test_access_is_what_worked(seeded: Store, found: dict[str, Any]) -> None:
    """One row per account and repository, with counts, days and addresses equal to those of the events."""
    done: Counter[tuple[Any, ...]] = Counter()
    days: dict[tuple[Any, Any], set[str]] = {}
    addresses: dict[tuple[Any, Any], set[str]] = {}
    for event in seeded.events(EventQuery(since=START, until=END, outcome=["success"])):
        if event["repository"] is not None:
            key = event["actor"], event["repository"]
            done[*key, event["action"]] += 1
            days.setdefault(key, set()).add(f"{event['timestamp']:%Y-%m-%d}")
            addresses.setdefault(key, set()).add(event["client_ip"])
    assert {(row["account"], row["repository"]) for row in found["access"]} == set(days)
    for row in found["access"]:
        key = row["account"], row["repository"]
        assert (row["pulls"], row["pushes"], row["deletes"]) == (
            done[*key, "pull"],
            done[*key, "push"],
            done[*key, "delete"],
        )
        assert (row["first_day"], row["last_day"]) == (min(days[key]), max(days[key]))
        assert row["addresses"] == len(addresses[key])


def test_every_denial_is_listed(seeded: Store, found: dict[str, Any]) -> None:
    """The attacker's tries per account lead the list, and the sum is every denied request."""
    assert found["denied_in_all"] == sum(
        1 for _ in seeded.events(EventQuery(since=START, until=END, outcome=["denied"]))
    )
    first = found["denied"][0]
    assert (first["account"], first["address"], first["reason"], first["times"]) == (
        VICTIM,
        ATTACKER,
        "bad_credentials",
        30,
    )


def test_changes_of_rights(own: Store) -> None:
    """Each change of rights or settings is listed with who, from where, what, and how it ended; also one that failed."""
    base = {"stream": "s-audit", "channel": "audit", "actor": "eve", "client_ip": "192.0.2.9", "project": "shop"}
    rows = [
        {**base, "event_id": "p1", "timestamp": END - timedelta(hours=2), "action": "permission", "outcome": "success",
         "method": "POST", "uri": "/api/v2.0/projects/shop/members", "offset": 0, "parts": ["s-audit:0"]},
        {**base, "event_id": "p2", "timestamp": END - timedelta(hours=1), "action": "config", "outcome": "denied",
         "offset": 1, "parts": ["s-audit:1"]},
    ]  # fmt: skip
    own.commit(pa.Table.from_pylist(rows, schema=schema()), [Position(stream="s-audit", offset=2)])
    rights = audit(own, START, END)["rights"]
    assert [(row["account"], row["action"], row["outcome"], row["what"]) for row in rights] == [
        ("eve", "permission", "success", "POST /api/v2.0/projects/shop/members"),
        ("eve", "config", "denied", None),
    ]


def test_lines_are_accounted_for(own: Store) -> None:
    """The collector's totals come out, or the difference is named; without totals that is said."""
    assert completeness(own)["holds"] is None
    assert "No running collector" in completeness_in_words(completeness(own))
    counts = {"lines": 100, "events": 60, "dead_letters": 1, "ignored": 39, "bytes": 9000, "known": 0}
    own.put_note(
        "read/main", {"source": "main", "registry": "r", "counts": counts, "last_line": None, "looked_at": None}
    )
    own.put_note(
        "seal/s/000000",
        {"segments": [{"number": 0, "start": 0, "end": 5000}, {"number": 1, "start": 5000, "end": 8192}]},
    )
    good = completeness(own)
    assert good["holds"] is True and good["sources"][0]["difference"] == 0
    assert (good["sealed_segments"], good["sealed_bytes"], good["dead_letters_kept"]) == (2, 8192, 1)
    assert "100 lines of 1 source were read" in completeness_in_words(good)
    own.put_note("read/other", {"source": "other", "counts": {**counts, "lines": 107}})
    bad = completeness(own)
    assert bad["holds"] is False and [row["difference"] for row in bad["sources"]] == [0, 7]
    assert "differs by 7" in completeness_in_words(bad)


def test_a_real_collector_accounts_for_every_line(tmp_path: Path) -> None:
    """What `regsight run` reads of real captured lines, a broken one among them: the sum comes out and is told."""
    from collector.ledger import Ledger
    from collector.sources.file_tail import FileTail
    from regsight.app import pipeline_over

    log = tmp_path / "registry.log"
    samples = Path(__file__).parents[2] / "samples" / "distribution-live" / "v3-json" / "registry.log"
    log.write_bytes(samples.read_bytes() + b'{"time":"202\n')
    store = open_store(f"delta:{tmp_path / 'store'}")
    source = FileTail("main", [str(log)], registry="r", follow=False)
    summary = pipeline_over(store, [source], ledger=Ledger(store)).run()
    told = completeness(store)
    store.close()
    row = told["sources"][0]
    assert told["holds"] is True
    assert row["lines"] == log.read_bytes().count(b"\n") == summary.lines
    assert row["dead_letters"] == told["dead_letters_kept"] == 1
    assert row["events"] > 100 and row["ignored"] > 0


def test_files(own: Store, tmp_path: Path) -> None:
    """Page and Markdown are made from the JSON alone, load nothing, and no name acts in them."""
    page = write_audit(own, START, END, tmp_path / "audit.html", END, ["html", "json", "md"])
    stored = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    text = page.read_text(encoding="utf-8")
    assert text == render_audit(stored)
    assert page.with_suffix(".md").read_text(encoding="utf-8") == render_audit_markdown(stored)
    assert "<script" not in text and HOSTILE["actor"] not in text and "\u202e" not in text
    assert "&lt;img src=x" in text or HOSTILE["actor"] not in json.dumps(stored)


def test_an_empty_span_says_so(seeded: Store) -> None:
    """Nothing recorded: the page says what to ask for."""
    text = render_audit(audit(seeded, END + timedelta(days=40), END + timedelta(days=70)))
    assert "nothing is recorded" in text
