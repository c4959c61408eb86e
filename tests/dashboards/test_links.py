"""Links from a panel to the events behind it, decoded as Grafana decodes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import QueryParams

from dashboards.board import Source
from dashboards.build import rendered
from regsight.web.filters import read_filters

FILLED = {
    "${__from}": "1764000000000",
    "${__to}": "1764003600000",
    "${__from:date:iso}": "2026-11-24T10:00:00.000Z",
    "${__to:date:iso}": "2026-11-24T11:00:00.000Z",
    "${repository:percentencode}": "team%2Fweb",
}


def events_links(page_url=None):
    """(panel title, address with the variables filled in) of every link to events."""
    for board in rendered(list(Source), page_url).values():
        for panel in board["panels"]:
            for link in panel.get("links", ()):
                if link["title"] == "Events":
                    url = link["url"]
                    for name, value in FILLED.items():
                        url = url.replace(name, value)
                    assert "${" not in url, panel["title"]
                    yield panel["title"], url


def test_explore_is_asked_for_the_events():
    """The address holds one pane on the event store with a search for the events themselves, in the chosen time."""
    asked = {}
    for title, url in events_links():
        parts = urlsplit(url)
        assert parts.path == "/explore"
        (pane,) = json.loads(parse_qs(parts.query)["panes"][0]).values()
        (query,) = pane["queries"]
        assert pane["datasource"] == query["datasource"]["uid"] == "regsight-elasticsearch"
        assert pane["range"] == {"from": "1764000000000", "to": "1764003600000"}
        assert query["metrics"][0]["type"] == "logs"
        asked[title] = query["query"]
    assert asked["Denied by action"] == "event.outcome:denied"
    assert asked["Pulls"] == "event.action:(pull)"
    assert asked["Who pushes"].startswith("event.action:(push)")
    assert asked["What happens"] == 'oci.repository:"team/web"'


def test_page_understands_every_link():
    """The page's own filters read each address, none of it left over."""
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    read = {}
    for title, url in events_links("http://localhost:8080"):
        parts = urlsplit(url)
        assert (parts.netloc, parts.path) == ("localhost:8080", "/events")
        filters = read_filters(QueryParams(parts.query), now)
        assert filters.since == datetime(2026, 11, 24, 10, tzinfo=UTC)
        assert filters.until == datetime(2026, 11, 24, 11, tzinfo=UTC)
        assert set(parse_qs(parts.query)) <= {"since", "until", "action", "outcome", "repository"}
        read[title] = filters
    assert read["Denied by action"].outcomes == ("denied",)
    assert read["Pulls"].actions == ("pull",)
    assert read["What happens"].given["repository"] == "team/web"


def test_rows_lead_to_the_board_about_what_they_name():
    """The first cell of a row hands its value to the other board's list."""
    boards = rendered(list(Source))
    led = set()
    for board in boards.values():
        for panel in board["panels"]:
            for override in panel.get("fieldConfig", {}).get("overrides", ()):
                for part in override["properties"]:
                    if part["id"] == "links":
                        (link,) = part["value"]
                        address = urlsplit(link["url"])
                        uid = address.path.removeprefix("/d/")
                        name = address.query.split("=")[0].removeprefix("var-")
                        assert name in {variable["name"] for variable in boards[uid]["templating"]["list"]}
                        columns = panel["transformations"][-1]["options"]["renameByName"]
                        assert override["matcher"]["options"] == next(iter(columns.values()))
                        led.add((uid, name))
    assert led == {("regsight-repositories", "repository"), ("regsight-actors", "actor")}


def test_without_a_board_no_row_leads_there():
    """Boards of a data source that is absent are not linked to."""
    text = json.dumps(rendered([Source.PROMETHEUS]))
    assert "var-repository" not in text
    assert "/explore" not in text
