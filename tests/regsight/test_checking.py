"""`regsight parse --check`: what share of files is read, why not the rest, which fields are empty or new."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from format_samples import SAMPLES, Sample, formats, samples
from typer.testing import CliRunner

from regsight.checking import Check
from regsight.cli import app
from regsight.parsing import parsed_files

V3 = SAMPLES / "distribution-live" / "v3-json" / "registry.log"
run = CliRunner().invoke


def checked(*paths: Path, format_name: str | None = None) -> Check:
    check = Check()
    for look in parsed_files([str(path) for path in paths], format_name, None, unknown_allowed=True):
        check.add(look)
    return check


@pytest.mark.parametrize("name", sorted(formats()))
def test_every_sample_is_read_to_the_last_line(name: str) -> None:
    """Each is recognised as what it is, and wholly read."""
    own: list[Sample] = [sample for sample in samples() if sample.format_name == name]
    for sample in own:
        check = checked(sample.path)
        assert list(check.formats) == [name], sample.id
        found = check.formats[name]
        assert (found.counts.rejects, found.counts.read_ratio) == (0, 1.0), sample.id
        assert check.below(0.99) == []


def test_all_samples_in_one_call() -> None:
    """As an operator would: all files at once, exit code 0, one row a format."""
    done = run(app, ["parse", "--check", "--json", *(str(sample.path) for sample in samples())])
    assert done.exit_code == 0, done.stderr
    data = json.loads(done.stdout)
    assert {row["format"] for row in data["formats"]} == {sample.format_name for sample in samples()}
    # A copy of a file that was read just before is the same lines once more: it is not read again.
    assert len(data["files"]) >= len({sample.data for sample in samples()})


def test_says_why_for_the_rest(tmp_path: Path) -> None:
    """Reasons are grouped, each with its first line, escaped and without its secrets."""
    log = tmp_path / "registry.log"
    torn = b'{"level":"info","Authorization":"Bearer abcdef123456","msg":"\x1b[2J'
    log.write_bytes(V3.read_bytes() + (torn + b"\n") * 20 + b"what is this?\n")
    done = run(app, ["parse", "--check", "--json", str(log)])
    assert done.exit_code == 3
    (found,) = json.loads(done.stdout)["formats"]
    assert (found["rejects"], found["lines"]) == (21, 770 + 21)
    reasons = {each["reason"]: each for each in found["reasons"]}
    assert [each["count"] for each in reasons.values()] == [20, 1]
    first = reasons["torn or mutated JSON"]["first"]
    assert first["offset"] == V3.stat().st_size and first["path"] == str(log)
    assert "abcdef123456" not in done.output and "\x1b" not in done.output
    assert "\\x1b[2J" in first["line"]

    shown = run(app, ["parse", "--check", "--at-least", "0.99", str(log)])
    assert shown.exit_code == 3
    assert "20×, first in" in shown.stderr and "abcdef123456" not in shown.output
    assert "less than 99.0% is read of: distribution-json" in shown.stderr
    assert run(app, ["parse", "--check", "--at-least", "0.9", str(log)]).exit_code == 0


def test_a_file_that_nobody_knows(tmp_path: Path) -> None:
    """It is 0 % read, under the name `unknown`, beside a file that is read."""
    odd = tmp_path / "odd.log"
    odd.write_text("neither this\nnor that\n")
    done = run(app, ["parse", "--check", "--json", str(odd), str(V3)])
    assert done.exit_code == 3
    shares = {row["format"]: row["read_ratio"] for row in json.loads(done.stdout)["formats"]}
    assert shares == {"unknown": 0.0, "distribution-json": 1.0}


def test_unknown_and_empty_fields(tmp_path: Path) -> None:
    """A renamed key is unknown under its new name, and the field that it filled is empty."""
    log = tmp_path / "registry.log"
    log.write_bytes(V3.read_bytes().replace(b'"http.request.remoteaddr"', b'"client.addr"'))
    found = checked(log).formats["distribution-json"]
    assert set(found.unknown) == {"client.addr"}
    nulls, before = found.nulls(), checked(V3).formats["distribution-json"].nulls()
    assert before["client_ip"] == 0 and nulls["client_ip"] > 0.9
    assert {name for name in nulls if nulls[name] > before[name]} == {"client_ip", "client_port", "client_via"}
