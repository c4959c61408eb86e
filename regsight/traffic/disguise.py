"""The same world under other names: a detector that has learned the simulator's names finds nothing there."""

from __future__ import annotations

import re
from hashlib import blake2b

from regsight.traffic.population import Population

# What sites of all kinds call such accounts and places: words that a product may know.
CONVENTIONS = frozenset(
    ("ci", "cd", "k8s", "deploy", "release", "build", "base", "admin", "registry", "sync", "operator", "updater", "job")
)
_SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ra", "se", "ti", "vo", "za", "xe", "wu")


def disguise(world: Population) -> None:
    """Rename every account and repository in place. Everything else stays."""
    for repository in (*world.repositories, *world.cached):
        repository.key, repository.name = repository.name, other_name(repository.name)
        repository.signer = repository.signer and other_name(repository.signer)
    machines = (world.scanner, world.mirror, world.updater, world.cleaner, world.signer)
    for actor in (*world.people, *world.retired, *world.robots, *world.clusters, *world.admins, *machines):
        actor.name = other_name(actor.name)


def other_name(name: str) -> str:
    """Each word of a name as another one, the same each time; conventions and punctuation stay.

    >>> other_name("ci-payments") == "ci-payments"
    False
    """
    return re.sub(r"[A-Za-z][A-Za-z0-9]*", lambda found: _other(found[0]), name)


def _other(word: str) -> str:
    if word.lower() in CONVENTIONS:
        return word
    drawn = blake2b(word.lower().encode(), digest_size=4).digest()
    return "".join(_SYLLABLES[byte % 16] for byte in drawn)
