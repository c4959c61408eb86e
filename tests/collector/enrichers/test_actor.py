"""What sort of account an actor is."""

from __future__ import annotations

import pyarrow as pa
import pytest
from format_samples import read_sample

from collector.accounts import KINDS, kind_of
from collector.enrichers.actor import ENRICH
from collector.enriching import EnrichSettings
from store.event import schema


@pytest.mark.parametrize(
    ("actor", "kind"),
    [
        ("robot$payments+ci", "robot"),
        ("robot$puller", "robot"),
        ("$app", "robot"),
        ("myorg+deployer", "robot"),
        ("gitlab-ci-token", "ci"),
        ("gitlab+deploy-token-17", "ci"),
        ("github-actions[bot]", "ci"),
        ("system:node:worker-1", "node"),
        ("system:serviceaccount:ns:builder", "robot"),
        ("harbor_registry_user", "internal"),
        ("anonymous", "anonymous"),
        ("*SYSTEM", "internal"),
        ("harbor-jobservice", "internal"),
        ("harbor#proxy-cache-service", "internal"),
        ("gitlab-runner", "ci"),
        ("svc-jenkins", "ci"),
        ("argocd-image-updater", "robot"),
        ("project_4711_bot_1a2b3c", "robot"),
        ("renovate[bot]", "robot"),
        ("arn:aws:sts::123456789012:assumed-role/eks-node/i-0123456789abcdef0", "node"),
        ("arn:aws:sts::123456789012:assumed-role/push/GitHubActions", "ci"),
        ("arn:aws:sts::123456789012:assumed-role/push/GitLabRunner-1-2", "ci"),
        ("arn:aws:sts::123456789012:assumed-role/app/session", "robot"),
        ("arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin_01/irina@corp.test", "human"),
        ("arn:aws:iam::123456789012:user/irina", "human"),
        ("arn:aws:iam::123456789012:root", "human"),
        ("ecr.amazonaws.com", "internal"),
        ("puller@my-project.iam.gserviceaccount.com", "robot"),
        ("service-1@containerregistry.iam.gserviceaccount.com", "internal"),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "robot"),
        ("x" * 5_000, "human"),
        ("irina.v", "human"),
        ("robot", "human"),
    ],
)
def test_kinds(actor: str, kind: str) -> None:
    """Names that registries and CI systems give out themselves are known; everybody else is a person."""
    assert kind_of(actor) == kind


def test_the_settings_say_otherwise() -> None:
    """An account's own name first, then the first pattern."""
    enrich = ENRICH.configured(EnrichSettings(kinds={"svc-*": "robot", "k8s-?": "node", "svc-eve": "human"}))
    rows = [{"actor": name} for name in ("svc-a", "svc-eve", "k8s-1", "irina.v")]
    filled = enrich(pa.Table.from_pylist(rows, schema=schema()))
    assert filled["actor_kind"].to_pylist() == ["robot", "human", "node", "human"]
    assert {kind_of(name) for name in ("robot$a", "irina")} <= set(KINDS)


def test_nobody_is_anonymous_only_where_the_line_says_so() -> None:
    """Without a name nothing is known, save where no credentials were presented."""
    rows = [
        {"actor": None, "reason": None},
        {"actor": None, "reason": "challenge"},
        {"actor": None, "reason": "no_credentials"},
        {"actor": None, "reason": "bad_credentials"},
        {"actor": "jonas", "reason": "bad_credentials"},
    ]
    filled = ENRICH(pa.Table.from_pylist(rows, schema=schema()))
    assert filled["actor_kind"].to_pylist() == [None, "anonymous", "anonymous", None, "human"]
    assert filled.schema.equals(schema())
    assert ENRICH(schema().empty_table()).equals(schema().empty_table())


def test_harbors_own_account_in_front_of_its_registry() -> None:
    """Behind Harbor every request is made by Harbor itself: never a person."""
    events = ENRICH(read_sample("distribution-text", "harbor-live/v2.12.4/registry.text.log").events)
    kinds = {
        kind for actor, kind in zip(events["actor"].to_pylist(), events["actor_kind"].to_pylist(), strict=True) if actor
    }
    assert kinds == {"internal"}
