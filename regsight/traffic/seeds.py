"""The seed tree: one root seed, a child for each (component, day), so that one component never disturbs another."""

from __future__ import annotations

from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def derive(seed: int, *path: object) -> int:
    """The child seed at `path`, 64 bits."""
    text = "/".join(map(str, (seed, *path)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def stream(seed: int, *path: object) -> Random:
    """A generator of its own for single draws."""
    return Random(derive(seed, *path))  # noqa: S311 - repeatable on purpose, nothing secret is drawn


def arrays(seed: int, *path: object) -> np.random.Generator:
    """A generator of its own for whole arrays of draws."""
    import numpy as np

    return np.random.default_rng(derive(seed, *path))
