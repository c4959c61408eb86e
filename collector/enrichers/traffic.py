"""What a single line shows of the sort of traffic it belongs to; most lines show nothing, and stay null.

First what the settings say of the account or the network, then what cannot be a client at work (health checks, requests
outside every registry's grammar), then the account, then the tool. The tool is the client's own word: good enough to sort
traffic, never to excuse it. What a machine without a name does around the clock only history shows
(`analytics.traffic_classes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from collector.accounts import CI, HUMAN, INTERNAL, NODE
from collector.distinct import filled, grouped, mapped, one_array
from collector.enriching import EnrichSettings
from store.event import Action, Outcome, Traffic

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = ["actor_kind", "client_class", "action", "outcome", "registry_kind"]
# What load balancers, kubelets and Harbor's own parts ask to see whether a registry is alive. `/v2/` is not among them:
# every client begins with it.
_HEALTH = (
    "/",
    "/healthz",
    "/health",
    "/readyz",
    "/livez",
    "/api/v2.0/ping",
    "/api/v2.0/health",
    "/api/health",
    "/metrics",
)
_API = r"^/(api|c|service|chartrepo|artifactory|repository|ui|static|ext)/"
_BY_TOOL: dict[str, Traffic] = {
    "probe": Traffic.PROBE,
    "trivy": Traffic.SCANNER,
    "grype": Traffic.SCANNER,
    "clair": Traffic.SCANNER,
    "container-analysis": Traffic.SCANNER,
    "harbor": Traffic.MIRROR,
    "containerd": Traffic.CLUSTER,
    "cri-o": Traffic.CLUSTER,
    "flux": Traffic.CLUSTER,
    "argocd": Traffic.CLUSTER,
    "watchtower": Traffic.CLUSTER,
    "kaniko": Traffic.CI,
    "renovate": Traffic.CI,
    "browser": Traffic.PEOPLE,
}
_BY_KIND = {CI: Traffic.CI, NODE: Traffic.CLUSTER}
_BY_HAND = frozenset(
    ("docker", "podman", "buildah", "containers", "skopeo", "crane", "nerdctl", "helm", "oras", "regclient", "cosign",
     "notation", "buildkit", "curl", "wget")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrafficOfLines:
    """Fills traffic_class, once for each combination of what it is told from."""

    settings: EnrichSettings = field(default_factory=EnrichSettings)

    def configured(self, settings: EnrichSettings) -> TrafficOfLines:
        return TrafficOfLines(settings)

    def __call__(self, events: pa.Table) -> pa.Table:
        import pyarrow.compute as pc

        nobody = pc.is_null(events.column("actor"))
        looked_at = events.select(_COLUMNS).append_column("nobody", nobody)
        looked_at = looked_at.append_column("in_ci", pc.is_valid(events.column("ci_system")))
        health, api = _paths(events, nobody)
        looked_at = looked_at.append_column("health", health).append_column("api", api)
        found = grouped(looked_at, tuple(looked_at.column_names), _class).column(lambda one: one)
        return filled(events, traffic_class=pc.coalesce(*self._set(events), found))

    def _set(self, events: pa.Table) -> list[pa.Array]:
        """What was set for the accounts, and what for the addresses."""
        rules, asked = self.settings.traffic, []
        if rules.accounts:
            asked.append(mapped(events, "actor", lambda actor: _named(rules.rule_for(actor, None))))
        if rules.networks:
            asked.append(mapped(events, "client_ip", lambda address: _named(rules.rule_for(None, address))))
        return asked


def _paths(events: pa.Table, nobody: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Whether a path is one of a health check, and of an API. Paths are as many as rows; only where nobody has a name they are
    asked, the first of short ones, the second of what is outside the registry's grammar."""
    import pyarrow as pa
    import pyarrow.compute as pc

    uris = one_array(events.column("uri"))
    nothing = pa.nulls(events.num_rows, pa.bool_())
    short = pc.and_(nobody, pc.less_equal(pc.binary_length(uris), max(map(len, _HEALTH))))
    outside = pc.and_(nobody, pc.equal(events.column("action"), Action.OTHER.value))
    health, api = nothing, nothing
    if pc.any(short).as_py():
        health = pc.is_in(pc.if_else(one_array(short), uris, None), value_set=pa.array(_HEALTH))
    if pc.any(outside).as_py():
        api = pc.match_substring_regex(pc.if_else(one_array(outside), uris, None), _API)
    return health, api


def _named(rule: tuple[Traffic, str] | None) -> str | None:
    return None if rule is None else rule[0].value


@lru_cache(4_096)
def _class(
    kind: str | None,
    tool: str | None,
    action: str,
    outcome: str,
    registry_kind: str | None,
    nobody: bool,
    in_ci: bool,
    health: bool | None,
    api: bool | None,
) -> str | None:
    if nobody and health and tool != "browser":
        return Traffic.PROBE.value
    # Distribution serves nothing but images; other registries have pages and interfaces of their own.
    nowhere = action == Action.OTHER and not api and (registry_kind == "distribution" or outcome != Outcome.SUCCESS)
    if nobody and nowhere and tool != "browser":
        return Traffic.NOISE.value
    found = Traffic.CI if in_ci else _BY_KIND.get(kind or "") or _BY_TOOL.get(tool or "")
    if found is None and kind == HUMAN and tool in _BY_HAND:
        found = Traffic.PEOPLE
    # Harbor's account at its own registry stands for whoever Harbor let through; the tool is then the client's.
    if found is None and kind == INTERNAL and tool is None:
        found = Traffic.MIRROR
    return None if found is None else found.value


ENRICH = TrafficOfLines()
