"""The command line as scripts use it: names, JSON fields and exit codes are a contract."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CAPTURE = ROOT / "tests" / "samples" / "distribution-live" / "v2.8.2-json"


def regsight(*words: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the real program in a folder of its own."""
    return subprocess.run(
        [sys.executable, "-m", "regsight", *words], cwd=cwd, input=stdin, capture_output=True, text=True, timeout=120
    )


def json_lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which one real capture was collected into the default store and judged."""
    folder = tmp_path_factory.mktemp("collected")
    files = (str(CAPTURE / "registry.log"), str(CAPTURE / "notifications.jsonl"))
    assert regsight("collect", *files, "--registry", "staging", cwd=folder).returncode == 0
    assert regsight("detect", cwd=folder).returncode == 3
    return folder


def test_collect_accounts_for_every_line(tmp_path: Path) -> None:
    """`--json` gives lines = events + dead_letters + ignored, and events by action."""
    done = regsight("collect", str(CAPTURE / "registry.log"), "--json", cwd=tmp_path)
    summary = json.loads(done.stdout)
    assert done.returncode == 0
    assert summary["lines"] == len((CAPTURE / "registry.log").read_bytes().splitlines())
    assert summary["lines"] == summary["events"] + summary["dead_letters"] + summary["ignored"]
    assert summary["dead_letters"] == 0
    assert sum(summary["by_action"].values()) == summary["events"]
    assert (tmp_path / "regsight-data").is_dir()


def test_collecting_again_adds_nothing(collected: Path) -> None:
    """The same files once more are read to the end already: no event is counted twice."""
    before = json.loads(regsight("status", "--json", cwd=collected).stdout)["events"]
    assert regsight("collect", str(CAPTURE / "registry.log"), cwd=collected).returncode == 0
    assert json.loads(regsight("status", "--json", cwd=collected).stdout)["events"] == before


def test_events_have_flat_ecs_names(collected: Path) -> None:
    """Log and notification together say who, what, from where, with which digest and outcome."""
    done = regsight("events", "--action", "push", "--reference", "1.0.0", "--json", cwd=collected)
    (push,) = json_lines(done.stdout)
    expected = {
        "event.action": "push",
        "event.outcome": "success",
        "user.name": "gitlab-runner",
        "source.ip": "127.1.0.10",
        "oci.repository": "webshop/frontend",
        "oci.reference": "1.0.0",
        "oci.digest": "sha256:7c6fceac1322ad402fbcfabf734d3ac29cb5f09e0b6fad126978ccab7bcf7543",
        "http.response.status_code": 201,
        "user_agent.original": "skopeo/1.9.3",
        "service.name": "staging",
        "oci.join.confidence": "certain",
    }
    assert {name: push[name] for name in expected} == expected
    assert str(push["@timestamp"]).endswith("Z")


def test_events_filters_narrow(collected: Path) -> None:
    """Each filter leaves what it names and nothing else; --limit gives the newest, oldest first."""
    denied = json_lines(
        regsight("events", "--outcome", "denied", "--client", "127.1.9.*", "--json", cwd=collected).stdout
    )
    assert denied
    assert {event["source.ip"] for event in denied} == {"127.1.9.9"}
    late = json_lines(regsight("events", "--since", "2026-11-24T02:17:30Z", "--json", cwd=collected).stdout)
    assert late
    assert all(str(event["@timestamp"]) >= "2026-11-24T02:17:30" for event in late)
    last = json_lines(regsight("events", "--limit", "3", "--json", cwd=collected).stdout)
    assert [event["@timestamp"] for event in last] == sorted(str(event["@timestamp"]) for event in last)
    assert last[-1]["@timestamp"] == json.loads(regsight("status", "--json", cwd=collected).stdout)["last_event"]


def test_finding_is_explained(collected: Path) -> None:
    """The brute force of the capture is a finding with every agreed field, and its evidence events are shown."""
    found = json_lines(regsight("findings", "list", "--severity", "medium", "--json", cwd=collected).stdout)
    assert len(found) == 1
    names = (
        "id detector kind severity title detected_at start end subjects score expected observed evidence explanation"
    )
    assert set(names.split()) | {"next_step"} <= set(found[0])
    shown = regsight("findings", "show", str(found[0]["id"]), "--json", cwd=collected)
    data = json.loads(shown.stdout)
    assert data["subjects"]["client"] == ["127.1.9.9"]
    assert "gitlab-runner" in data["subjects"]["actor"]
    assert {event["event.id"] for event in data["evidence_events"]} == set(data["evidence"])
    people = regsight("findings", "show", str(found[0]["id"]), cwd=collected)
    assert "check first" in people.stdout


def test_report_is_written(collected: Path) -> None:
    """One HTML file and the same figures as JSON beside it."""
    assert regsight("report", "--out", "out.html", cwd=collected).returncode == 0
    assert (collected / "out.html").read_text().startswith("<!doctype html>")
    assert json.loads((collected / "out.json").read_text())


def test_parse_stores_nothing_and_check_counts(tmp_path: Path) -> None:
    """`parse` writes events to stdout; `--check` gives the share read and ends with 3 when something was not."""
    lines = (CAPTURE / "registry.log").read_text().splitlines(keepends=True)[:40]
    good = regsight("parse", "-", cwd=tmp_path, stdin="".join(lines))
    assert good.returncode == 0
    assert all("event.action" in event for event in json_lines(good.stdout))
    torn = regsight("parse", "-", "--check", "--json", cwd=tmp_path, stdin="".join([*lines, '{"level":"in\n', *lines]))
    assert torn.returncode == 3
    (file,) = json.loads(torn.stdout)["files"]
    assert file["rejects"] == 1
    assert file["lines"] == 81
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (("collect", "absent.log"), "", "no such file: absent.log"),
        (("collect", "logs"), "", "logs is a folder: name the files in it, such as 'logs/**/*.json.gz'"),
        (("collect", "logs/2026"), "", "logs/2026 is a folder: name the files in it, such as 'logs/2026/*.json.gz'"),
        (("collect", "-"), "what is this?\n", 'the first line is "what is this?"'),
        (("collect", "-", "--format", "no-such"), "", "unknown format 'no-such'; known: "),
        (("events", "--since", "soon"), "", "--since: 'soon' is no moment"),
        (("config", "check", "-c", "absent.toml"), "", "cannot read the settings file absent.toml"),
        (("findings", "show", "f-0"), "", "no finding 'f-0'"),
        (("detect",), "", "the store holds no event yet"),
        (("events", "--no-such-option"), "", "No such option"),
    ],
)
def test_what_cannot_be_done_says_why(words: tuple[str, ...], stdin: str, message: str, tmp_path: Path) -> None:
    """A call that cannot be carried out is exit code 2 and one message with the way out, never a traceback."""
    (tmp_path / "logs/2026").mkdir(parents=True)
    (tmp_path / "logs/2026/0123_CloudTrail_eu.v1_20260901T0005Z.json.gz").touch()
    done = regsight(*words, cwd=tmp_path, stdin=stdin)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


SECRET_GONE = """
[collector.receiver]
listen = "127.0.0.1:0"
endpoints = [{ path = "/n", format = "distribution-notifications", registry = "r", token_file = "gone.token" }]
"""
ALERTS_GONE = """
[[alerts.channels]]
name = "ops"
apprise_env = "REGSIGHT_TEST_NOT_SET"
"""


@pytest.mark.parametrize(
    ("words", "settings", "message"),
    [
        (
            ("config", "check"),
            SECRET_GONE,
            "collector.receiver.endpoints.0.token_file: {folder}/gone.token cannot be read",
        ),
        (
            ("config", "check"),
            ALERTS_GONE,
            "alerts.channels.0.apprise_env: the environment variable REGSIGHT_TEST_NOT_SET",
        ),
        (("run",), SECRET_GONE, "token of endpoint /n: {folder}/gone.token cannot be read"),
    ],
)
def test_a_secret_that_is_not_there_is_told_before_it_is_wanted(
    words: tuple[str, ...], settings: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "regsight.toml").write_text(settings)
    done = regsight(*words, cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert message.format(folder=tmp_path.resolve()) in done.stderr


def test_the_settings_of_a_registry_are_good(tmp_path: Path) -> None:
    (tmp_path / "regsight.toml").write_text(SECRET_GONE)
    (tmp_path / "gone.token").write_text("a token")
    assert regsight("config", "check", cwd=tmp_path).returncode == 0


def test_store_that_does_not_answer(tmp_path: Path) -> None:
    """A store that cannot be reached is exit code 1 and a message that names it."""
    done = regsight("status", "--store", "http://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
