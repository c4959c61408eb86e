"""The captures against what was really done: `truth.json` was written by the script that drove the clients.

For each capture the registry's log and its notifications are read and merged by event id, as a store does. Every push, pull,
delete, denied request and failed login of the script must be there exactly once, as the script says, and no other may be.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from distribution_script import LACKS, TOLD, Expected, expected_of, matches
from format_samples import SAMPLES, block, formats, rows

from collector.recognise import recognise
from store.merge import merge

LIVE = SAMPLES / "distribution-live"
CAPTURES = ("v2.8.2-json", "v2.8.2-text", "v3-json", "v3-text")


def events_of(capture: str) -> list[dict[str, Any]]:
    """What a store would hold after reading the capture: the application's voice, the notifications, and the rest."""
    by_id: dict[str, list[dict[str, Any]]] = defaultdict(list)
    names = ["registry.log"] if (LIVE / capture / "registry.log").exists() else ["registry.stderr.log"]
    for name in [*names, "notifications.jsonl"]:
        data = (LIVE / capture / name).read_bytes()
        parsed = recognise(data[:65_536], list(formats().values())).parse(block(data))
        assert parsed.rejects == []
        for row in rows(parsed):
            by_id[row["event_id"]].append(row | {"stream": name})
    events = [merge(parts) for parts in by_id.values()]
    if names == ["registry.stderr.log"]:
        events += told_by_standard_output_only(capture, {event["uri"] for event in events})
    return events


def told_by_standard_output_only(capture: str, known: set[Any]) -> list[dict[str, Any]]:
    """Where the two outputs were kept apart, access lines are a stream of their own: those of which nothing else tells."""
    data = (LIVE / capture / "registry.stdout.log").read_bytes()
    parsed = formats()["distribution-access"].parse(block(data))
    assert parsed.rejects == []
    return [row for row in rows(parsed) if row["uri"] not in known]


def address_of(act: dict[str, Any], event: dict[str, Any]) -> str:
    if act["action"] == "pull-xff":
        return "198.51.100.23"  # what the client itself said in X-Forwarded-For
    if event["channel"] == "access" and act["path"] == "nginx":
        return "127.0.0.1"  # the proxy: access lines name the TCP peer
    return str(act["src_ip"])


def actor_of(act: dict[str, Any], event: dict[str, Any]) -> Any:
    return None if event["channel"] == "access" else act["user"]  # Distribution's access lines never name a user


@pytest.mark.parametrize("capture", CAPTURES)
def test_every_action_is_found_once_and_nothing_else(capture: str) -> None:
    """Pushes, pulls, deletes, refusals and failed logins are exactly those of the script, field by field."""
    truth = json.loads((LIVE / capture / "truth.json").read_text())
    left, major = events_of(capture), capture[1]
    checked = 0
    for act in truth["actions"]:
        lacks = LACKS.get((major, act["n"]), {})
        for wanted in expected_of(act, major):
            if "action" in lacks:
                wanted = Expected(action=lacks["action"][1], outcome=wanted.outcome)
            # The script ran on a machine with one clock and one action at a time: the span of time tells them apart.
            found = [
                event for event in left if matches(event, act, wanted) and event["client_ip"] == address_of(act, event)
            ]
            if act["action"] in ("ping", "login"):  # curl said /v2/ once; skopeo's own challenges lie in other spans
                found = [event for event in found if event["uri"] == "/v2/"]
            assert len(found) == wanted.count, (act, wanted, found)
            for event in found:
                actor = lacks["actor"][1] if "actor" in lacks else actor_of(act, event)
                assert event["actor"] == actor, (act, event)
                assert event["client_via"] == ("forwarded" if forwarded(act, event) else "peer")
                left.remove(event)
                checked += 1
    rest = [event for event in left if event["action"] in TOLD or event["outcome"] == "denied"]
    assert rest == []
    assert checked == 62  # an act that is looked for in no request would lower this


def forwarded(act: dict[str, Any], event: dict[str, Any]) -> bool:
    return event["channel"] != "access" and (act["path"] == "nginx" or act["action"] == "pull-xff")
