"""Marks at the command line: said, shown with their effect, listed, taken back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from regsight.cli import app
from regsight.commands.options import UsageError
from store.finding import Finding, Severity
from store.locate import open_store

NOW = datetime.now(UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"delta:{tmp_path}"
    store = open_store(url)
    for number, actor in enumerate(("ann", "ann", "bob")):
        at = NOW - timedelta(days=number + 1)
        store.put_finding(
            Finding(
                id=f"f-{number}",
                detector="rules",
                kind="mass_delete",
                severity=Severity.HIGH,
                title=f"{actor} deleted 40 images",
                detected_at=at,
                start=at,
                end=at,
                subjects={"actor": [actor], "client": [], "repository": []},
                score=1.0,
                expected="fewer",
                observed="40",
            )
        )
    store.close()
    return url


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_said_shown_listed_and_taken_back(url: str) -> None:
    said = json.loads(
        run("findings", "ack", "f-0", "--expected", "--for", "7d", "--by", "irina", "--json", "--store", url)
    )
    assert (said["verdict"], said["subject"], said["names"]) == ("expected", "actor", ["ann"])
    assert (sorted(said["would_have_silenced"]), said["of"]) == (["f-0", "f-1"], 3)
    assert datetime.fromisoformat(said["until"]) - datetime.fromisoformat(said["at"]) == timedelta(days=7)
    (listed,) = map(json.loads, run("findings", "marks", "list", "--json", "--store", url).splitlines())
    assert (listed["id"], listed["holds"], listed["by"]) == (said["id"], True, "irina")
    run("findings", "marks", "remove", said["id"], "--store", url)
    assert run("findings", "marks", "list", "--json", "--store", url) == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("f-0",), "one of --expected"),
        (("f-0", "--expected", "--attack"), "one of --expected"),
        (("f-9", "--expected"), "no finding 'f-9'"),
        (("f-0", "--expected", "--subject", "client"), "names 0 of that sort"),
        (("f-0", "--expected", "--for", "soon"), "--for"),
    ],
)
def test_what_cannot_be_said_is_refused(words: tuple[str, ...], says: str, url: str) -> None:
    with pytest.raises(UsageError, match=says):
        run("findings", "ack", *words, "--store", url)
