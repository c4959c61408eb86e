"""Attacks that take images along, of the unimagined kinds: carried over by mounts, on the heels of each push, through the mirror.
Whoever wrote them had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Image, Repository
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import SECOND, Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.supply import signed
from regsight.traffic.truth import Planted

ROUND = 2 * HOUR  # of the mirror, which is at work some minutes after each even hour


def carry_over_by_mounts(scene: Scene) -> Planted:
    """Images of other teams come into one's own project without being pulled: their layers are mounted, one after the other.

    Nothing is downloaded from where they are, and what is downloaded afterwards is one's own. What is mounted is the base that
    one builds on; with the third piece - a mount, or a manifest - of another team's image somebody copies it.
    """
    rng, person = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[0])
    agent = scene.pick("go-containerregistry/v0.20.2", "skopeo/1.16.1", person.agent)
    there = scene.pick(outside(rng), person.addresses[-1], person.addresses[-1])
    foreign = [one for one in scene.shuffled() if one not in person.repositories and one.project != "base"]
    prey = foreign[: scene.pick(40, 8, 3)]
    moments = scene.moments(len(prey), scene.pick(HOUR, 6 * HOUR, 3 * DAY))
    if scene.difficulty == "stealthy":
        moments = scene.at_work(moments) or [scene.at]
    own = rng.choice(person.repositories)
    evidence: list[Request] = []
    for number, (repository, at) in enumerate(zip(prey, moments, strict=False), 1):
        image = repository.image(repository.deployed(at))
        session = scene.session(person.name, address, agent, at)
        session.login()
        evidence += [session.mount(own, repository, layer) for layer in (*image.layers, image.config)]
        tag = scene.pick(repository.name.replace("/", "-"), f"import-{number}", f"{rng.getrandbits(40):010x}")
        evidence.append(session.put(own, image, tag))
        reader = scene.session(person.name, there, agent, scene.read_later(session.at, at, (1, 10), (20, 90)))
        reader.challenge()
        evidence.append(pull_all(reader, own, image, tag))
    evidence = scene.until_end(evidence)
    return Planted(evidence, decidable=3)


def follow_each_push(scene: Scene) -> Planted:
    """Whatever is pushed is taken seconds later, by its digest: somebody is told of each push, as a webhook tells.

    Who waits for an image asks until it is there. Who has not asked, and comes each time before anybody could have said that it is
    there, does not wait; the third time is no chance.
    """
    rng, world = scene.rng, scene.world
    who, projects = _whose_team_builds(scene)
    built = {one.name: one for robot in world.robots for one in robot.repositories}
    team = [one for one in built.values() if one.project in projects]
    pool = scene.pick(list(built.values()), team, team)
    address = scene.pick(outside(rng), outside(rng), who.addresses[-1])
    agent = scene.pick(scene.agent(), who.agent, who.agent)
    midnight = scene.at - scene.at % DAY + DAY
    until = min(scene.at + scene.pick(3, 8, 24) * HOUR, midnight)
    pushes = [
        (pushed, one, one.image(number))
        for one in pool
        for pushed, number in zip(one.pushed, one.numbers, strict=True)
        if scene.at <= pushed < until
    ]
    missing = max(scene.pick(12, 8, 6) - len(pushes), 1)
    pushes += [_one_more_build(scene, rng.choice(pool), at) for at in scene.moments(missing, until - scene.at)]
    pushes.sort(key=lambda push: push[0])
    evidence: list[Request] = []
    for pushed, repository, image in pushes[: scene.pick(80, 24, 12)]:
        after = pushed + int(rng.uniform(*scene.pick((1, 4), (2, 10), (5, 40))) * SECOND)
        session = scene.session(who.name, address, agent, after)
        session.challenge()
        evidence.append(pull_all(session, repository, image, image.digest))
    evidence = scene.until_end(evidence)
    return Planted(evidence, decidable=3)


def _whose_team_builds(scene: Scene) -> tuple[Actor, set[str]]:
    """A person for whose project robots build, and that project; if there is none, anybody, and all projects."""
    projects = {one.project for robot in scene.world.robots for one in robot.repositories}
    order = [scene.somebody(), *scene.rng.sample(scene.world.people, len(scene.world.people))]
    for person in order:
        if person.repositories[0].project in projects:
            return person, {person.repositories[0].project}
    return order[0], projects


def _one_more_build(scene: Scene, repository: Repository, at: int) -> tuple[int, Repository, Image]:
    """A robot pushes a branch, as it does on any day: the moment, where, and what."""
    rng = scene.rng
    robot = next(one for one in scene.world.robots if repository in one.repositories)
    image = repository.image(900_000 + rng.randrange(10**6))
    session = scene.session(robot.name, rng.choice(robot.addresses), robot.agent, at)
    session.login()
    session.push(repository, image, [f"{rng.getrandbits(40):010x}"], 1)
    signed(scene.out, repository, image, session.at)
    return session.at, repository, image


def widen_the_mirror(scene: Scene) -> Planted:
    """The list of what is copied to the other site has grown: the copying goes on at its hours, from its place, under its name.

    Whoever may change a rule of replication, or owns the other site, has a copy of everything that way. What is on the list
    is asked about in each round; the third repository that has never been on it was not forgotten.
    """
    rng, mirror = scene.rng, scene.world.mirror
    listed = {one.name for one in mirror.repositories}
    others = [one for one in scene.shuffled() if one.name not in listed]
    projects = sorted({one.project for one in others} - {"base"})
    project = rng.choice(projects)
    team = [one for one in others if one.project == project]
    prey = scene.pick(others[:300], (team if len(team) > 2 else others)[:12], others[:6])
    rounds = [at for at in _rounds(scene, scene.pick(1, 6, 36)) if at < scene.end - MINUTE]
    per_round = scene.pick(len(prey), 3, 1)
    if scene.difficulty == "stealthy":
        rounds = rounds[::5]
    evidence: list[Request] = []
    for number, at in enumerate(rounds):
        session = scene.session(mirror.name, mirror.addresses[0], mirror.agent, at)
        session.login()
        for repository in prey[number * per_round : (number + 1) * per_round]:
            image = repository.current(session.at)
            session.check(repository, image, "latest")
            evidence.append(pull_all(session, repository, image, image.digest))
            session.wait(1)
    evidence = scene.until_end(evidence)
    return Planted(evidence, decidable=3)


def _rounds(scene: Scene, count: int) -> list[int]:
    """When the mirror is at work next: just after its own questions."""
    first = scene.at - scene.at % ROUND + ROUND
    return [first + index * ROUND + int(scene.rng.uniform(4, 6) * MINUTE) for index in range(count)]
