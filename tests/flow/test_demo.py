"""The demo is the first thing that anybody tries, so it is run whole."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from servers.presence import missing

ROOT = Path(__file__).parents[2]


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "regsight", *words], cwd=cwd, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
def test_demo_finds_what_was_planted(tmp_path: Path) -> None:
    """The planted credential attack and the one in the real capture are found, stored, sent and in the report."""
    done = run("demo", "--no-serve", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0 dead letters" in done.stderr
    truth = json.loads((tmp_path / "demo" / "logs" / "truth.json").read_text())
    (attack,) = [scenario for scenario in truth["scenarios"] if scenario["kind"] == "A01"]
    store = ("--store", f"delta:{tmp_path}/demo/store")
    listed = run("findings", "list", "--severity", "medium", "--json", *store, cwd=tmp_path).stdout
    found = [json.loads(line) for line in listed.splitlines()]
    ours = [f for f in found if set(f["subjects"]["actor"]) & set(attack["actors"])]
    captured = [f for f in found if f["subjects"]["client"] == ["127.1.9.9"]]
    assert ours
    assert captured
    for finding in (ours[0], captured[0]):
        shown = json.loads(run("findings", "show", finding["id"], "--json", *store, cwd=tmp_path).stdout)
        assert shown["explanation"]
        assert shown["next_step"]
    for findings in (ours, captured):  # one of an incident's findings brings the message
        ids = [finding["id"] for finding in findings]
        shown = [json.loads(run("findings", "show", one, "--json", *store, cwd=tmp_path).stdout) for one in ids]
        told = [one for one in shown if one["deliveries"]]
        assert told and {each["state"] for one in told for each in one["deliveries"]} == {"sent"}
        assert any(one["title"] in done.stderr + done.stdout for one in told)
    report = (tmp_path / "demo" / "report.html").read_text()
    assert attack["actors"][0] in report
    assert "127.1.9.9" in report


@pytest.mark.external_service
def test_live_demo_shows_real_operations(tmp_path: Path) -> None:
    """Real pushes and pulls against a real docker-registry are in the store, each once, with user and digest."""
    for program, package in (("docker-registry",) * 2, ("skopeo",) * 2, ("htpasswd", "apache2-utils")):
        if shutil.which(program) is None:
            missing(program, f"apt-get install {package}")
    done = run("demo", "--live", "--no-serve", "--days", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    words = ("--repository", "demo/app", "--json", "--store", f"delta:{tmp_path}/demo/store")
    lines = run("events", "--action", "push", "--action", "pull", *words, cwd=tmp_path).stdout.splitlines()
    events = [json.loads(line) for line in lines]
    told = Counter((e["event.action"], e["event.outcome"], e.get("oci.tag"), e.get("user.name")) for e in events)
    builder = "ci-builder"
    assert told == {
        ("push", "success", "1.0", builder): 1,
        ("push", "success", "1.1", builder): 1,
        ("push", "success", "latest", builder): 2,
        ("pull", "success", "1.0", builder): 3,
        ("pull", "success", "1.1", builder): 1,
        ("pull", "success", "latest", builder): 6,
        ("pull", "failure", "no-such-tag", builder): 1,
        ("pull", "denied", "1.0", builder): 5,
    }
    pushed = [e["oci.digest"] for e in events if e["event.action"] == "push"]  # 1.0, latest, 1.1, latest again
    assert pushed[0] == pushed[1] and len(set(pushed)) == 3


def test_demo_never_empties_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    """A folder with other files in it is refused and left as it was."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("keep")
    done = run("demo", "--no-serve", cwd=tmp_path)
    assert done.returncode == 2
    assert "name another folder with --out" in done.stderr
    assert (tmp_path / "demo" / "mine.txt").read_text() == "keep"
