"""The grammar of registry requests: method and URI → what is asked of which repository. One place for all formats.

From the OCI distribution specification 1.1 and the routes of Distribution (registry/api/v2/routes.go). The last marker
counts: `blobs`, `manifests` and `tags` are legal parts of a repository's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from urllib.parse import parse_qs, unquote

from collector.image_reference import is_digest, is_repository
from store.event import BAD_CREDENTIALS, CHALLENGE, FORBIDDEN, Action, Outcome


class Kind(StrEnum):
    """Which resource of the API is asked."""

    BASE = "base"
    MANIFEST = "manifest"
    BLOB = "blob"
    UPLOAD = "upload"
    TAGS = "tags"
    CATALOG = "catalog"
    REFERRERS = "referrers"
    TOKEN = "token"  # noqa: S105 - the kind of an endpoint
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request taken apart. `routed`: Distribution's router hands it to the application, whose log then tells of it."""

    kind: Kind
    action: Action
    routed: bool = False
    repository: str | None = None
    reference: str | None = None
    digest: str | None = None
    from_repository: str | None = None


# What Distribution's handlers answer to; another method is refused by the router, and only the access line tells.
_METHODS: dict[Kind, frozenset[str]] = {
    Kind.MANIFEST: frozenset(("GET", "HEAD", "PUT", "DELETE")),
    Kind.BLOB: frozenset(("GET", "HEAD", "DELETE")),
    Kind.TAGS: frozenset(("GET",)),
    Kind.CATALOG: frozenset(("GET",)),
    Kind.REFERRERS: frozenset(("GET",)),
}
_ACTIONS: dict[tuple[Kind, str], Action] = {
    (Kind.BASE, "GET"): Action.PING,
    (Kind.BASE, "HEAD"): Action.PING,
    (Kind.MANIFEST, "GET"): Action.PULL,
    (Kind.MANIFEST, "HEAD"): Action.CHECK,
    (Kind.MANIFEST, "PUT"): Action.PUSH,
    (Kind.MANIFEST, "DELETE"): Action.DELETE,
    (Kind.BLOB, "GET"): Action.LAYER_DOWNLOAD,
    (Kind.BLOB, "HEAD"): Action.LAYER_CHECK,
    (Kind.BLOB, "DELETE"): Action.DELETE,
    (Kind.TAGS, "GET"): Action.LIST_TAGS,
    (Kind.CATALOG, "GET"): Action.CATALOG,
    (Kind.REFERRERS, "GET"): Action.REFERRERS,
    (Kind.TOKEN, "GET"): Action.TOKEN,
    (Kind.TOKEN, "POST"): Action.TOKEN,
}
# Every step of an upload is one, also asking how far it came (GET) and giving it up (DELETE).
_UPLOAD_METHODS = frozenset(("POST", "PATCH", "PUT", "GET", "HEAD", "DELETE"))

_NAMED = re.compile(r"/v2/(.+)/(manifests|blobs/uploads|blobs|referrers|tags)/([^/]*)", re.DOTALL)
_TOKEN_PATHS = frozenset(
    ("/token", "/service/token", "/auth", "/auth/token", "/v2/token", "/v2/auth", "/jwt/auth", "/oauth2/token")
)
# Where cosign keeps what it says of an image (its tag-based discovery), and the index of referrers of registries without that
# API (OCI distribution specification 1.1, "Referrers Tag Schema", which has no suffix).
_EVIDENCE_TAG = re.compile(r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})(?:\.(?:sig|att|sbom))?")
_OF_EVIDENCE = {Action.PUSH: Action.SIGN, Action.PULL: Action.REFERRERS}
_KINDS = {"manifests": Kind.MANIFEST, "blobs": Kind.BLOB, "referrers": Kind.REFERRERS, "tags": Kind.TAGS}
_NEEDS_DIGEST = frozenset((Kind.BLOB, Kind.REFERRERS))


def evidence_action(action: Action, tag: str | None) -> Action:
    """The action, once it is known which tag it is about: what is stored under `sha256-<hex>.sig` is a signature, not an image.

    Storing signatures, attestations and SBOMs is `sign`, fetching them is `referrers`, so that neither counts as a push or
    a pull of an image. A signature that is asked for by its own digest cannot be told from an image: the line does not say.
    """
    if tag is None or action not in _OF_EVIDENCE or _EVIDENCE_TAG.fullmatch(tag) is None:
        return action
    return _OF_EVIDENCE[action]


_LONGEST_CACHED = 1024  # an upload's URI has some 400 characters; a scanner's may have a million, and is kept nowhere


def read_request(method: str, uri: str) -> Request:
    """What `method uri` asks. Never raises; what is outside the grammar is Kind.OUTSIDE with action other."""
    return _read_cached(method, uri) if len(uri) <= _LONGEST_CACHED else _read(method, uri)


def _read(method: str, uri: str) -> Request:
    raw_path, _, query = uri.partition("?")
    if "://" in raw_path[:16]:  # absolute form, as proxies and scanners send it
        raw_path = "/" + raw_path.partition("://")[2].partition("/")[2]
    path = unquote(raw_path)
    if path == "/v2/":
        return Request(kind=Kind.BASE, action=_ACTIONS.get((Kind.BASE, method), Action.OTHER), routed=True)
    if path in ("/v2", "/"):  # answered by the router or the health probe, not by the application
        return Request(kind=Kind.BASE, action=_ACTIONS.get((Kind.BASE, method), Action.OTHER))
    if path == "/v2/_catalog":
        return _plain(Kind.CATALOG, method)
    if path in _TOKEN_PATHS:
        return Request(kind=Kind.TOKEN, action=_ACTIONS.get((Kind.TOKEN, method), Action.OTHER))
    found = _NAMED.fullmatch(path)
    if found is None:
        return Request(kind=Kind.OUTSIDE, action=Action.OTHER)
    name, marker, last = found.groups()
    if marker == "blobs/uploads" or (marker == "blobs" and last == "uploads"):
        return _upload(method, name, query, closed=marker == "blobs/uploads")
    return _named(method, name, _KINDS[marker], last)


_read_cached = lru_cache(maxsize=8192)(_read)


def _plain(kind: Kind, method: str) -> Request:
    return Request(kind=kind, action=_ACTIONS.get((kind, method), Action.OTHER), routed=method in _METHODS[kind])


def _named(method: str, name: str, kind: Kind, last: str) -> Request:
    by_digest = is_digest(last)
    if not last or (kind is Kind.TAGS and last != "list"):
        return Request(kind=Kind.OUTSIDE, action=Action.OTHER)
    action = _ACTIONS.get((kind, method), Action.OTHER)
    if kind is Kind.MANIFEST and method == "DELETE" and not by_digest:
        action = Action.UNTAG
    if kind is Kind.MANIFEST and not by_digest:
        action = evidence_action(action, last)
    routed = method in _METHODS[kind] and is_repository(name) and (by_digest or kind not in _NEEDS_DIGEST)
    return Request(
        kind=kind,
        action=action,
        routed=routed,
        repository=name,
        reference=None if kind is Kind.TAGS else last,
        digest=last if by_digest else None,
    )


def _upload(method: str, name: str, query: str, *, closed: bool) -> Request:
    values = parse_qs(query, max_num_fields=50) if query.count("&") < 50 else {}
    mount = values.get("mount", [""])[0]
    digest = mount or values.get("digest", [""])[0]
    mounting = method == "POST" and is_digest(mount)
    return Request(
        kind=Kind.UPLOAD,
        action=Action.MOUNT if mounting else Action.LAYER_UPLOAD if method in _UPLOAD_METHODS else Action.OTHER,
        routed=closed and method in _UPLOAD_METHODS and is_repository(name),
        repository=name,
        reference=digest if is_digest(digest) else None,
        digest=digest if is_digest(digest) else None,
        from_repository=values.get("from", [""])[0] or None if mounting else None,
    )


def action_of(request: Request, status: int | None, actor: str | None) -> Action:
    """What the request turned out to be, once its answer is known.

    A mount that was not answered with 201 became an upload; `/v2/` with a user's name was a login.
    """
    if request.action is Action.MOUNT and status != 201:
        return Action.LAYER_UPLOAD
    if request.action is Action.PING and actor is not None and request.routed and (status or 0) < 404:
        return Action.LOGIN
    return request.action


_REASONS = {
    404: "not_found",
    405: "unsupported",
    415: "unsupported",
    429: "rate_limited",
    499: "aborted",
    501: "unsupported",
}


def result_of(request: Request, status: int | None, actor: str | None) -> tuple[Outcome, str | None]:
    """Outcome and reason of an HTTP status, for voices that do not say whether credentials were presented.

    401 with a user's name: that user was refused. 401 on `/v2/` without one: the challenge. 401 elsewhere without one:
    denied, and why is not visible.
    """
    if status is None or status < 100:
        return Outcome.UNKNOWN, None
    if status < 400:
        return Outcome.SUCCESS, None
    if status == 401:
        if actor is not None:
            return Outcome.DENIED, BAD_CREDENTIALS
        return (Outcome.UNKNOWN, CHALLENGE) if request.kind is Kind.BASE else (Outcome.DENIED, None)
    if status == 403:
        return Outcome.DENIED, FORBIDDEN
    return Outcome.FAILURE, _REASONS.get(status, "server_error" if status >= 500 else "invalid")
