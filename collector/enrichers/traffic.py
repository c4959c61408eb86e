"""What a single line shows of the sort of traffic it belongs to; most lines show nothing, and stay null.

First what the settings say of the account or the network, then what cannot be a client at work (health checks, requests
outside every registry's grammar), then the account, then the tool. The tool is the client's own word: good enough to sort
traffic, never to excuse it. What a machine without a name does around the clock only history shows
(`analytics.traffic_classes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collector.accounts import CI, HUMAN, INTERNAL, NODE
from collector.distinct import filled, grouped
from collector.enriching import EnrichSettings
from store.event import Action, Outcome, Traffic

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = (
    "actor",
    "actor_kind",
    "ci_system",
    "client_ip",
    "client_class",
    "action",
    "outcome",
    "registry_kind",
    "health",
    "api",
)
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
        import pyarrow as pa
        import pyarrow.compute as pc

        path = events.column("uri").combine_chunks()
        health = pc.if_else(pc.is_in(path, value_set=pa.array(_HEALTH)), "yes", None).cast(pa.string())
        api = pc.if_else(pc.match_substring_regex(path, _API), "yes", None).cast(pa.string())
        looked_at = events.append_column("health", health).append_column("api", api)
        said = grouped(looked_at, _COLUMNS, self._class)
        return filled(events, traffic_class=said.column(lambda one: one))

    def _class(
        self,
        actor: str | None,
        kind: str | None,
        system: str | None,
        address: str | None,
        tool: str | None,
        action: str,
        outcome: str,
        registry_kind: str | None,
        health: str | None,
        api: str | None,
    ) -> str | None:
        rule = self.settings.traffic.rule_for(actor, address)
        if rule is not None:
            return rule[0].value
        if actor is None and health and tool != "browser":
            return Traffic.PROBE.value
        # Distribution serves nothing but images; other registries have pages and interfaces of their own.
        nowhere = action == Action.OTHER and not api and (registry_kind == "distribution" or outcome != Outcome.SUCCESS)
        if actor is None and nowhere and tool != "browser":
            return Traffic.NOISE.value
        found = Traffic.CI if system is not None else _BY_KIND.get(kind or "") or _BY_TOOL.get(tool or "")
        if found is None and kind == HUMAN and tool in _BY_HAND:
            found = Traffic.PEOPLE
        # Harbor's account at its own registry stands for whoever Harbor let through; the tool is then the client's.
        if found is None and kind == INTERNAL and tool is None:
            found = Traffic.MIRROR
        return None if found is None else found.value


ENRICH = TrafficOfLines()
