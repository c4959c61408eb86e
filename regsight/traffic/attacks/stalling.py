"""An attack by slowness, of the unforeseen kinds: connections that are held open. Whoever wrote it had read no detector and no
rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Blob, Image
from regsight.traffic.population import DAY, HOUR, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import DURATIONS, Planted

LARGE = 20_000_000  # bytes, of which a slow line may take a while


def hold_connections_open(scene: Scene) -> Planted:
    """Layers of a few megabytes are read a few bytes at a time, many at once: each takes a connection from everybody else.

    The slowest line has such a layer in minutes. One that took the better part of an hour may be a laptop that was closed in
    between; with the third it is the client that waits.
    """
    rng, person = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[0])
    agent = scene.pick(scene.agent(), scene.agent(), person.agent)
    foreign = [one for one in scene.shuffled() if one not in person.repositories]
    pool = scene.pick(foreign, person.repositories, person.repositories)
    moments = scene.moments(*scene.pick((300, HOUR), (40, 5 * HOUR), (12, 3 * DAY)))
    if scene.difficulty == "stealthy":
        moments = scene.at_work(moments) or [scene.at]
    minutes = scene.pick((20, 50), (30, 60), (90, 240))
    evidence: list[Request] = []
    for at in moments:
        repository = rng.choice(pool)
        image = repository.current(at)
        session = scene.session(person.name, address, agent, at)
        session.challenge()
        session.pull(repository, image, "latest")
        evidence.append(session.dawdle(repository, _layer(image), int(rng.uniform(*minutes) * MINUTE)))
    evidence = scene.until_end(evidence)
    return Planted(evidence, decidable=3, needs=DURATIONS)


def _layer(image: Image) -> Blob:
    """The largest that is not large."""
    small = [layer for layer in image.layers if layer.size < LARGE]
    return max(small or image.layers, key=lambda layer: layer.size)
