"""What sort of account an actor is."""

from __future__ import annotations

import pyarrow as pa
import pytest
from format_samples import read_sample

from collector.enrichers.actor import ENRICH, kind_of
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
        ("irina.v", "human"),
        ("robot", "human"),
    ],
)
def test_kinds(actor: str, kind: str) -> None:
    """Names that registries and CI systems give out themselves are known; everybody else is a person."""
    assert kind_of(actor) == kind


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
