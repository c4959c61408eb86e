"""Which CI system, project and build stand behind an event."""

from __future__ import annotations

from ipaddress import ip_network

import pyarrow as pa
import pytest

from collector.enrichers.ci import ENRICH, commit_of
from collector.enriching import EnrichSettings
from store.event import schema

ROLE = "arn:aws:sts::123456789012:assumed-role/registry-push/"
COMMIT = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
FIELDS = ("ci_system", "ci_project", "ci_ref", "ci_run", "ci_commit")


def told(enrich=ENRICH, **fields):
    filled = enrich(pa.Table.from_pylist([fields], schema=schema()))
    assert filled.schema.equals(schema())
    return tuple(filled[name][0].as_py() for name in FIELDS)


@pytest.mark.parametrize(
    ("actor", "system", "project", "ref", "run"),
    [
        ("gitlab-ci-token", "gitlab", None, None, None),
        ("gitlab+deploy-token-17", "gitlab", None, None, None),
        ("project_path:shop/web:ref_type:branch:ref:feature/x:y", "gitlab", "shop/web", "feature/x:y", None),
        (ROLE + "GitLabRunner-4711-90210", "gitlab", "4711", None, "90210"),
        ("github-actions[bot]", "github", None, None, None),
        ("repo:acme/web:ref:refs/heads/main", "github", "acme/web", "main", None),
        ("repo:acme/web:environment:prod", "github", "acme/web", None, None),
        (
            "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/"
            "repo:acme/web:ref:refs/tags/v1",
            "github", "acme/web", "v1", None,
        ),
        (ROLE + "GitHubActions", "github", None, None, None),
        (ROLE + "AWSCodeBuild-01234567-89ab-cdef-0123-456789abcdef", "codebuild", None, None,
         "01234567-89ab-cdef-0123-456789abcdef"),
        ("42@cloudbuild.gserviceaccount.com", "cloud-build", None, None, None),
        ("svc-jenkins", "jenkins", None, None, None),
        ("robot$shop+jenkins", "jenkins", None, None, None),
        ("gitlab-runner", "gitlab", None, None, None),
        ("argocd-image-updater", "argocd-image-updater", None, None, None),
        ("jenkinson", None, None, None, None),  # a person
        (ROLE + "i-0123456789abcdef0", None, None, None, None),
        ("irina.v", None, None, None, None),
        (None, None, None, None, None),
    ],
)  # fmt: skip
def test_the_build_behind_an_account(actor, system, project, ref, run) -> None:
    """As far as the name says it, in the forms that the systems give out."""
    assert told(actor=actor) == (system, project, ref, run, None)


@pytest.mark.parametrize(
    ("tag", "commit"),
    [
        (COMMIT, COMMIT),
        ("0a1b2c3d", "0a1b2c3d"),  # GitLab's CI_COMMIT_SHORT_SHA
        ("sha-0a1b2c3", "0a1b2c3"),  # docker/metadata-action
        ("main-0a1b2c3d", "0a1b2c3d"),
        ("20261124", None),  # a date
        ("1234567", None),  # a build number
        ("deadbeef", None),  # a word
        ("latest", None),
        ("v1.2.3", None),
    ],
)
def test_the_commit_in_a_tag(tag: str, commit: str | None) -> None:
    assert commit_of(tag) == commit
    assert told(actor="gitlab-ci-token", actor_kind="ci", tag=tag)[-1] == commit
    assert told(actor="irina.v", actor_kind="human", tag=tag)[-1] is None  # a person's tag is a name


def test_runners_are_known_by_their_networks() -> None:
    """Where the account says nothing; what a header claims, and a proxy's own address, prove nothing."""
    runners = {"gitlab": (ip_network("10.30.0.0/16"),), "jenkins": (ip_network("2001:db8::/32"),)}
    enrich = ENRICH.configured(EnrichSettings(runners=runners))
    assert told(enrich, actor="deploy", client_ip="10.30.1.2", client_via="peer")[0] == "gitlab"
    assert told(enrich, client_ip="2001:db8::7", client_via="proxied")[0] == "jenkins"
    assert told(enrich, actor="github-actions[bot]", client_ip="10.30.1.2", client_via="peer")[0] == "github"
    assert told(enrich, actor="deploy", client_ip="10.31.1.2", client_via="peer")[0] is None
    assert told(enrich, actor="deploy", client_ip="10.30.1.2", client_via="forwarded")[0] is None
    assert told(enrich, actor="deploy", client_ip="10.30.1.2", client_via="proxy")[0] is None


def test_hostile_names_cost_nothing() -> None:
    """Long, odd, or made to make an expression run: an answer at once, and an empty table stays one."""
    for name in (
        "a" * 100_000,
        "repo:" * 20_000,
        "x/subject/" * 5_000,
        "-jenkins-" * 10_000,
        "\x00",
        "robot$" + "+" * 5_000,
    ):
        told(actor=name, tag=name[:500])
    assert ENRICH(schema().empty_table()).equals(schema().empty_table())
