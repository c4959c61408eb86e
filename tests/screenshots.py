"""Screenshots of whole pages: of one address, or of every page over a store.

`python tests/screenshots.py URL OUT.png [--width 1280] [--dark]`
`python tests/screenshots.py --store delta:demo/store FOLDER [--width 390] [--dark] [--docs] [--pages live,sources]`

With `--docs` as the documentation shows them: cut to the first screens and with few colours, to stay small.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlencode

from PIL import Image
from selenium.webdriver.support.ui import WebDriverWait
from servers import browser, presence
from servers.browser import Browser
from web_server import seeded_state, serving

from regsight.config import Settings
from regsight.sources import lag_of
from store.contract import EventQuery, Store
from store.event import Action
from store.locate import open_store

TALLEST, COLOURS = 1500, 256  # of an image of the documentation: pixels, and colours of its palette
DOCS = {"overview": "page.png", "search": "blast.png"}  # under another name than the page's own


@contextmanager
def window() -> Iterator[Browser]:
    """A browser that ends with the block."""
    chromium, driver = presence.program("chromium", "chromium"), presence.program("chromedriver", "chromium-driver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        opened = browser.start(Path(folder), chromium, driver)
        try:
            yield opened
        finally:
            opened.driver.quit()


def take(address: str, out: Path, width: int = 1280, dark: bool = False) -> None:
    """Open `address` (http or file) in a window of that width and write what it shows, from top to bottom."""
    with window() as opened:
        opened.open(address, width, dark)
        opened.screenshot(out)


def pages_of(store: Store) -> dict[str, str]:
    """Name → path of every page, with something to see on each."""
    paths = {name: f"/{name}" for name in ("live", "incidents", "findings", "events", "search", "tags", "report")}
    paths |= {
        "overview": "/",
        "sources": "/sources",
        "settings": "/settings",
        "audit": "/report/audit",
        "login": "/login",
    }
    incidents = sorted(store.incidents(), key=lambda one: (one.severity.rank, len(one.findings)))
    if incidents:
        paths["incident"] = f"/incidents/{quote(incidents[-1].id)}"
        paths["finding"] = f"/findings/{quote(incidents[-1].findings[0])}"
    pushed = next(store.events(EventQuery(action=[Action.PUSH], outcome=["success"], limit=1, newest_first=True)), None)
    pulled = next(
        (one for one in store.events(EventQuery(action=[Action.PULL], limit=500, newest_first=True)) if one["digest"]),
        None,
    )
    if pulled:
        paths["search"] = "/search?" + urlencode({"digest": pulled["digest"]})
        paths["event"] = f"/events/{quote(pulled['event_id'])}"
    if pushed:
        paths["tags"] = "/tags?" + urlencode({"repository": pushed["repository"]})
    return paths


def take_all(store: Store, folder: Path, width: int, dark: bool, docs: bool, only: Sequence[str] = ()) -> None:
    """Every page of `store`, or those that are named, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    span = store.span()
    state = seeded_state(store)
    if span is not None:
        state = replace(state, anchor_time=span[1])
    if docs:
        read = [lag_of(position) for position in store.positions()]
        settings = Settings().model_dump(mode="json")
        state = replace(
            state, demo=False, title="Regsight", sources=lambda: read, jobs=lambda: [], settings=lambda: settings
        )
    with serving(state) as site, window() as opened:
        for name, path in pages_of(store).items():
            if only and name not in only:
                continue
            out = folder / (DOCS.get(name, f"{name}.png") if docs else f"{name}.png")
            opened.open(site + path, width, dark)
            if name == "live":
                WebDriverWait(opened.driver, 60).until(lambda _: opened.ask("document.documentElement.dataset.stream"))
            opened.screenshot(out)
            if docs:
                slim(out)
            print(out, opened.overflow() or "", opened.console() or "")


def slim(image: Path) -> None:
    """The first screens, in a palette: a page of text loses nothing that one sees."""
    with Image.open(image) as opened:
        cut = opened.convert("RGB").crop((0, 0, opened.width, min(opened.height, TALLEST)))
    cut.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(image, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="an address, or with --store the folder to write to")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--store", help="delta:FOLDER: every page over this store")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--pages", type=lambda text: text.split(","), default=(), help="only these, by name")
    wanted = parser.parse_args()
    if wanted.store:
        shown = open_store(wanted.store)
        take_all(
            shown,
            Path(wanted.address),
            wanted.width,
            wanted.dark,
            wanted.docs,
            wanted.pages,
        )
        shown.close()
    elif wanted.out:
        take(wanted.address, wanted.out, wanted.width, wanted.dark)
    else:
        parser.error("name the file to write to")
