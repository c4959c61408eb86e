"""A session: one pull or push as a person would count it, folded from the requests that a client needed for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from store.event import iso

_PLATFORM = re.compile(r" os/([a-z0-9]{1,20})(?: .*?)? arch/([a-z0-9_]{1,20})")
_EVIDENCE = re.compile(r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})(?:\.(sig|att|sbom))?")
_EVIDENCE_NAMES = {"sig": "signature", "att": "attestation", "sbom": "sbom", None: "referrers"}


class Kind(StrEnum):
    """What was done."""

    PULL = "pull"  # a manifest was fetched, with the layers that the client lacked
    PUSH = "push"  # layers and a manifest were stored, or begun to be
    CHECK = "check"  # only asked: a HEAD of a manifest (a node that has the image already), or of layers
    LOOKUP = "lookup"  # a manifest was fetched to delete it: no pull
    LAYERS = "layers"  # layers were fetched and no manifest was seen: a broken download goes on, or the log begins here


class State(StrEnum):
    """How far it came."""

    COMPLETE = "complete"  # the manifest was served or stored, and every layer that was asked for
    INCOMPLETE = "incomplete"  # a layer failed or was broken off, and was not fetched later
    ABANDONED = "abandoned"  # an upload without a manifest behind it
    FAILED = "failed"  # the manifest was refused, or was not there


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One pull or push. What the events do not say is None."""

    id: str
    kind: Kind
    artifact: str  # image, chart, signature, attestation, sbom, referrers
    state: State
    outcome: str
    reason: str | None
    registry: str | None
    repository: str
    tag: str | None
    tag_from: str | None  # request, head (recovered from the HEAD before a GET by digest), audit
    digest: str | None  # of the manifest that the tag stands for: the index, where there is one
    manifests: tuple[str, ...]  # every manifest, the first one first
    actor: str | None
    actor_kind: str | None
    client_ip: str | None
    client_via: str | None
    client_class: str | None
    traffic_class: str | None
    platform: str | None
    layers_fetched: int
    layers_uploaded: int
    layers_mounted: int
    layers_present: int | None  # known not to be needed: there already
    bytes: int | None
    start: datetime
    end: datetime
    resumed: bool
    requests: int

    def as_json(self) -> dict[str, Any]:
        """Flat, times as ISO 8601; None left out."""
        shown: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is None or value == ():
                continue
            shown[name] = iso(value) if isinstance(value, datetime) else list(value) if name == "manifests" else value
        return shown | {"duration_seconds": round((self.end - self.start).total_seconds(), 6)}


def artifact_of(tag: str | None, client_class: str | None) -> str:
    """What sort of thing a manifest stands for, as far as its tag or the tool shows; else an image."""
    found = _EVIDENCE.fullmatch(tag) if tag else None
    if found is not None:
        return _EVIDENCE_NAMES[found[1]]
    return "chart" if client_class == "helm" else "image"


def platform_of(user_agent: str | None) -> str | None:
    """`linux/amd64`, where the tool says on what it runs: Docker and CRI-O do."""
    found = _PLATFORM.search(user_agent) if user_agent and len(user_agent) < 1024 else None
    return f"{found[1]}/{found[2]}" if found else None
