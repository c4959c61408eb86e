"""The page says what the figures say, loads nothing and lets no name act."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from seeded_store import END, HOSTILE
from servers.browser import Browser

from analytics.limits import Limit
from analytics.reports.render import content_security_policy, render_html
from analytics.reports.shown import number, percent, seconds, size
from analytics.reports.words import in_words
from analytics.reports.write import write_report
from store.contract import Store
from store.locate import open_store

WEEK = END - timedelta(days=7)


@pytest.fixture(scope="module")
def page(seeded: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(seeded, WEEK, END, tmp_path_factory.mktemp("report") / "week.html", END)


@pytest.fixture(scope="module")
def found(page: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    return read


class Cells(HTMLParser):
    """Text, class and data-value of each table cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[dict[str, str]] = []
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "td":
            self._open = True
            self.cells.append({"text": "", **{name: value or "" for name, value in attrs}})

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.cells[-1]["text"] += data


def numbers(value: Any) -> Iterator[float]:
    """Every number anywhere in the figures."""
    if isinstance(value, dict):
        for one in value.values():
            yield from numbers(one)
    elif isinstance(value, list):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def test_the_page_is_made_from_the_figures_alone(page: Path, found: dict[str, Any]) -> None:
    """The JSON beside the page renders to the very same page."""
    assert render_html(found) == page.read_text(encoding="utf-8")


def test_every_number_in_a_table_is_a_figure(page: Path, found: dict[str, Any]) -> None:
    """Each numeric cell carries a value that stands in the JSON, and its text is that value with a unit."""
    known = {float(value) for value in numbers(found)}
    cells = [cell for cell in Cells(page.read_text(encoding="utf-8")).cells if "num" in cell.get("class", "").split()]
    assert len(cells) > 200
    for cell in cells:
        if cell["data-value"] == "":
            assert cell["text"] == "–"
            continue
        value = float(cell["data-value"])
        assert value in known
        assert cell["text"] in {number(value), size(value), seconds(value), percent(value)}
    tops = [row["events"] for row in found["top"]["repositories"]["rows"]]
    assert {float(cell["data-value"]) for cell in cells if cell["data-value"]} >= set(map(float, tops))


def test_nothing_is_loaded_and_nothing_runs(page: Path) -> None:
    """No script, no address of another host, no style attribute; the policy forbids all of it once more."""
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text and "<link" not in text and "<iframe" not in text
    assert not re.search(r"<[^>]*\s(style|on\w+|src)=", text)
    assert not re.search(r"\b(https?:)?//[\w.]+", text)
    assert content_security_policy().startswith("default-src 'none'")


def test_hostile_names_are_text(page: Path) -> None:
    """Markup is escaped, bidirectional overrides are spelled out."""
    text = page.read_text(encoding="utf-8")
    assert HOSTILE["actor"] not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "\u202e" not in text and "\\u202e" in text


def test_first_paragraph_in_plain_words(found: dict[str, Any]) -> None:
    """The first paragraph names the traffic, the refusals and the worst finding."""
    words = in_words(found)
    assert number(found["totals"]["requests"]) + " events" in words
    assert "most from 203.0.113.77 (40)" in words
    assert "the most severe (critical): 203.0.113.77 guessed passwords and got in as ci-release" in words


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    """Nothing stored: the report names the command that fills the store."""
    store = open_store(f"delta:{tmp_path / 'store'}")
    page = write_report(store, WEEK, END, tmp_path / "new" / "empty.html", END)
    store.close()
    assert "regsight collect FILE…" in page.read_text(encoding="utf-8")


def test_an_empty_span_names_the_span_there_is(seeded: Store, tmp_path: Path) -> None:
    """Events outside the span only: the report says when there are some."""
    later = END + timedelta(days=30)
    page = write_report(seeded, later, later + timedelta(days=1), tmp_path / "later.html", END)
    assert "The store holds" in page.read_text(encoding="utf-8")
    assert "--since and --until" in page.read_text(encoding="utf-8")


def test_default_name_and_refused_name(seeded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name the file is named after its span; a name that would hide the JSON is refused."""
    monkeypatch.chdir(tmp_path)
    assert write_report(seeded, WEEK, END, None, END).name == "regsight-report-20261117T0000Z-20261124T0000Z.html"
    with pytest.raises(ValueError, match="name the page"):
        write_report(seeded, WEEK, END, Path("week.json"), END)


@pytest.mark.external_service
@pytest.mark.parametrize("width", [390, 1280])
def test_the_file_opens_in_a_browser_without_network(page: Path, browser: Browser, width: int) -> None:
    """Opened from disk: no console error, no request but the file, nothing cut at the side, charts drawn."""
    browser.open(page.as_uri(), width)
    assert browser.requests() == [page.as_uri()]
    assert browser.console() == []
    assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.overflow() == []
    drawn = "[...document.querySelectorAll('.chart svg[role=img]')].filter(one => one.clientHeight > 100).length"
    assert browser.ask(drawn) == 4
    assert browser.ask("getComputedStyle(document.querySelector('.fill.blue')).fill") == "rgb(33, 102, 184)"


@pytest.mark.external_service
def test_dark_mode_follows_the_system(page: Path, browser: Browser) -> None:
    """A dark desktop gets light letters on a dark page."""
    browser.open(page.as_uri(), dark=True)
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    assert browser.ask("getComputedStyle(document.body).color") == "rgb(228, 232, 237)"


def test_what_runs_out_stands_in_the_report(seeded: Store, tmp_path: Path) -> None:
    """Limits of the settings, the first to be reached first; what cannot be told says why. In the page and in Markdown."""
    limits = [
        Limit(name="images <b>on</b> disk", kind="storage", bytes=1 << 50, used=1 << 40),
        Limit(name="gone.pem", kind="certificate", path=tmp_path / "gone.pem"),
    ]
    page = write_report(seeded, WEEK, END, tmp_path / "week.html", END, ("html", "json", "md"), limits)
    found = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["forecasts"]
    assert {one["subject"] for one in found} == {"images <b>on</b> disk", "gone.pem", "disk of Regsight's store"}
    text, plain = page.read_text(encoding="utf-8"), page.with_suffix(".md").read_text(encoding="utf-8")
    for shown in (text, plain):
        assert "What runs out" in shown and "1.0 TiB" in shown and "1024.0 TiB" in shown
        assert "No such file" in shown
    assert "images &lt;b&gt;on&lt;/b&gt; disk" in text and "<b>on" not in text
