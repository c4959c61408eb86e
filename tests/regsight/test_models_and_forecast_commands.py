"""`regsight models`, `forecast`, `sources`: against a store on the disk."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import Made
from typer.testing import CliRunner

from collector.sources.file_tail import FileTail
from regsight.app import pipeline_over
from regsight.cli import app
from regsight.commands.sources import watermarks
from store.locate import open_store

run = CliRunner()
GIB = 1 << 30


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_forecast_in_json_and_as_a_table(tmp_path: Path) -> None:
    """A limit of the settings, with its interval and method; the same as a table."""
    made, now = Made(), datetime(2026, 11, 25, tzinfo=UTC)
    for day in range(1, 22):
        made.add(now - timedelta(days=day, hours=-1), "layer_upload", repository="a/b", request_bytes=GIB)
        made.pull(now - timedelta(days=day, hours=-2), "ann", "10.0.0.1", "a/b")
    made.store(tmp_path / "s").close()
    settings = tmp_path / "regsight.toml"
    settings.write_text(
        f'[store]\nurl = "delta:{tmp_path}/s"\n[[analytics.limits]]\nname = "room"\nkind = "storage"\n'
        'bytes = "31 GiB"\nused = "0 B"\nsince = 2026-11-01\n'
    )
    asked = ["forecast", "-c", str(settings), "--at", "2026-11-25"]
    answer = run.invoke(app, [*asked, "--json"])
    assert answer.exit_code == 0, answer.output
    room = next(row for row in lines(answer.stdout) if row["subject"] == "room")
    assert (room["now"], room["limit"], room["per_day"]) == (21 * GIB, 31 * GIB, GIB)
    assert room["exhausted_at"] == "2026-12-05T00:00:00.000000Z"
    assert "Theil" in str(room["method"])
    table = run.invoke(app, asked)
    assert "room" in table.stdout
    pulls = run.invoke(app, [*asked, "--pulls", "--json"])
    assert [row["repository"] for row in lines(pulls.stdout)] == ["a/b"]


def test_models_before_anything_was_trained(tmp_path: Path) -> None:
    """An empty store has none, says so, and trains nothing without data."""
    url = f"delta:{tmp_path}/s"
    open_store(url).close()
    assert "nothing was trained yet" in run.invoke(app, ["models", "list", "--store", url]).stdout
    assert run.invoke(app, ["models", "show", "--store", url]).exit_code != 0
    done = run.invoke(app, ["models", "retrain", "--store", url, "--json"])
    assert json.loads(done.stdout)["took_over"] is False
    assert "not enough data" in json.loads(done.stdout)["reason"]


def test_a_line_from_the_future_does_not_move_the_watermark(tmp_path: Path) -> None:
    """The newest event of a source that is not ahead of the clock; behind counts from there."""
    from collector.ledger import Ledger

    log = tmp_path / "access.log"
    at = ("24/Nov/2026:10:00:00", "24/Nov/2026:10:05:00", "24/Nov/2031:10:05:00")
    log.write_text(
        "".join(
            f'10.0.0.1 - ann [{one} +0000] "GET /v2/a/b/manifests/1 HTTP/1.1" 200 9 "-" "docker/28.1"\n' for one in at
        )
    )
    store = open_store(f"delta:{tmp_path}/s")
    now = datetime(2026, 11, 24, 11, tzinfo=UTC)
    source = FileTail("web", [str(log)], registry="main", follow=False)
    pipeline_over(store, [source], clock=lambda: now, ledger=Ledger(store, None)).run()
    (row,) = watermarks(store, now)
    assert (row["source"], row["watermark"]) == ("web", "2026-11-24T10:05:00.000000Z")
    assert row["lag_seconds"] == pytest.approx(55 * 60)
    store.close()
