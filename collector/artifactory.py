"""What JFrog Artifactory's logs have in common: trace ids, the paths of its Docker API, and how images lie in a repository.

One request appears in the router's, Artifactory's and the access log with one trace id; so its event has one id. Clients that
send a trace header of their own (`uber-trace-id`) choose that id: where that matters, take the header away in front.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from collector.image_reference import ImageReference, is_repository, is_tag
from collector.lines import word
from collector.request import Kind, Request, action_of, read_request, result_of
from collector.sheet import request_event_id
from store.event import CHALLENGE, NO_CREDENTIALS, Action, Event, Outcome

# `anonymous` is whoever came without credentials and was let in, the other whoever was not.
ANONYMOUS, REFUSED = "anonymous", "non_authenticated_user"
TIME = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d))"
TRACE = r"([0-9A-Fa-f]{1,32})"
NUMBER = r"(-?\d{1,18})"
_DOCKER = re.compile(r"(?:/artifactory)?/api/docker/([^/]{1,255})(/v2(?:/.*)?)", re.DOTALL)
_NO_KEY = "null"  # what the usual proxy rules put in for requests that are of no repository: /v2/token
_MANIFESTS = frozenset(("manifest.json", "list.manifest.json"))
_OF_IMAGES = re.compile(r"(?:^|[-_.])(?:docker|oci|containers?)(?:[-_.]|$)")
_LAYER = re.compile(r"sha256__([0-9a-f]{64})(?:\.marker)?")
# A request is one of these at most, and its logs do not agree which: `/v2/` with a password is a login to the access log alone.
_CREDENTIALS = frozenset((Action.PING, Action.LOGIN, Action.TOKEN))


def trace_id(told: object) -> str | None:
    """A trace id as all logs can be compared: 16 or 32 lower-case digits, whatever zeros were put in front or left out."""
    text = word(told)
    if text is None or re.fullmatch(TRACE, text) is None:
        return None
    digits = text.lower().lstrip("0")
    return (digits.zfill(16) if len(digits) <= 16 else digits.zfill(32)) if digits else None


def numbered(event: Event, trace: str | None) -> Event:
    """The event with the id that its request has in every log; without a trace id the line alone tells of it."""
    if trace is None:
        return event
    action = Action(event["action"])
    tag = None if event.get("digest") else event.get("reference")
    event["request_id"] = trace
    event["event_id"] = request_event_id(trace, (Action.LOGIN if action in _CREDENTIALS else action).value, tag)
    return event


_LONGEST_CACHED = 1024


def docker_request(method: str, uri: str) -> Request | None:
    """What is asked of a Docker repository, its key in front of the image's name; None for whatever else Artifactory does."""
    return _read_cached(method, uri) if len(uri) <= _LONGEST_CACHED else _read(method, uri)


def _read(method: str, uri: str) -> Request | None:
    found = _DOCKER.fullmatch(uri)
    if found is None and method == "DELETE" and (deleted := deleted_tag(uri.removeprefix("/artifactory"))) is not None:
        image = deleted.repository.partition("/")[2]
        return replace(read_request(method, f"/v2/{image}/manifests/{deleted.tag}"), repository=deleted.repository)
    request = read_request(method, found[2] if found else uri if uri.startswith("/v2/") else "")
    if request.kind is Kind.OUTSIDE:
        return None
    if found is None or found[1] == _NO_KEY or request.repository is None:
        return request
    key, source = found[1], request.from_repository
    return replace(
        request, repository=f"{key}/{request.repository}", from_repository=f"{key}/{source}" if source else None
    )


_read_cached = lru_cache(maxsize=8192)(_read)  # the same manifests and layers are asked for again and again


def asked(request: Request, status: int, user: str | None) -> Event:
    """Action, outcome, actor and image of a request. `user` as logged; None in logs that do not name users."""
    actor = None if user in ("", REFUSED) else user
    known = None if actor == ANONYMOUS else actor
    outcome, reason = result_of(request, status, known)
    if user == ANONYMOUS and outcome is Outcome.DENIED:
        reason = NO_CREDENTIALS
    return {
        "action": action_of(request, status, known).value,
        "outcome": outcome.value,
        "reason": reason,
        "actor": None if reason == CHALLENGE else actor,
        "repository": request.repository,
        "reference": request.reference,
        "digest": request.digest,
        "from_repository": request.from_repository,
    }


def deleted_tag(path: str) -> ImageReference | None:
    """The image whose folder was deleted by its path, `docker-local/payments/api/1.4.2`: so the pages, JFrog's own client and
    clean-up policies take a tag away. Nothing but the key tells that images lie there, so it must say it (docker, oci,
    container); and a folder above the tags is taken for one of them.
    """
    key, _, folder = path.strip("/").partition("/")
    image, _, tag = folder.rpartition("/")
    if _OF_IMAGES.search(key) is None or not is_repository(image) or not is_tag(tag):
        return None
    is_file = tag in _MANIFESTS or _LAYER.fullmatch(tag) is not None
    return None if is_file else ImageReference(f"{key}/{image}", tag)


def stored_image(key: str, path: str) -> tuple[ImageReference, bool] | None:
    """(image, is it the manifest) of a file as it lies in a Docker repository: `library/ubuntu/24.04/manifest.json`, a layer
    beside it (`sha256__<hex>`), or an upload on its way (`library/ubuntu/_uploads/…`). None for files that are of no image.
    """
    folder, _, name = path.rpartition("/")
    if "/_uploads" in path:
        return ImageReference(f"{key}/{path.partition('/_uploads')[0]}"), False
    image, _, version = folder.rpartition("/")
    layer = _LAYER.fullmatch(name)
    if not image or (layer is None and name not in _MANIFESTS):
        return None
    if layer is not None:
        return ImageReference(f"{key}/{image}", None, f"sha256:{layer[1]}"), False
    by_digest = re.fullmatch(r"sha256(?:__|:)([0-9a-f]{64})", version)
    if by_digest is not None:
        return ImageReference(f"{key}/{image}", None, f"sha256:{by_digest[1]}"), True
    return ImageReference(f"{key}/{image}", version), True
