"""Holds for every board: the suite collects the folder, so that a new file is covered by being there."""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path

import pytest

import dashboards.boards
from dashboards import queries, stored_queries
from dashboards.board import Source
from dashboards.build import board_texts
from dashboards.build import boards as found_boards
from dashboards.leftovers import PANEL_KEYS, TARGET_KEYS
from dashboards.metrics import METRICS
from dashboards.promql import metrics as metrics_of
from dashboards.validate import validate_all
from dashboards.words import Elastic, PromQL

GOLDEN = Path(__file__).parent.parent / "golden" / "dashboards"
FILES = sorted(path.stem for path in Path(dashboards.boards.__path__[0]).glob("*.py") if path.stem != "__init__")
UIDS = [board.uid for board in found_boards()]
COMBINATIONS = [list(some) for size in (1, 2) for some in itertools.combinations(Source, size)]


def test_every_file_of_the_folder_offers_a_board():
    """No file of `boards/` is left out of this suite, and it is not empty."""
    assert len(UIDS) == len(FILES) >= 3


@pytest.mark.parametrize("sources", COMBINATIONS, ids="+".join)
@pytest.mark.parametrize("page_url", [None, "https://regsight.example.org"])
def test_boards_are_valid_with_any_data_sources(sources, page_url, series, fields):
    """Every board is right for Grafana, alone and with the others, whichever data sources it is built for."""
    made = [json.loads(text) for text in board_texts(sources, page_url).values()]
    assert made
    assert validate_all(made, series, fields) == []


@pytest.mark.parametrize("uid", UIDS)
def test_board_equals_its_golden_file(uid):
    """The JSON is what was reviewed, byte for byte; REGSIGHT_GOLDEN=write takes the new one over."""
    text = board_texts(list(Source))[uid]
    golden = GOLDEN / f"{uid}.json"
    if os.environ.get("REGSIGHT_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_golden_files_are_of_boards_that_exist():
    """No golden file outlives its board."""
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == UIDS


@pytest.mark.parametrize("sources", COMBINATIONS, ids="+".join)
def test_links_lead_to_boards_that_are_there(sources):
    """A panel's link names a board of the same build; with both sources every panel has one."""
    texts = board_texts(sources)
    for text in texts.values():
        for panel in json.loads(text)["panels"]:
            urls = [link["url"] for link in panel.get("links", ())]
            linked = {found[1] for url in urls if (found := re.match(r"/d/([\w-]+)\?", url))}
            assert linked <= set(texts), panel["title"]
            if len(sources) == 2 and panel["type"] != "row":
                assert linked, panel["title"]
                assert any(url.startswith("/explore?") for url in urls), panel["title"]


def test_no_key_of_older_grafana_is_left(boards):
    """Panels and targets hold nothing that Grafana 11 would have to migrate or ignore."""
    for board in boards.values():
        for panel in board["panels"]:
            assert set(panel) & (PANEL_KEYS - {"transformations"}) == set(), panel["title"]
            assert "fieldOptions" not in panel.get("options", {})
            for target in panel.get("targets", ()):
                dead = TARGET_KEYS if target["datasource"]["type"] == "prometheus" else TARGET_KEYS - {"query"}
                assert set(target) & dead == set(), panel["title"]


def test_every_metric_is_shown_somewhere(boards):
    """What Regsight counts, a person can see: each metric is on some board."""
    shown = {
        name
        for board in boards.values()
        for panel in board["panels"]
        for target in panel.get("targets", ())
        for name in metrics_of(target.get("expr", ""))
    }
    assert [metric.name for metric in METRICS if not shown & set(metric.series())] == []


def test_every_query_is_on_a_board(boards):
    """No query is kept that no board asks."""
    asked = [target for b in boards.values() for panel in b["panels"] for target in panel.get("targets", ())]
    named = {**vars(queries), **vars(stored_queries)}
    every = [(name, one) for name, value in named.items() for one in (value if isinstance(value, tuple) else [value])]
    checked = 0
    for name, query in every:
        if isinstance(query, PromQL):
            assert any(target.get("expr") == query.expr for target in asked), name
        elif isinstance(query, Elastic):
            found = [target for target in asked if target.get("query") == query.query]
            assert any(
                [m["type"] for m in target["metrics"]] == [m["type"] for m in query.metrics()] for target in found
            ), name
        checked += isinstance(query, PromQL | Elastic)
    assert checked > 90


def test_hand_made_references_and_variables(boards):
    """Fixed uids on every panel, and lists of registries that start with all of them."""
    overview = boards["regsight-overview"]
    panels = [panel for panel in overview["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in panels} == {"regsight-prometheus", "regsight-elasticsearch"}
    assert overview["schemaVersion"] == 39
    registry = overview["templating"]["list"][0]
    assert (registry["name"], registry["multi"], registry["allValue"]) == ("registry", True, ".*")
    assert registry["current"]["value"] == ["$__all"]
