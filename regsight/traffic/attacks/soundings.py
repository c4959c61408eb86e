"""Attacks that read what is no pull, of the fresh kinds: one layer looked for everywhere, tags asked for that nobody put, layers
in slices. Whoever wrote them had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Blob, Image, Repository
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import LAYERS, Planted

LARGE = 2_000_000  # bytes; less is not worth being cut


def look_for_one_layer(scene: Scene) -> Planted:
    """A layer with a known hole is asked for by its digest, repository after repository: who has it may be attacked next.

    A build asks for layers where it is about to push. The same layer asked for in a third repository of others, with nothing
    pushed to any, is no build.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    robot = rng.choice(world.robots)
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    base = max(world.named("base"), key=lambda one: sum(other.base is one for other in world.repositories))
    layer = base.image(base.numbers[0]).layers[-1]
    foreign = [one for one in scene.shuffled() if one not in who.repositories and one is not base]
    count = scene.pick(min(300, len(foreign)), 24, 12)
    have = [one for one in foreign if one.base is base][: 2 * count // 3]
    rest = [one for one in foreign if one.base is not base][: count - len(have)]
    places = rng.sample([*have, *rest], len(have) + len(rest))
    evidence: list[Request] = []
    for repository, at in zip(
        places, scene.moments(len(places), scene.pick(20 * MINUTE, 4 * HOUR, 3 * DAY)), strict=False
    ):
        session = scene.session(who.name, address, agent, at)
        session.challenge()
        evidence.append(session.look(repository, layer, known=repository.base is base))
    return Planted(evidence, decidable=3)


def wait_for_orders(scene: Scene) -> Planted:
    """What has settled on a node asks for its orders: a tag that is not there yet, another one each time, day and night.

    A pod whose image is missing asks for the same tag again and again. One node that asks once each for four tags that
    nobody ever put runs something that makes them up.
    """
    rng, world = scene.rng, scene.world
    node = rng.choice(world.nodes)
    cluster = world.clusters[node.cluster]
    repository = rng.choice(cluster.repositories)
    agent = scene.pick(scene.agent(), node.agent, node.agent)
    count, span = scene.pick((240, 4 * HOUR), (72, 12 * HOUR), (36, 3 * DAY))
    host = f"{rng.getrandbits(32):08x}"
    evidence: list[Request] = []
    for number, at in enumerate(scene.moments(count, span), 1):
        session = scene.session(cluster.name, node.address, agent, at)
        session.challenge()
        tag = scene.pick(f"task-{host}-{number}", f"job-{rng.getrandbits(32):08x}", f"{rng.getrandbits(40):010x}")
        evidence.append(session.unknown(repository.name, tag))
    return Planted(evidence, decidable=4, note="The orders never come.")


def slice_layers(scene: Scene) -> Planted:
    """Large layers leave in slices, so that no answer is large enough to be looked at: one range, and a while later the next.

    Clients take a layer whole, once, and keep it. A download that broke off is taken up again once or twice; eight pieces are
    no such thing.
    """
    rng, person = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[-1])
    agent = scene.pick(scene.agent(), scene.agent(), person.agent)
    foreign = [one for one in scene.shuffled() if one not in person.repositories]
    pool = scene.pick(foreign, foreign, rng.sample(person.repositories, len(person.repositories)))
    wanted = _large(pool, scene.at)[: scene.pick(16, 8, 3)]
    pieces = scene.pick(24, 20, 24)
    evidence: list[Request] = []
    taken: set[str] = set()
    span = scene.pick(HOUR, 8 * HOUR, 3 * DAY)
    for index, at in enumerate(scene.moments(len(wanted) * pieces, span)):
        repository, image, layer = wanted[index // pieces]
        session = scene.session(person.name, address, agent, at)
        session.challenge()
        if image.digest not in taken:
            taken.add(image.digest)
            evidence.append(session.pull(repository, image, "latest"))
        evidence.append(session.slice(repository, layer, layer.size // pieces))
    slices = [place for place, one in enumerate(evidence, 1) if one.digest]
    return Planted(evidence, decidable=slices[7] if len(slices) > 7 else len(evidence) + 1, needs=LAYERS)


def _large(repositories: list[Repository], at: int) -> list[tuple[Repository, Image, Blob]]:
    """Each layer that is large, once; if there is none, the largest."""
    every: dict[str, tuple[Repository, Image, Blob]] = {}
    for repository in repositories:
        image = repository.current(at)
        for layer in image.layers:
            every.setdefault(layer.digest, (repository, image, layer))
    found = list(every.values())
    return [one for one in found if one[2].size >= LARGE] or [max(found, key=lambda one: one[2].size)]
