"""Whether two rows of different logs can tell of one request, and how well that is known.

Two rows contradict each other (then they are two requests), have nothing in common by which to tell, or are alike. HTTP lines
are alike by method, URI, status, user agent, bytes and time; an audit row or a notification and a line by action,
repository, tag or digest, and time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import parse_qs, urlsplit

from collector.joins.part import SECOND, Part, uploading_uri
from store.event import Action, Channel, Outcome

CLIENT_LEFT = 499  # nginx' own status where the client closed first; the registry logs another
# How Harbor's core names itself when it asks the registry on its own behalf: nobody's pull or push.
SERVICE_AGENTS = ("harbor-registry-client", "harbor-registryctl-client")
_MANIFESTS = frozenset(
    (Action.PULL, Action.CHECK, Action.PUSH, Action.DELETE, Action.UNTAG, Action.TAG, Action.SIGN, Action.REFERRERS)
)


class No(Enum):
    """Why two rows are not alike."""

    CONTRADICTION = "they differ in something that one request has once"
    UNRELATED = "nothing in both to compare"


@dataclass(frozen=True, slots=True)
class Alike:
    """`penalty` counts what differs though it need not mean anything; `weak`: no tag, digest or URI is common; `elsewhere`:
    one names the proxy as the peer, and the other the client behind it."""

    penalty: int = 0
    weak: bool = False
    elsewhere: bool = False


def alike(one: Part, other: Part) -> Alike | No:
    """Looks at everything but the time, which the caller compares (`gap`); the two are no rivals."""
    a, b = one.row, other.row
    if _differ(a, b, "user_agent") or _differ(a, b, "method"):
        return No.CONTRADICTION
    if one.actor is not None and other.actor is not None and one.actor != other.actor:
        return No.CONTRADICTION
    strangeness = _addresses(one, other)
    if strangeness is None:
        return No.CONTRADICTION
    if a["uri"] is not None and b["uri"] is not None:
        found = _same_http(a, b)
    elif Action.LOGIN in (a["action"], b["action"]):
        found = _same_login(one, other)
    else:
        found = _same_operation(one, other)
    if isinstance(found, No):
        return found
    elsewhere = None not in (one.address, other.address) and one.address != other.address
    return Alike(found.penalty + strangeness, found.weak, elsewhere)


def rivals(one: Part, other: Part) -> bool:
    """Lines of one stream, and of one sort of log, never tell of the same thing. Notifications do, posted to several."""
    return one.stream == other.stream or (one.voice == other.voice and one.voice[1] != Channel.NOTIFICATION)


def gap(one: Part, other: Part) -> int:
    """µs between the two; 0 where the times that they name overlap, but both exact: between their ends."""
    if one.exact and other.exact and not one.uploading:
        begins = abs(one.end - other.begin), abs(one.begin - other.end)
        return min(abs(one.end - other.end), *begins)
    return max(0, one.begin - other.end, other.begin - one.end)


def tolerance(one: Part, other: Part, most: int) -> int:
    """How many µs may lie between two logs' times of one request: `most` for whole seconds, less for finer clocks."""
    if not (one.exact and other.exact):
        return most
    if one.row["channel"] == other.row["channel"] == Channel.AUDIT:
        return SECOND // 500  # both are copies of one row, of which one may be cut to the millisecond
    return most // 2


def _differ(a: Any, b: Any, name: str) -> bool:
    return a[name] is not None and b[name] is not None and a[name] != b[name]


def _addresses(one: Part, other: Part) -> int | None:
    """What is to be thought of different addresses: None: two clients."""
    if one.address is None or other.address is None or one.address == other.address:
        return 0
    if one.front != other.front:
        back = other if one.front else one
        # A client may send an X-Forwarded-For of its own, before the proxy's; without one the registry sees the proxy.
        return 1 if back.forwarded else 2
    return 0 if one.forwarded != other.forwarded and not one.front else None


def _same_http(a: Any, b: Any) -> Alike | No:
    penalty = 0
    if a["uri"] != b["uri"]:
        if not _tag_for_digest(a, b):
            return No.CONTRADICTION
        penalty = 1
    if a["status"] is not None and b["status"] is not None:
        if a["status"] != b["status"]:
            if not _left_early(a, b):
                return No.CONTRADICTION
            penalty += 1
    elif _ended_otherwise(a, b):
        return No.CONTRADICTION
    if a["method"] != "HEAD" and _differ(a, b, "response_bytes"):
        penalty += 1
    return Alike(penalty)


def _left_early(a: Any, b: Any) -> bool:
    """Two statuses of one request: the client had gone, which the proxy and the registry each put in their own way."""
    statuses = a["status"], b["status"]
    cut_off = uploading_uri(a["uri"]) and a["uri"] == b["uri"] and min(statuses) >= 400
    return CLIENT_LEFT in statuses or cut_off


def _tag_for_digest(a: Any, b: Any) -> bool:
    """Harbor's core asks the registry by digest where the client asked by tag."""
    by_digest = [row["reference"] is not None and ":" in row["reference"] for row in (a, b)]
    return (
        a["action"] in _MANIFESTS
        and a["action"] == b["action"]
        and a["repository"] is not None
        and a["repository"] == b["repository"]
        and sum(by_digest) == 1
        and not _differ(a, b, "digest")
        and "harbor" in (a["registry_kind"], b["registry_kind"])
    )


def _ended_otherwise(a: Any, b: Any) -> bool:
    return a["outcome"] != b["outcome"] and Outcome.UNKNOWN not in (a["outcome"], b["outcome"])


def _same_operation(one: Part, other: Part) -> Alike | No:
    a, b = one.row, other.row
    if a["action"] != b["action"] or a["repository"] != b["repository"] or _ended_otherwise(a, b):
        return No.CONTRADICTION
    if a["repository"] is None:
        return Alike(weak=True) if _same_administration(one, other) else No.UNRELATED
    if any(of_a_service(row) for row in (a, b)) and None in (a["user_agent"], b["user_agent"]):
        return No.CONTRADICTION
    if _differ(a, b, "tag") or _differ(a, b, "digest"):
        return No.CONTRADICTION
    same = any(a[name] is not None and a[name] == b[name] for name in ("tag", "digest"))
    if not same and a["action"] not in _MANIFESTS:
        return No.UNRELATED
    return Alike(weak=not same)


def _same_administration(one: Part, other: Part) -> bool:
    """What somebody did to accounts, projects or policies, told twice; the rows do not say to which."""
    a, b = one.row, other.row
    return (
        one.actor is not None
        and one.actor == other.actor
        and a["uri"] is None
        and b["uri"] is None
        and not _differ(a, b, "project")
    )


def of_a_service(row: Any) -> bool:
    """A request that Harbor's core made for itself. A client may call itself so, but then its address was forwarded."""
    return (row["user_agent"] or "").startswith(SERVICE_AGENTS)


def login_like(part: Part) -> bool:
    """A login, or an access line that may be one."""
    row = part.row
    if row["action"] == Action.LOGIN:
        return True
    return row["channel"] == Channel.ACCESS and (row["action"] == Action.TOKEN or _on_the_page(row))


def _on_the_page(row: Any) -> bool:
    return row["method"] == "POST" and (row["uri"] or "").startswith("/c/login")


def _same_login(one: Part, other: Part) -> Alike | No:
    if one.row["action"] != Action.LOGIN:
        one, other = other, one
    a, b = one.row, other.row
    if b["action"] == Action.LOGIN:
        return No.CONTRADICTION if _ended_otherwise(a, b) else Alike(weak=one.actor is None or other.actor is None)
    if b["channel"] != Channel.ACCESS:
        return No.CONTRADICTION
    if _on_the_page(b):
        refused = a["outcome"] == Outcome.DENIED
        asked_there = a["channel"] == Channel.AUDIT or a["user_agent"] is None
        return Alike(weak=True) if asked_there and refused == (b["status"] == 401) else No.CONTRADICTION
    if b["action"] != Action.TOKEN or one.address is None or one.address != other.address:
        return No.CONTRADICTION
    account = parse_qs(urlsplit(b["uri"] or "").query).get("account", [None])[0]
    return Alike() if account is not None and account == one.actor else No.CONTRADICTION
