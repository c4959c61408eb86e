"""Attacks, one function each, listed in `ATTACKS`.

Names, addresses and agents are drawn from the same places as everybody's: nothing but behaviour tells an attacker apart.
"""

from __future__ import annotations

from regsight.traffic.images import Repository
from regsight.traffic.names import PARTS, PROJECTS
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor, inside, outside, person_name
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, SECOND, Play, Recipe, Scene
from regsight.traffic.truth import Planted


def guess_password(scene: Scene) -> Planted:
    """One account, one address, many passwords; then the right one, and what it opens."""
    rng, victim = scene.rng, scene.somebody()
    address, agent = outside(rng), scene.agent()
    count, span = scene.pick((320, 10 * MINUTE), (160, 8 * HOUR), (60, 10 * DAY))
    evidence = []
    at = scene.at
    for at in scene.moments(count, span):
        evidence.append(scene.session("", address, agent, at).refuse(victim.name))
    session = scene.session(victim.name, address, agent, at + 20 * SECOND)
    evidence.append(session.login())
    for repository in rng.sample(victim.repositories, min(3, len(victim.repositories))):
        session.wait(5)
        evidence.append(pull_all(session, repository, repository.current(session.at), "latest"))
    return Planted(evidence, decidable=6)


def spray_passwords(scene: Scene) -> Planted:
    """One or two passwords, many accounts; some of them exist."""
    rng = scene.rng
    count, span = scene.pick((200, 10 * MINUTE), (60, 3 * HOUR), (144, 2 * DAY))
    real = [person.name for person in scene.world.people] + [robot.name for robot in scene.world.robots]
    names = [rng.choice(real) if rng.random() < 0.3 else person_name(rng) for _ in range(count)]
    address, agent = outside(rng), scene.agent()
    evidence = []
    for name, at in zip(names, scene.moments(count, span), strict=False):
        if scene.difficulty == "stealthy" and rng.random() < 0.3:
            address = outside(rng)
        session = scene.session("", address, agent, at)
        evidence += [session.refuse(name) for _ in range(rng.choice((1, 1, 2)))]
    return Planted(evidence, decidable=10)


def use_leaked_token(scene: Scene) -> Planted:
    """A robot's token in other hands, while the robot goes on working."""
    rng, robot = scene.rng, scene.rng.choice(scene.world.robots)
    address = scene.pick(outside(rng), inside(rng, 77), inside(rng, 78))
    agent = robot.agent if scene.difficulty == "stealthy" else scene.agent()
    wanted = [repository for repository in scene.shuffled() if repository not in robot.repositories][:8]
    wanted = scene.pick(wanted + robot.repositories, wanted[:4] + robot.repositories, robot.repositories)
    evidence = []
    moments = scene.pick(
        scene.moments(len(wanted), HOUR), scene.moments(len(wanted), 6 * HOUR), scene.hours(8, 4, 22, 28)
    )
    for index, at in enumerate(moments):
        session = scene.session(robot.name, address, agent, at)
        repository = wanted[index % len(wanted)]
        evidence.append(session.login())
        evidence.append(pull_all(session, repository, repository.current(at), "latest"))
    return Planted(evidence, decidable=2)


def pull_everything(scene: Scene) -> Planted:
    """A person with a valid account takes most of what the registry has."""
    person = scene.somebody()
    address = person.addresses[-1] if scene.difficulty != "blatant" else outside(scene.rng)
    agent = person.agent if scene.difficulty == "stealthy" else scene.agent()
    wanted = [repository for repository in scene.shuffled() if repository not in person.repositories]
    count = scene.pick(min(500, len(wanted)), min(80, len(wanted)), min(28, len(wanted)))
    span = scene.pick(30 * MINUTE, count * HOUR // 20, count * DAY // 2)
    evidence = []
    for repository, at in zip(wanted, scene.moments(count, span), strict=False):
        session = scene.session(person.name, address, agent, at)
        session.challenge()
        evidence.append(pull_all(session, repository, repository.current(at), "latest"))
    return Planted(evidence, decidable=12)


def enumerate_registry(scene: Scene) -> Planted:
    """The catalogue, then tags of everything, then names out of a list of words."""
    rng, person = scene.rng, scene.somebody()
    agent = scene.agent()
    count, span = scene.pick((1200, 10 * MINUTE), (800, 4 * HOUR), (360, DAY))
    addresses = [outside(rng) for _ in range(scene.pick(1, 1, 10))]
    session = scene.session(person.name, addresses[0], agent)
    evidence = [] if scene.difficulty == "stealthy" else [session.catalog(100)]
    known = {repository.name: repository for repository in scene.world.repositories}
    for at in scene.moments(count, span):
        session = scene.session(person.name, rng.choice(addresses), agent, at)
        name = f"{rng.choice(PROJECTS)}/{rng.choice(PARTS)}"
        evidence.append(session.list_tags(known[name]) if name in known else session.unknown(name, "latest", "HEAD"))
    return Planted(evidence, decidable=10)


def overwrite_release(scene: Scene) -> Planted:
    """A tag that must never move gets another image, and clusters pull it."""
    rng = scene.rng
    repository, number = _released(scene)
    robots = [robot for robot in scene.world.robots if repository in robot.repositories] or scene.world.robots
    robot = rng.choice(robots)
    stranger = scene.somebody()
    who: Actor = scene.pick(stranger, robot, robot)
    address = scene.pick(outside(rng), inside(rng, 77), robot.addresses[0])
    agent = scene.pick(scene.agent(), robot.agent, robot.agent)
    session = scene.session(who.name, address, agent)
    session.challenge()
    image = repository.image(900_000 + rng.randrange(10**6))
    tag = repository.tag(number)
    evidence: list[Request] = session.push(repository, image, [tag], 2)
    for node in rng.sample(scene.world.nodes, min(4, len(scene.world.nodes))):
        at = session.at + int(rng.uniform(1, 10) * MINUTE)
        puller = scene.session(scene.world.clusters[node.cluster].name, node.address, node.agent, at)
        evidence.append(pull_all(puller, repository, image, tag))
    return Planted(sorted(evidence, key=lambda request: request.at))


def _released(scene: Scene) -> tuple[Repository, int]:
    """A version under a semantic tag, if possible one whose push the logs have."""
    pushed = [
        (repository, number)
        for repository in scene.world.repositories
        for number, at in zip(repository.numbers, repository.pushed, strict=True)
        if repository.semantic and at < scene.at
    ]
    seen = [(one, number) for one, number in pushed if one.pushed[one.numbers.index(number)] >= scene.world.start]
    return scene.rng.choice(seen or pushed)


def implant_in_base(scene: Scene) -> Planted:
    """A base image comes from somebody who has never pushed one; builds go on top of it."""
    rng = scene.rng
    repository = rng.choice(scene.world.named("base"))
    person = scene.somebody()
    address = scene.pick(outside(rng), inside(rng, 77), person.addresses[0])
    session = scene.session(person.name, address, person.agent)
    session.login()
    image = repository.image(900_000 + rng.randrange(10**6))
    evidence = session.push(repository, image, ["stable"], scene.pick(2, 1, 1))
    for robot in rng.sample(scene.world.robots, min(3, len(scene.world.robots))):
        puller = scene.session(
            robot.name, robot.addresses[0], robot.agent, session.at + int(rng.uniform(5, 90) * MINUTE)
        )
        evidence.append(pull_all(puller, repository, image, "stable"))
    return Planted(sorted(evidence, key=lambda request: request.at))


def roll_back(scene: Scene) -> Planted:
    """A moving tag is set back to an old image, and clusters pull it."""
    rng = scene.rng
    repository = rng.choice([one for one in scene.world.repositories if len(one.numbers) > 5])
    image = repository.image(repository.numbers[0])
    person = scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[0])
    session = scene.session(person.name, address, person.agent)
    session.challenge()
    evidence = session.push(repository, image, ["latest"], 0)
    for node in rng.sample(scene.world.nodes, scene.pick(6, 3, 1)):
        at = session.at + int(rng.uniform(1, 20) * MINUTE)
        puller = scene.session(scene.world.clusters[node.cluster].name, node.address, node.agent, at)
        evidence.append(pull_all(puller, repository, image, image.digest))
    return Planted(sorted(evidence, key=lambda request: request.at))


def delete_everything(scene: Scene) -> Planted:
    """Image after image is deleted, the older ones first: nothing that is in use, so that nobody cries at once."""
    person = scene.somebody()
    address = scene.pick(outside(scene.rng), person.addresses[-1], person.addresses[0])
    agent = scene.pick(scene.agent(), person.agent, person.agent)
    prey = [(repository, number) for repository in scene.shuffled() for number in repository.numbers[:-3]]
    count, span = scene.pick((500, 5 * MINUTE), (160, 4 * HOUR), (50, 10 * DAY))
    evidence = []
    for (repository, number), at in zip(prey, scene.moments(min(count, len(prey)), span), strict=False):
        evidence.append(scene.session(person.name, address, agent, at).delete(repository, repository.image(number)))
    return Planted(evidence, decidable=10)


def pull_from_elsewhere(scene: Scene) -> Planted:
    """A cluster's pull account is used from a network that has none of its nodes."""
    rng = scene.rng
    cluster = rng.choice(scene.world.clusters)
    address = scene.pick(outside(rng), inside(rng, 91), inside(rng, 20))
    agent = scene.pick(scene.agent(), scene.agent(), "containerd/1.7.22")
    evidence = []
    for at in scene.moments(scene.pick(12, 6, 2), scene.pick(HOUR, 4 * HOUR, DAY)):
        repository = rng.choice(cluster.repositories)
        session = scene.session(cluster.name, address, agent, at)
        evidence.append(pull_all(session, repository, repository.current(at), "latest"))
    return Planted(evidence)


def be_in_two_places(scene: Scene) -> Planted:
    """One person at work in the office and, within the hour, from far away."""
    rng, person = scene.rng, scene.somebody()
    evidence = []
    far = outside(rng)
    step = scene.pick(2 * MINUTE, 15 * MINUTE, 40 * MINUTE)
    for index in range(6):
        address = far if index % 2 else person.addresses[0]
        session = scene.session(person.name, address, person.agent, scene.at + index * step)
        session.login()
        repository = rng.choice(person.repositories)
        evidence.append(pull_all(session, repository, repository.current(session.at), "latest"))
    return Planted(evidence, decidable=2)


def wake_dormant(scene: Scene) -> Planted:
    """An account that nobody has used for a long time logs in and gets to work."""
    rng, former = scene.rng, scene.rng.choice(scene.world.retired)
    session = scene.session(former.name, outside(rng), scene.pick(scene.agent(), former.agent, former.agent))
    evidence = [session.login()]
    if scene.difficulty == "blatant":
        repository = rng.choice(former.repositories)
        evidence += session.push(repository, repository.image(900_000 + rng.randrange(10**6)), ["latest"], 2)
    for repository in scene.shuffled()[: scene.pick(6, 20, 1)]:
        session.wait(20)
        evidence.append(pull_all(session, repository, repository.current(session.at), "latest"))
    return Planted(evidence, decidable=2, note="The account's only earlier session is on the first day of the logs.")


def hunt_secrets(scene: Scene) -> Planted:
    """Configs and small layers of many images, never a large layer: somebody reads, nobody runs."""
    rng, person = scene.rng, scene.somebody()
    address, agent = scene.pick(outside(rng), person.addresses[-1], person.addresses[0]), scene.agent()
    count, span = scene.pick((500, HOUR), (300, 6 * HOUR), (60, 6 * DAY))
    images = [(repository, number) for repository in scene.shuffled() for number in repository.numbers]
    evidence: list[Request] = []
    for (repository, number), at in zip(images, scene.moments(min(count, len(images)), span), strict=False):
        image = repository.image(number)
        session = scene.session(person.name, address, agent, at)
        evidence.append(session.pull(repository, image, image.digest))
        small = [layer for layer in image.layers if layer.size < 20_000]
        evidence += session.fetch(repository, [image.config, *small])
    return Planted(evidence, decidable=30)


def blind_the_log(scene: Scene) -> Planted:
    """The log falls silent, or says less than it should."""
    begin = scene.at
    end = min(begin + scene.pick(4 * HOUR, 12 * HOUR, DAY), scene.end)

    def alter(request: Request) -> Request | None:
        if not begin <= request.start < end:
            return request
        pulls = request.method == "GET" and "/manifests/" in request.uri
        lost = scene.pick(True, request.port % 2 == 0, pulls)
        return None if lost else request

    note = scene.pick("Every line is missing.", "Half of the connections are missing.", "Pulls are missing.")
    return Planted(span=(begin, end), alter=alter, note=note)


def _attack(code: str, name: str, play: Play, technique: str, classes: str, severity: str, **rest: object) -> Recipe:
    return Recipe(  # the table below is read more often than this line
        code=code,
        name=name,
        play=play,
        technique=tuple(technique.split()),
        classes=tuple(classes.split()),
        severity=severity,
        **rest,  # type: ignore[arg-type]
    )


WORK, NIGHT = (8.0, 15.0), (0.0, 4.5)
ATTACKS: dict[str, Recipe] = {
    recipe.code: recipe
    for recipe in (
        _attack("A01", "password guessing", guess_password, "T1110.001", "credentials", "high", days=(0.1, 0.4, 10)),
        _attack("A02", "password spraying", spray_passwords, "T1110.003", "credentials", "high", days=(0.1, 0.2, 2)),
        _attack(
            "A05", "leaked robot token", use_leaked_token, "T1078.004 T1552", "novelty", "high", days=(0.1, 0.3, 4)
        ),
        _attack(
            "A06", "mass pull", pull_everything, "T1213 T1530 T1567", "volume novelty", "high", days=(0.1, 0.3, 14)
        ),
        _attack(
            "A08", "enumeration", enumerate_registry, "T1613 T1595.003", "enumeration", "medium", days=(0.1, 0.3, 1)
        ),
        _attack("A10", "release tag overwritten", overwrite_release, "T1525 T1195.002", "tag", "high"),
        _attack("A12", "implant in base image", implant_in_base, "T1525", "novelty", "high"),
        _attack("A13", "rollback to an old image", roll_back, "T1195.002", "tag", "medium"),
        _attack("A18", "mass delete", delete_everything, "T1485 T1490", "delete", "high", days=(0.1, 0.2, 10)),
        _attack("A24", "pull from unexpected place", pull_from_elsewhere, "T1078.004 T1525", "novelty", "medium"),
        _attack("A25", "impossible travel", be_in_two_places, "T1078", "travel", "medium", hours=WORK),
        _attack("A26", "dormant account wakes", wake_dormant, "T1078.002", "novelty", "medium", hours=NIGHT),
        _attack("A31", "secrets hunting", hunt_secrets, "T1552.001", "volume novelty", "high", days=(0.1, 0.3, 6)),
        _attack(
            "A34",
            "log blinding",
            blind_the_log,
            "T1562.008",
            "silence",
            "high",
            hours=WORK,
            days=(0.2, 0.5, 1),
            alters=True,
        ),
    )
}
