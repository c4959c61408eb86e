"""The captures against what was really done: `truth.json` was written by the script that drove the clients.

For each capture the registry's log and its notifications are read and merged by event id, as a store does. Every push, pull,
delete, denied request and failed login of the script must be there exactly once, as the script says, and no other may be.

Where one act of a client is several requests, `expected_of` says which, and why. `LACKS` lists what a capture cannot say.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from format_samples import SAMPLES, block, formats, rows

from collector.recognise import recognise
from store.merge import merge

LIVE = SAMPLES / "distribution-live"
CAPTURES = ("v2.8.2-json", "v2.8.2-text", "v3-json", "v3-text")
SLACK = timedelta(milliseconds=5)  # the script and the registry read one clock at different moments
ABORTED_SLACK = timedelta(milliseconds=50)  # the registry notices later that its client has left
ACCESS_SLACK = timedelta(seconds=1)  # access lines have whole seconds
TOLD = ("push", "pull", "delete", "untag")

NAMELESS_IN_V3 = "3.x names the refused user only where the user exists and the password was wrong"
# (major version, number of the action) → field that the capture lacks, why, and what stands there instead.
LACKS: dict[tuple[str, int], dict[str, tuple[str, Any]]] = {
    ("2", 2): {
        "action": ("2.8 does not name the user of a request that succeeded, so a login looks like a ping", "ping"),
        "actor": ("the same; and there are no notifications of /v2/", None),
    },
    ("2", 33): {
        "actor": ("2.8 does not name the user of a request that succeeded; no notification of the catalog", None)
    },
    ("2", 34): {
        "actor": ("2.8 does not name the user of a request that succeeded; no notification of tag lists", None)
    },
    ("3", 22): {"actor": (NAMELESS_IN_V3, None)},
    ("3", 23): {"actor": (NAMELESS_IN_V3, None)},
}


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One request of an action. `...` in a field means: not looked at."""

    action: str
    outcome: str = "success"
    reason: Any = None
    reference: Any = ...
    digest: Any = ...
    channel: str = "application"
    count: int = 1


def expected_of(act: dict[str, Any], major: str) -> list[Expected]:
    """The requests in which an action of the script shows."""
    name, number, reference, digest = act["action"], act["n"], act.get("reference"), act.get("digest")
    failed = act.get("rc") or act.get("http_status", "200")[:1] in "45"
    found = Expected(action="pull", reference=reference, digest=digest)
    match name:
        case "ping":
            return [Expected(action="ping", outcome="unknown", reason="challenge")]
        case "login" if not failed:
            return [Expected(action="login")]
        case "login":
            return [Expected(action="login", outcome="denied", reason="bad_credentials")]
        case "push" if number == 24:
            # skopeo asks for the first blob before it sends anything, and gives up at the 401.
            return [Expected(action="layer_check", outcome="denied", reason="bad_credentials")]
        case "push" | "push-chart" | "push-signature":
            pushed = Expected(action="push", reference=reference, digest=digest)
            # An index is pushed behind the manifests of its platforms, which are pushed by digest.
            children = [Expected(action="push", reference=IS_DIGEST, count=2)] if "index" in act["note"] else []
            return [pushed, *children]
        case "pull" | "pull-xff" if not failed:
            # skopeo gets an index by tag and then manifests by digest: of one platform, or with --all of both.
            children = {"one platform": 1, "--all": 2}.get(act["note"], 0)
            return [found] + [Expected(action="pull", reference=IS_DIGEST, count=children)] * bool(children)
        case "pull-burst":
            return [Expected(action="pull", reference=reference, digest=digest, count=act["count"])]
        case "pull" | "injection-ua" if "401" in act["expected"]:
            # skopeo presents an empty name and password where it has none: refused like any other.
            return [Expected(action="pull", outcome="denied", reason="bad_credentials", reference=reference)]
        case "pull":
            return [Expected(action="pull", outcome="failure", reason="not_found", reference=reference)]
        case "manifest-put-invalid" | "manifest-put-missing-blob":
            return [Expected(action="push", outcome="failure", reason="invalid", reference=reference)]
        case "delete-by-tag":
            if major == "2":
                return [Expected(action="untag", outcome="failure", reason=..., reference=reference, digest=None)]
            return [Expected(action="untag", reference=reference, digest=None)]
        case "delete" if not failed:
            return [
                Expected(action="delete", reference=digest, digest=digest),
                # skopeo resolves the tag first, by getting the manifest.
                Expected(action="pull", reference=reference, digest=digest),
                # The tag goes with the digest: a notification of its own, and no line of the log.
                Expected(action="untag", reference=reference, channel="notification"),
            ]
        case "delete":
            return [Expected(action="delete", outcome="failure", reason="not_found", digest=digest)]
        case "delete-blob":
            return [Expected(action="delete", reference=digest, digest=digest)]
        case "bad-name" | "utf8-path":
            # Outside the router's grammar: the application never hears of them, only the access line tells.
            return [Expected(action="pull", outcome="failure", reason="not_found", channel="access")]
        case "scan-probe":
            return [Expected(action="other", channel="access")]
        case "head":
            status = {"outcome": "failure", "reason": "not_found"} if failed else {}
            return [Expected(action="check", reference=reference, **status)]
        case "catalog":
            return [Expected(action="catalog")]
        case "tags":
            return [Expected(action="list_tags")]
        case "blob-get":
            return [Expected(action="layer_download", outcome="failure", reason="not_found", digest=digest)]
        case "blob-get-storage-lost":
            # The script asked for the manifest by digest after it had moved the blob store away.
            return [Expected(action="pull", outcome="failure", reason="not_found", reference=digest, digest=digest)]
        case "upload-aborted":
            return [Expected(action="layer_upload", outcome="failure", reason="aborted")]
    return []


class _IsDigest:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.startswith("sha256:")

    def __hash__(self) -> int:
        return 0


IS_DIGEST = _IsDigest()


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


def matches(event: dict[str, Any], act: dict[str, Any], wanted: Expected) -> bool:
    slack = ACCESS_SLACK if event["channel"] == "access" else ABORTED_SLACK if wanted.reason == "aborted" else SLACK
    start, end = (datetime.fromisoformat(act[name]) for name in ("start", "end"))
    return (
        start - slack <= event["timestamp"] <= end + slack
        and event["channel"] == wanted.channel
        and (event["action"], event["outcome"]) == (wanted.action, wanted.outcome)
        and all(
            value is ... or value == event[name]
            for name, value in (
                ("reason", wanted.reason),
                ("reference", wanted.reference),
                ("digest", wanted.digest),
                ("repository", act.get("repo") or ...),
            )
        )
    )


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
