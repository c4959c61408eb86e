"""What the name of an account gives away: which sort it is, and which build of which CI system stands behind it.

Only forms that registries, clouds and CI systems give out themselves, never habits or user agents. A name that holds
the name of a CI product as a word of its own (`svc-jenkins`) is that product's account: people named it so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

ANONYMOUS, ROBOT, CI, NODE, INTERNAL, HUMAN = "anonymous", "robot", "ci", "node", "internal", "human"
KINDS = (HUMAN, ROBOT, CI, NODE, ANONYMOUS, INTERNAL)

_INSTANCE = r"i-[0-9a-f]{8,17}"  # of EC2: its session under a role is called so
_ROLE = r"arn:aws[a-z-]*:sts::\d{12}:assumed-role/[\w+=,.@-]+/"

# (system, expression). `project`, `ref`, `run` are groups where the name says them.
_CI: tuple[tuple[str, re.Pattern[str]], ...] = (
    # GitLab: job tokens, deploy tokens, the subject of its ID tokens, and the session name of its guide for AWS.
    ("gitlab", re.compile(r"gitlab-ci-token|gitlab[+-]deploy-token(?:-\d+)?")),
    ("gitlab", re.compile(r"project_path:(?P<project>[^:]+)(?::ref_type:\w+:ref:(?P<ref>.+))?")),
    ("gitlab", re.compile(_ROLE + r"GitLabRunner-(?P<project>\d+)-(?P<run>\d+)")),
    # GitHub: the account of Actions, the subject of its OIDC tokens, and the session name of its action for AWS.
    ("github", re.compile(r"github-actions(?:\[bot\])?")),
    ("github", re.compile(r"(?:.*/subject/)?repo:(?P<project>[^/:]+/[^/:]+)(?::ref:refs/(?:heads|tags)/(?P<ref>.+)|:.*)?")),
    ("github", re.compile(_ROLE + r"GitHubActions(?:-(?P<run>\d{5,20}))?")),
    ("codebuild", re.compile(_ROLE + r"AWSCodeBuild-(?P<run>[0-9a-f-]{36})")),
    ("cloud-build", re.compile(r"\d+@cloudbuild\.gserviceaccount\.com")),
)  # fmt: skip
# Products whose name people put into the account that they make for it; the last part of the name decides nothing.
_PRODUCTS = (
    ("gitlab", "gitlab-runner"), ("github", "github-runner"), ("jenkins", "jenkins"), ("tekton", "tekton"),
    ("drone", "drone"), ("circleci", "circleci"), ("buildkite", "buildkite"), ("teamcity", "teamcity"),
    ("woodpecker", "woodpecker"), ("bamboo", "bamboo"), ("concourse", "concourse"), ("azure-pipelines", "azure-pipelines"),
    ("argocd-image-updater", "argocd-image-updater"),
)  # fmt: skip
_NAMED = tuple((system, re.compile(rf"(?:.*[^a-z0-9])?{word}(?:[^a-z0-9].*)?")) for system, word in _PRODUCTS)

_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (ANONYMOUS, re.compile(r"anonymous|system:anonymous|non_authenticated_user|-")),
    # Harbor core's own account at the registry behind it, its job service and proxy cache; Artifactory's and Nexus' own
    # services; services of AWS and Google.
    (INTERNAL, re.compile(
        r"harbor_registry_user|harbor-(?:jobservice|core)|harbor#[\w-]+|_internal|_system_|jf[a-z]{2,5}@.*|\*(?:SYSTEM|TASK)"
        r"|AWS Internal|[a-z0-9.-]+\.amazonaws\.com|service-\d+@[\w.-]+\.iam\.gserviceaccount\.com"
    )),
    # An EC2 instance's session is named after the instance.
    (NODE, re.compile(r"system:node:.+|" + _ROLE + _INSTANCE)),
    # IAM Identity Center: a person's session under a role of its own making.
    (HUMAN, re.compile(r"arn:aws[a-z-]*:sts::\d{12}:assumed-role/AWSReservedSSO_[\w+=,.@-]+/.+")),
    # Harbor's robot$…; Quay's $app, $token and $oauthtoken, and namespace+robot; service accounts of Kubernetes and Google;
    # GitHub's apps; GitLab's project and group tokens; roles of AWS; applications of Azure, which are numbers.
    (ROBOT, re.compile(
        r"robot\$.+|\$(?:app|token|oauthtoken|dockercfg)|[a-z0-9_.-]+\+[a-z0-9_-]+|system:serviceaccount:.+"
        r"|[\w.-]+@[\w.-]+\.gserviceaccount\.com|[\w.-]+\[bot\]|(?:project|group)_\d+_bot(?:_\w+)?"
        r"|arn:aws[a-z-]*:(?:sts|iam)::\d{12}:(?:assumed-role|role|federated-user)/.+"
        r"|AROA[A-Z0-9]{8,28}(?::.+)?|(?!0{8}-)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    )),
)  # fmt: skip

_ROLE_AND_SESSION = re.compile(
    r"(?P<role>arn:aws[a-z-]{0,16}:sts::\d{12}:assumed-role/(?!AWSReservedSSO_)[\w+=,.@-]{1,64}|AROA[A-Z0-9]{8,28})[/:]"
    r"(?P<session>[\w+=,.@-]{1,64})"
)
# What machines call their sessions: an EC2 instance, the defaults of CI systems and of AWS' libraries, a number or digest of a run
# behind a word, an id. A number right behind letters may be a person's (`u1234567`).
_RUN = re.compile(
    _INSTANCE
    + r"|GitHubActions|GitLabRunner-\d+-\d+|(?:botocore-session|aws-sdk-\w+|aws-go-sdk|AWSCLI-Session)-\d+|\d{10,}"
    r"|.*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}.*|[^@]*[-_.=](?:\d{5,}|(?=[a-f]*\d)[0-9a-f]{8,})"
)


@dataclass(frozen=True, slots=True)
class Build:
    """What an account's name says of the CI system and the build behind it."""

    system: str | None = None
    project: str | None = None
    ref: str | None = None
    run: str | None = None


NO_BUILD = Build()
_REMEMBERED = 8_192  # the same accounts come in every batch
_LONGEST = 2048  # an ARN has up to 2048 characters; longer names are somebody's joke and no CI system's


@lru_cache(_REMEMBERED)
def build_of(actor: str) -> Build:
    """The CI system behind a named account, and which build, as far as the name says."""
    if len(actor) > _LONGEST:
        return NO_BUILD
    for system, expression in _CI:
        if (found := expression.fullmatch(actor)) is not None:
            said = found.groupdict()
            return Build(system, said.get("project"), said.get("ref"), said.get("run"))
    lower = actor.lower()
    return next((Build(system) for system, expression in _NAMED if expression.fullmatch(lower)), NO_BUILD)


@lru_cache(_REMEMBERED)
def kind_of(actor: str) -> str:
    """The sort of a named account; whoever is nothing else is taken for a person."""
    if len(actor) > _LONGEST:
        return HUMAN
    for kind, expression in _KINDS[:3]:
        if expression.fullmatch(actor) is not None:
            return kind
    # The updater moves tags in Git and only reads here: a robot, no build.
    system = build_of(actor).system
    if system is not None:
        return ROBOT if system == "argocd-image-updater" else CI
    return next((kind for kind, expression in _KINDS[3:] if expression.fullmatch(actor) is not None), HUMAN)


@lru_cache(_REMEMBERED)
def role_and_run(actor: str) -> tuple[str, str | None]:
    """(the account, the session under it where machines take the role)."""
    found = _ROLE_AND_SESSION.fullmatch(actor)
    if found is None or _RUN.fullmatch(found["session"]) is None:
        return actor, None
    return found["role"], found["session"]
