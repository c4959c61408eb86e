"""Name of the actor → what sort of account it is: anonymous, robot, ci, node, internal, human.

Told from names that registries and CI systems give out themselves, never from habit or user agent. Where a line names
nobody, nothing is known, unless it says that no credentials were presented: that is anonymous.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from store.event import CHALLENGE, NO_CREDENTIALS

if TYPE_CHECKING:
    import pyarrow as pa

ANONYMOUS, ROBOT, CI, NODE, INTERNAL, HUMAN = "anonymous", "robot", "ci", "node", "internal", "human"

_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (ANONYMOUS, re.compile(r"anonymous|system:anonymous|non_authenticated_user|-")),
    # Harbor core's own account at the registry behind it; Artifactory's service accounts.
    (INTERNAL, re.compile(r"harbor_registry_user|_internal|jfrt@.*|jfxr@.*|AWS Internal")),
    (NODE, re.compile(r"system:node:.+")),
    # GitLab's job token and deploy tokens, GitHub's bot, and their OIDC subjects.
    (CI, re.compile(r"gitlab(?:-ci|-deploy|\+deploy)-token(?:-\d+)?|github-actions(?:\[bot\])?|project_path:.+|repo:[^/]+/.+")),
    # Harbor's robot$…; Quay's $app, $token and $oauthtoken, and namespace+robot; Kubernetes service accounts.
    (ROBOT, re.compile(r"robot\$.+|\$(?:app|token|oauthtoken|dockercfg)|[a-z0-9_.-]+\+[a-z0-9_-]+|system:serviceaccount:.+")),
)  # fmt: skip


def kind_of(actor: str) -> str:
    """The sort of a named account; whoever is nothing else is taken for a person."""
    for kind, expression in _KINDS:
        if expression.fullmatch(actor) is not None:
            return kind
    return HUMAN


def enrich(events: pa.Table) -> pa.Table:
    """Fills actor_kind, once for each different actor."""
    import pyarrow as pa
    import pyarrow.compute as pc

    actors = events.column("actor").combine_chunks().dictionary_encode()
    kinds = pa.array([kind_of(actor) for actor in actors.dictionary.to_pylist()], pa.string()).take(actors.indices)
    nobody = pc.is_in(events.column("reason").combine_chunks(), value_set=pa.array([NO_CREDENTIALS, CHALLENGE]))
    kinds = pc.if_else(pc.and_(pc.is_null(kinds), nobody), ANONYMOUS, kinds)
    return events.set_column(events.schema.get_field_index("actor_kind"), "actor_kind", kinds.cast(pa.string()))


ENRICH = enrich
