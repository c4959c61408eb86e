"""`regsight sessions` and `regsight traffic` on a captured log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from format_samples import SAMPLES
from typer.testing import CliRunner

from regsight.cli import app

LOG = SAMPLES / "distribution-live" / "v3-json" / "registry.log"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"delta:{tmp_path_factory.mktemp('store')}"
    done = CliRunner().invoke(app, ["collect", str(LOG), "--store", url, "--registry", "staging"])
    assert done.exit_code == 0, done.output
    return url


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.stdout


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_sessions_as_json(store: str) -> None:
    """One JSON object a session, by start; only pulls and pushes unless asked otherwise."""
    found = lines(run("sessions", "--store", store, "--json"))
    assert {one["kind"] for one in found} == {"pull", "push"}
    assert [one["start"] for one in found] == sorted(str(one["start"]) for one in found)
    first = found[0]
    assert (first["kind"], first["repository"], first["tag"], first["actor"], first["registry"]) == (
        "push",
        "webshop/frontend",
        "1.0.0",
        "gitlab-runner",
        "staging",
    )
    assert (first["layers_uploaded"], first["state"], first["traffic_class"]) == (4, "complete", "ci")
    assert 0 < float(str(first["duration_seconds"])) < 1


def test_sessions_are_chosen(store: str) -> None:
    assert {one["kind"] for one in lines(run("sessions", "--store", store, "--json", "--kind", "check"))} == {"check"}
    mine = lines(run("sessions", "--store", store, "--json", "--actor", "jon*", "--repository", "jonas/*"))
    assert mine and {(one["actor"], one["repository"]) for one in mine} == {("jonas", "jonas/playground")}
    assert len(lines(run("sessions", "--store", store, "--json", "--limit", "3"))) == 3
    assert lines(run("sessions", "--store", store, "--json", "--since", "2027-01-01")) == []


def test_sessions_as_a_table(store: str) -> None:
    """What is said of layers and of how it ended; a signature is called one."""
    table = run("sessions", "--store", store)
    assert "4 sent" in table and "4 fetched" in table
    assert "push (signature)" in table and "push (chart)" in table
    assert "failed: bad_credentials" in table and "abandoned: aborted" in table


def test_traffic_needs_days_and_says_so(store: str) -> None:
    """Seconds of traffic show who got nothing, and nothing else; everybody is listed on demand."""
    assert {one["traffic"] for one in lines(run("traffic", "--store", store, "--json"))} <= {"noise"}
    everybody = lines(run("traffic", "--store", store, "--json", "--undecided"))
    assert {one["actor"] for one in everybody} >= {"gitlab-runner", "jonas", "k8s-pull", None}
    assert all(one["why"] for one in everybody)


def test_traffic_obeys_the_settings(store: str, tmp_path: Path) -> None:
    settings = tmp_path / "regsight.toml"
    settings.write_text('[traffic]\n"127.1.0.30" = "cluster"\n"gitlab-*" = "ci"\n')
    found = lines(run("traffic", "--store", store, "--json", "-c", str(settings)))
    set_ones = {(one["actor"], one["client_ip"], one["traffic"]) for one in found if one["origin"] == "set"}
    assert set_ones == {
        ("gitlab-runner", "127.1.0.10", "ci"),
        ("gitlab-runner", "127.1.9.9", "ci"),
        ("k8s-pull", "127.1.0.30", "cluster"),
    }
    table = run("traffic", "--store", store, "-c", str(settings))
    assert '[traffic] "127.1.0.30/32" in the settings' in table


def test_wrong_words_are_usage_errors(store: str, tmp_path: Path) -> None:
    """Exit code 2 with the words that there are."""
    result = CliRunner().invoke(app, ["sessions", "--store", store, "--kind", "pul"])
    assert "pul is none of pull, push" in str(result.exception)
    result = CliRunner().invoke(app, ["sessions", "--store", f"delta:{tmp_path}"])
    assert "holds no event yet" in str(result.exception)


def test_the_collector_obeys_the_settings(tmp_path: Path) -> None:
    """Kinds, runners, trusted proxies and traffic of the settings are in the stored events."""
    settings = tmp_path / "regsight.toml"
    settings.write_text(
        """
[collector]
trusted_proxies = ["127.0.0.1"]
[collector.identity.kinds]
"k8s-*" = "node"
[collector.identity.runners]
jenkins = ["127.1.0.20/32", "127.1.0.30/32"]
[traffic]
jonas = "mirror"
"""
    )
    url = f"delta:{tmp_path / 'store'}"
    run("collect", str(LOG), "--store", url, "-c", str(settings))
    events = lines(run("events", "--store", url, "--json"))
    assert {one["oci.actor.kind"] for one in events if one.get("user.name") == "k8s-pull"} == {"node"}
    assert {one["oci.traffic.class"] for one in events if one.get("user.name") == "jonas"} == {"mirror"}
    # A peer's address is a runner's; the address that a header names is not taken for one.
    systems = {
        (one["source.ip"], one["oci.client.via"], one.get("oci.ci.system")) for one in events if "source.ip" in one
    }
    assert ("127.1.0.30", "peer", "jenkins") in systems and ("127.1.0.20", "forwarded", None) in systems
    assert {via for address, via, _ in systems if address == "127.0.0.1"} == {"proxy"}
