"""What the script of the Distribution captures did (`truth.json`), as the requests in which each action shows.

Where one act of a client is several requests, `expected_of` says which, and why. `LACKS` lists what a capture cannot say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SLACK = timedelta(milliseconds=5)  # the script and the registry read one clock at different moments
ABORTED_SLACK = timedelta(milliseconds=50)  # the registry notices later that its client has left
ACCESS_SLACK = timedelta(seconds=1)  # access lines have whole seconds
TOLD = ("push", "sign", "pull", "delete", "untag", "other")

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
        case "push-signature":
            return [Expected(action="sign", reference=reference, digest=digest)]
        case "push" | "push-chart":
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
            # The router answers for itself; in 2.8 the application tells of that redirection too.
            return [Expected(action="other", channel="application" if major == "2" else "access")]
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
