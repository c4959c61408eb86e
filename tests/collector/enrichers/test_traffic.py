"""What a single line shows of the sort of traffic it belongs to."""

from __future__ import annotations

import pyarrow as pa
import pytest
from captured_events import captured

from collector.enrichers.traffic import ENRICH
from collector.enriching import EnrichSettings
from store.event import Traffic, schema
from store.traffic import TrafficRules


def told(enrich=ENRICH, **fields):
    row = {"action": "pull", "outcome": "success", "registry_kind": "distribution"} | fields
    filled = enrich(pa.Table.from_pylist([row], schema=schema()))
    assert filled.schema.equals(schema())
    return filled["traffic_class"][0].as_py()


@pytest.mark.parametrize(
    ("fields", "traffic"),
    [
        ({"client_class": "containerd"}, "cluster"),
        ({"actor": "system:node:w1", "actor_kind": "node", "client_class": "curl"}, "cluster"),
        ({"actor": "gitlab-ci-token", "actor_kind": "ci", "client_class": "docker"}, "ci"),
        ({"actor": "x", "actor_kind": "human", "ci_system": "gitlab", "client_class": "docker"}, "ci"),
        ({"client_class": "trivy"}, "scanner"),
        ({"client_class": "harbor"}, "mirror"),
        ({"client_class": "probe", "action": "ping", "uri": "/v2/"}, "probe"),
        ({"client_class": "go", "action": "ping", "uri": "/"}, "probe"),
        ({"client_class": "docker", "action": "ping", "uri": "/v2/"}, None),  # every client begins so
        ({"actor": "irina.v", "actor_kind": "human", "client_class": "docker"}, "people"),
        ({"actor": "robot$puller", "actor_kind": "robot", "client_class": "docker"}, None),
        ({"client_class": "docker"}, None),
        ({"client_class": "browser", "action": "other", "uri": "/harbor/projects", "registry_kind": "harbor"}, "people"),
        ({"action": "other", "uri": "/.env", "outcome": "failure"}, "noise"),
        ({"action": "other", "uri": "/v2/../../etc/passwd", "outcome": "success"}, "noise"),
        ({"action": "other", "uri": "/api/v2.0/projects", "registry_kind": "harbor"}, None),
        ({"actor": "harbor_registry_user", "actor_kind": "internal", "client_class": "skopeo"}, None),
        ({"actor": "harbor-jobservice", "actor_kind": "internal"}, "mirror"),
    ],
)  # fmt: skip
def test_single_lines(fields: dict[str, str], traffic: str | None) -> None:
    assert told(**fields) == traffic


def test_what_is_set_stands_above_all() -> None:
    """Accounts before networks, narrow networks before wide ones."""
    rules = TrafficRules.read(
        {"10.0.0.0/8": "cluster", "10.1.2.0/24": "ci", "10.1.2.9": "scanner", "build-*": "ci", "build-eve": "people"}
    )
    enrich = ENRICH.configured(EnrichSettings(traffic=rules))
    docker = {"client_class": "docker", "actor": "irina.v", "actor_kind": "human"}
    assert told(enrich, **docker, client_ip="10.9.9.9") == "cluster"
    assert told(enrich, **docker, client_ip="10.1.2.3") == "ci"
    assert told(enrich, **docker, client_ip="10.1.2.9") == "scanner"
    assert told(enrich, **docker, client_ip="192.0.2.1") == "people"
    assert told(enrich, actor="build-7", client_ip="10.9.9.9") == "ci"
    assert told(enrich, actor="build-eve", client_ip="10.9.9.9") == "people"
    assert told(enrich, client_ip="not an address") is None


@pytest.mark.parametrize(
    ("rules", "said"),
    [({"10.0.0.1/8": "ci"}, "host bits"), ({"10.0.0.0/8": "cI"}, "none of"), ({"eve": ""}, "none of")],
)
def test_rules_that_cannot_be(rules: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrafficRules.read(rules)


def test_the_captures() -> None:
    """The script's probe, its odd path and its people; and no class that is not one."""
    events = captured("distribution-live/v3-json/registry.log")
    by_class = {name: [one for one in events if one["traffic_class"] == name] for name in (*Traffic, None)}
    assert sum(map(len, by_class.values())) == len(events)
    assert [one["uri"][:8] for one in by_class["noise"]] == ["/v2/../."]
    assert {one["actor"] for one in by_class["people"]} == {"jonas", "k8s-pull"}  # a name that gives nothing away
    assert {one["actor"] for one in by_class["ci"]} == {"gitlab-runner"}
    assert ENRICH(schema().empty_table()).equals(schema().empty_table())
