"""Where a panel leads: to the board to look at next, and to the events behind its figures.

The events are on Regsight's own page where a build is told its address (`--page-url`), else in Grafana's Explore on the
event store; without either there is no such link. Grafana fills in the time range and the variables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from dashboards.board import Events, Panel, Source

# Filters of the page that a board's variable may fill, and the fields that hold the same in the event store.
FIELDS = {"actor": "user.name", "repository": "oci.repository"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What is there to lead to: uids of boards, the data sources, the address of Regsight's page."""

    boards: frozenset[str]
    sources: frozenset[Source]
    page_url: str | None = None

    @classmethod
    def of(cls, boards: Iterable[str], sources: Iterable[Source], page_url: str | None = None) -> Ways:
        return cls(boards=frozenset(boards), sources=frozenset(sources), page_url=page_url)


def links(panel: Panel, ways: Ways) -> list[dict[str, Any]]:
    """The links in a panel's corner."""
    found = []
    if panel.link in ways.boards:
        found.append(_link("Look further", f"/d/{panel.link}?${{__url_time_range}}"))
    if ways.page_url is not None:
        found.append(_link("Events", _on_page(panel.events, ways.page_url), new_tab=True))
    elif Source.ELASTICSEARCH in ways.sources:
        found.append(_link("Events", _in_explore(panel.events)))
    return found


def row_links(panel: Panel, ways: Ways) -> list[dict[str, Any]]:
    """The override by which the cells of a table's first column lead to the board about what they name."""
    if panel.row_board is None or panel.row_board[0] not in ways.boards:
        return []
    (uid, variable), first = panel.row_board, panel.body["transformations"][-1]["options"]["renameByName"]
    url = f"/d/{uid}?var-{variable}=${{__value.raw:percentencode}}&${{__url_time_range}}"
    link = {"title": "Look closer", "url": url}
    column = next(iter(first.values()))
    return [{"matcher": {"id": "byName", "options": column}, "properties": [{"id": "links", "value": [link]}]}]


def _link(title: str, url: str, new_tab: bool = False) -> dict[str, Any]:
    return {"title": title, "url": url, "targetBlank": new_tab}


def _on_page(events: Events, page_url: str) -> str:
    asked = [("action", action) for action in events.actions]
    asked += [("outcome", events.outcome)] if events.outcome else []
    parts = ["since=${__from:date:iso}", "until=${__to:date:iso}", *([urlencode(asked)] if asked else [])]
    parts += [f"{name}=${{{variable}:percentencode}}" for name, variable in events.by]
    return f"{page_url.rstrip('/')}/events?{'&'.join(parts)}"


def _in_explore(events: Events) -> str:
    conditions = [f"event.action:({' OR '.join(events.actions)})"] if events.actions else []
    conditions += [f"event.outcome:{events.outcome}"] if events.outcome else []
    conditions += [f'{FIELDS[name]}:"${{{variable}:percentencode}}"' for name, variable in events.by]
    query = {
        "refId": "A",
        "datasource": Source.ELASTICSEARCH.ref,
        "query": " AND ".join(conditions),
        "timeField": "@timestamp",
        "metrics": [{"id": "1", "type": "logs", "settings": {"limit": "500"}}],
        "bucketAggs": [],
    }
    pane = {"datasource": Source.ELASTICSEARCH.uid, "queries": [query], "range": {"from": "${__from}", "to": "${__to}"}}
    # Grafana looks for `${name}` in the address as it stands: those letters must not be escaped.
    panes = quote(json.dumps({"events": pane}, separators=(",", ":")), safe="${}:")
    return f"/explore?schemaVersion=1&orgId=1&panes={panes}"
