"""Attacks on the way of an image from its build to its use: what is checked is gone round, or taken from elsewhere."""

from __future__ import annotations

from regsight.traffic.images import Repository
from regsight.traffic.operations import pull_all
from regsight.traffic.population import HOUR, Actor, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, SECOND, Scene
from regsight.traffic.supply import sign
from regsight.traffic.truth import Planted


def skip_the_signature(scene: Scene) -> Planted:
    """In a project where all is signed, an image is run that nobody signed."""
    rng = scene.rng
    robot, repository = _built(scene)
    session = scene.session(robot.name, rng.choice(robot.addresses), robot.agent)
    session.challenge()
    image = repository.image(900_000 + rng.randrange(10**6))
    evidence = session.push(repository, image, ["stable"], 1)
    first = session.at + scene.pick(rng.uniform(10, 50) * SECOND, 10 * MINUTE, rng.uniform(2, 5) * HOUR)
    for node in rng.sample(scene.world.nodes, min(scene.pick(5, 3, 1), len(scene.world.nodes))):
        puller = scene.session(scene.world.clusters[node.cluster].name, node.address, node.agent, int(first))
        evidence.append(pull_all(puller, repository, image, "stable"))
        first += rng.uniform(5, 60) * SECOND
    return Planted(sorted(evidence, key=lambda request: request.at), culprit=robot.name, decidable=2)


def _built(scene: Scene) -> tuple[Actor, Repository]:
    """A robot and one of the repositories that it builds, in a project that signs."""
    return scene.rng.choice([(robot, one) for robot in scene.world.robots for one in robot.repositories if one.signer])


def confuse_the_cache(scene: Scene) -> Planted:
    """The cache fetches from outside what has the name of an image of one's own."""
    rng, world = scene.rng, scene.world
    cluster = rng.choice(world.clusters)
    members = [node for node in world.nodes if world.clusters[node.cluster] is cluster]
    upstream = world.cached[0].name.rpartition("/")[0]
    evidence: list[Request] = []
    for original in rng.sample(cluster.repositories, min(scene.pick(6, 1, 1), len(cluster.repositories))):
        fake = Repository(world.seed, f"{upstream}/{original.name.rpartition('/')[2]}", 0.0, 3, False)
        count = scene.pick(4, len(members), 1)
        for node, at in zip(rng.sample(members, min(count, len(members))), scene.moments(count, HOUR), strict=False):
            session = scene.session(cluster.name, node.address, node.agent, at)
            evidence.append(pull_all(session, fake, fake.image(1), "latest"))
    return Planted(sorted(evidence, key=lambda request: request.at))


def approve_own_image(scene: Scene) -> Planted:
    """Where one builds, another signs and a third runs, one does it all: pushes, signs, and has it run within minutes."""
    rng, world = scene.rng, scene.world
    robot, repository = _built(scene)
    person = scene.somebody()
    who: Actor = scene.pick(person, robot, robot)
    second: Actor = scene.pick(person, robot, person)
    address = scene.pick(outside(rng), rng.choice(robot.addresses), rng.choice(robot.addresses))
    session = scene.session(who.name, address, scene.pick(scene.agent(), robot.agent, robot.agent))
    session.login()
    image = repository.image(900_000 + rng.randrange(10**6))
    evidence = session.push(repository, image, ["stable"], 1)
    evidence.append(
        sign(scene.out, repository, image, session.at + int(rng.uniform(5, 40) * SECOND), second.name, address)
    )
    for node in rng.sample(world.nodes, min(scene.pick(4, 3, 1), len(world.nodes))):
        at = session.at + int(rng.uniform(1, 8) * MINUTE)
        name = who.name if scene.difficulty == "blatant" else world.clusters[node.cluster].name
        puller = scene.session(name, node.address, node.agent, at)
        evidence.append(pull_all(puller, repository, image, "stable"))
    evidence.sort(key=lambda request: request.at)
    return Planted(evidence, culprit=who.name, actors=(second.name,), decidable=2)
