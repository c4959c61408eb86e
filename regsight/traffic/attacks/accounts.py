"""Attacks on accounts: passwords tried, tokens stolen, identities in places where they do not belong.

Names, addresses and agents are drawn from the same places as everybody's: nothing but behaviour tells an attacker apart.
"""

from __future__ import annotations

from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, inside, outside, person_name
from regsight.traffic.scenes import MINUTE, SECOND, Scene
from regsight.traffic.truth import ADDRESSES, ADMINISTRATION, Planted


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
    return Planted(evidence, decidable=2, needs=ADDRESSES)


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
    return Planted(evidence, needs=ADDRESSES)


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
    return Planted(evidence, decidable=2, needs=ADDRESSES)


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


def stuff_credentials(scene: Scene) -> Planted:
    """A list of accounts and passwords from elsewhere is tried, each pair once, from ever new addresses."""
    rng, agent = scene.rng, scene.agent()
    count, span = scene.pick((600, 20 * MINUTE), (500, 5 * HOUR), (400, 40 * HOUR))
    real = [person.name for person in scene.world.people]
    evidence = []
    for at in scene.moments(count, span):
        name = rng.choice(real) if rng.random() < 0.15 else person_name(rng)
        evidence.append(scene.session("", outside(rng), agent, at).refuse(name))
    return Planted(evidence, decidable=15)


def pull_without_name(scene: Scene) -> Planted:
    """Repositories that always asked for a name are read by nobody in particular."""
    rng = scene.rng
    evidence = []
    address, agent = outside(rng), scene.agent()
    count = scene.pick(40, 8, 1)
    for repository, at in zip(scene.shuffled(), scene.moments(count, scene.pick(HOUR, 4 * HOUR, HOUR)), strict=False):
        session = scene.session("", address, agent, at)
        evidence.append(pull_all(session, repository, repository.current(at), "latest"))
    return Planted(evidence)


def outlive_deletion(scene: Scene) -> Planted:
    """An account is deleted, and its password goes on being used: it still works, or it is refused for days."""
    rng, former = scene.rng, scene.rng.choice(scene.world.retired)
    admin = scene.world.admin
    act = scene.session(admin.name, admin.addresses[0], admin.agent)
    evidence = [act.administer("delete", "user", former.name)]
    address, agent = former.addresses[0], former.agent
    count, span = scene.pick((6, 6 * HOUR), (100, DAY), (5, 5 * DAY))
    for at in scene.moments(count, span):
        session = scene.session(former.name, address, agent, at + MINUTE)
        if scene.difficulty != "blatant":
            evidence.append(session.refuse(former.name))
            continue
        evidence.append(session.login())
        repository = rng.choice(former.repositories)
        evidence.append(pull_all(session, repository, repository.current(session.at), "latest"))
    note = "The account's only earlier session is on the first day of the logs."
    return Planted(evidence, decidable=2, culprit=former.name, note=note, needs=ADMINISTRATION)


def forge_tokens(scene: Scene) -> Planted:
    """Tokens that the registry did not sign are tried."""
    rng = scene.rng
    address, agent = outside(rng), scene.agent()
    count, span = scene.pick((1000, HOUR), (160, 8 * HOUR), (12, 4 * DAY))
    return Planted(
        [
            scene.session("", address, agent, at).forge(rng.choice(scene.world.repositories).name)
            for at in scene.moments(count, span)
        ],
        decidable=5,
    )


def borrow_scanner(scene: Scene) -> Planted:
    """The account of the scanner, which may read everything, does what the scanner never does."""
    rng, scanner = scene.rng, scene.world.scanner
    address = scene.pick(outside(rng), inside(rng, 77), scanner.addresses[0])
    agent = scene.pick(scene.agent(), scene.agent(), scanner.agent)
    evidence = []
    wanted = scene.shuffled()[: scene.pick(10, 8, 6)]
    for repository, at in zip(wanted, scene.moments(len(wanted), scene.pick(HOUR, 3 * HOUR, DAY // 3)), strict=False):
        session = scene.session(scanner.name, address, agent, at)
        evidence.append(pull_all(session, repository, repository.current(at), "latest"))
    if scene.difficulty == "blatant":
        session.wait(60)
        evidence += session.push(repository, repository.image(900_000 + rng.randrange(10**6)), ["latest"], 2)
    return Planted(evidence)


def use_default_password(scene: Scene) -> Planted:
    """The first account of the installation, with the password it came with; then an account of one's own."""
    rng = scene.rng
    usual = scene.world.admin.addresses[0]
    address = scene.pick(outside(rng), inside(rng, 77), usual)
    session = scene.session("admin", address, scene.pick(scene.agent(), scene.agent(), "Mozilla/5.0"))
    evidence = [session.login()]
    session.wait(scene.pick(20, 300, 900))
    evidence.append(session.administer("create", "robot", f"robot$sync-{rng.randrange(100)}"))
    if scene.difficulty != "stealthy":
        session.wait(30)
        evidence.append(session.administer("create", "user", person_name(rng)))
    return Planted(evidence, decidable=2)
