"""Why a container engine could not pull an image, from the sentence it says of it.

The sentence is the registry's answer wrapped in those of the engine, the runtime and the kubelet; only its plain parts are
read, and a cause that is not plain has no reason.
"""

from __future__ import annotations

import re

from store.event import BAD_CREDENTIALS, FORBIDDEN, NO_CREDENTIALS, Outcome

# In this order: a refusal also says that nothing was found.
_CAUSES: tuple[tuple[re.Pattern[str], Outcome, str | None], ...] = (
    (re.compile(r"toomanyrequests|too many requests|\b429\b", re.IGNORECASE), Outcome.FAILURE, "rate_limited"),
    (
        re.compile(
            r"no basic auth credentials|fetch anonymous token.*\b401\b|authentication required",
            re.IGNORECASE | re.DOTALL,
        ),
        Outcome.DENIED,
        NO_CREDENTIALS,
    ),
    (
        re.compile(
            r"fetch oauth token.*\b401\b|incorrect username or password|invalid username/password",
            re.IGNORECASE | re.DOTALL,
        ),
        Outcome.DENIED,
        BAD_CREDENTIALS,
    ),
    (re.compile(r"\b403\b ?forbidden", re.IGNORECASE), Outcome.DENIED, FORBIDDEN),
    # Whether credentials were presented, or whether the repository exists at all, is not said.
    (
        re.compile(
            r"access denied|access to the resource is denied|insufficient_scope|\bunauthorized\b|\bdenied:",
            re.IGNORECASE,
        ),
        Outcome.DENIED,
        None,
    ),
    (
        re.compile(r"manifest unknown|not ?found|name unknown|does not exist", re.IGNORECASE),
        Outcome.FAILURE,
        "not_found",
    ),
    (re.compile(r"\b50[0234]\b", re.IGNORECASE), Outcome.FAILURE, "server_error"),
    (
        re.compile(r"context canceled|context cancelled|pull operation canceled", re.IGNORECASE),
        Outcome.FAILURE,
        "aborted",
    ),
)
_READ = 4096  # characters of a sentence that are looked at


def cause_of(message: str) -> tuple[Outcome, str | None]:
    """Outcome and reason of a pull that did not work."""
    for pattern, outcome, reason in _CAUSES:
        if pattern.search(message[:_READ]) is not None:
            return outcome, reason
    return Outcome.FAILURE, None
