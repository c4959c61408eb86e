"""`regsight gaps` and `regsight verify`, as processes over a real store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINE = '10.0.0.1 - - [24/Nov/2026:10:00:00 +0000] "GET /v2/a/manifests/n{} HTTP/1.1" 200 7 "-" "x/1"\n'


def regsight(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "regsight", *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with one log read twice."""
    log = tmp_path / "access.log"
    log.write_text("".join(LINE.format(number) for number in range(100)) + "no line of a proxy\n")
    for _ in range(2):
        done = regsight("collect", str(log), "--format", "nginx-combined", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    return tmp_path


def test_what_was_read_whole(folder: Path) -> None:
    """Counts of the source, the dead letter, nothing missing; verified to the last byte."""
    report = json.loads(regsight("gaps", "--json", cwd=folder).stdout)
    (source,) = report["sources"]
    assert (source["counts"]["lines"], source["counts"]["events"], source["counts"]["dead_letters"]) == (101, 100, 1)
    assert report["gaps"] == [] and sum(report["dead_letters"].values()) == 1
    assert [stream["whole"] for stream in report["streams"]] == [True]
    done = regsight("verify", "--json", cwd=folder)
    (checked,) = json.loads(done.stdout)
    assert done.returncode == 0 and checked["good"]
    assert checked["bytes_same"] == (folder / "access.log").stat().st_size
    shown = regsight("gaps", cwd=folder)
    assert shown.returncode == 0 and "nothing is known to be missing" in shown.stdout


def test_what_was_changed(folder: Path) -> None:
    """Exit code 3, the place in both reports, and a finding from the next look."""
    log = folder / "access.log"
    log.write_bytes(log.read_bytes().replace(b"n50 ", b"n51 "))
    done = regsight("verify", cwd=folder)
    assert done.returncode == 3 and "regsight gaps" in done.stderr and "Traceback" not in done.stderr
    (gap,) = json.loads(regsight("gaps", "--json", cwd=folder).stdout)["gaps"]
    assert gap["kind"] == "rewritten" and gap["path"] == str(log)
    shown = regsight("gaps", cwd=folder).stdout
    assert gap["id"] in shown and "rewritten" in shown
