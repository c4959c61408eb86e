"""The report as PDF, printed by a real Chromium."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from seeded_store import END
from servers import presence

from analytics.reports.pdf import NoPdf, print_pdf
from analytics.reports.write import write_report
from store.contract import Store


@pytest.mark.external_service
def test_a_pdf_is_printed(seeded: Store, tmp_path: Path) -> None:
    """The PDF stands beside where the page would be, is one, and nothing else is left."""
    presence.program("chromium", "chromium")
    page = write_report(seeded, END - timedelta(days=1), END, tmp_path / "day.html", END, ["pdf"])
    printed = page.with_suffix(".pdf").read_bytes()
    assert printed.startswith(b"%PDF-") and printed.rstrip().endswith(b"%%EOF") and len(printed) > 20_000
    assert [path.name for path in tmp_path.iterdir()] == ["day.pdf"]


def test_without_chromium_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Chromium on the machine: an error that names it, and no file."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoPdf, match="apt-get install chromium"):
        print_pdf(tmp_path / "page.html", tmp_path / "page.pdf")
    assert not (tmp_path / "page.pdf").exists()
