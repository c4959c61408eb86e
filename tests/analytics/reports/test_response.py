"""Incidents in the report: their times, the trend, the risks, and what was missed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from seeded_store import ATTACK, END, seed

from analytics.reports.figures import figures
from analytics.reports.markdown import inert, render_markdown, sentence
from analytics.reports.movers import movers
from store.contract import JobRun, Store
from store.event import iso
from store.incident import acknowledge, close
from store.locate import open_store

WEEK = END - timedelta(days=7)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"delta:{tmp_path}")
    seed(store)
    yield store
    store.close()


def test_times_of_each_step(own: Store) -> None:
    """From the first event to the finding, on to the message, and from the finding to whoever acted."""
    id = own.incidents()[0].id
    seen = ATTACK + timedelta(minutes=13)
    own.change_incident(id, lambda one: one and acknowledge(one, "maria", seen + timedelta(minutes=10)))
    own.change_incident(id, lambda one: one and close(one, "maria", seen + timedelta(hours=2)))
    found = figures(own, WEEK, END)
    row = found["incidents"][0]
    steps = [row[f"seconds_to_{step}"] for step in ("detect", "notify", "acknowledge", "close")]
    assert steps == [780.0, 20.0, 600.0, 7200.0]
    assert (found["response"]["closed"], found["response"]["mean_seconds_to_acknowledge"]) == (1, 600.0)
    trend = found["response_trend"]
    assert [one["incidents"] for one in trend] == [0, 0, 0, 1]
    assert (trend[-1]["since"], trend[-1]["mean_seconds_to_close"]) == (iso(WEEK), 7200.0)
    assert "grave_incidents_open" not in {risk["kind"] for risk in found["risks"]}


def test_risks_are_in_the_figures(own: Store) -> None:
    """An open critical incident, a line nobody could read, a failed job, a loss: each is said with its number."""
    failed = JobRun(job="notify", due_at=END - timedelta(hours=1), started_at=END - timedelta(hours=1))
    own.start_run(failed)
    own.finish_run(
        JobRun(
            job="notify",
            due_at=failed.due_at,
            started_at=failed.due_at,
            finished_at=END,
            state="failed",
            note="no route",
        )
    )
    gap = {
        "kind": "file_gone",
        "path": "/var/log/a.log",
        "start": iso(ATTACK),
        "end": iso(ATTACK),
        "bytes": 100,
        "resolved_at": None,
    }
    own.put_note("gap/g-1", gap)
    own.put_note("gap/g-2", {**gap, "resolved_at": iso(END)})
    own.put_note("gap/g-3", {**gap, "start": iso(WEEK - timedelta(days=2)), "end": iso(WEEK - timedelta(days=1))})
    found = figures(own, WEEK, END)
    counts = {risk["kind"]: risk["count"] for risk in found["risks"]}
    assert {"grave_incidents_open": 1, "dead_letters": 1, "failed_runs": 1, "gaps": 1}.items() <= counts.items()
    assert (found["missed"]["gap_bytes"], found["missed"]["failed_runs"][0]["note"]) == (100, "no route")
    for risk in found["risks"]:
        assert str(risk["count"]) in risk["text"].replace("\u202f", "") or risk["kind"] == "slow_acknowledgement"


def test_movers_are_those_that_changed_most() -> None:
    """More and less both count, the unchanged are left out, and without a past nothing has moved."""

    def rows(**counts: int) -> list[dict[str, Any]]:
        return [{"name": name, "events": count} for name, count in counts.items()]

    found = movers(rows(a=10, b=1, c=5, new=4), rows(a=1, b=30, c=5), "name", 10)
    assert [(row["name"], row["change"]) for row in found] == [("b", -29), ("a", 9), ("new", 4)]
    assert movers(rows(a=10), [], "name", 10) == []


def test_markdown_has_the_figures_and_no_effect(own: Store) -> None:
    """Totals, incidents and costs are there; names of logs mark up nothing."""
    text = render_markdown(figures(own, WEEK, END))
    for part in (
        "# What happened at the registries",
        "## Incidents",
        "| critical |",
        "## What distribution costs",
        "## What Regsight itself missed",
    ):
        assert part in text
    assert "<img" not in text.replace("\\<", "")
    assert "\u202e" not in text
    assert inert("[a](http://x) <b> `c` | *d*") == "\\[a\\](http\\://x) \\<b\\> \\`c\\` \\| \\*d\\*"
    assert sentence("run `regsight detect` at *once*") == "run `regsight detect` at \\*once\\*"
    lines = text.splitlines()
    tables = [line.replace("\\|", "").count("|") for line in lines if line.startswith("|")]
    heads = [line.count("|") for line in lines if line.startswith("| ---")]
    assert set(tables) <= set(heads)
