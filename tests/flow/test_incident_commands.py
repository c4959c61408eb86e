"""From a registry's own log to an incident that somebody looks after and closes, on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CAPTURE = Path(__file__).parents[1] / "samples" / "distribution-live" / "v3-json" / "registry.log"


def test_the_life_of_an_incident(tmp_path: Path) -> None:
    def regsight(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "regsight", *arguments, "--store", f"delta:{tmp_path / 'store'}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert regsight("collect", str(CAPTURE)).returncode == 0
    assert regsight("detect").returncode == 3  # found something
    (incident,) = map(json.loads, regsight("incidents", "list", "--json").stdout.splitlines())
    assert incident["subjects"]["client"] == ["127.1.9.9"] and incident["state"] == "open"
    assert incident["times"]["detect_seconds"] >= 0 and incident["times"]["acknowledge_seconds"] is None

    id = incident["id"]
    assert regsight("incidents", "ack", id, "--by", "ann", "--note", "looking").returncode == 0
    assert regsight("incidents", "assign", id, "bob", "--by", "ann").returncode == 0
    assert regsight("incidents", "note", id, "a forgotten script", "--by", "bob").returncode == 0
    assert regsight("incidents", "close", id, "--expected", "--by", "bob").returncode == 0
    shown = json.loads(regsight("incidents", "show", id, "--json").stdout)
    assert (shown["state"], shown["owner"]) == ("expected", "bob")
    assert [act["did"] for act in shown["history"] if act["by"] != "regsight"] == [
        "acknowledged",
        "assigned",
        "noted",
        "expected",
    ]
    assert [chapter["what"] for chapter in shown["story"]][-1] == "expected by bob"
    assert "127.1.9.9" in regsight("incidents", "show", id).stdout

    unknown = regsight("incidents", "ack", "inc-nothing")
    assert unknown.returncode == 2 and "incidents list" in unknown.stderr
    assert regsight("incidents", "list", "--state", "shut").returncode == 2
    assert regsight("incidents", "list", "--state", "open").stdout.startswith("no incident")
