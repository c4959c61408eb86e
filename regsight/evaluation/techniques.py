"""Which technique of ATT&CK a kind of finding speaks of."""

from __future__ import annotations

from functools import cache

_OF_DETECTORS: dict[str, tuple[str, ...]] = {
    "password_guessing": ("T1110.001",),
    "distributed_guessing": ("T1110.001",),
    "password_spraying": ("T1110.003",),
    "credential_stuffing": ("T1110.004",),
    "forbidden_probe": ("T1613",),
    "pull_surge": ("T1213", "T1530", "T1567"),
    "new_repositories": ("T1213", "T1530", "T1078.004"),
}


@cache
def _of_rules() -> dict[str, tuple[str, ...]]:
    from analytics.rules.load import pack

    return {rule.id: rule.attack for rule in pack()}


def techniques(kind: str) -> tuple[str, ...]:
    """The techniques that a finding of this kind names; none where its detector does not know."""
    return _OF_DETECTORS.get(kind) or _of_rules().get(kind, ())
