"""What a phone shows, and what an empty store shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.browser import Browser
from web_server import seeded_state, serving

from store.locate import open_store

pytestmark = pytest.mark.external_service

EMPTY = ("/", "/live", "/incidents", "/findings", "/events", "/search", "/tags", "/sources", "/report", "/report/audit")


@pytest.fixture(scope="module")
def empty_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page over a store that holds nothing."""
    folder: Path = tmp_path_factory.mktemp("empty")
    store = open_store(f"delta:{folder / 'store'}")
    with serving(seeded_state(store)) as address:
        yield address
    store.close()


@pytest.mark.parametrize("path", EMPTY)
def test_an_empty_store_says_what_to_do(empty_site: str, browser: Browser, path: str) -> None:
    """On a phone too: nothing scrolls sideways, and the page says how something comes to stand there."""
    browser.open(empty_site + path, 360)
    assert browser.console() == []
    assert browser.ask("document.documentElement.scrollWidth") <= 360
    assert browser.overflow() == []
    said = browser.text("main")
    assert any(word in said for word in ("regsight ", "Enter a ", "No line has been read", "no line has been read")), (
        said
    )


def test_tables_of_few_columns_fit_a_phone(site: str, browser: Browser) -> None:
    """Sources and jobs are read without pushing the table aside, on the two pages that show them."""
    for path in ("/", "/sources"):
        browser.open(site + path, 360)
        wide = browser.ask(
            "[...document.querySelectorAll('table.tight')].map(one => one.scrollWidth - one.parentElement.clientWidth)"
        )
        assert wide and max(wide) <= 0, (path, wide)


@pytest.mark.parametrize(("width", "rows"), [(1280, 1), (768, 3)])
def test_the_head_stays_low(site: str, browser: Browser, width: int, rows: int) -> None:
    """What stands behind the navigation shares the first line with the name: no line for the pause alone."""
    browser.open(site + "/", width)
    assert browser.ask("document.querySelector('.top').offsetHeight") <= 20 + 40 * rows
    name, pause = (
        browser.ask(f"document.querySelector('{one}').getBoundingClientRect().top")
        for one in (".mark", "button.paused")
    )
    assert abs(name - pause) < 20
