"""`regsight report` and `regsight costs`, and the reports of the timetable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from seeded_store import END, seed
from typer.testing import CliRunner

from analytics.reports.audit import audit
from analytics.reports.costs import costs
from analytics.reports.figures import TOP, figures
from regsight.cli import app
from regsight.config import Settings
from regsight.timetable import Timetable
from store.contract import Store
from store.locate import open_store

SPAN = ["--since", "2026-11-17", "--until", "2026-11-24"]
WEEK = END - timedelta(days=7)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    found = f"delta:{tmp_path_factory.mktemp('reporting')}"
    store = open_store(found)
    seed(store)
    store.close()
    return found


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output + str(done.exception or "")


def test_json_is_the_figures(url: str, store: Store) -> None:
    """Report, auditor's report and costs as JSON are what the analysis gives."""
    for arguments, expected in (
        (["report"], figures(store, WEEK, END)),
        (["report", "--kind", "audit"], audit(store, WEEK, END)),
    ):
        code, output = run(*arguments, *SPAN, "--json", "--store", url)
        told = json.loads(output)
        runs_out = told.pop("forecasts", [])  # of the disk, which others fill meanwhile
        assert [one["kind"] for one in runs_out] == ["disk"] * (arguments == ["report"])
        expected.pop("forecasts", None)
        assert (code, told) == (0, json.loads(json.dumps(expected)))
    _, output = run("costs", *SPAN, "--price-per-gib", "0.05", "--json", "--store", url)
    found = json.loads(output)
    assert {name: found[name] for name in costs(store, WEEK, END, TOP, 0.05)} == costs(store, WEEK, END, TOP, 0.05)


def test_files_by_format(url: str, tmp_path: Path) -> None:
    """Each format that is asked for is written, and no other."""
    out = tmp_path / "week.html"
    code, output = run("report", *SPAN, "--format", "md", "--format", "json", "--out", str(out), "--store", url)
    assert code == 0, output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["week.json", "week.md"]
    code, _ = run(
        "report", "--kind", "audit", "--month", "2026-11", "--out", str(tmp_path / "audit.html"), "--store", url
    )
    assert code == 0
    assert json.loads((tmp_path / "audit.json").read_text())["since"] == "2026-11-01T00:00:00.000000Z"


def test_costs_in_words(url: str) -> None:
    """The share and the networks are shown with units."""
    code, output = run("costs", *SPAN, "--store", url)
    assert code == 0
    assert "a cache in each network" in output and "%" in output and "/24" in output


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "--month", "2026-13"],
        ["report", "--month", "2026-11", "--since", "7d"],
        ["report", "--period", "day", "--month", "2026-11"],
        ["report", "--since", "2026-11-24", "--until", "2026-11-23"],
        ["report", "--out", "report.pdf"],
    ],
)
def test_a_call_that_cannot_be(url: str, arguments: list[str]) -> None:
    """It fails and says why."""
    code, output = run(*arguments, "--store", url)
    assert code != 0
    assert "month" in output or "since" in output or "page" in output


def test_the_timetable_adds_week_and_month(url: str, store: Store, tmp_path: Path) -> None:
    """On its weekday the week's report is added, on the first the auditor's of the month before, in the formats set."""
    settings = Settings.model_validate(
        {"reports": {"folder": str(tmp_path), "weekly_on": "tuesday", "monthly_audit": True, "formats": ["json", "md"]}}
    )
    (report,) = [job for job in Timetable(store, settings, [], CollectorRegistry()).jobs if job.name == "report"]
    report.work(datetime(2026, 11, 24, 6, tzinfo=UTC))  # a Tuesday
    report.work(datetime(2026, 12, 1, 6, tzinfo=UTC))  # a Tuesday and a first
    report.work(datetime(2026, 12, 2, 6, tzinfo=UTC))
    names = sorted(path.name for path in tmp_path.iterdir())
    stems = ["2026-11-24", "2026-12-01", "2026-12-02", "audit-2026-11", "week-2026-11-24", "week-2026-12-01"]
    assert names == [f"regsight-{stem}.{ending}" for stem in stems for ending in ("json", "md")]
    week = json.loads((tmp_path / "regsight-week-2026-11-24.json").read_text())
    assert (week["since"][:13], week["until"][:13]) == ("2026-11-17T06", "2026-11-24T06")
    assert json.loads((tmp_path / "regsight-audit-2026-11.json").read_text())["since"][:10] == "2026-11-01"
