"""Attacks that change what others get: of the kinds that nobody had heard of, a copy in the cache, a tag that is clean at the
scanner's hour, an image that was withdrawn; of the uncharted kinds, an image for one platform alone. Whoever wrote them had read
no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Image, Repository
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import INDEX, Request, Session
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.supply import signed
from regsight.traffic.truth import TYPES, Planted

BEFORE_SCAN, AFTER_SCAN = (1.2, 1.7), (4.6, 5.5)  # hours, UTC: the nightly scan begins about two and is soon over


def overwrite_cached(scene: Scene) -> Planted:
    """Somebody with the right to write pushes over the cache's copy of an image that everybody takes from there.

    The cache fills itself, from where the images come from. Nobody has ever pushed there, so that the first push is known
    for what it is.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    robot = rng.choice(world.robots)
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    prey = rng.sample(world.cached, scene.pick(len(world.cached), 3, 1))
    evidence: list[Request] = []
    for copy, at in zip(prey, scene.moments(len(prey), scene.pick(HOUR, 4 * HOUR, 10 * MINUTE)), strict=False):
        session = scene.session(who.name, address, agent, at)
        session.login()
        image = copy.image(900_000 + rng.randrange(10**6))
        evidence += session.push(copy, image, scene.pick(["stable", "latest"], ["stable"], ["stable"]), 1)
        evidence += scene.deploy(copy, image, "stable", session.at, scene.pick(4, 2, 1))
    evidence.sort(key=lambda request: request.at)
    return Planted(evidence, culprit=who.name)


def be_clean_for_the_scanner(scene: Scene) -> Planted:
    """`latest` is a bad image by day; before the nightly scan the good one is put back, and after it the bad one again.

    A tag that goes back once was rolled back. One that returns to what it had been rolled back from, with nothing built in
    between, is moved for somebody who looks in the meantime.
    """
    rng, person = scene.rng, scene.somebody()
    late = [one for one in scene.world.people if one.zone < 0]  # to whom the scanner's hour is the evening
    who: Actor = scene.pick(person, person, rng.choice(late or [person]))
    address = scene.pick(outside(rng), who.addresses[-1], who.addresses[-1])
    agent = scene.pick(scene.agent(), who.agent, who.agent)
    prey = _left_alone(scene, who)[: scene.pick(5, 2, 1)]
    nights = scene.pick(3, 3, 2)
    midnight = scene.at - scene.at % DAY
    evidence: list[Request] = []
    again: list[int] = []
    for repository in prey:
        good, bad = repository.current(scene.at), repository.image(900_000 + rng.randrange(10**6))
        session = scene.session(who.name, address, agent, scene.at + int(rng.uniform(0, 20) * MINUTE))
        session.login()
        evidence += session.push(repository, bad, ["latest"], 1)
        evidence += scene.deploy(repository, bad, "latest", session.at, scene.pick(4, 2, 1))
        for night in range(1, nights + 1):
            for image, hours in ((good, BEFORE_SCAN), (bad, AFTER_SCAN)):
                at = midnight + night * DAY + int(rng.uniform(*hours) * HOUR)
                moved = _move(scene, who.name, address, agent, at, repository, image)
                evidence += moved
                again += [one.at for one in moved if image is bad]
    evidence = scene.until_end(evidence)
    enough = [place for place, one in enumerate(evidence, 1) if again and one.at == min(again)]
    return Planted(evidence, culprit=who.name, decidable=min(enough, default=len(evidence) + 1))


def _left_alone(scene: Scene, who: Actor) -> list[Repository]:
    """Repositories that clusters run; in front those that no robot builds, where `latest` would move by itself."""
    run = {one.name for cluster in scene.world.clusters for one in cluster.repositories}
    built = {one.name for robot in scene.world.robots for one in robot.repositories}
    pool = scene.pick(scene.shuffled(), who.repositories, who.repositories)
    order = scene.rng.sample(pool, len(pool))
    return sorted(order, key=lambda one: (one.name in built, one.name not in run))


def _move(
    scene: Scene, name: str, address: str, agent: str, at: int, repository: Repository, image: Image
) -> list[Request]:
    """`latest` gets an image that is there already: nothing is uploaded."""
    session = scene.session(name, address, agent, at)
    session.challenge()
    session.check(repository, image, image.digest)
    return [session.put(repository, image, "latest")]


def bring_back_withdrawn(scene: Scene) -> Planted:
    """An image was withdrawn, and hours later the very same image is there again, and nodes run it.

    What is deleted by its digest is meant to be gone. Who pushes anew what has a hole pushes another digest; the same one
    comes from somebody who has kept it.
    """
    rng, world = scene.rng, scene.world
    robot, person = rng.choice(world.robots), scene.somebody()
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    pool = scene.pick(scene.shuffled(), who.repositories, who.repositories)
    prey = _old_versions(rng.sample(pool, len(pool)), scene.at)
    evidence: list[Request] = []
    for repository, image in prey[: scene.pick(12, 3, 1)]:
        team = [one for one in world.people if repository in one.repositories and one is not who]
        owner: Actor = rng.choice(team or [world.admin])
        begin = scene.at + int(rng.uniform(0, 10) * MINUTE)
        withdrawal = scene.session(owner.name, owner.addresses[0], owner.agent, begin)
        withdrawal.login()
        withdrawal.delete(repository, image)
        pause = scene.pick(rng.uniform(0.2, 0.8), rng.uniform(1, 4), rng.uniform(6, 20)) * HOUR
        session = scene.session(who.name, address, agent, withdrawal.at + int(pause))
        session.login()
        tag = scene.pick("latest", "stable", "stable")
        evidence += session.push(repository, image, [tag], 1)
        evidence.append(session.check(repository, image, image.digest))
        evidence += scene.deploy(repository, image, image.digest, session.at, scene.pick(4, 2, 1))
    evidence = scene.until_end(evidence)
    return Planted(evidence, culprit=who.name, decidable=2)


def _old_versions(repositories: list[Repository], at: int) -> list[tuple[Repository, Image]]:
    """One of each that is there, and that neither is current nor runs anywhere."""
    found = []
    for repository in repositories:
        used = {repository.number(at), repository.deployed(at)}
        old = [number for number in repository.numbers if number not in used | repository.removed]
        if old:
            found.append((repository, repository.image(old[-1])))
    return found


def swap_one_platform(scene: Scene) -> Planted:
    """The tag becomes an index of two images: for most machines the one that was there, for one platform another.

    Whoever looks, on an ordinary machine, gets what has always been there. A team that begins to build for a second platform
    builds both anew and rolls both out. Here one of them is the old image and the other came by its digest, which is known when
    the first machine has been given that one.
    """
    rng, world = scene.rng, scene.world
    run = world.running()
    person = scene.somebody()
    robot = scene.builder()
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    own = [one for one in who.repositories if one.name in run] or who.repositories
    foreign = [one for one in run.values() if one not in who.repositories]
    pool = scene.pick(foreign, own, own)
    prey = rng.sample(pool, min(scene.pick(6, 2, 1), len(pool)))
    evidence: list[Request] = []
    for repository, at in zip(prey, scene.moments(len(prey), scene.pick(HOUR, 4 * HOUR, 10 * MINUTE)), strict=False):
        session = scene.session(who.name, address, agent, at)
        session.login()
        good, bad = repository.image(repository.deployed(at)), repository.image(900_000 + rng.randrange(10**6))
        session.check(repository, good, "stable")
        for blob in (bad.layers[-1], bad.config):
            session.upload(repository, blob)
        evidence.append(session.put(repository, bad, bad.digest))
        index = Image(f"sha256:{rng.getrandbits(256):064x}", 771, bad.config, ())
        tags = scene.pick(("latest", "stable"), ("stable",), ("stable",))
        evidence += [session.put(repository, index, tag, INDEX) for tag in tags]
        if who is robot:  # as whatever comes out of a pipeline
            signed(scene.out, repository, index, session.at)
        for place, node in enumerate(scene.machines(repository, 6)):
            odd = place < scene.pick(3, 1, 1)
            minutes = scene.pick((15, 40), (20, 60), (60, 240)) if odd else (2, 12)
            begin = session.at + int(rng.uniform(*minutes) * MINUTE)
            puller = scene.session(world.clusters[node.cluster].name, node.address, node.agent, begin)
            puller.challenge()
            evidence += _resolve(puller, repository, index, bad if odd else good)[: 2 if odd else 1]
    evidence = scene.until_end(evidence)
    return Planted(evidence, culprit=who.name, decidable=_first_given(evidence), needs=TYPES)


def _resolve(session: Session, repository: Repository, index: Image, given: Image) -> list[Request]:
    """What the tag stands for, then the image for this platform."""
    found = [session.pull(repository, index, "stable", INDEX), session.pull(repository, given, given.digest)]
    session.fetch(repository, [given.config, *given.layers[-1:]])
    return found


def _first_given(evidence: list[Request]) -> int:
    """The place of the first machine that gets the bad image."""
    given = [place for place, one in enumerate(evidence, 1) if one.method == "GET" and ":" in one.reference]
    return min(given, default=len(evidence) + 1)
