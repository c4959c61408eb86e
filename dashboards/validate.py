"""Is a dashboard right? Grafana itself checks next to nothing: it accepts boards that show a blank page, and queries of
fields that do not exist. What is checked here was seen to go wrong in Grafana 11.0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from dashboards import elastic_targets, prometheus_targets, promql, variable_checks
from dashboards.leftovers import BOARD_KEYS
from dashboards.references import There

GRID_WIDTH = 24
SCHEMA_VERSIONS = range(36, 40)  # from 36 on no reference is rewritten by the browser; 39 is what 11.0 knows
# Panels of 11.0 itself that a board of ours may hold; all others come from plugins that may be absent.
PANEL_TYPES = frozenset(
    {"row", "timeseries", "stat", "table", "bargauge", "gauge", "logs", "text", "heatmap", "piechart", "barchart"}
)
_UID = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")


def validate(
    board: dict[str, Any], metrics: set[str], fields: set[str], boards: Collection[str] | None = None
) -> list[str]:
    """What is wrong with a dashboard, in words; nothing when it is right.

    `metrics` are the names of the series that exist, `fields` those of the Elasticsearch mapping, `boards` the uids that
    links may lead to (None: any).
    """
    panels = board.get("panels")
    if "dashboard" in board:
        return ["the board is wrapped: a file holds the bare dashboard"]
    if not isinstance(panels, list):
        return [*_board(board), "panels is not a list"]
    every = list(_every_panel(panels))
    listed = _variables(board)
    there = There(metrics, fields, {variable.get("name", ""): variable for variable in listed}, boards)
    found = [*_board(board), *_layout(panels), *_panel_ids(every), *_annotations(board, there)]
    found += variable_checks.problems(listed, there)
    for panel in every:
        if panel.get("type") != "row":
            found += [f"panel {panel.get('title')!r}: {p}" for p in _panel(panel, there)]
    return found


def validate_all(boards: Sequence[dict[str, Any]], metrics: set[str], fields: set[str]) -> list[str]:
    """What is wrong with the boards of one folder, alone and together."""
    uids = {str(board.get("uid")) for board in boards}
    alone = [f"{board.get('uid')}: {p}" for board in boards for p in validate(board, metrics, fields, uids)]
    return alone + duplicates(boards)


def duplicates(boards: Sequence[dict[str, Any]]) -> list[str]:
    """uids and titles that two boards share: Grafana then saves no change of any board of the folder."""
    return [
        f"{key} {value!r} is used {count} times"
        for key in ("uid", "title")
        for value, count in Counter(board.get(key) for board in boards).items()
        if count > 1
    ]


def _board(board: dict[str, Any]) -> Iterator[str]:
    uid, title = board.get("uid"), board.get("title")
    if not isinstance(uid, str) or not _UID.match(uid):
        yield f"uid {uid!r} is not 1 to 40 of A-Z a-z 0-9 _ -"
    if not isinstance(title, str) or not title.strip():
        yield "no title"
    if board.get("id") is not None:
        yield "id is not null"
    if board.get("schemaVersion") not in SCHEMA_VERSIONS:
        yield f"schemaVersion {board.get('schemaVersion')!r} is not 36 to 39"
    yield from (f"dead key {key!r}" for key in sorted(BOARD_KEYS & set(board)))


def _every_panel(panels: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from _every_panel(panel.get("panels") or ())


def _panel_ids(panels: Sequence[dict[str, Any]]) -> Iterator[str]:
    ids = Counter(panel.get("id") for panel in panels)
    for id, count in ids.items():
        if not isinstance(id, int) or isinstance(id, bool) or id < 1:
            yield f"panel id {id!r} is not a positive number"
        elif count > 1:
            yield f"panel id {id} is used {count} times"


def _layout(panels: Sequence[dict[str, Any]]) -> Iterator[str]:
    taken: dict[tuple[int, int], Any] = {}
    collapsed = False
    for panel in panels:
        title, place = panel.get("title"), panel.get("gridPos")
        if panel.get("type") == "row":
            collapsed = bool(panel.get("collapsed"))
            if not collapsed and panel.get("panels"):
                yield f"row {title!r} is open and holds panels: they belong behind it"
        elif collapsed:
            yield f"panel {title!r} stands behind a collapsed row: it belongs into it"
        if not isinstance(place, dict) or any(not isinstance(place.get(key), int) for key in "hwxy"):
            yield f"panel {title!r} has no gridPos: the whole board would stay blank"
            continue
        if place["x"] < 0 or place["y"] < 0 or place["w"] < 1 or place["h"] < 1 or place["x"] + place["w"] > GRID_WIDTH:
            yield f"panel {title!r} lies outside the grid of {GRID_WIDTH}"
            continue
        cells = [(x, y) for x in _span(place, "x", "w") for y in _span(place, "y", "h")]
        under = {taken[cell] for cell in cells if cell in taken}
        yield from (f"panel {title!r} overlaps {other!r}" for other in sorted(under, key=str))
        taken |= dict.fromkeys(cells, title)


def _span(place: dict[str, int], start: str, length: str) -> range:
    return range(place[start], place[start] + place[length])


def _panel(panel: dict[str, Any], there: There) -> Iterator[str]:
    kind, ref, targets = panel.get("type", ""), panel.get("datasource"), panel.get("targets") or []
    if kind not in PANEL_TYPES:
        yield f"type {kind!r} is no panel of Grafana's own"
    if not panel.get("description"):
        yield "no description"
    if not panel.get("fieldConfig", {}).get("defaults", {}).get("unit"):
        yield "no unit"
    mixed = ref == {"type": "datasource", "uid": "-- Mixed --"}
    if not mixed and (problem := there.reference(ref)):
        yield problem
    if not targets:
        yield "no targets"
    ref_ids = [target.get("refId") for target in targets]
    if not all(ref_ids) or len(set(ref_ids)) != len(ref_ids):
        yield f"refIds are empty or not unique: {ref_ids}"
    for target in targets:
        if not mixed and target.get("datasource") != ref:
            yield f"target {target.get('refId')} has another data source than its panel, which would be asked instead"
        yield from (f"target {target.get('refId')}: {p}" for p in _target(target, kind, there))
    for link in [*(panel.get("links") or ()), *_cell_links(panel)]:
        yield from (f"link {link.get('title')!r}: {problem}" for problem in _link(link, there))


def _target(target: dict[str, Any], panel_type: str, there: There) -> Iterator[str]:
    ref = target.get("datasource")
    if problem := there.reference(ref):
        yield problem
        return
    assert isinstance(ref, dict)
    text = "expr" if ref["type"] == "prometheus" else "query"
    for name in sorted(promql.variables(str(target.get(text, ""))) - set(there.variables)):
        yield f"variable ${name} is not defined: the answer would be empty"
    if ref["type"] == "elasticsearch":
        yield from elastic_targets.problems(target, panel_type, there.fields)
    else:
        yield from prometheus_targets.problems(target, panel_type, there.metrics, there.several())


def _cell_links(panel: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for override in panel.get("fieldConfig", {}).get("overrides") or ():
        for part in override.get("properties") or ():
            if part.get("id") == "links":
                yield from part.get("value") or ()


def _link(link: dict[str, Any], there: There) -> Iterator[str]:
    url = str(link.get("url", ""))
    if not re.match(r"/(?!/)|https?://[^/]", url):
        yield f"{url!r} leads nowhere"
    own = {name for name in promql.variables(unquote(url)) if not name.startswith("__")}
    yield from (f"variable ${name} is not defined" for name in sorted(own - set(there.variables)))
    board = re.match(r"/d/([\w-]+)", url)
    if board and there.boards is not None and board[1] not in there.boards:
        yield f"no board {board[1]!r}"


def _variables(board: dict[str, Any]) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (board.get("templating") or {}).get("list") or []
    return listed


def _annotations(board: dict[str, Any], there: There) -> Iterator[str]:
    for annotation in (board.get("annotations") or {}).get("list") or []:
        ref, name = annotation.get("datasource"), annotation.get("name")
        if annotation.get("builtIn"):
            continue
        if problem := there.reference(ref):
            yield f"annotation {name!r}: {problem}"
        elif ref["type"] == "elasticsearch":
            yield f"annotation {name!r}: Grafana 11 asks Elasticsearch 9 in a way that it refuses"
