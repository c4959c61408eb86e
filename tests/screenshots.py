"""Screenshot of a whole page: `python tests/screenshots.py URL OUT.png [--width 1280] [--dark]`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from servers import browser, presence


def take(address: str, out: Path, width: int = 1280, dark: bool = False) -> None:
    """Open `address` (http or file) in a window of that width and write what it shows, from top to bottom."""
    chromium, driver = presence.program("chromium", "chromium"), presence.program("chromedriver", "chromium-driver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        opened = browser.start(Path(folder), chromium, driver)
        try:
            opened.open(address, width, dark)
            opened.screenshot(out)
        finally:
            opened.driver.quit()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--dark", action="store_true")
    wanted = parser.parse_args()
    take(wanted.address, wanted.out, wanted.width, wanted.dark)
