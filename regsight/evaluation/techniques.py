"""Which technique of ATT&CK a kind of finding speaks of: those that its likely causes name."""

from __future__ import annotations

import re
from functools import cache

_ID = re.compile(r"T\d{4}(?:\.\d{3})?")


@cache
def techniques(kind: str) -> tuple[str, ...]:
    """The techniques that the causes of such a finding name; none where they name none."""
    from analytics.explain import CAUSES
    from analytics.rules.load import pack

    named = [_ID.findall(cause) for cause in CAUSES.get(kind, ())]
    ruled = [rule.attack for rule in pack() if rule.id == kind]
    return tuple(dict.fromkeys(id for ids in (*named, *ruled) for id in ids))
