"""Attacks on images: tags moved, images poisoned, names that deceive, storage used for other ends."""

from __future__ import annotations

from regsight.traffic.images import Blob, Image, Repository
from regsight.traffic.names import PARTS
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor, inside, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import Planted


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
    return Planted(sorted(evidence, key=lambda request: request.at), culprit=who.name)


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
    return Planted(sorted(evidence, key=lambda request: request.at), culprit=person.name)


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
    return Planted(sorted(evidence, key=lambda request: request.at), culprit=person.name)


def poison_moving_tag(scene: Scene) -> Planted:
    """`latest` comes from outside of the chain: no base was pulled before, nobody built anything."""
    rng = scene.rng
    cluster = rng.choice(scene.world.clusters)
    guarded = [one for one in cluster.repositories if one.signer]  # where a missing signature tells
    repository = rng.choice(guarded if guarded and scene.difficulty == "stealthy" else cluster.repositories)
    robots = [robot for robot in scene.world.robots if repository in robot.repositories] or scene.world.robots
    robot, person = rng.choice(robots), scene.somebody()
    who: Actor = scene.pick(person, robot, robot)
    address = scene.pick(person.addresses[-1], inside(rng, 77), robot.addresses[0])
    agent = scene.pick(person.agent, "skopeo/1.16.1", robot.agent)
    session = scene.session(who.name, address, agent)
    session.login()
    image = repository.image(900_000 + rng.randrange(10**6))
    evidence: list[Request] = session.push(repository, image, ["latest", "stable"], 1)
    members = [node for node in scene.world.nodes if scene.world.clusters[node.cluster] is cluster]
    for node in rng.sample(members, min(5, len(members))):
        at = session.at + int(rng.uniform(1, 20) * MINUTE)
        puller = scene.session(cluster.name, node.address, node.agent, at)
        evidence.append(pull_all(puller, repository, image, "stable"))
    return Planted(sorted(evidence, key=lambda request: request.at), culprit=who.name)


def push_miner(scene: Scene) -> Planted:
    """A small image of one layer in a repository that is new, pulled again and again by a few nodes."""
    rng, person = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[0])
    evidence: list[Request] = []
    names = [f"{rng.choice(scene.world.repositories).project}/{word}" for word in rng.sample(COMMON, 5)]
    if scene.difficulty != "blatant":
        names = [f"{person.repositories[0].project}/{rng.choice(COMMON)}"]
    session = scene.session(person.name, address, scene.pick(scene.agent(), person.agent, person.agent))
    session.login()
    for name in names:
        repository = Repository(scene.world.seed, name, 0.0, 1, False)
        image = repository.image(1)
        evidence += session.push(repository, image, ["latest"], len(image.layers))
        session.wait(60)
        for node in rng.sample(scene.world.nodes, min(scene.pick(6, 4, 2), len(scene.world.nodes))):
            for at in range(scene.pick(8, 6, 3)):
                moment = session.at + int(rng.uniform(5, 60) * MINUTE) + at * 2 * HOUR
                cluster = scene.world.clusters[node.cluster].name
                puller = scene.session(cluster, node.address, node.agent, moment)
                evidence.append(pull_all(puller, repository, image, "latest", share=0.3))
    return Planted(sorted(evidence, key=lambda request: request.at), culprit=person.name, decidable=2)


COMMON = ("kube-agent", "metrics-agent", "log-rotate", "nginx-proxy", "sys-update", "node-helper", "cache-warm")


def look_alike(scene: Scene) -> Planted:
    """Repositories one letter away from popular ones; people fall for them."""
    rng, pusher = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), pusher.addresses[-1], pusher.addresses[0])
    popular = sorted(scene.world.repositories, key=lambda one: -one.weight)[: scene.pick(20, 3, 1)]
    session = scene.session(pusher.name, address, scene.pick(scene.agent(), pusher.agent, pusher.agent))
    session.login()
    evidence: list[Request] = []
    for original in popular:
        fake = Repository(scene.world.seed, _misspelt(original.name, rng.randrange(10**6)), 0.0, 3, False)
        image = fake.image(1)
        evidence += session.push(fake, image, ["latest"], 2)
        session.wait(40)
        for person in rng.sample(scene.world.people, scene.pick(1, 2, 1)):
            at = session.at + int(rng.uniform(1, 6) * HOUR)
            puller = scene.session(person.name, person.addresses[0], person.agent, at)
            evidence.append(pull_all(puller, fake, image, "latest"))
    return Planted(sorted(evidence, key=lambda request: request.at), culprit=pusher.name)


def _misspelt(name: str, draw: int) -> str:
    """One letter doubled, dropped or swapped, in the last part of the name."""
    project, _, part = name.rpartition("/")
    at = 1 + draw % (len(part) - 1)
    changed = (part[:at] + part[at - 1] + part[at:], part[:at] + part[at + 1 :], part[:at] + "-" + part[at:])[draw % 3]
    return f"{project}/{changed}" if changed != part else f"{project}/{part}s"


def exhaust_storage(scene: Scene) -> Planted:
    """Uploads that are begun and never finished."""
    rng, person = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[0])
    agent = scene.pick(scene.agent(), scene.agent(), person.agent)
    count, span, size = scene.pick((3000, HOUR, 0), (500, 3 * HOUR, 0), (15, 3 * DAY, 10_000_000_000))
    evidence: list[Request] = []
    for at in scene.moments(count, span):
        session = scene.session(person.name, address, agent, at)
        evidence += session.abandon(rng.choice(person.repositories), size)
    pieces = 2 if size else 1
    return Planted(sorted(evidence, key=lambda request: request.at), decidable=4 * pieces + 1)


def hide_data(scene: Scene) -> Planted:
    """The registry as a drop: artifacts of a type that nobody uses, which no cluster pulls, fetched from outside."""
    rng, person = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[0])
    agent = "oras/1.2.0+Homebrew"
    count, span, size = scene.pick((40, HOUR, 5 * 10**9), (10, 2 * DAY, 5 * 10**8), (6, 6 * DAY, 5 * 10**7))
    project = person.repositories[0].project
    repository = Repository(scene.world.seed, f"{project}/{rng.choice(PARTS)}-data", 0.0, 1, False)
    evidence: list[Request] = []
    for number, at in enumerate(scene.moments(count, span)):
        plain = repository.image(number)
        layer = Blob(plain.layers[0].digest, int(size * rng.uniform(0.8, 1.2)))
        image = Image(plain.digest, plain.size, plain.config, (layer,))
        session = scene.session(person.name, address, agent, at)
        session.login()
        session.upload(repository, layer)
        evidence.append(session.put(repository, image, f"part-{number}", ODD_TYPE))
        taker = scene.session(person.name, outside(rng), agent, session.at + int(rng.uniform(1, 5) * HOUR))
        evidence.append(pull_all(taker, repository, image, f"part-{number}"))
    return Planted(sorted(evidence, key=lambda request: request.at), culprit=person.name, decidable=2)


ODD_TYPE = "application/vnd.acme.bundle.v1+json"
