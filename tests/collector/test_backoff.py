"""Pauses grow, never beyond the ceiling, and never below what the other side asked for."""

from __future__ import annotations

import random

from collector.backoff import Backoff


def test_pauses_grow_to_the_ceiling_with_jitter() -> None:
    """Each pause lies between half and all of a span that doubles up to the ceiling; two collectors differ."""
    one, other = (Backoff(first=0.5, ceiling=60, chance=random.Random(seed)) for seed in (1, 2))
    pauses = [one.pause() for _ in range(40)]
    for number, pause in enumerate(pauses):
        span = min(60.0, 0.5 * 2**number)
        assert span / 2 <= pause <= span
    assert pauses != [other.pause() for _ in range(40)]


def test_success_starts_anew_and_retry_after_is_kept() -> None:
    """After a success the first pause is short again; Retry-After is a lower bound, save for nonsense."""
    backoff = Backoff(first=0.5, ceiling=60, chance=random.Random(1))
    for _ in range(10):
        backoff.pause()
    backoff.success()
    assert backoff.failures == 0 and backoff.pause() <= 0.5
    assert 120 <= backoff.pause(retry_after=120) <= 132
    assert backoff.pause(retry_after=1e9) <= 3600 * 1.1
