"""The same traffic as AWS CloudTrail tells of it for ECR: bodies of delivered files, `{"Records": […]}`, one a line.

Passwords are IAM's business, so refused ones are not here; nor is any HEAD of a manifest, any path outside the registry's
grammar, or the setting of rights that ECR does not know. Records are delivered minutes after they happened.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from regsight.traffic.requests import SECOND, Request

ACCOUNT = "111122223333"
REGION = "eu-central-1"
PAGE = 200
_MINUTE = 60 * SECOND
# What ECR calls the acts of administration that it has.
_ACTS: dict[tuple[str, str], str] = {
    ("create", "member"): "SetRepositoryPolicy",
    ("update", "member"): "SetRepositoryPolicy",
    ("delete", "member"): "SetRepositoryPolicy",
    ("update", "project"): "SetRepositoryPolicy",
    ("update", "retention"): "PutLifecyclePolicy",
    ("delete", "immutable"): "PutImageTagMutability",
    ("create", "replication"): "PutReplicationConfiguration",
    ("delete", "replication"): "PutReplicationConfiguration",
}


def arn(user: str) -> str:
    """The name that CloudTrail has for a user."""
    return f"arn:aws:iam::{ACCOUNT}:user/{user}"


class CloudTrail:
    """Event ids and request ids are the simulator's own id of the request."""

    file = "cloudtrail.jsonl"

    def tell(self, request: Request) -> list[tuple[int, str]]:
        called = _call(request)
        if called is None or not request.actor:
            return []
        name, asked = called
        identity = {
            "type": "IAMUser",
            "principalId": "AIDA" + blake2b(request.actor.encode(), digest_size=8).hexdigest().upper(),
            "arn": arn(request.actor),
            "accountId": ACCOUNT,
            "userName": request.actor,
        }
        record: dict[str, Any] = {
            "eventVersion": "1.08",
            "userIdentity": identity,
            "eventTime": f"{datetime.fromtimestamp(request.at // SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": "ecr.amazonaws.com",
            "eventName": name,
            "awsRegion": REGION,
            "sourceIPAddress": request.address,
            "userAgent": request.agent,
        }
        if request.error is not None and request.status == 404:
            record |= _not_found(request)
        elif request.status == 403:
            why = f"User: {arn(request.actor)} is not authorized to perform: ecr:{name}"
            record |= {"errorCode": "AccessDeniedException", "errorMessage": why}
        elif request.status == 400 and request.upload:
            why = "Layer digest calculation performed by Amazon ECR doesn't match the digest that was specified"
            record |= {"errorCode": "InvalidLayerException", "errorMessage": why}
        elif request.status == 400:
            why = "Invalid parameter at 'imageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
            record |= {"errorCode": "InvalidParameterException", "errorMessage": why}
        elif request.status >= 500:
            record |= {"errorCode": "ServerException", "errorMessage": "internal failure"}
        record |= {
            "requestParameters": asked,
            "responseElements": _answer(request, asked) if name == "PutImage" and request.status != 400 else None,
            "requestID": request.id,
            "eventID": request.id,
            "readOnly": request.method in ("GET", "HEAD"),
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": ACCOUNT,
        }
        delay = 2 * _MINUTE + int(request.id[-6:], 16) % (13 * _MINUTE)
        return [(request.at + delay, json.dumps(record, separators=(",", ":"), ensure_ascii=False))]

    def pack(self, lines: Iterable[str]) -> Iterable[str]:
        records = list(lines)
        for first in range(0, len(records), PAGE):
            yield '{"Records":[' + ",".join(records[first : first + PAGE]) + "]}"


def _not_found(request: Request) -> dict[str, str]:
    """What ECR says to whoever asks for something that is not there."""
    if request.upload:
        why = f"The upload with id '{request.upload}' does not exist in the repository with name '{request.name}'"
        return {"errorCode": "UploadNotFoundException", "errorMessage": why}
    if request.digest and request.method == "GET":
        why = f"The layer with digest '{request.digest}' does not exist in the repository with name '{request.name}'"
        return {"errorCode": "LayersNotFoundException", "errorMessage": why}
    why = f"The repository with name '{request.name}' does not exist"
    return {"errorCode": "RepositoryNotFoundException", "errorMessage": why}


def _call(request: Request) -> tuple[str, dict[str, Any]] | None:
    """The name of the API call and what it was asked with."""
    asked: dict[str, Any] = {"registryId": ACCOUNT}
    if request.admin is not None:
        operation, kind, resource = request.admin
        name = _ACTS.get((operation, kind))
        return None if name is None else (name, asked | {"repositoryName": resource})
    if request.uri == "/v2/":
        return ("GetAuthorizationToken", asked) if request.status == 200 else None
    if "/_catalog" in request.uri:
        return ("DescribeRepositories", asked) if request.status == 200 else None
    if not request.name or request.status == 401:
        return None
    asked["repositoryName"] = request.name
    if "/manifests/" in request.uri:
        return _image_call(request, asked)
    if request.uri.endswith("/tags/list"):
        return "ListImages", asked
    return _layer_call(request, asked)


def _image_call(request: Request, asked: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    by = "imageDigest" if request.reference.startswith("sha256:") else "imageTag"
    if request.method == "PUT":
        return "PutImage", asked | {by: request.reference, "imageManifestMediaType": request.sent_type}
    name = {"GET": "BatchGetImage", "DELETE": "BatchDeleteImage"}.get(request.method)
    return None if name is None else (name, asked | {"imageIds": [{by: request.reference}]})


def _layer_call(request: Request, asked: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    if request.digest:
        if request.method == "GET":
            return "GetDownloadUrlForLayer", asked | {"layerDigest": request.digest}
        if request.method == "DELETE":  # there is no such call
            return None
        return "BatchCheckLayerAvailability", asked | {"layerDigests": [request.digest]}
    names = {"POST": "InitiateLayerUpload", "PATCH": "UploadLayerPart", "PUT": "CompleteLayerUpload"}
    if request.method not in names or "mount=" in request.uri:
        return None
    return names[request.method], asked | ({"uploadId": request.upload} if request.upload else {})


def _answer(request: Request, asked: dict[str, Any]) -> dict[str, Any]:
    image = {"imageDigest": request.target} | ({"imageTag": asked["imageTag"]} if "imageTag" in asked else {})
    return {"image": {"repositoryName": request.name, "registryId": ACCOUNT, "imageId": image}}
