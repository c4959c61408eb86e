"""A real browser: chromium without a window, driven by selenium; nothing leaves the machine."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.support.ui import WebDriverWait
from servers import presence

QUIET = (
    "--headless=new",
    "--no-sandbox",  # in a container chromium's own sandbox cannot start
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


class Browser:
    """A window with the questions our tests ask of it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, address: str, width: int = 1280, dark: bool = False) -> None:
        """Load a page at a width as a phone or a desk would, and forget what the console said before."""
        self.console(), self.requests()
        phone = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(address)

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """What happens inside leads to another page; go on when that one has loaded."""
        self.driver.execute_script("window.left = false")
        yield
        gone = "return window.left === undefined && document.readyState === 'complete'"
        WebDriverWait(self.driver, 20, 0.05).until(lambda driver: driver.execute_script(gone))

    def console(self) -> list[str]:
        """Errors and warnings of the console since the page was opened: refused styles and scripts are among them."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Every address the browser asked for since the page was opened."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
        # The browser's own first tab, which may still be loading, is made of its own files.
        return [str(params["request"]["url"]) for params in sent if not params["documentURL"].startswith("chrome")]

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression (the driver is not bound by the page's policy)."""
        return self.driver.execute_script(f"return {expression}")

    def text(self, selector: str = "body") -> str:
        """What can be read in the first element of a CSS selector; in one step, since the page may exchange the element."""
        return str(self.driver.execute_script("return document.querySelector(arguments[0]).innerText", selector))

    def overflow(self) -> list[str]:
        """Elements that stick out of the window at the right, save those inside a box that scrolls by itself."""
        found = self.driver.execute_script(
            """
            const wide = document.documentElement.clientWidth;
            return [...document.querySelectorAll("body *")].filter(one => {
              const box = one.getBoundingClientRect();
              return box.width > 0 && box.right > wide + 1 && !one.closest(".scroll") && !one.closest(".skip");
            }).map(one => one.outerHTML.slice(0, 120));
            """
        )
        return [str(element) for element in found]

    def screenshot(self, out: Path) -> None:
        """The whole page, however long, as PNG."""
        size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        wanted = {"format": "png", "captureBeyondViewport": True, "clip": clip}
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", wanted)
        out.write_bytes(base64.b64decode(shot["data"]))


def start(folder: Path, chromium: Path, chromedriver: Path) -> Browser:
    """A browser with its profile in `folder`; the caller quits `driver`."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    for argument in (*QUIET, f"--user-data-dir={folder}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "WARNING", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=str(chromedriver))
    driver = webdriver.Chrome(options=options, service=service)
    driver.get("about:blank")
    return Browser(driver)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of a run."""
    chromium = presence.program("chromium", "chromium")
    chromedriver = presence.program("chromedriver", "chromium-driver")
    folder = tmp_path_factory.mktemp("browser")
    try:
        opened = start(folder, chromium, chromedriver)
    except WebDriverException as error:
        presence.missing("a working chromium", f"apt-get install chromium chromium-driver ({error.msg})")
        raise
    yield opened
    opened.driver.quit()
    shutil.rmtree(folder, ignore_errors=True)
