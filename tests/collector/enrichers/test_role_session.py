"""Machines that take a role under another session's name each time are one account."""

from __future__ import annotations

import pyarrow as pa
import pytest

from collector.accounts import role_and_run
from collector.enrichers.role_session import ENRICH
from regsight.discover import enrichers
from store.event import schema

ROLE = "arn:aws:sts::123456789012:assumed-role/push"


@pytest.mark.parametrize(
    "run",
    [
        "i-0123456789abcdef0", "GitHubActions", "GitHubActions-31533816", "GitLabRunner-1-2", "botocore-session-1758000000",
        "AWSCodeBuild-0a1b2c3d-0123-4567-89ab-0123456789ab", "eks-p-w-0a1b2c3d-0123-4567-89ab-0123456789ab", "tfc-run-c28277c0",
        "1758000000123456789",
    ],
)  # fmt: skip
def test_a_run_is_no_account(run: str) -> None:
    assert role_and_run(f"{ROLE}/{run}") == (ROLE, run)


@pytest.mark.parametrize(
    "actor",
    [
        f"{ROLE}/jonas", f"{ROLE}/u1234567", f"{ROLE}/irina@corp.test", f"{ROLE}/argocd", f"{ROLE}/AWSCloudFormation",
        f"{ROLE}/anna-12345@corp.test", "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/GitHubActions",
        "arn:aws:iam::123456789012:user/build-1234567", "robot$build-1234567", "GitHubActions-31533816",
    ],
)  # fmt: skip
def test_people_and_lasting_names_stay(actor: str) -> None:
    assert role_and_run(actor) == (actor, None)


def test_kind_and_build_are_told_from_the_whole_name() -> None:
    events = pa.Table.from_pylist(
        [
            {"actor": f"{ROLE}/i-0123456789abcdef0"},
            {"actor": f"{ROLE}/GitHubActions-31533816"},
            {"actor": "AROA12345678ABCDEFGH:botocore-session-1758000000"},
            {"actor": None},
        ],
        schema=schema(),
    )
    for enrich in enrichers():
        if "Clock" not in type(enrich).__name__:
            events = enrich(events)
    columns = ("actor", "actor_session", "actor_kind", "ci_system", "ci_run")
    assert list(zip(*(events[name].to_pylist() for name in columns), strict=True)) == [
        (ROLE, "i-0123456789abcdef0", "node", None, None),
        (ROLE, "GitHubActions-31533816", "ci", "github", "31533816"),
        ("AROA12345678ABCDEFGH", "botocore-session-1758000000", "robot", None, None),
        (None, None, None, None, None),
    ]
    assert ENRICH(events).equals(events)
