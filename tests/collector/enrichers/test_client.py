"""Which tool stands behind a user agent."""

from __future__ import annotations

import pyarrow as pa
import pytest
from format_samples import read_sample

from collector.enrichers.client import CLASSES, ENRICH, client_of
from store.event import schema


@pytest.mark.parametrize(
    ("agent", "client", "version"),
    [
        ("docker/29.2.1 go/go1.25.6 os/linux UpstreamClient(Docker-Client/29.2.1 \\(linux\\))", "docker", "29.2.1"),
        ("docker/18.06.1-ce go/go1.10.3", "docker", "18.06.1-ce"),
        ("containerd/v1.6.24", "containerd", "1.6.24"),
        ("containerd/1.3.2+unknown", "containerd", "1.3.2+unknown"),
        ("cri-o/1.34.0 go/go1.25.0 os/linux arch/amd64", "cri-o", "1.34.0"),
        ("containers/5.30.1 (github.com/containers/image)", "containers", "5.30.1"),
        ("skopeo/1.13.3", "skopeo", "1.13.3"),
        ("Buildah/1.23.1", "buildah", "1.23.1"),
        ("buildkit/v0.11", "buildkit", "0.11"),
        ("go-containerregistry/v0.19.1", "go-containerregistry", "0.19.1"),
        ("go-containerregistry", "go-containerregistry", None),
        ("crane/v0.19.1 go-containerregistry/v0.19.1", "crane", "0.19.1"),
        ("kaniko/v1.9.0,gzip(gfe)", "kaniko", "1.9.0"),
        ("cosign/v2.2.0 (linux; amd64)", "cosign", "2.2.0"),
        ("trivy/0.50.1", "trivy", "0.50.1"),
        ("Helm/3.9.1", "helm", "3.9.1"),
        ("harbor-registry-client", "harbor", None),
        ("harbor-registryctl-client", "harbor", None),
        ("kube-probe/1.23", "probe", "1.23"),
        ("oras/1.2.0", "oras", "1.2.0"),
        ("regclient/regctl (v0.5.1)", "regclient", None),
        ("curl/7.88.1", "curl", "7.88.1"),
        ("Go-http-client/1.1", "go", "1.1"),
        ("Mozilla/5.0 (Windows NT 10.0)", "browser", None),
        ("ContainerAnalysis/boq_artifact-analysis-scanlistener_20240614.04_p1 go-containerregistry", "container-analysis", None),
        ("console.amazonaws.com", "aws", None),
        ("evil docker/1.0", "other", None),
        ("\x00", "other", None),
    ],
)  # fmt: skip
def test_clients(agent: str, client: str, version: str | None) -> None:
    """The form of every tool as registries have logged it; the beginning counts, not what stands somewhere inside."""
    assert client_of(agent) == (client, version)


def test_a_table_is_filled_by_column() -> None:
    """Null stays null, the schema stays as it was, and so does an empty table."""
    events = read_sample("distribution-json", "distribution-live/v2.8.2-json/registry.log").events
    filled = ENRICH(events)
    assert filled.schema.equals(schema())
    assert set(filled["client_class"].unique().to_pylist()) == {"curl", "skopeo", "docker", "helm", "cosign", "other"}
    for agent, client in zip(filled["user_agent"].to_pylist(), filled["client_class"].to_pylist(), strict=True):
        assert (agent is None) == (client is None)
    assert ENRICH(schema().empty_table()).equals(schema().empty_table())
    place = events.schema.get_field_index("user_agent")
    nobody = ENRICH(events.set_column(place, events.schema.field(place), pa.nulls(events.num_rows, pa.string())))
    assert nobody["client_class"].null_count == events.num_rows


def test_the_table_knows_enough() -> None:
    assert len(CLASSES) >= 18
