"""An attack that uses the registry to talk, of the unimagined kinds: orders through a tag. Whoever wrote it had read no detector
and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Blob, Image, Repository, blob
from regsight.traffic.population import DAY, HOUR, Node, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import SECOND, Scene, place_of
from regsight.traffic.truth import Planted

BEATS = 12  # of one machine, after which the beat is one


def give_orders_by_tag(scene: Scene) -> Planted:
    """Machines in other hands ask for one tag at a fixed beat; what they are to do is what somebody has pushed there.

    All of it is pulls and pushes, and the registry is the one place that each machine may talk to. Pods start when they start;
    a machine that asks for one and the same tag, at one and the same distance, twelve times, is no pod.
    """
    rng, world = scene.rng, scene.world
    person = scene.somebody()
    run = world.running()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[0])
    agent = scene.pick(scene.agent(), person.agent, person.agent)
    own = [one for one in person.repositories if one.name in run] or person.repositories
    idle = [one for one in person.repositories if one.name not in run] or person.repositories
    repository = rng.choice(scene.pick(idle, idle, own))
    tag = scene.pick("cfg", "sync", f"dev-{person.name.partition('.')[0]}")
    beat, span = scene.pick((60, HOUR), (300, 8 * HOUR), (1200, 3 * DAY))
    until = min(scene.at + span, scene.end)
    orders: list[tuple[int, Image]] = []
    evidence: list[Request] = []
    for at in [scene.at, *scene.moments(scene.pick(6, 4, 4), span)]:
        session = scene.session(person.name, address, agent, at)
        session.login()
        order = Blob(blob(f"{world.seed}/order/{rng.getrandbits(64)}").digest, rng.randrange(180, 2400))
        plain = repository.image(900_000 + rng.randrange(10**6))
        image = Image(plain.digest, 582, plain.config, (order,))
        evidence += session.push(repository, image, [tag], 1, looks=0)
        orders.append((session.at, image))
    for node in scene.machines(repository, scene.pick(8, 3, 1)):
        evidence += _listen(scene, node, repository, tag, orders, beat * SECOND, until)
    evidence = scene.until_end(evidence)
    asked = place_of(evidence, BEATS, lambda one: one.address if one.method == "GET" else "")
    return Planted(evidence, decidable=asked)


def _listen(
    scene: Scene, node: Node, repository: Repository, tag: str, orders: list[tuple[int, Image]], every: int, until: int
) -> list[Request]:
    """One machine at its beat, with a percent of noise; an order that it does not have yet it fetches."""
    rng = scene.rng
    name = scene.world.clusters[node.cluster].name
    found: list[Request] = []
    held = ""
    at = orders[0][0] + int(rng.uniform(0.1, 1) * every)
    while at < until:
        session = scene.session(name, node.address, node.agent, at)
        session.challenge()
        image = [order for since, order in orders if since <= session.at][-1]
        found.append(session.pull(repository, image, tag))
        if image.digest != held:
            session.fetch(repository, (image.config, *image.layers))
            held = image.digest
        at += int(rng.gauss(1, 0.01) * every)
    return found
