"""A role of AWS and the session under it: where machines take a role, who did something is the role.

`arn:…:assumed-role/push/GitHubActions-31533816` is one run of what pushes as `push`. With the run in the account's name each build
would be a stranger, and there were as many accounts as builds. The session is kept beside. Sessions of people stay in the name:
those of IAM Identity Center, an address of mail, and whatever no machine counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.accounts import role_and_run
from collector.distinct import each, filled

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class RoleSessions:
    """Fills actor_session and takes it off the actor, after kind and build were told from the whole name."""

    def __call__(self, events: pa.Table) -> pa.Table:
        named = each(events, "actor", role_and_run)
        if all(run is None for _, run in named.said):
            return events
        return filled(
            events, actor=named.column(lambda both: both[0]), actor_session=named.column(lambda both: both[1])
        )


ENRICH = RoleSessions()
