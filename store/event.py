"""The event: one thing that one client did, or tried to do, at one registry.

This file is the only place where an event is described. The Arrow schema, the flat ECS names that people see, and the
Elasticsearch mapping are all read from `FIELDS`. ECS names are used where ECS has one; ours live under `oci.*`
(never `registry.*`, which ECS gives to the Windows registry).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:  # pyarrow costs a quarter of a second to import; `--help` must not pay for it
    import pyarrow as pa


class Action(StrEnum):
    """What was done or tried. The meaning is the same for every registry."""

    PULL = "pull"  # a manifest was fetched (GET)
    CHECK = "check"  # a manifest was asked about (HEAD)
    LAYER_DOWNLOAD = "layer_download"  # a blob was fetched (GET)
    LAYER_CHECK = "layer_check"  # a blob was asked about (HEAD)
    PUSH = "push"  # a manifest was stored (PUT)
    LAYER_UPLOAD = "layer_upload"  # a blob was stored, or a step of its upload
    MOUNT = "mount"  # a blob was taken over from another repository
    DELETE = "delete"  # a manifest, blob or repository was deleted
    TAG = "tag"  # a tag was set without a push
    UNTAG = "untag"  # a tag was removed
    LIST_TAGS = "list_tags"
    CATALOG = "catalog"  # the list of repositories
    LOGIN = "login"  # credentials were presented to be checked, and nothing else was asked
    TOKEN = "token"  # noqa: S105  # a bearer token was asked for
    LOGOUT = "logout"
    PING = "ping"  # `GET /v2/`, `GET /`: is this a registry, and does it want credentials?
    REFERRERS = "referrers"  # signatures and attestations of a digest were listed
    SCAN = "scan"
    SIGN = "sign"
    REPLICATE = "replicate"
    RETAIN = "retain"
    GC = "gc"
    PERMISSION = "permission"  # members, roles, robots, policies
    CONFIG = "config"  # projects, settings
    OTHER = "other"  # a request outside the registry's own grammar (probes, scanners)


class Outcome(StrEnum):
    """How it ended."""

    SUCCESS = "success"
    DENIED = "denied"  # credentials or rights were missing or wrong
    FAILURE = "failure"  # anything else that did not work: not found, invalid, server error
    UNKNOWN = "unknown"  # the line does not say, or nothing was decided yet (the auth challenge)


class Channel(StrEnum):
    """Which of a registry's voices told of the event. The order is the order of trust when two parts disagree."""

    APPLICATION = "application"  # the registry's own application log
    AUDIT = "audit"  # an audit log, by file, API or syslog
    NOTIFICATION = "notification"  # webhooks and notifications
    ACCESS = "access"  # access lines of the registry or of a proxy in front


class Via(StrEnum):
    """Where `client_ip` was taken from. Only `peer`, `proxied` and `log` are more than somebody's word."""

    PEER = "peer"  # the TCP peer of whoever wrote the line
    FORWARDED = "forwarded"  # X-Forwarded-For, in a line without the peer: nobody can check who sent the header
    PROXIED = "proxied"  # X-Forwarded-For, and the line's peer is a trusted proxy of the settings
    PROXY = "proxy"  # the peer is a trusted proxy and the line does not say whom it stands for
    LOG = "log"  # a cloud's audit log says so


class Traffic(StrEnum):
    """What sort of traffic a request belongs to."""

    PEOPLE = "people"  # somebody at a keyboard
    CI = "ci"  # builds
    CLUSTER = "cluster"  # nodes that run containers
    SCANNER = "scanner"  # vulnerability scanners
    MIRROR = "mirror"  # replication, proxy caches, updaters: whoever keeps in step with the registry
    PROBE = "probe"  # health checks
    NOISE = "noise"  # whoever knocks at every door of the internet


NOT_USE = frozenset(
    (Traffic.SCANNER, Traffic.MIRROR, Traffic.PROBE)
)  # they pull whatever there is: nobody runs it for that


# `media_type` of what only lists the images of one name, a platform each; who wants one of them fetches this first.
INDEX_TYPES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")

# `reason` of events with outcome `denied`, and of the authentication challenge (which is not a denial).
BAD_CREDENTIALS = "bad_credentials"  # a user name came with a password or token that was refused
NO_CREDENTIALS = "no_credentials"  # nothing was presented where something is needed
FORBIDDEN = "forbidden"  # known user, no right
CHALLENGE = "challenge"  # 401 on `/v2/` without credentials: the protocol's first step, outcome unknown


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the event table.

    `kind` is one of string, strings (list), int, float, bool, time, day; `index` says whether Elasticsearch indexes it.
    """

    name: str
    ecs: str
    kind: str
    meaning: str
    unit: str = ""
    index: bool = True


FIELDS: tuple[Field, ...] = (
    Field("event_id", "event.id", "string", "one id per thing done; the parts of one request share it"),
    Field("revision", "oci.revision", "int", "0 as first read; higher when improved later"),
    Field("channel", "oci.channel", "string", "which voice of the registry told of it"),
    Field("timestamp", "@timestamp", "time", "when it happened, as the source says", "UTC, µs"),
    Field("read_at", "event.created", "time", "when the collector read it", "UTC, µs"),
    Field("clock_skew", "oci.clock_skew", "string", "`ahead` of when it was read, or `unset` (before 2013); else null"),
    Field("stored_at", "event.ingested", "time", "when it was handed to the store", "UTC, µs"),
    Field("action", "event.action", "string", "what was done or tried (Action)"),
    Field("outcome", "event.outcome", "string", "how it ended (Outcome)"),
    Field("reason", "event.reason", "string", "why it was denied or failed, from a closed set"),
    Field("dataset", "event.dataset", "string", "the format that read the line"),
    Field("registry", "service.name", "string", "name of the registry instance, from the settings"),
    Field("registry_kind", "service.type", "string", "distribution, harbor, ecr …"),
    Field("actor", "user.name", "string", "who, as the registry knows them"),
    Field(
        "actor_session", "oci.actor.session", "string", "session under a role, where machines take it each time anew"
    ),
    Field("actor_kind", "oci.actor.kind", "string", "human, robot, ci, node, anonymous, internal"),
    Field("ci_system", "oci.ci.system", "string", "CI system behind the account: gitlab, github, jenkins …"),
    Field("ci_project", "oci.ci.project", "string", "the CI system's own name of the project, as the account says it"),
    Field("ci_ref", "oci.ci.ref", "string", "branch or tag that was built, as the account says it"),
    Field("ci_run", "oci.ci.run", "string", "number of the pipeline or build, as the account says it"),
    Field("ci_commit", "oci.ci.commit", "string", "commit that a CI account's tag names"),
    Field("client_ip", "source.ip", "string", "address the request came from, no port"),
    Field("client_port", "source.port", "int", "its port, where known"),
    Field("client_via", "oci.client.via", "string", "where the address was taken from (Via)"),
    Field("peer_ip", "oci.client.peer", "string", "address of the TCP peer, where it is not the client's"),
    Field("forwarded_for", "oci.client.forwarded_for", "string", "X-Forwarded-For as logged; anybody can send one"),
    Field("user_agent", "user_agent.original", "string", "as sent; controlled by the client, never an identity"),
    Field("client_class", "oci.client.class", "string", "tool behind the user agent: docker, containerd, skopeo …"),
    Field("client_version", "user_agent.version", "string", "its version"),
    Field("traffic_class", "oci.traffic.class", "string", "what the line alone shows of its traffic (Traffic)"),
    Field("method", "http.request.method", "string", "HTTP method"),
    Field("uri", "url.original", "string", "path and query as logged", index=False),
    Field("host", "url.domain", "string", "Host header"),
    Field("request_id", "http.request.id", "string", "the registry's own id of the request"),
    Field("status", "http.response.status_code", "int", "HTTP status"),
    Field("response_bytes", "http.response.body.bytes", "int", "bytes of the answer as logged", "bytes"),
    Field("request_bytes", "http.request.body.bytes", "int", "bytes of the request", "bytes"),
    Field("duration_ns", "event.duration", "int", "time to answer", "nanoseconds (ECS)"),
    Field("repository", "oci.repository", "string", "repository name without host and tag"),
    Field("project", "oci.project", "string", "first path part of the repository"),
    Field("reference", "oci.reference", "string", "tag or digest, as asked for"),
    Field("tag", "oci.tag", "string", "the tag, if the reference is one"),
    Field("digest", "oci.digest", "string", "digest of the manifest or blob"),
    Field("media_type", "oci.media_type", "string", "media type of the manifest or blob"),
    Field("size_bytes", "oci.size", "int", "size of the manifest or blob itself", "bytes"),
    Field("from_repository", "oci.mount.from", "string", "repository a blob was mounted from"),
    Field("target", "oci.target", "string", "account, robot, project or policy that was changed"),
    Field("change", "oci.change", "string", "what became of it: user_created, robot_deleted, project_changed …"),
    Field("error_code", "error.code", "string", "the registry's error code"),
    Field("error_message", "error.message", "string", "its message", index=False),
    Field("stream", "oci.stream", "string", "id of the stream the line is from"),
    Field("offset", "oci.offset", "int", "offset of its first byte in the stream", "bytes"),
    Field("path", "log.file.path", "string", "file or endpoint it was read from"),
    Field("parts", "oci.parts", "strings", "`stream:offset` of every line that told of this event"),
    Field("join_confidence", "oci.join.confidence", "string", "certain, likely, possible; null with a single part"),
)

BY_NAME: Mapping[str, Field] = {field.name: field for field in FIELDS}
BY_ECS: Mapping[str, Field] = {field.ecs: field for field in FIELDS}


class Event(TypedDict, total=False):
    """What a one-line parser gives: the fields that the line says. What it does not say is left out, never guessed.

    `event_id`, `stream`, `offset`, `path`, `parts`, `read_at`, `project`, `tag` are filled in behind the parser where
    it leaves them out (`collector.one_by_one`).
    """

    event_id: str
    revision: int
    channel: str
    timestamp: datetime
    read_at: datetime
    clock_skew: str | None
    stored_at: datetime
    action: str
    outcome: str
    reason: str | None
    dataset: str
    registry: str | None
    registry_kind: str | None
    actor: str | None
    actor_session: str | None
    actor_kind: str | None
    ci_system: str | None
    ci_project: str | None
    ci_ref: str | None
    ci_run: str | None
    ci_commit: str | None
    client_ip: str | None
    client_port: int | None
    client_via: str | None
    peer_ip: str | None
    forwarded_for: str | None
    user_agent: str | None
    client_class: str | None
    client_version: str | None
    traffic_class: str | None
    method: str | None
    uri: str | None
    host: str | None
    request_id: str | None
    status: int | None
    response_bytes: int | None
    request_bytes: int | None
    duration_ns: int | None
    repository: str | None
    project: str | None
    reference: str | None
    tag: str | None
    digest: str | None
    media_type: str | None
    size_bytes: int | None
    from_repository: str | None
    target: str | None
    change: str | None
    error_code: str | None
    error_message: str | None
    stream: str
    offset: int
    path: str | None
    parts: list[str]
    join_confidence: str | None


@cache
def schema() -> pa.Schema:
    """The Arrow schema of an event table: the columns of `FIELDS`, in that order, all nullable."""
    import pyarrow as pa

    from store.arrow_alone import arrow_alone

    arrow_alone()
    types: dict[str, pa.DataType] = {
        "string": pa.string(),
        "strings": pa.list_(pa.string()),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([pa.field(field.name, types[field.kind]) for field in FIELDS])


def to_ecs(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as people and scripts see it: flat ECS names, times as ISO 8601 with `Z`, nulls left out."""
    shown: dict[str, Any] = {}
    for field in FIELDS:
        value = event.get(field.name)
        if value is None or value == []:
            continue
        shown[field.ecs] = iso(value) if isinstance(value, datetime) else value
    return shown


def iso(moment: datetime) -> str:
    """`2026-11-24T02:17:24.130889Z`, always UTC, always with microseconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
