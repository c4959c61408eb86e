"""The grammar of image names, as the Distribution reference rules and the OCI distribution specification give it.

`library/ubuntu:24.04`, `ml/train@sha256:…`: repository, then a tag or a digest. Host names are never part of it here:
inside a registry's own log there are none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
_NAME = re.compile(NAME)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[+._-][A-Za-z][A-Za-z0-9]*)*:[A-Za-z0-9=_-]{32,256}")
MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class ImageReference:
    """One name taken apart. At least one of tag and digest is None unless the text names both."""

    repository: str
    tag: str | None = None
    digest: str | None = None


def is_repository(name: str) -> bool:
    """Whether a registry takes this as the name of a repository."""
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    return len(text) <= 300 and _DIGEST.fullmatch(text) is not None


def read_image(text: str) -> ImageReference:
    """`repository`, `repository:tag`, `repository@digest` or `repository:tag@digest`.

    What is neither a tag nor a digest stays in the repository: the name is shown as it was written, never cut.
    """
    name, at, digest = text.rpartition("@")
    if not at or not is_digest(digest):
        name, digest = text, ""
    head, colon, tag = name.rpartition(":")
    if colon and is_tag(tag):
        return ImageReference(head, tag, digest or None)
    return ImageReference(name, None, digest or None)


def read_pulled_image(text: str) -> tuple[str | None, ImageReference]:
    """(host of the registry, image) of a name as clients write it: `ghcr.io/team/app:1`, `localhost:5000/app`, `alpine`.

    The first part is a host if it has a dot or a port or is `localhost`, as Docker decides. A name without one has no host
    here: which registry an engine then asks is its own setting.
    """
    first, slash, rest = text.partition("/")
    if slash and rest and ("." in first or ":" in first or first == "localhost"):
        return first, read_image(rest)
    return None, read_image(text)
