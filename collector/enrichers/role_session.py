"""A role of AWS and the session under it: where machines take a role, who did something is the role.

`arn:…:assumed-role/push/GitHubActions-31533816` is one run of what pushes as `push`. With the run in the account's name each build
would be a stranger, and there were as many accounts as builds. The session is kept beside. Sessions of people stay in the name:
those of IAM Identity Center, an address of mail, and whatever no machine counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from collector.distinct import each, filled

if TYPE_CHECKING:
    import pyarrow as pa

_ROLE = re.compile(
    r"(?P<role>arn:aws[a-z-]{0,16}:sts::\d{12}:assumed-role/(?!AWSReservedSSO_)[\w+=,.@-]{1,64}|AROA[A-Z0-9]{8,28})[/:]"
    r"(?P<session>[\w+=,.@-]{1,64})"
)
# What machines call their sessions: an EC2 instance, the defaults of CI systems and of AWS' libraries, a number or digest of a run
# behind a word, an id. A number right behind letters may be a person's (`u1234567`).
_RUN = re.compile(
    r"i-[0-9a-f]{8,17}|GitHubActions|GitLabRunner-\d+-\d+|(?:botocore-session|aws-sdk-\w+|aws-go-sdk|AWSCLI-Session)-\d+|\d{10,}"
    r"|.*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}.*|[^@]*[-_.=](?:\d{5,}|(?=[a-f]*\d)[0-9a-f]{8,})"
)
_REMEMBERED = 8_192


@lru_cache(_REMEMBERED)
def role_and_run(actor: str) -> tuple[str, str | None]:
    """(the account, the session under it where machines take the role)."""
    found = _ROLE.fullmatch(actor)
    if found is None or _RUN.fullmatch(found["session"]) is None:
        return actor, None
    return found["role"], found["session"]


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
