"""AWS ECR as CloudTrail tells of it: files `{"Records": […]}`, single records, or EventBridge's `{"detail": …}`.

Records of other services in the same file are no events. CloudTrail has no HTTP status, no bytes and no duration. Pulls by
docker and containerd may show `AWS Internal` as address and user agent: that is no address, and no client. Layers are
downloaded from S3; only the URL is asked for here.

doc_source/logging-using-cloudtrail.md of awsdocs/amazon-ecr-user-guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.lines import address, moment, word
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import BAD_CREDENTIALS, FORBIDDEN, Action, Channel, Event, Outcome

_SOURCES = ("ecr.amazonaws.com", "ecr-public.amazonaws.com")
_ACTIONS: dict[str, Action] = {
    "BatchGetImage": Action.PULL,
    "GetDownloadUrlForLayer": Action.LAYER_DOWNLOAD,
    "BatchCheckLayerAvailability": Action.LAYER_CHECK,
    "DescribeImages": Action.CHECK,
    "ListImages": Action.LIST_TAGS,
    "DescribeRepositories": Action.CATALOG,
    "PutImage": Action.PUSH,
    "InitiateLayerUpload": Action.LAYER_UPLOAD,
    "UploadLayerPart": Action.LAYER_UPLOAD,
    "CompleteLayerUpload": Action.LAYER_UPLOAD,
    "BatchDeleteImage": Action.DELETE,
    "DeleteRepository": Action.DELETE,
    "GetAuthorizationToken": Action.TOKEN,
    "PolicyExecutionEvent": Action.RETAIN,  # the lifecycle policy expired images
    "StartImageScan": Action.SCAN,
    "DescribeImageScanFindings": Action.SCAN,
    "SetRepositoryPolicy": Action.PERMISSION,
    "DeleteRepositoryPolicy": Action.PERMISSION,
    "PutRegistryPolicy": Action.PERMISSION,
    "DeleteRegistryPolicy": Action.PERMISSION,
    "CreateRepository": Action.CONFIG,
    "PutImageTagMutability": Action.CONFIG,
    "PutLifecyclePolicy": Action.CONFIG,
    "DeleteLifecyclePolicy": Action.CONFIG,
    "PutImageScanningConfiguration": Action.CONFIG,
    "PutReplicationConfiguration": Action.CONFIG,
}
# What such a call changes, in the words of `oci.change`.
_CHANGES: dict[str, str] = {
    "SetRepositoryPolicy": "repository_policy_changed",
    "DeleteRepositoryPolicy": "repository_policy_deleted",
    "PutRegistryPolicy": "registry_policy_changed",
    "DeleteRegistryPolicy": "registry_policy_deleted",
    "CreateRepository": "repository_created",
    "PutImageTagMutability": "immutable_changed",
    "PutLifecyclePolicy": "retention_changed",
    "DeleteLifecyclePolicy": "retention_deleted",
    "PutImageScanningConfiguration": "scanning_changed",
    "PutReplicationConfiguration": "replication_changed",
}
_DENIED = re.compile(r"AccessDenied|UnauthorizedOperation|NotAuthorized")
_BAD_CREDENTIALS = re.compile(
    r"ExpiredToken|InvalidClientTokenId|SignatureDoesNotMatch|UnrecognizedClient|InvalidSignature"
)
_NOT_FOUND = re.compile(r"NotFound")
_REPOSITORY_ARN = re.compile(r"arn:[^:]{1,40}:ecr:[^:]{0,40}:\d{0,20}:repository/(.{1,256})")


def claims(head: bytes) -> float:
    start = head.lstrip()[:16_384]
    if start[:1] not in (b"{", b"[") or b'"eventSource"' not in start or b'"eventVersion"' not in head:
        return 0.0
    return 0.95 if b"ecr.amazonaws.com" in head else 0.6


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    holder = document if isinstance(document, dict) else {"Records": document}
    if isinstance(holder.get("detail"), dict):
        holder = holder["detail"]
    records = holder.get("Records", [holder])
    if not isinstance(records, list) or ("Records" not in holder and "eventSource" not in holder):
        raise NotMine("no record of CloudTrail")
    for record in records:
        try:
            fields = object_or_reject(record, "the record")
            if fields.get("eventSource") in _SOURCES:
                yield _event(fields)
        except LineError as error:
            yield error


def _event(record: dict[str, Any]) -> Event:
    event_id, name = word(record.get("eventID")), word(record.get("eventName"))
    if event_id is None or name is None:
        raise Unreadable("a record without eventID or eventName")
    sent, code = word(record.get("sourceIPAddress")), word(record.get("errorCode"))
    client = address(sent) if sent else None
    agent = word(record.get("userAgent"))
    identity = as_object(record.get("userIdentity"))
    outcome, reason = _result(code)
    event: Event = {
        "event_id": numbered_event_id("cloudtrail", event_id),
        "channel": Channel.AUDIT.value,
        "timestamp": moment(_with_zone(record.get("eventTime"))),
        "action": _ACTIONS.get(name, Action.OTHER).value,
        "outcome": outcome.value,
        "reason": reason,
        "actor": word(identity.get("arn"))
        or word(identity.get("invokedBy"))
        or word(identity.get("principalId")),  # of another account
        "client_ip": client,
        "client_via": "log" if client else None,
        "user_agent": None if agent == "AWS Internal" else agent,
        "request_id": word(record.get("requestID")),
        "error_code": code,
        "error_message": word(record.get("errorMessage")),
    }
    event |= _image(record)
    if name in _CHANGES:
        event |= {"change": _CHANGES[name], "target": _destination(record) or event["repository"]}
    return event


def _destination(record: dict[str, Any]) -> str | None:
    """Account and region that images are replicated to, where the call names a single one."""
    rules = as_object(as_object(record.get("requestParameters")).get("replicationConfiguration")).get("rules")
    found = {
        (word(as_object(one).get("registryId")), word(as_object(one).get("region")))
        for rule in (rules if isinstance(rules, list) else [])
        for one in (as_object(rule).get("destinations") or [])
    }
    return "/".join(part for part in found.pop() if part) or None if len(found) == 1 else None


def _with_zone(time: Any) -> Any:
    """Some tools write CloudTrail's UTC times without `Z`."""
    return time + "Z" if isinstance(time, str) and time[-1:].isdigit() and "+" not in time else time


def _result(code: str | None) -> tuple[Outcome, str | None]:
    if code is None:
        return Outcome.SUCCESS, None
    if _DENIED.search(code):
        return Outcome.DENIED, FORBIDDEN
    if _BAD_CREDENTIALS.search(code):
        return Outcome.DENIED, BAD_CREDENTIALS
    return Outcome.FAILURE, "not_found" if _NOT_FOUND.search(code) else "invalid"


def _image(record: dict[str, Any]) -> Event:
    """Repository, tag and digest: from what was asked, else from what was answered, else from the resource's name."""
    asked, details = as_object(record.get("requestParameters")), as_object(record.get("serviceEventDetails"))
    answered = as_object(as_object(as_object(record.get("responseElements")).get("image")).get("imageId"))
    ids = asked.get("imageIds")
    # Several images in one call are one event: which of them is meant is not said, so only a single one is named.
    first = as_object(ids[0]) if isinstance(ids, list) and len(ids) == 1 else {}
    tag = word(asked.get("imageTag")) or word(first.get("imageTag")) or word(answered.get("imageTag"))
    digest = word(first.get("imageDigest")) or word(answered.get("imageDigest")) or word(asked.get("layerDigest"))
    repository = word(asked.get("repositoryName")) or word(details.get("repositoryName")) or _from_arn(record)
    return {
        "repository": repository,
        "reference": tag or digest,
        "tag": tag,
        "digest": digest,
        "media_type": word(asked.get("imageManifestMediaType")),
    }


def _from_arn(record: dict[str, Any]) -> str | None:
    resources = record.get("resources")
    for resource in resources if isinstance(resources, list) else []:
        found = _REPOSITORY_ARN.fullmatch(word(as_object(resource).get("ARN")) or "")
        if found is not None:
            return found[1]
    return None


FORMAT = DocumentFormat(
    name="ecr-cloudtrail",
    title="AWS ECR in CloudTrail",
    registry_kind="ecr",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="documented examples, and one real event",
        tested=False,
        never=("bytes", "duration", "HTTP status", "layers as they are downloaded", "images of a call for several"),
    ),
)
