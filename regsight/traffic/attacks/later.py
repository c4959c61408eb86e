"""Attacks that write, of the kinds that came after the detectors: tags taken in advance, one image under many names,
signatures removed, retention used as a weapon. Whoever wrote them had read no detector and no rule.
"""

from __future__ import annotations

from regsight.traffic.images import Image, Repository
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.supply import signature_of, signature_tag
from regsight.traffic.truth import Planted

KEPT = 12  # versions of a repository that the weekly clean-up leaves


def take_release_first(scene: Scene) -> Planted:
    """The next release's tag is pushed before the release job gets there; whoever takes the highest version takes this.

    No tag moves: the one who moves it later is the rightful job. What can be known is that a release came from an account
    that releases nothing there, and that can be known at once.
    """
    rng = scene.rng
    who, address, agent, prey = _squatter(scene)
    evidence: list[Request] = []
    for repository, at in zip(prey, scene.moments(len(prey), scene.pick(HOUR, 3 * HOUR, 10 * MINUTE)), strict=False):
        session = scene.session(who.name, address, agent, at)
        session.login()
        tag = f"v{2 + repository.number(at) // 40}.0.0"
        image = repository.image(900_000 + rng.randrange(10**6))
        evidence += session.push(repository, image, [tag], scene.pick(2, 2, 1))
        evidence += scene.deploy(repository, image, tag, session.at, scene.pick(4, 2, 1))
    evidence.sort(key=lambda request: request.at)
    note = f"Taken from the release jobs of {', '.join(sorted(_builders(scene, prey)))}."
    return Planted(evidence, culprit=who.name, note=note)


def _squatter(scene: Scene) -> tuple[Actor, str, str, list[Repository]]:
    """Account, address, agent, and the repositories with versions for tags that robots build and the account does not."""
    rng, person = scene.rng, scene.somebody()
    built = [(robot, one) for robot in scene.world.robots for one in robot.repositories if one.semantic]
    releases = list(dict.fromkeys(repository for _, repository in built))
    if scene.difficulty == "stealthy":  # the robot of somebody else's builds
        robot = rng.choice([one for one in scene.world.robots if not set(releases) <= set(one.repositories)])
        others = [one for one in releases if one not in robot.repositories]
        near = [one for one in others if one.project == robot.repositories[0].project]
        return robot, rng.choice(robot.addresses), robot.agent, [rng.choice(near or others)]
    own = [one for one in releases if one in person.repositories]
    prey = scene.pick(rng.sample(releases, min(6, len(releases))), (own or releases)[:2], [])
    return person, scene.pick(outside(rng), person.addresses[-1], ""), scene.pick(scene.agent(), person.agent, ""), prey


def _builders(scene: Scene, repositories: list[Repository]) -> set[str]:
    """The robots that build any of these."""
    wanted = set(repositories)
    return {robot.name for robot in scene.world.robots if not wanted.isdisjoint(robot.repositories)}


def spread_one_image(scene: Scene) -> Planted:
    """One image of one's own is put under the names of other projects' images; layers are mounted, nothing is built.

    Each repository's images are its own, so the same digest in a second project's repository is what gives it away.
    """
    rng, world = scene.rng, scene.world
    robot, person = rng.choice(world.robots), scene.somebody()
    who: Actor = scene.pick(person, robot, robot)
    address = scene.pick(outside(rng), rng.choice(robot.addresses), rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), robot.agent, robot.agent)
    home = rng.choice(who.repositories)
    run = world.running()
    foreign = [one for one in run.values() if one not in who.repositories and one.project != home.project]
    prey = _one_of_each_project_first(rng.sample(foreign, len(foreign)))[: scene.pick(24, 8, 3)]
    session = scene.session(who.name, address, agent)
    session.login()
    image = home.image(900_000 + rng.randrange(10**6))
    session.push(home, image, [home.tag(home.number(scene.at) + 1)], 2)  # its own place: that is nobody's business
    evidence: list[Request] = []
    taken: list[Repository] = []
    tag = scene.pick("latest", "stable", "latest")
    for target, at in zip(prey, scene.moments(len(prey), scene.pick(40 * MINUTE, 6 * HOUR, 2 * DAY)), strict=False):
        session = scene.session(who.name, address, agent, max(at, session.at))
        session.challenge()
        for layer in image.layers:
            session.mount(target, home, layer)
        session.upload(target, image.config)
        evidence.append(session.put(target, image, tag))
        taken.append(target)
    for target in taken[: scene.pick(4, 3, 1)]:
        evidence += scene.deploy(target, image, tag, session.at, 1)
    return Planted(sorted(evidence, key=lambda request: request.at), culprit=who.name, decidable=2)


def _one_of_each_project_first(repositories: list[Repository]) -> list[Repository]:
    first = {one.project: one for one in reversed(repositories)}
    return [*first.values(), *(one for one in repositories if first[one.project] is not one)]


def remove_signatures(scene: Scene) -> Planted:
    """Signatures are deleted and their images stay: where a missing signature only warns, anything can take their place.

    It was pushed under a tag that says whose signature it is, so that each deletion is known for what it is at once.
    """
    rng, world = scene.rng, scene.world
    person, builders = scene.somebody(), [one for one in world.robots if any(own.signer for own in one.repositories)]
    robot = rng.choice(builders)
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    reach = [one for one in robot.repositories if one.signer] if who is robot else world.signer.repositories
    signed = [
        (at, repository, number)
        for repository in reach
        for number, at in zip(repository.numbers, repository.pushed, strict=True)
        if at < scene.at - MINUTE and number not in repository.removed
    ]
    signed = [
        one for one in signed if one[0] >= world.start
    ] or signed  # if possible, those whose signing the logs have
    signed.sort(key=lambda one: (one[0], one[1].key or one[1].name), reverse=True)
    prey = signed[: scene.pick(60, 12, 3)]
    evidence = []
    span = scene.pick(20 * MINUTE, 4 * HOUR, 3 * DAY)
    for (_, repository, number), at in zip(prey, scene.moments(len(prey), span), strict=False):
        image = repository.image(number)
        signature = signature_of(repository, image)
        session = scene.session(who.name, address, agent, at)
        session.challenge()
        session.check(repository, signature, signature_tag(image))  # what digest the tag stands for
        evidence.append(session.delete(repository, signature))
    return Planted(evidence)


def push_out_of_retention(scene: Scene) -> Planted:
    """So many worthless versions that a clean-up which keeps the newest twelve will throw away all that is good.

    Before there are twelve of them nothing is lost, and a busy afternoon has a few as well.
    """
    rng, world = scene.rng, scene.world
    robot, person = rng.choice(world.robots), scene.somebody()
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    run = {one.name for cluster in world.clusters for one in cluster.repositories}
    repository = rng.choice([one for one in who.repositories if one.name in run] or who.repositories)
    good = repository.current(scene.at)
    count, span = scene.pick((400, HOUR), (90, 8 * HOUR), (48, 4 * DAY))
    first = 900_000 + rng.randrange(10**6)
    evidence: list[Request] = []
    for number, at in enumerate(scene.moments(count, span), first):
        session = scene.session(who.name, address, agent, at)
        session.challenge()
        other = repository.image(number)  # the good layers under a config of another hour
        image = Image(other.digest, good.size, other.config, good.layers)
        tag = scene.pick(f"build-{number}", f"nightly-{number}", f"{rng.getrandbits(40):010x}")
        evidence += session.push(repository, image, [tag], 0, looks=1)
    note = f"What the clean-up would delete because of it is not played; it keeps {KEPT} versions."
    return Planted(evidence, decidable=KEPT, note=note)
