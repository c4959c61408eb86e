"""Boards drawn as plain pages, with the answers of a real Prometheus and a real Elasticsearch."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry, start_http_server
from servers import prometheus as server
from servers.browser import browser
from typer.testing import CliRunner

from collector.telemetry import CollectorTelemetry
from dashboards.board import Source
from dashboards.build import rendered
from dashboards.preview.asked import Span, for_lucene, for_promql, promql_of, search_of
from dashboards.preview.asking import Asker
from dashboards.preview.charts import NARROW, heatmap, time_chart
from dashboards.preview.frames import Line, Lines, Table, from_series, times_of, transformed
from dashboards.preview.panels import content
from dashboards.preview.units import ceiling, shown
from regsight.cli import app
from regsight.commands.options import UsageError
from store.elastic import ElasticStore
from store.event import FIELDS, schema

__all__ = ["browser"]

NAMESPACE = "preview"
NOW = datetime.now(UTC).replace(microsecond=0)
HOSTILE = '"><img src=x onerror=alert(1)>\u202e'
SPAN = Span(NOW - timedelta(hours=6), NOW)


def rows():
    """Pulls, refusals and a push, an account and a repository of which have names that must not act."""
    said = [
        {"actor": "anna", "action": "pull", "outcome": "success", "repository": "team/web", "response_bytes": 4096},
        {"actor": HOSTILE, "action": "pull", "outcome": "denied", "repository": HOSTILE, "reason": "forbidden"},
        {"actor": "bert", "action": "push", "outcome": "success", "repository": "team/web", "request_bytes": 10},
        {"actor": "anna", "action": "pull", "outcome": "success", "repository": "team/web", "response_bytes": 2048},
    ]
    for number, one in enumerate(said):
        known = {
            **{"event_id": f"p-{number}", "revision": 0, "channel": "application", "dataset": "distribution"},
            **{"timestamp": NOW - timedelta(minutes=10 * number + 5), "read_at": NOW, "registry": "hub", "status": 200},
            **{"client_ip": "10.0.0.1", "client_class": "docker", "duration_ns": 7_000_000, "uri": f"/v2/{HOSTILE}"},
            **{"stream": "s", "offset": number, "parts": [f"s:{number}"], **one},
        }
        yield {field.name: known.get(field.name) for field in FIELDS}


@pytest.fixture(scope="module")
def servers(tmp_path_factory, elasticsearch_url):
    """Addresses of both data sources, filled with the same few events."""
    table = pa.Table.from_pylist(list(rows()), schema())
    store = ElasticStore(elasticsearch_url, namespace=NAMESPACE)
    store.commit(table, [])
    assert store.total() == table.num_rows
    store.close()
    registry = CollectorRegistry()
    telemetry = CollectorTelemetry(registry)
    exporter, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    try:
        with server.running(tmp_path_factory.mktemp("preview"), [f"127.0.0.1:{exporter.server_port}"]) as running:
            deadline = time.monotonic() + 60
            while not running.query('increase(regsight_collector_events_total{outcome="denied"}[1m]) > 0'):
                assert time.monotonic() < deadline
                telemetry.committed(table, 0.02)
                telemetry.read(HOSTILE, 100, 4, 0, [])
                time.sleep(server.SCRAPE_SECONDS)
            yield running.url, elasticsearch_url
    finally:
        exporter.shutdown()
        exporter.server_close()
        thread.join()


def preview(out, *arguments):
    return CliRunner().invoke(app, ["dashboards", "preview", "--out", str(out), *arguments])


@pytest.fixture(scope="module")
def pages(servers, tmp_path_factory):
    """The folder that the command writes over both servers."""
    out = tmp_path_factory.mktemp("pages")
    ask = ("--prometheus-url", servers[0], "--elasticsearch-url", servers[1], "--namespace", NAMESPACE, "--from", "1h")
    deadline = time.monotonic() + 90
    while True:  # steps lie at round times: the first one behind the server's first scrapes may be still to come
        done = preview(out, *ask)
        assert done.exit_code == 0, done.output
        if "0/s" in panel_texts(out, "regsight-overview")["Events by action"]:
            return out
        assert time.monotonic() < deadline
        time.sleep(1)


class Panels(HTMLParser):
    """Text of each panel of a page, by its id; and every tag and attribute of the page."""

    def __init__(self, html):
        super().__init__()
        self.texts, self.tags, self._in = {}, [], None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._in = dict(attrs)["id"]
            self.texts[self._in] = ""

    def handle_endtag(self, tag):
        if tag == "section":
            self._in = None

    def handle_data(self, data):
        if self._in:
            self.texts[self._in] += f" {data.strip()}"


def panel_texts(pages, uid):
    """Title → text of the panels of a page."""
    board = rendered(list(Source))[uid]
    texts = Panels((pages / f"{uid}.html").read_text()).texts
    return {panel["title"]: texts[f"p{panel['id']}"] for panel in board["panels"] if panel["type"] != "row"}


@pytest.mark.external_service
def test_every_board_and_panel_is_there(pages):
    """One page a board, an index that leads to each, each panel with its title; none failed."""
    boards = rendered(list(Source))
    assert {path.stem for path in pages.glob("*.html")} == {*boards, "index"}
    index = (pages / "index.html").read_text()
    for uid, board in boards.items():
        html = (pages / f"{uid}.html").read_text()
        assert f'href="{uid}.html"' in index
        assert 'class="failed"' not in html, re.findall(r'class="failed".*', html)
        texts = Panels(html).texts
        for panel in board["panels"]:
            if panel["type"] != "row":
                assert panel["title"] in texts[f"p{panel['id']}"]


@pytest.mark.external_service
def test_figures_are_those_of_the_servers(pages):
    """A ranking, a sum of bytes and a table of the overview and of the actors hold what was stored."""
    overview = panel_texts(pages, "regsight-overview")
    assert re.search(r"team/web\s+3\b", overview["Top repositories"])
    assert re.search(r"team/web\s+6\s?KiB", overview["Most downloaded repositories"])
    assert "pull" in overview["Events by action"]
    assert "/s" in overview["Events by action"]
    assert re.search(r"anna\s+2\b", panel_texts(pages, "regsight-actors")["Busiest accounts"])


@pytest.mark.external_service
def test_names_out_of_logs_do_not_act(pages):
    """No image, no handler, no script, no style attribute, no address but those of the pages; the name is there as text."""
    seen = False
    for path in pages.glob("*.html"):
        html = path.read_text()
        assert "\u202e" not in html
        for tag, attributes in Panels(html).tags:
            assert tag not in {"img", "script", "iframe", "object", "base", "form"}
            assert not [name for name in attributes if name.startswith("on") or name in {"style", "src"}]
            assert re.fullmatch(r"data:,|[\w-]+\.html", attributes.get("href", "data:,"))
        seen |= "&gt;&lt;img src=x onerror=alert(1)&gt;\\u202e" in html
    assert seen


@pytest.mark.external_service
@pytest.mark.parametrize("width", [360, 1280])
def test_pages_load_nothing_and_stay_in_their_window(pages, browser, width):
    """In a browser: nothing refused by the page's own policy, nothing asked of anybody, nothing sticks out, nothing overlaps."""
    for path in sorted(pages.glob("*.html")):
        browser.open(path.as_uri(), width)
        assert browser.console() == []
        assert [address for address in browser.requests() if not address.startswith(("file:", "data:"))] == []
        assert browser.overflow() == [], path
        overlapping = browser.driver.execute_script(
            """
            const all = [...document.querySelectorAll(".grid > *")].map(one => [one, one.getBoundingClientRect()]);
            return all.flatMap(([one, a], at) => all.slice(at + 1).filter(([_, b]) =>
              a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1
            ).map(([other]) => [one.id, other.id]));
            """
        )
        assert overlapping == [], path


@pytest.mark.external_service
def test_a_server_that_is_away_is_said_in_each_panel(servers, tmp_path):
    """The page is written all the same, the other server's panels are filled, and the index counts the failures."""
    done = preview(
        tmp_path,
        *("--prometheus-url", "http://127.0.0.1:1", "--elasticsearch-url", servers[1], "--namespace", NAMESPACE),
        *("--board", "overview", "--from", "1h"),
    )
    assert done.exit_code == 0, done.output
    texts = panel_texts(tmp_path, "regsight-overview")
    assert "cannot be reached" in texts["Events by action"]
    assert "team/web" in texts["Top repositories"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "regsight-overview.html"]
    assert re.search(r'<strong class="denied">\d+ failed', (tmp_path / "index.html").read_text())


@pytest.mark.external_service
def test_refused_questions_and_empty_answers_say_why(servers):
    """A query that the server cannot read shows its words; nothing found says what that means."""
    from dashboards.preview.servers import Elasticsearch, Prometheus

    prometheus, elasticsearch = Prometheus(servers[0]), Elasticsearch(servers[1], NAMESPACE)
    span = Span(NOW - timedelta(hours=6), datetime.now(UTC))
    asker = Asker(prometheus, elasticsearch, span, {"stored_registry": "*"})
    stat = next(p for p in rendered(list(Source))["regsight-overview"]["panels"] if p["type"] == "stat")

    def answer(expr):
        return content({**stat, "targets": [{**stat["targets"][0], "expr": expr}]}, asker)

    assert "parse error" in answer("sum(")["text"]
    assert "has not counted regsight_alerts_deliveries_total" in answer("sum(regsight_alerts_deliveries_total)")["text"]
    none = answer('sum(regsight_collector_events_total{registry="none"})')
    assert none["kind"] == "empty" and "none of them fits" in none["text"]
    table = next(p for p in rendered(list(Source))["regsight-overview"]["panels"] if p["type"] == "table")

    def found(query):
        return content({**table, "targets": [{**table["targets"][0], "query": query}]}, asker)

    assert "none of the 4 events" in found("event.action:scan")["text"]
    assert found("event.action:(")["kind"] == "error"
    elsewhere = Asker(prometheus, Elasticsearch(servers[1], "nobody"), span, {"stored_registry": "*"})
    assert "nothing was stored" in content(table, elsewhere)["text"]


@pytest.mark.external_service
def test_a_variable_may_be_chosen(servers, tmp_path):
    """Without a choice a board about one repository takes the first by name; a choice is what its panels ask for."""
    ask = ("--elasticsearch-url", servers[1], "--namespace", NAMESPACE, "--board", "repositories", "--from", "1h")
    assert preview(tmp_path / "a", *ask).exit_code == 0
    assert "Repository: <strong>&#34;&gt;&lt;img" in (tmp_path / "a" / "regsight-repositories.html").read_text()
    assert preview(tmp_path / "b", *ask, "--var", "repository=team/web").exit_code == 0
    assert re.search(r"anna\s+2\b", panel_texts(tmp_path / "b", "regsight-repositories")["Who pulls"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "there is nothing to ask"),
        (("--prometheus-url", "ftp://x"), "http(s)://"),
        (("--prometheus-url", "http://x", "--board", "nobody"), "there are "),
        (("--prometheus-url", "http://x", "--var", "nobody=1"), "NAME=VALUE"),
        (("--prometheus-url", "http://x", "--from", "now", "--to", "1h"), "--from lies behind --to"),
    ],
)
def test_wrong_arguments_are_explained(tmp_path, arguments, said):
    """Nothing is written, and the message says what to do."""
    done = preview(tmp_path / "out", *arguments)
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_an_unknown_kind_of_panel_says_so():
    """A kind that a later board brings is named instead of left out."""
    panel = {"type": "geomap", "title": "Where"}
    assert "'geomap'" in content(panel, Asker(None, None, SPAN))["text"]


def test_variables_are_worked_out_as_grafana_does():
    """Own variables by the span, values escaped for the language they stand in; a group of label_replace stays."""
    day = Span(NOW - timedelta(days=1), NOW)
    expr = 'label_replace(rate(x{registry=~"$registry"}[$__rate_interval]), "a", "$1", "b", "(.*)")[$__range:]'
    asked = promql_of(expr, day, {"registry": for_promql("a.b")})
    assert '"a\\\\.b"' in asked and "[915s]" in asked and '"$1"' in asked and "[86400s:]" in asked
    target = {"query": 'oci.repository:"$repository"', "metrics": [{"type": "logs", "settings": {"limit": "7"}}]}
    body = search_of(target, day, {"repository": for_lucene('a/b"')})
    assert body["query"]["bool"]["filter"][1]["query_string"]["query"] == 'oci.repository:"a\\/b\\""'
    assert body["size"] == 7


def test_steps_are_round_and_points_are_few():
    """From a minute to a year there are neither more than the width shows, nor steps shorter than a scrape."""
    for hours in (1 / 60, 1, 6, 24, 24 * 7, 24 * 90):
        span = Span(NOW - timedelta(hours=hours), NOW)
        assert span.step >= 15
        assert len(times_of(span, span.step)) <= 130


def test_holes_stay_holes():
    """A moment without a sample is no zero, and a value that is no number is none."""
    series = [{"metric": {"le": "1"}, "values": [[0, "1"], [15, "NaN"], [45, "3"]]}]
    assert from_series(series, "{{le}}", [0, 15, 30, 45]) == [Line("1", [1.0, None, None, 3.0])]
    drawn = time_chart("t", Lines([0, 15, 30, 45], [Line("a", [1.0, 2.0, None, 3.0])]), "short", False, NARROW)
    assert drawn.count("<polyline") == 1 and drawn.count("<circle") == 1


def test_stacked_areas_stand_on_one_another():
    """The second line's top is the sum: it touches the top of the axis, which the first reaches half."""
    lines = Lines([0, 60], [Line("a", [2.0, 2.0]), Line("b", [2.0, 2.0])])
    drawn = time_chart("t", lines, "short", True, NARROW)
    top, middle = NARROW.top, NARROW.top + NARROW.inner[1] / 2
    heights = {
        float(point.split(",")[1])
        for points in re.findall(r'line c\d" points="([^"]*)"', drawn)
        for point in points.split()
    }
    assert heights == {float(top), float(middle)}


def test_a_heatmap_takes_buckets_apart():
    """Prometheus counts what lies below each limit; a cell is what lies between two."""
    lines = Lines([0, 60], [Line("+Inf", [3.0, 3.0]), Line("0.1", [1.0, 3.0])])
    tips = re.findall(r"<title>([^<]*)</title>", heatmap("t", lines, "s", NARROW))
    assert tips == ["up to 100\u202fms: 1/s", "up to 100\u202fms: 3/s", "up to any: 2/s"]


def test_transformations_are_done_as_grafana_does_them():
    """Joined by a column with equal names numbered, worked out, renamed and put in order."""
    left = Table(
        ["digest", "Count", "Min"],
        [{"digest": "a", "Count": 4.0, "Min": 1.0}, {"digest": "b", "Count": 2.0, "Min": 5.0}],
    )
    right = Table(["digest", "Min"], [{"digest": "a", "Min": 9.0}])
    renamed = {"digest": "Digest", "Min 2": "Scan", "Min 1": "Pull", "Share": "Share"}
    steps = [
        {"id": "joinByField", "options": {"byField": "digest", "mode": "outer"}},
        {
            "id": "calculateField",
            "options": {
                "mode": "binary",
                "alias": "Share",
                "binary": {"left": "Min 1", "operator": "/", "right": "Count"},
            },
        },
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Count": True},
                "renameByName": renamed,
                "indexByName": {name: place for place, name in enumerate(renamed)},
            },
        },
    ]
    table = transformed([left, right], steps)
    assert table.columns == ["Digest", "Scan", "Pull", "Share"]
    assert table.rows == [
        {"Digest": "a", "Scan": 9.0, "Pull": 1.0, "Share": 0.25},
        {"Digest": "b", "Scan": None, "Pull": 5.0, "Share": 2.5},
    ]
    with pytest.raises(ValueError, match="reduce"):
        transformed([left], [{"id": "reduce", "options": {}}])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "short", "–"),
        (0, "s", "0\u202fs"),
        (0.0071, "s", "7.1\u202fms"),
        (5400, "s", "1.5\u202fh"),
        (12345, "short", "12.3\u202fk"),
        (999.9996, "short", "1000"),
        (0.5, "cps", "0.5/s"),
        (1536, "bytes", "1.5\u202fKiB"),
        (1048576, "binBps", "1\u202fMiB/s"),
        (0.999, "percentunit", "99.9\u202f%"),
        (-249, "percentunit", "-24900\u202f%"),
        (0.0, "dateTimeAsIso", "1970-01-01 00:00:00"),
    ],
)
def test_values_have_their_unit(value, unit, text):
    assert shown(value, unit) == text


@pytest.mark.parametrize(
    ("highest", "unit", "top"), [(0, "s", 1), (0.007, "s", 0.008), (3, "cps", 3.2), (1500, "bytes", 2048)]
)
def test_axes_end_at_round_numbers(highest, unit, top):
    assert ceiling(highest, unit) == pytest.approx(top)
    assert ceiling(3, "short", whole=True) == 4


def test_every_kind_that_the_boards_use_can_be_drawn():
    """A board with a new kind of panel needs a new drawing."""
    from dashboards.preview import panels

    used = {panel["type"] for board in rendered(list(Source)).values() for panel in board["panels"]}
    assert used - {"row"} == set(panels._KINDS)
