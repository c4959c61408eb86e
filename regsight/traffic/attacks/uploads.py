"""Attacks by uploads, of the uncharted kinds: those of others are cut off, and images are blown up. Whoever wrote them had read no
detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Blob, Image, Repository, blob
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.supply import signed
from regsight.traffic.truth import SIZES, Planted

MEGABYTE = 1_000_000


def cut_off_uploads(scene: Scene) -> Planted:
    """Uploads of a build are taken back by somebody else before they end, so that nothing new can be released.

    An upload is known by an id that its client alone is told, and that stands in logs. Clients take back their own; the first
    that another account takes back is known for what it is. The build fails, and where it is tried again later it succeeds.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    robot = rng.choice(world.robots)
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    builders = [one for one in world.robots if one is not who]
    near = [one for one in builders if one.repositories[0].project == who.repositories[0].project] or builders
    one_build = rng.choice(near)
    count, span = scene.pick((40, HOUR), (8, 5 * HOUR), (3, 3 * DAY))
    evidence: list[Request] = []
    for at in scene.moments(count, span):
        victim = scene.pick(rng.choice(builders), one_build, one_build)
        repository = rng.choice(victim.repositories)
        image = repository.image(900_000 + rng.randrange(10**6))
        push = scene.session(victim.name, rng.choice(victim.addresses), victim.agent, at)
        push.login()
        layer = image.layers[-1]
        upload = push.feed(repository, layer)
        other = scene.session(who.name, address, agent, push.at)
        other.wait(2, 0.4)
        other.challenge()
        evidence.append(other.cut_off(repository, upload))
        push.at = max(push.at, other.at)
        push.wait(3, 0.4)  # until its other layers are there
        push.finish(repository, layer, upload, gone=True)
        if scene.difficulty != "blatant":
            _build_again(scene, victim, repository, image, push.at + int(rng.uniform(10, 60) * MINUTE))
    evidence = scene.until_end(evidence)
    return Planted(evidence, culprit=who.name)


def _build_again(scene: Scene, robot: Actor, repository: Repository, image: Image, at: int) -> None:
    """The same once more, from another runner perhaps, undisturbed."""
    session = scene.session(robot.name, scene.rng.choice(robot.addresses), robot.agent, at)
    session.login()
    session.push(repository, image, [f"{scene.rng.getrandbits(40):010x}"], 1)
    signed(scene.out, repository, image, session.at)


def blow_up_images(scene: Scene) -> Planted:
    """An image gets a layer of gigabytes with nothing in it: nodes that roll it out fill their disks, and the line.

    Layers have a few megabytes, hundreds at most. One of many times what that repository's images have all together is known
    when the first node has fetched it.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    run = world.running()
    robot = scene.builder()
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    own = [one for one in who.repositories if one.name in run] or who.repositories
    pool = scene.pick(list(run.values()), own, own)
    prey = rng.sample(pool, min(scene.pick(4, 2, 1), len(pool)))
    low, high = scene.pick((12_000, 24_000), (4_000, 8_000), (1_200, 1_800))
    evidence: list[Request] = []
    for repository, at in zip(prey, scene.moments(len(prey), scene.pick(HOUR, 4 * HOUR, 10 * MINUTE)), strict=False):
        session = scene.session(who.name, address, agent, at)
        session.login()
        plain = repository.image(900_000 + rng.randrange(10**6))
        junk = Blob(blob(f"{repository.seed}/junk/{rng.getrandbits(64)}").digest, rng.randrange(low, high) * MEGABYTE)
        image = Image(plain.digest, plain.size + 162, plain.config, (*plain.layers, junk))
        evidence += session.push(repository, image, scene.pick(["latest", "stable"], ["stable"], ["stable"]), 1)
        if who is robot:
            signed(scene.out, repository, image, session.at)
        for node in scene.machines(repository, scene.pick(6, 3, 2)):
            begin = session.at + int(rng.uniform(*scene.pick((1, 10), (2, 30), (10, 60))) * MINUTE)
            puller = scene.session(world.clusters[node.cluster].name, node.address, node.agent, begin)
            puller.challenge()
            evidence.append(puller.pull(repository, image, "stable"))
            evidence += puller.fetch(repository, [image.config, junk])[1:]
    evidence = scene.until_end(evidence)
    fetched = [place for place, one in enumerate(evidence, 1) if one.digest]
    return Planted(evidence, culprit=who.name, decidable=min(fetched, default=len(evidence) + 1), needs=SIZES)
