"""Attacks by manifests alone, of the newest kinds: attestations on others' images, images without a tag, images that are there
for minutes, tags without end. Whoever wrote them had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Image, Repository
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.seeds import derive
from regsight.traffic.supply import SIGNER_AGENT, signature_tag
from regsight.traffic.truth import Planted

ORDINARY_TAGS = 4  # that a build puts on one image, at most


def attest_for_others(scene: Scene) -> Planted:
    """Attestations ("scanned, nothing found") are attached to images of others, whose digests stay as they are.

    The tag names the image by its digest. Whoever attaches something there has neither pushed nor signed anything in that
    repository, which is known with the first.
    """
    rng, person = scene.rng, scene.somebody()
    robot = rng.choice(scene.world.robots)
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), SIGNER_AGENT, robot.agent)
    run = {one.name: one for cluster in scene.world.clusters for one in cluster.repositories}
    foreign = [one for one in run.values() if one not in who.repositories]
    rest = [one for one in scene.shuffled() if one not in who.repositories and one.name not in run]
    prey = [*rng.sample(foreign, len(foreign)), *rest][: scene.pick(30, 8, 3)]
    evidence: list[Request] = []
    span = scene.pick(20 * MINUTE, 4 * HOUR, 2 * DAY)
    for repository, at in zip(prey, scene.moments(len(prey), span), strict=False):
        image = repository.image(repository.deployed(at))
        attestation = _attestation(repository, image)
        session = scene.session(who.name, address, agent, at)
        session.challenge()
        session.check(repository, image, "stable")
        for blob in (*attestation.layers, attestation.config):
            session.upload(repository, blob)
        tag = signature_tag(image).removesuffix(".sig") + ".att"
        evidence.append(session.put(repository, attestation, tag))
    return Planted(evidence)


def _attestation(repository: Repository, image: Image) -> Image:
    number = derive(repository.seed, "attestation", image.digest) % 10**9
    key = f"{repository.key or repository.name}#attestations"
    return Repository(repository.seed, key, 0.0, 1, False).image(number)


def push_without_tag(scene: Scene) -> Planted:
    """An image is pushed by its digest alone, so that no list of tags has it and no scan of tags sees it; pods run it.

    One push by digest may be a platform of an index that comes seconds later. None comes, and somebody pulls it as it is.
    """
    rng, world = scene.rng, scene.world
    robot, person = rng.choice(world.robots), scene.somebody()
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    run = world.running()
    own = [one for one in who.repositories if one.name in run] or who.repositories
    foreign = [one for one in run.values() if one not in who.repositories]
    pool = scene.pick(foreign, own, own)
    prey = rng.sample(pool, min(scene.pick(6, 2, 1), len(pool)))
    evidence: list[Request] = []
    for repository, at in zip(prey, scene.moments(len(prey), scene.pick(HOUR, 3 * HOUR, 10 * MINUTE)), strict=False):
        session = scene.session(who.name, address, agent, at)
        session.login()
        image = repository.image(900_000 + rng.randrange(10**6))
        evidence += session.push(repository, image, [image.digest], scene.pick(2, 1, 1))
        evidence += scene.deploy(repository, image, image.digest, session.at, scene.pick(4, 2, 1))
    evidence.sort(key=lambda request: request.at)
    return Planted(evidence, culprit=who.name, decidable=2)


def push_run_and_delete(scene: Scene) -> Planted:
    """An image is pushed, nodes run it, and within the hour it is deleted: when somebody looks, the registry has none.

    What is tried and tidied up again was pulled by nobody; what nodes have pulled stays for weeks.
    """
    rng, world = scene.rng, scene.world
    robot, person = rng.choice(world.robots), scene.somebody()
    who, address, agent, pool = scene.person_or_robot(person, robot)
    prey = rng.sample(pool, min(scene.pick(8, 3, 1), len(pool)))
    evidence: list[Request] = []
    for repository, at in zip(
        prey, scene.moments(len(prey), scene.pick(2 * HOUR, 6 * HOUR, 10 * MINUTE)), strict=False
    ):
        session = scene.session(who.name, address, agent, at)
        session.login()
        good, image = repository.current(at), repository.image(900_000 + rng.randrange(10**6))
        tag = scene.pick("stable", "debug", f"{rng.getrandbits(40):010x}")
        evidence += session.push(repository, image, [tag], scene.pick(2, 1, 1))
        pulls = scene.deploy(repository, image, tag, session.at, scene.pick(4, 2, 1), (1, 8))
        evidence += pulls
        session.at = max(session.at, *(pull.at for pull in pulls))
        session.wait(scene.pick(120, 600, 1500), 0.3)
        if tag == "stable":  # nobody shall miss it
            evidence.append(session.put(repository, good, tag))
        evidence.append(session.delete(repository, image))
    evidence = scene.until_end(evidence)
    gone = [place for place, one in enumerate(evidence, 1) if one.method == "DELETE"]
    return Planted(evidence, culprit=who.name, decidable=min(gone, default=len(evidence) + 1))


def put_tags_without_end(scene: Scene) -> Planted:
    """One image gets tag after tag, nothing is uploaded: lists of tags, and whatever goes through them, grow without bound."""
    rng, world = scene.rng, scene.world
    robot, person = rng.choice(world.robots), scene.somebody()
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    repository = rng.choice(who.repositories)
    image = repository.current(scene.at)
    count, span = scene.pick((1200, HOUR), (160, 6 * HOUR), (72, 3 * DAY))
    evidence: list[Request] = []
    for number, at in enumerate(scene.moments(count, span), 1):
        session = scene.session(who.name, address, agent, at)
        session.challenge()
        tag = scene.pick(f"t{number:06}", f"preview-{number}", f"{rng.getrandbits(40):010x}")
        evidence.append(session.put(repository, image, tag))
    return Planted(evidence, decidable=2 * ORDINARY_TAGS)
