"""A page of ours → PDF, printed by a Chromium without a window. Without Chromium there is no PDF, and the error says so."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEADLINE = 120.0  # seconds
QUIET = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # the page needs no network, and gets none
    "--no-pdf-header-footer",
)


class NoPdf(Exception):
    """The PDF could not be printed; the message says what is missing."""


def print_pdf(page: Path, out: Path) -> None:
    """Print an HTML file; `out` appears whole or not at all.

    Raises:
        NoPdf: no Chromium is installed, or it did not print.
    """
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        raise NoPdf(
            "a PDF is printed by Chromium, and none is installed: apt-get install chromium, or print the HTML file"
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        printed = Path(folder) / "report.pdf"
        # The page is our own and runs no script; inside a container, and as root, Chromium's own sandbox cannot start.
        for sandbox in ((), ("--no-sandbox",)):
            said = _run(program, [*QUIET, *sandbox], Path(folder), page, printed)
            if printed.exists():
                break
        else:
            raise NoPdf(f"{program} did not print {page}: {said[-300:]}")
        partial = out.with_name(out.name + ".part")
        shutil.copyfile(printed, partial)
        partial.replace(out)


def _run(program: str, options: list[str], folder: Path, page: Path, printed: Path) -> str:
    command = [
        program,
        *options,
        f"--user-data-dir={folder / 'profile'}",
        f"--print-to-pdf={printed}",
        page.resolve().as_uri(),
    ]
    try:
        done = subprocess.run(command, capture_output=True, timeout=DEADLINE, check=False)  # noqa: S603  # a fixed program
    except subprocess.TimeoutExpired:
        return f"it took longer than {DEADLINE:.0f} s"
    return done.stderr.decode("utf-8", "replace").strip()
