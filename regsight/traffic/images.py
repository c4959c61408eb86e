"""Repositories and the images in them. Digests follow from the seed, the repository and the version alone."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from math import exp
from random import Random
from typing import NamedTuple

# How many pushes a layer lives, from the top of the image down: 1 to 3 layers are new in each push.
LIFETIMES = (1, 4, 12, 60, 200)


class Blob(NamedTuple):
    """A layer or a config."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Image:
    """One manifest and what it refers to."""

    digest: str
    size: int  # of the manifest itself, bytes
    config: Blob
    layers: tuple[Blob, ...]


@dataclass(slots=True, eq=False)
class Repository:
    """A repository with the history of what was pushed to it.

    `pushed` and `numbers` run side by side: from `pushed[i]` (nanoseconds since 1970) version `numbers[i]` is current.
    Only the ordinary traffic adds to them; a scenario reads them and adds nothing.
    """

    seed: int
    name: str
    weight: float  # share of the pulls
    layer_count: int
    semantic: bool  # immutable tags are `v1.4.2`, else commit hashes
    base: Repository | None = None
    pushed: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    key: str = ""  # the name that images follow from, where it was changed afterwards
    removed: set[int] = field(default_factory=set)  # versions that were cleaned up
    signer: str = ""  # the account that signs what is pushed here; empty: nobody does

    @property
    def project(self) -> str:
        return self.name.partition("/")[0]

    def number(self, at: int) -> int:
        """The version that is current at a moment."""
        return self.numbers[max(bisect_right(self.pushed, at) - 1, 0)]

    def image(self, number: int) -> Image:
        return _image(self.seed, self.key or self.name, self.layer_count, number, self.base)

    def current(self, at: int) -> Image:
        return self.image(self.number(at))

    def deployed(self, at: int) -> int:
        """The version that clusters run: not every push is rolled out."""
        for index in range(bisect_right(self.pushed, at) - 1, -1, -1):
            if rolled_out(self.numbers[index]):
                return self.numbers[index]
        return self.numbers[0]

    def tag(self, number: int) -> str:
        """The immutable tag of a version."""
        if self.semantic:
            return f"v{1 + number // 40}.{number // 8 % 5}.{number % 8}"
        return sha256(f"{self.seed}/{self.key or self.name}/commit/{number}".encode()).hexdigest()[:10]


def rolled_out(number: int) -> bool:
    return number % 4 == 0


@lru_cache(maxsize=20_000)
def _image(seed: int, name: str, layer_count: int, number: int, base: Repository | None) -> Image:
    own = [
        blob(f"{seed}/{name}/{level}/{number // LIFETIMES[min(level, len(LIFETIMES) - 1)]}")
        for level in range(layer_count)
    ]
    below = base.image(base.numbers[0]).layers if base is not None else ()
    config = Blob("sha256:" + sha256(f"{seed}/{name}/config/{number}".encode()).hexdigest(), 1500 + 97 * layer_count)
    layers = (*below, *reversed(own))
    digest = "sha256:" + sha256("".join([config.digest, *(layer.digest for layer in layers)]).encode()).hexdigest()
    return Image(digest, 420 + 162 * len(layers), config, layers)


@lru_cache(maxsize=50_000)
def blob(key: str) -> Blob:
    """A layer of a size drawn from the two log-normals that fit a real registry's blobs (median 1.9 KB and 9.2 MB)."""
    digest = sha256(key.encode()).hexdigest()
    rng = Random(digest)  # noqa: S311 - repeatable on purpose
    small = rng.random() < 0.53  # configs, which are small too, come on top of these
    size = 1_900 * exp(rng.gauss(0, 2.18)) if small else 9_200_000 * exp(rng.gauss(0, 1.4))
    return Blob(f"sha256:{digest}", int(min(max(size, 32), 690_000_000)))
