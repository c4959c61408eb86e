"""The page in a real browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa
import pytest
from seeded_store import ATTACKER, END, HOSTILE, VICTIM, digest, seed
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from servers.browser import Browser
from web_server import seeded_state, serving

from regsight.web import stream
from store.contract import Position, Store
from store.event import schema
from store.finding import finding_id
from store.incident import State
from store.locate import open_store

pytestmark = pytest.mark.external_service

STORY = "/findings/" + finding_id("pull_volume", HOSTILE["repository"], "2026-11-23")
INCIDENT = (
    "/incidents/inc-"
    + blake2b(finding_id("credential_probe", ATTACKER, "2026-11-23").encode(), digest_size=6).hexdigest()
)
SEARCH = "/search?" + urlencode({"q": digest("shop/api" + "latest")})
HOSTILE_SEARCH = "/search?" + urlencode({"repository": HOSTILE["repository"]})
PAGES = [
    "/", "/live", "/incidents", INCIDENT, "/events", "/findings", STORY, "/search", SEARCH, HOSTILE_SEARCH, "/tags",
    "/tags?repository=shop%2Fapi", "/sources", "/settings", "/sent", "/report", "/report/audit", "/login",
]  # fmt: skip


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("path", PAGES)
def test_page_opens_clean(site: str, browser: Browser, path: str, width: int) -> None:
    """No console error, nothing from another host, nothing sticks out at the side, no name has acted."""
    browser.open(site + path, width)
    assert browser.console() == []
    assert all(address.startswith(site) for address in browser.requests())
    assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.overflow() == []
    assert "owned" not in browser.driver.title
    assert browser.ask("document.querySelectorAll('[onerror],[onload],img[src=x],script:not([src])').length") == 0
    assert browser.ask("document.querySelectorAll('h1').length") == 1


def test_hostile_names_are_shown_as_text(site: str, browser: Browser) -> None:
    """One reads what the client sent, spelled out."""
    browser.open(site + STORY)
    text = browser.text()
    assert HOSTILE["actor"] in text
    assert "shop/\\u202egpj.exe\\u2066" in text
    with browser.leaving():
        browser.driver.find_element(By.CSS_SELECTOR, "td.time a").click()
    assert "\\x1b[31mred\\x1b[0m</td><script>document.title='owned'</script>" in browser.text()
    assert browser.console() == []


def test_filters_by_hand(site: str, browser: Browser) -> None:
    """Typing a filter and pressing Enter shows those events and keeps what was typed; names in the list filter too."""
    browser.open(site + "/events")
    find = browser.driver.find_element
    Select(find(By.NAME, "outcome")).select_by_visible_text("denied")
    with browser.leaving():
        find(By.NAME, "actor").send_keys(VICTIM, Keys.ENTER)
    rows = browser.driver.find_elements(By.CSS_SELECTOR, "tbody tr")
    assert len(rows) >= 30
    assert all("denied" in row.text and VICTIM in row.text for row in rows)
    assert find(By.NAME, "actor").get_attribute("value") == VICTIM
    assert Select(find(By.NAME, "outcome")).first_selected_option.text == "denied"
    with browser.leaving():
        find(By.CSS_SELECTOR, "td[data-label=address] a").click()
    assert "client=" in browser.driver.current_url
    assert browser.driver.find_elements(By.CSS_SELECTOR, "tbody tr")


def test_keyboard_reaches_the_content(site: str, browser: Browser) -> None:
    """The first Tab shows the way past the navigation, and the focus can be seen."""
    browser.open(site + "/")
    browser.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert browser.ask("document.activeElement.className") == "skip"
    assert browser.ask("document.activeElement.getBoundingClientRect().left") >= 0
    assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") != "none"
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.ask("document.activeElement.id") == "content"


@pytest.fixture
def moving(seeded: Store) -> Iterator[tuple[str, list[str]]]:
    """A page whose one source changes its name whenever the list is changed."""
    names = ["before"]
    with serving(replace(seeded_state(seeded), sources=lambda: [{"name": names[0]}], refresh_seconds=1)) as address:
        yield address, names


def test_the_page_refreshes_itself(moving: tuple[str, list[str]], browser: Browser) -> None:
    """Without a hand the page shows what is new, keeps the place, and stops while it is paused."""
    site, names = moving
    browser.open(site + "/")
    browser.driver.execute_script("scrollTo(0, 300)")
    assert "before" in browser.text("#content")
    names[0] = "after"
    deadline = time.monotonic() + 20
    while "after" not in browser.text("#content") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "after" in browser.text("#content")
    assert browser.ask("scrollY") == 300
    assert browser.console() == []
    browser.driver.find_element(By.CSS_SELECTOR, "button.paused").click()
    assert browser.text("button.paused") == "Go on"


def test_an_incident_is_acknowledged_by_hand(tmp_path: Path, browser: Browser) -> None:
    """From the first page to the incident, a name and a note typed, the button pressed: it is acknowledged, and says so."""
    store = open_store(f"delta:{tmp_path}")
    seed(store)
    state = replace(seeded_state(store), clock=lambda: END)
    with serving(state) as site:
        browser.open(site + "/")
        find = browser.driver.find_element
        with browser.leaving():
            find(By.CSS_SELECTOR, "a[href^='/incidents/inc-']").click()
        find(By.NAME, "by").send_keys("maria")
        find(By.NAME, "note").send_keys("<b>looking into it")
        with browser.leaving():
            find(By.CSS_SELECTOR, "button[value=acknowledge]").click()
        assert "acknowledged, maria looks after it" in browser.text("#content")
        assert "acknowledged by maria: <b>looking into it" in browser.text(".chapters")
        assert not browser.driver.find_elements(By.CSS_SELECTOR, "button[value=acknowledge]")
        assert browser.console() == []
    incident = store.incidents()[0]
    store.close()
    assert (incident.state, incident.owner) == (State.ACKNOWLEDGED, "maria")


@dataclass
class Live:
    """A page over a store of its own, to which the test adds events."""

    site: str
    store: Store
    offset: int = 0

    def add(self, *ids: str) -> None:
        """Pulls of mia, a second before the end."""
        rows = []
        for id in ids:
            self.offset += 1
            rows.append({**HOSTILE, "event_id": id, "timestamp": END - timedelta(seconds=1), "actor": "mia", "action": "pull",
                         "outcome": "success", "stream": "s-live", "offset": self.offset, "parts": [f"s-live:{self.offset}"],
                         "channel": "application"})  # fmt: skip
        table = pa.Table.from_pylist(rows, schema=schema())
        self.store.commit(table, [Position(stream="s-live", offset=self.offset)])


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    store = open_store(f"delta:{tmp_path}")
    seed(store)
    with serving(replace(seeded_state(store), anchor_time=None, clock=lambda: END, live_seconds=1)) as site:
        yield Live(site, store)
    store.close()


def shown(browser: Browser, wanted: str, selector: str = "tr[data-id]") -> list[str]:
    """The rows' ids as soon as `wanted` is among them, in any case after a while."""
    script = f"return [...document.querySelectorAll('{selector}')].map(row => row.dataset.id)"
    deadline = time.monotonic() + 40
    while wanted not in (found := browser.driver.execute_script(script)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [str(id) for id in found]


def until_stream(browser: Browser, state: str) -> None:
    deadline = time.monotonic() + 60
    while browser.ask("document.documentElement.dataset.stream") != state:
        assert time.monotonic() < deadline, f"the stream is not {state}"
        time.sleep(0.1)


def test_the_live_page_shows_what_comes_in(live: Live, browser: Browser) -> None:
    """An event that is stored while the page is open comes by the stream alone, marked as new; a typed filter is kept."""
    browser.open(live.site + "/live?actor=mia")
    until_stream(browser, "open")
    assert len(browser.driver.find_elements(By.CSS_SELECTOR, "tr[data-id]")) == 2
    browser.driver.find_element(By.NAME, "repository").send_keys("half a fil")
    browser.requests()
    live.add("l-live")
    assert shown(browser, "l-live", "tr.fresh") == ["l-live"]
    assert browser.requests() == []  # nothing was asked for again
    assert browser.driver.find_element(By.NAME, "repository").get_attribute("value") == "half a fil"
    assert "owned" not in browser.driver.title
    assert browser.console() == []


def test_a_paused_live_page_keeps_what_comes(live: Live, browser: Browser) -> None:
    """While it is paused the button counts what waits; going on shows it, the newest on top, nothing twice."""
    browser.open(live.site + "/live?actor=mia")
    until_stream(browser, "open")
    button = browser.driver.find_element(By.CSS_SELECTOR, "button.paused")
    button.click()
    live.add("l-one")
    live.add("l-two", "l-three")
    deadline = time.monotonic() + 40
    while button.text != "Go on (3 new)" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert button.text == "Go on (3 new)"
    assert len(browser.driver.find_elements(By.CSS_SELECTOR, "tr[data-id]")) == 2
    button.click()
    browser.driver.execute_script("document.activeElement.blur()")
    rows = shown(browser, "l-three")
    assert len(rows) == len(set(rows)) == 5
    assert set(rows[:3]) == {"l-one", "l-two", "l-three"}
    assert button.text == "Pause"


def test_a_live_page_comes_back_to_its_stream(live: Live, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose time is over is opened again, and what came in between is there once."""
    monkeypatch.setattr(stream, "LIFE_SECONDS", 0.5)
    browser.open(live.site + "/live?actor=mia")
    until_stream(browser, "open")
    live.add("l-between")
    shown(browser, "l-between")
    live.add("l-after")
    rows = shown(browser, "l-after")
    assert len(rows) == len(set(rows)) == 4
    assert len([one for one in browser.requests() if "/api/live" in one]) > 1


def test_without_a_stream_the_page_is_asked_for_again(
    live: Live, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that is refused is no reason to show nothing; as soon as there is room it streams again."""
    monkeypatch.setattr(stream, "MOST_CLIENTS", 0)
    browser.open(live.site + "/live?actor=mia")
    until_stream(browser, "asking")
    assert "asked again every 1 s" in browser.text("#stream-state")
    live.add("l-asked")
    assert "l-asked" in shown(browser, "l-asked")
    monkeypatch.undo()
    until_stream(browser, "open")
    live.add("l-streamed")
    assert "l-streamed" in shown(browser, "l-streamed")


def test_search_by_hand(site: str, browser: Browser) -> None:
    """A digest's first digits and Enter lead to who had it; the picture is drawn, and a name in it leads on."""
    browser.open(site + "/search")
    with browser.leaving():
        browser.driver.switch_to.active_element.send_keys(digest("shop/api" + "latest")[7:19], Keys.ENTER)
    assert browser.ask("document.querySelector('svg.blast').clientHeight") > 100
    assert browser.ask("getComputedStyle(document.querySelector('svg.blast rect.image')).stroke") == "rgb(194, 87, 12)"
    assert browser.console() == []
    with browser.leaving():
        browser.driver.find_element(By.CSS_SELECTOR, "td[data-label=account] a").click()
    assert "actor=" in browser.driver.current_url
    assert "Account" in browser.text("h1")


@pytest.mark.parametrize("dark", [False, True])
def test_letters_stand_out(site: str, browser: Browser, dark: bool) -> None:
    """Every text has at least the contrast of WCAG AA (4.5 to 1) against what it stands on, light and dark."""
    weak = []
    for path in (
        "/",
        STORY,
        INCIDENT,
        "/incidents?state=open",
        SEARCH,
        "/tags?repository=shop%2Fapi",
        "/sources",
        "/report",
    ):
        browser.open(site + path, dark=dark)
        weak += [f"{path} {one}" for one in browser.driver.execute_script(CONTRAST)]
    assert weak == []


CONTRAST = """
const light = color => {
  const part = color.match(/[\\d.]+/g).slice(0, 3).map(Number).map(one => one / 255)
    .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
};
const ground = one => {
  for (; one; one = one.parentElement) {
    const color = getComputedStyle(one).backgroundColor;
    if (!/, 0\\)$/.test(color)) return color;
  }
  return "rgb(255, 255, 255)";
};
return [...document.querySelectorAll("body *")]
  .filter(one => [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
  .filter(one => !one.closest("title"))
  .map(one => {
    const style = getComputedStyle(one);
    const a = light(one.closest("svg") ? style.fill : style.color), b = light(ground(one));
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.outerHTML.slice(0, 90)];
  })
  .filter(([ratio]) => ratio < 4.5).map(([ratio, text]) => `${ratio.toFixed(2)} ${text}`);
"""


def test_token_by_hand(seeded: Store, browser: Browser) -> None:
    """The form takes the token and leads to the page that was wanted."""
    token = "correct horse battery staple"
    state = replace(seeded_state(seeded), token=token, clock=lambda: END)
    with serving(state) as site:
        browser.open(site + "/events?outcome=denied")
        with browser.leaving():
            browser.driver.find_element(By.NAME, "token").send_keys("wrong", Keys.ENTER)
        assert "That is not the token." in browser.text()
        with browser.leaving():
            browser.driver.find_element(By.NAME, "token").send_keys(token, Keys.ENTER)
        assert browser.driver.current_url == site + "/events?outcome=denied"
        assert browser.ask("document.cookie") == ""
