"""`regsight store …` as it is typed."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from regsight.cli import app
from regsight.commands.options import UsageError
from store.embedded import EmbeddedStore

DAY = timedelta(days=1)


@pytest.fixture
def url(tmp_path, row, table, start):
    store = EmbeddedStore(tmp_path / "data")
    store.commit(table(*(row(n, timestamp=start - n * 100 * DAY, actor="ann" if n else "bob") for n in range(4))), [])
    store.close()
    return f"delta:{tmp_path / 'data'}"


def typed(*words):
    """Exit code, and the lines of JSON on stdout."""
    done = CliRunner().invoke(app, ["store", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")], done.stdout


def total(url):
    store = EmbeddedStore(url.removeprefix("delta:"))
    found = store.total()
    store.close()
    return found


def test_retaining_shows_before_it_does(url):
    """A dry run names days and bytes and drops nothing; a hold keeps its day; the rest goes."""
    code, days, _ = typed("retain", "--keep", "90d", "--dry-run", "--json", "--store", url)
    assert code == 0 and {day["state"] for day in days} == {"would go"} and all(day["bytes"] > 0 for day in days)
    assert total(url) == 4
    code, _, told = typed("hold", "add", "--reason", "case 7", "--subject", "actor:bob", "--by", "ann", "--store", url)
    id = told.strip()
    code, days, _ = typed("retain", "--keep", "1s", "--json", "--store", url)
    assert sorted(day["state"] for day in days)[:3] == ["dropped"] * 3
    assert any("case 7" in day["state"] for day in days) and total(url) == 1
    assert [hold["id"] for hold in typed("hold", "list", "--json", "--store", url)[1]] == [id]
    assert typed("hold", "remove", id, "--by", "bob", "--store", url)[0] == 0
    assert typed("hold", "list", "--json", "--store", url)[1] == []
    (lifted,) = typed("hold", "list", "--all", "--json", "--store", url)[1]
    assert (lifted["by"], lifted["lifted_by"], lifted["subject"]) == ("ann", "bob", "actor:bob")


@pytest.mark.parametrize(
    "words", [["retain"], ["retain", "--keep", "soon"], ["hold", "remove", "h-1"], ["hold", "add", "--reason", "r"]]
)
def test_what_cannot_be_meant_is_refused(url, words):
    """With exit code 2, through the error that `main` turns into a sentence."""
    with pytest.raises(UsageError):
        typed(*words, "--store", url)


def test_copying_says_what_it_did(url, tmp_path):
    """Days with equal sums, records, and nothing twice when called again; not into itself."""
    other = f"delta:{tmp_path / 'other'}"
    code, told, _ = typed("copy", url, other, "--json")
    assert code == 0 and [day["state"] for day in told[:-1]] == ["copied"] * 4
    assert all(day["source"] == day["target"] for day in told[:-1])
    assert total(other) == 4
    assert [day["state"] for day in typed("copy", url, other, "--json")[1][:-1]] == ["known"] * 4
    with pytest.raises(UsageError, match="same store"):
        typed("copy", url, url)
