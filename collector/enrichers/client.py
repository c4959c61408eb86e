"""User agent → the tool behind it and its version. The client writes its user agent itself: never an identity.

The forms are those seen in registries' logs. A user agent that is not in the table is "other"; none at all stays null.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from collector.distinct import each, filled

if TYPE_CHECKING:
    import pyarrow as pa

# (class, expression on the start of the user agent in lower case). The first that matches wins: tools that embed
# go-containerregistry or containers/image put their own name in front.
_TABLE: tuple[tuple[str, str], ...] = (
    ("docker", r"docker/"),
    ("docker", r"docker-client/"),
    ("containerd", r"containerd/"),
    ("cri-o", r"cri-o/"),
    ("skopeo", r"skopeo/"),
    ("podman", r"(?:podman|libpod)/"),
    ("buildah", r"buildah/"),
    ("containers", r"containers/"),  # podman and buildah as released: containers/5.30.1 (github.com/containers/image)
    ("buildkit", r"buildkit/"),
    ("crane", r"crane/"),
    ("kaniko", r"kaniko/"),
    ("ko", r"ko/"),
    ("cosign", r"cosign/"),
    ("notation", r"notation/"),
    ("go-containerregistry", r"go-containerregistry(?:/|$)"),
    ("trivy", r"trivy/"),
    ("grype", r"(?:grype|syft)/"),
    ("clair", r"clair"),
    ("container-analysis", r"containeranalysis/"),  # Google's scanner
    ("helm", r"helm/"),
    ("oras", r"oras(?:-go)?(?:/|$)"),
    ("regclient", r"(?:regclient/)?(?:regctl|regsync|regbot|regclient)(?:/|\b)"),
    ("jib", r"jib "),
    ("nerdctl", r"nerdctl/"),
    ("flux", r"(?:flux|source-controller)/"),
    ("argocd", r"argocd"),
    ("renovate", r"renovate"),
    ("watchtower", r"watchtower/"),
    ("harbor", r"harbor-registry(?:ctl)?-client"),
    ("probe", r"kube-probe/"),
    ("aws", r"[a-z0-9.-]{1,80}\.amazonaws\.com"),  # consoles and services of AWS
    ("curl", r"curl/"),
    ("wget", r"wget/"),
    ("python", r"python-(?:requests|urllib3|httpx)/|python-urllib/"),
    ("java", r"apache-httpclient/|java/|okhttp/"),
    ("go", r"go-http-client/"),  # any Go program that says nothing of itself
    ("browser", r"mozilla/"),
)
_KNOWN = tuple((name, re.compile(expression)) for name, expression in _TABLE)
CLASSES = tuple(dict.fromkeys(name for name, _ in _TABLE))
OTHER = "other"
_VERSION = re.compile(r"[^/\s]{1,64}[/ ]v?(\d[\w.+-]{0,63})")


@lru_cache(4_096)
def client_of(user_agent: str) -> tuple[str, str | None]:
    """(class, version); the version is None where none is said, and always for "other"."""
    start = user_agent.lower()
    for name, expression in _KNOWN:
        if expression.match(start) is not None:
            return name, _version(name, user_agent)
    return OTHER, None


def _version(name: str, user_agent: str) -> str | None:
    if name == "browser":  # "5.0" of Mozilla/5.0 is nobody's version
        return None
    found = _VERSION.match(user_agent)
    return found[1] if found is not None else None


def enrich(events: pa.Table) -> pa.Table:
    """Fills client_class and client_version, once for each different user agent."""
    said = each(events, "user_agent", client_of)
    return filled(events, client_class=said.column(lambda one: one[0]), client_version=said.column(lambda one: one[1]))


ENRICH = enrich
