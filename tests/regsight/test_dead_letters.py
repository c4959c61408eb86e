"""`regsight dead-letters list|show|replay` on a store with lines that were once unreadable."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from format_samples import SAMPLES
from typer.testing import CliRunner

from collector.lines import split_lines
from regsight.cli import app
from store.contract import DeadLetter
from store.event import schema
from store.locate import open_store

V3 = SAMPLES / "distribution-live" / "v3-json" / "registry.log"
run = CliRunner().invoke


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with 40 letters that today's formats can read, and one torn line with codes for terminals."""
    url = f"delta:{tmp_path / 'store'}"
    store = open_store(url)
    lines = [(offset, line) for offset, line in split_lines(V3.read_bytes(), 0)][:40]
    lines.append((900_000, b'{"msg":"torn \x1b[31m'))
    letters = [
        DeadLetter(
            stream="s",
            offset=offset,
            length=len(line),
            reason="unknown format",
            line=line,
            path=str(tmp_path / "registry.log"),
            read_at=datetime(2026, 11, 24, tzinfo=UTC),
            registry="main",
        )
        for offset, line in lines
    ]
    store.commit(schema().empty_table(), [], letters)
    store.close()
    return url


def test_list_and_show(url: str) -> None:
    """Newest first, inert on a terminal; without a word it lists, as it always did."""
    listed = run(app, ["dead-letters", "list", "--limit", "100", "--json", "--store", url])
    letters = [json.loads(line) for line in listed.stdout.splitlines()]
    assert len(letters) == 41
    assert {"path", "stream", "offset", "length", "reason", "line", "id", "registry"} <= set(letters[0])
    plain = run(app, ["dead-letters", "--limit", "3", "--json", "--store", url])
    assert [json.loads(line) for line in plain.stdout.splitlines()] == letters[:3]
    assert run(app, ["dead-letters", "list", "--reason", "none such", "--store", url]).stdout.startswith("no dead")

    torn = next(letter for letter in letters if letter["offset"] == 900_000)
    shown = run(app, ["dead-letters", "show", torn["id"], "--store", url])
    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout and "\\x1b[31m" in shown.stdout
    unknown = run(app, ["dead-letters", "show", "d-0", "--store", url])
    assert "no dead letter d-0" in str(unknown.exception)


def test_replay(url: str) -> None:
    """What can be read is an event and no letter; what cannot stays; a second time finds nothing to do."""
    done = json.loads(run(app, ["dead-letters", "replay", "--json", "--store", url]).stdout)
    assert (done["letters"], done["removed"], done["kept"]) == (41, 40, 1)
    assert done["still_bad"] == {"torn or mutated JSON": 1}
    store = open_store(url)
    total = store.total()
    assert total > 5
    assert {event["registry"] for event in store.events(_everything())} == {"main"}
    store.close()

    again = json.loads(run(app, ["dead-letters", "replay", "--json", "--store", url]).stdout)
    assert (again["letters"], again["removed"], again["events"]) == (1, 0, 0)
    store = open_store(url)
    assert store.total() == total
    assert [letter.offset for letter in store.dead_letters()] == [900_000]
    store.close()
    assert "1 kept" in run(app, ["dead-letters", "replay", "--store", url]).stdout


def _everything() -> object:
    from store.contract import EventQuery

    return EventQuery()
