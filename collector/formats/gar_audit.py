"""Google Artifact Registry in Cloud Audit Logs: every container request, if Data Access logs are switched on.

LogEntries as a storage bucket has them (one a line), as `gcloud logging read --format=json` prints them (a list), or as
Pub/Sub pushes them (`{"message": {"data": "<base64>"}}`). Entries of other services, and of packages that are no images, are
no events; of a long-running operation only the last entry counts. The status is gRPC's, never HTTP's: `error_code` has its
name, `status` stays empty. `gcp-internal-ip` and `private` are no addresses. A repository is named as clients name it:
`<cloud project>/<repository>/<image>`.

Page "Artifact Registry audit logging" of Google Cloud's documentation; google/cloud/audit/audit_log.proto of
googleapis/googleapis; google/rpc/code.proto for the codes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import orjson

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import is_digest
from collector.lines import address, moment, whole, word
from collector.posted import read_posted
from collector.request import Request, read_request, result_of
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import FORBIDDEN, Action, Channel, Event, Outcome

_SERVICE = "artifactregistry.googleapis.com"
_API = re.compile(r"google\.(?:devtools\.artifactregistry\.v\w+\.ArtifactRegistry|iam\.v\d\w*\.IAMPolicy)\.(\w+)")
_RESOURCE = re.compile(
    r"projects/([^/]+)/locations/[^/]+/repositories/([^/]+)"
    r"(?:/(?:dockerImages|packages)/([^/@]+)(?:@([^/]+)|/(?:tags|versions)/([^/]+))?)?"
)
_DOCKER: dict[str, Action] = {
    "Docker-GetManifest": Action.PULL,
    "Docker-HeadManifest": Action.CHECK,
    "Docker-ServeBlob": Action.LAYER_DOWNLOAD,
    "Docker-HeadBlob": Action.LAYER_CHECK,
    "Docker-PutManifest": Action.PUSH,
    "Docker-StartUpload": Action.LAYER_UPLOAD,
    "Docker-FinishUpload": Action.LAYER_UPLOAD,
    "Docker-CancelUpload": Action.LAYER_UPLOAD,
    "Docker-GetTags": Action.LIST_TAGS,
    "Docker-Catalog": Action.CATALOG,
    "Docker-DeleteManifest": Action.DELETE,
    "Docker-DeleteBlob": Action.DELETE,
    "Docker-DeleteTag": Action.UNTAG,
}
_ADMIN: dict[str, Action] = {
    "CreateTag": Action.TAG,
    "UpdateTag": Action.TAG,
    "DeleteTag": Action.UNTAG,
    "ListTags": Action.LIST_TAGS,
    "DeletePackage": Action.DELETE,
    "DeleteVersion": Action.DELETE,
    "BatchDeleteVersions": Action.DELETE,
    "DeleteRepository": Action.DELETE,
    "CreateRepository": Action.CONFIG,
    "UpdateRepository": Action.CONFIG,
    "UpdateProjectSettings": Action.CONFIG,
    "SetIamPolicy": Action.PERMISSION,
    "ListRepositories": Action.CATALOG,
    "ListDockerImages": Action.CATALOG,
    "ListPackages": Action.CATALOG,
    "GetDockerImage": Action.CHECK,
}
# gRPC code → its name, and the HTTP status that says the same (google/rpc/code.proto).
_CODES: dict[int, tuple[str, int]] = {
    1: ("CANCELLED", 499),
    2: ("UNKNOWN", 500),
    3: ("INVALID_ARGUMENT", 400),
    4: ("DEADLINE_EXCEEDED", 504),
    5: ("NOT_FOUND", 404),
    6: ("ALREADY_EXISTS", 409),
    7: ("PERMISSION_DENIED", 403),
    8: ("RESOURCE_EXHAUSTED", 429),
    9: ("FAILED_PRECONDITION", 400),
    10: ("ABORTED", 409),
    11: ("OUT_OF_RANGE", 400),
    12: ("UNIMPLEMENTED", 501),
    13: ("INTERNAL", 500),
    14: ("UNAVAILABLE", 503),
    15: ("DATA_LOSS", 500),
    16: ("UNAUTHENTICATED", 401),
}
_GFE = ",gzip(gfe)"  # what Google's front end adds to the user agent


def claims(head: bytes) -> float:
    if head.lstrip()[:1] not in (b"{", b"[") or b'"protoPayload"' not in head:
        return 0.0
    return 0.95 if _SERVICE.encode() in head else 0.4


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    body = read_posted(document).body
    for told in body if isinstance(body, list) else [body]:
        try:
            entry = object_or_reject(told, "the log entry")
            if isinstance(entry.get("message"), dict) and "protoPayload" not in entry:
                entry = object_or_reject(_pushed(entry["message"]), "the message's data")
            payload = entry.get("protoPayload")
            if not isinstance(payload, dict):
                raise NotMine("no entry of an audit log")
            event = _event(entry, payload)
            if event is not None:
                yield event
        except LineError as error:
            yield error


def _pushed(message: dict[str, Any]) -> Any:
    try:
        return orjson.loads(base64.b64decode(word(message.get("data")) or "", validate=True))
    except ValueError:
        raise Unreadable("a Pub/Sub message without readable data") from None


def _event(entry: dict[str, Any], payload: dict[str, Any]) -> Event | None:
    method = word(payload.get("methodName"))
    operation = as_object(entry.get("operation"))
    if payload.get("serviceName") != _SERVICE or (operation.get("first") is True and operation.get("last") is not True):
        return None
    insert_id, time = word(entry.get("insertId")), entry.get("timestamp")
    if method is None or insert_id is None:
        raise Unreadable("an entry without methodName or insertId")
    asked = as_object(payload.get("request"))
    verb, uri = word(asked.get("requestMethod")), word(asked.get("requestUrl"))
    request = read_request(verb or "", uri or "")
    action = _action(method, request)
    if action is None:
        return None
    caller = as_object(payload.get("requestMetadata"))
    client, agent = address(word(caller.get("callerIp")) or ""), word(caller.get("callerSuppliedUserAgent"))
    actor = word(as_object(payload.get("authenticationInfo")).get("principalEmail"))
    event: Event = {
        "event_id": numbered_event_id("gar", word(entry.get("logName")) or "", str(time), insert_id),
        "channel": Channel.AUDIT.value,
        "timestamp": moment(time),
        "action": action.value,
        "actor": actor,
        "client_ip": client,
        "client_via": "log" if client else None,
        "user_agent": agent.removesuffix(_GFE) or None if agent else None,
        "method": verb,
        "uri": uri,
    }
    return event | _result(payload, request, actor) | _image(payload, request)


def _action(method: str, request: Request) -> Action | None:
    """None for what is done to packages that are no images."""
    if method.startswith("Docker-"):
        return _DOCKER.get(method, request.action)
    api = _API.fullmatch(method)
    return _ADMIN.get(api[1], Action.OTHER) if api is not None else None


def _result(payload: dict[str, Any], request: Request, actor: str | None) -> Event:
    status = as_object(payload.get("status"))
    code = whole(status.get("code")) or 0  # a number, or its digits
    if code == 0:
        rights = payload.get("authorizationInfo")
        refused = isinstance(rights, list) and any(
            as_object(right).get("granted") in (False, "false") for right in rights
        )
        return {"outcome": Outcome.DENIED.value, "reason": FORBIDDEN} if refused else {"outcome": Outcome.SUCCESS.value}
    name, http = _CODES.get(code, ("UNKNOWN", 500))
    outcome, reason = result_of(request, http, actor)
    return {
        "outcome": outcome.value,
        "reason": reason,
        "error_code": name,
        "error_message": word(status.get("message")),
    }


def _image(payload: dict[str, Any], request: Request) -> Event:
    """What the request's URL names; else what the resource's name says."""
    if request.repository is not None:
        return {
            "repository": request.repository,
            "reference": request.reference,
            "digest": request.digest,
            "from_repository": request.from_repository,
        }
    found = _RESOURCE.match(word(payload.get("resourceName")) or "")
    if found is None:
        return {}
    project, repository, image, digest, named = found.groups()
    reference = digest or named
    return {
        "repository": "/".join([project, repository, *([unquote(image)] if image else [])]),
        "reference": reference,
        "digest": reference if reference and is_digest(reference) else None,
    }


FORMAT = DocumentFormat(
    name="gar-audit",
    title="Google Artifact Registry in Cloud Audit Logs",
    registry_kind="gar",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="2024; Data Access logs must be switched on",
        tested=True,
        never=("bytes", "duration", "HTTP status", "media type"),
    ),
)
