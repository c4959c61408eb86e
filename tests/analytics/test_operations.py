"""Operations mean the same for every registry: one script at Distribution and at Harbor gives the same."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from captured_events import captured
from format_samples import SAMPLES

from store.event import Action, Outcome

ROOT = Path(__file__).parents[2]
DISTRIBUTION = ("v2.8.2-json", "v3-json")
HARBOR = "v2.15.2-harbor-log"
SECOND = timedelta(seconds=1)

# What is done → number of the act in Distribution's script, target in Harbor's, operations and outcomes.
SENT = {("layer_check", "failure"), ("layer_upload", "success"), ("push", "success")}
FETCHED = {("pull", "success"), ("layer_download", "success")}
ACTS: dict[str, tuple[int, str, str, set[tuple[str, str]]]] = {
    "push of a new image": (5, "push", "payments/team-a/web-ui:feature_x.1", SENT),
    "push of an index with two platforms": (12, "push", "payments/runtime:2.0", SENT),
    "push of a chart": (43, "push", "payments/charts/api:0.4.2", {("layer_upload", "success"), ("push", "success")}),
    "pull by tag": (48, "pull", "open-tools/kubectl-box:v3", FETCHED),
    "pull of one platform of an index": (13, "pull", "payments/runtime:2.0", FETCHED),
    "tag that is not there": (25, "pull", "payments/api:no-such-tag", {("pull", "failure")}),
    "repository that is not there": (26, "pull", "payments/ghost:latest", {("pull", "failure")}),
}


def operations(events: Any, act: dict[str, Any], repository: str, around: timedelta) -> set[tuple[str, str]]:
    """(action, outcome) of everything that the act's client asked of the repository, the handshake left out."""
    start, end = (datetime.fromisoformat(act[name]) for name in ("start", "end"))
    return {
        (one["action"], one["outcome"])
        for one in events
        if start - around <= one["timestamp"] <= end + around
        and one["client_ip"] == act["src_ip"]
        and one["repository"] == repository
    }


def at_harbor(action: str, target: str) -> tuple[set[tuple[str, str]], dict[str, Any]]:
    truth = json.loads((SAMPLES / "harbor-live" / HARBOR / "truth.json").read_text())
    act = next(one for one in truth["actions"] if (one["action"], one["target"]) == (action, target))
    # The proxy's lines have the time of syslog, in whole seconds.
    act = act | {"start": act["start"][:19] + "+00:00"}
    events = captured(f"harbor-live/{HARBOR}/proxy.log")
    return operations(events, act, target.partition(":")[0], timedelta()), act


@pytest.mark.parametrize("capture", DISTRIBUTION)
@pytest.mark.parametrize("name", ACTS)
def test_the_same_act_gives_the_same_operations(name: str, capture: str) -> None:
    """Registry log of the one, proxy's log of the other."""
    number, action, target, expected = ACTS[name]
    truth = json.loads((SAMPLES / "distribution-live" / capture / "truth.json").read_text())
    act = next(one for one in truth["actions"] if one["n"] == number)
    events = captured(f"distribution-live/{capture}/registry.log")
    distribution = operations(events, act, act["repo"], timedelta(milliseconds=5))
    harbor, _ = at_harbor(action, target)
    assert distribution == expected
    assert harbor == expected


def test_the_audit_log_says_the_same_of_what_succeeded() -> None:
    """What Harbor's proxy shows as pull and push, its audit log tells as pull and push, of the same images."""
    audit = {
        (one["action"], one["repository"], one["reference"])
        for one in captured(f"harbor-live/{HARBOR}/api.auditlog-exts.page1.json")
        if one["action"] in ("pull", "push") and one["outcome"] == "success"
    }
    for action, target in (act[1:3] for act in ACTS.values()):
        repository, _, reference = target.partition(":")
        succeeded = (action, "success") in at_harbor(action, target)[0]
        assert ((action, repository, reference) in audit) is succeeded, target


def test_a_wrong_password_is_a_refusal_at_both() -> None:
    """Harbor gives out a token that is worth nothing and refuses the pull; why and whom, only its core's log says."""
    at_registry = [
        (one["action"], one["outcome"], one["reason"])
        for one in captured("distribution-live/v3-json/registry.log")
        if one["client_ip"] == "127.1.9.9" and one["actor"] == "gitlab-runner" and one["client_class"] == "skopeo"
    ]
    assert set(at_registry) == {("pull", "denied", "bad_credentials")}
    since = datetime(2026, 11, 24, 3, 2, 45, tzinfo=UTC)

    def at_harbor_by(log: str) -> set[tuple[Any, ...]]:
        return {
            (one["action"], one["outcome"], one["reason"], one["actor"])
            for one in captured(f"harbor-live/{HARBOR}/{log}")
            if one["client_ip"] == "127.66.6.6" and since <= one["timestamp"] < since + 8 * SECOND
        }

    proxy = at_harbor_by("proxy.log")
    assert ("pull", "denied", None, None) in proxy and ("token", "success", None, None) in proxy
    assert at_harbor_by("core.log") == {("login", "denied", "bad_credentials", "irina.v")}


def test_the_page_uses_words_that_there_are() -> None:
    """Every action and outcome of the table is one of the closed sets."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.partition("## What the lines show")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert len(rows) >= 18
    for row in rows:
        words = re.findall(r"(?<!\()`(\w+)`", row[-1])
        assert words and set(words) <= set(Action) | set(Outcome), row
