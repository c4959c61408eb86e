"""The ordinary work of every kind of subject, one function each: what happens on one day, as requests."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from random import Random

from regsight.traffic.calendar import Calendar
from regsight.traffic.chores import administration, cleaning, health, strangers
from regsight.traffic.images import Image, Repository, rolled_out
from regsight.traffic.population import DAY, HOUR, Actor, Node, Population
from regsight.traffic.requests import Request, Session
from regsight.traffic.seeds import derive, stream
from regsight.traffic.supply import cache, signed

MINUTE = HOUR // 60
SECOND = MINUTE // 60
EVICTED = 0.68  # of a node's images, at most, each night


def people(world: Population, calendar: Calendar, day: int) -> list[Request]:
    """Logins, pulls, pushes by hand, with wrong passwords and mistyped names now and then."""
    out: list[Request] = []
    rng = stream(world.seed, "people", day)
    crowd = world.people
    seen: set[int] = set()
    starts = calendar.starts("people", [person.rate for person in crowd], [person.zone for person in crowd], day)
    for who, at in starts:
        person = crowd[who]
        session = Session(out, rng, at, person.name, rng.choice(person.addresses), person.agent)
        if who not in seen:
            seen.add(who)
            _log_in(session, person.name)
        session.challenge()
        for _ in range(1 + int(rng.expovariate(1.2))):
            _hand_work(session, person, world)
            session.wait(90, 1.2)
    if day == 0:
        for person in world.retired:
            at = world.start + int(rng.uniform(8, 16) * HOUR)
            session = Session(out, rng, at, person.name, person.addresses[0], person.agent)
            session.login()
            repository = rng.choice(person.repositories)
            pull_all(session, repository, repository.current(at), "latest")
    return out


def _log_in(session: Session, name: str) -> None:
    if session.rng.random() < 0.03:
        for _ in range(session.rng.choice((1, 1, 2))):
            session.challenge()
            session.refuse(name)
            session.wait(9, 0.5)
    session.login()
    session.wait(4)


def _hand_work(session: Session, person: Actor, world: Population) -> None:
    rng = session.rng
    draw = rng.random()
    pool = person.repositories if draw < 0.85 else world.named("base") if draw < 0.97 else world.repositories
    repository = rng.choices(pool, [one.weight**0.8 for one in pool])[0] if draw < 0.97 else rng.choice(pool)
    if person.pushes and rng.random() < 0.15:
        number = rng.randrange(500, 100_000)
        image = repository.image(number)
        session.push(repository, image, [f"dev-{person.name.partition('.')[0]}"], 1)
        if rng.random() < 0.15:  # tried, and tidied up
            session.wait(600)
            session.delete(repository, image)
    elif rng.random() < 0.02:
        session.unknown(repository.name[:-1], "latest")
    else:
        pull_all(session, repository, repository.current(session.at), "latest", share=0.7)


def pull_all(session: Session, repository: Repository, image: Image, reference: str, share: float = 1.0) -> Request:
    """A manifest and, with probability `share` each time, the blobs behind it."""
    request = session.pull(repository, image, reference)
    if share >= 1 or session.rng.random() < share:
        session.fetch(repository, (image.config, *image.layers))
    return request


def robots(world: Population, calendar: Calendar, day: int) -> list[Request]:
    """Builds: pull the base, push the image under an immutable and one or two moving tags."""
    out: list[Request] = []
    rng = stream(world.seed, "robots", day)
    starts = calendar.starts(
        "robots", [robot.rate for robot in world.robots], [robot.zone for robot in world.robots], day
    )
    for who, at in starts:
        robot = world.robots[who]
        runner = robot.addresses[(derive(world.seed, who, day) + rng.randrange(3)) % len(robot.addresses)]
        session = Session(out, rng, at, robot.name, runner, robot.agent)
        build(session, rng.choice(robot.repositories), remember=True)
    return out


def build(session: Session, repository: Repository, *, remember: bool, release: str = "") -> list[Request]:
    """One build; `remember` makes the pushed version current, for all who pull after it."""
    rng = session.rng
    if rng.random() < 0.6:
        session.login()
    session.challenge()
    base = repository.base
    if base is not None:
        image = base.current(session.at)
        if rng.random() < 0.5:
            session.check(base, image, "stable")
        if rng.random() < 0.6:
            pull_all(session, base, image, "stable", share=0.8)
    session.wait(60, 0.7)
    number = (
        repository.numbers[-1]
        if remember
        else derive(repository.seed, repository.key or repository.name, session.at) % 10**6 + 10**6
    ) + 1
    image = repository.image(number)
    if base is not None and rng.random() < 0.6:
        session.mount(repository, base, image.layers[0])
    tags = [release or repository.tag(number), "latest", "main"][: rng.choice((1, 2, 2, 3))]
    if rolled_out(number):
        tags.append("stable")
    pushed = session.push(repository, image, tags, rng.choice((0, 0, 1, 1)), looks=rng.choice((1, 2, 3)))
    signed(session.into, repository, image, session.at)
    if remember and session.at > repository.pushed[-1]:
        repository.pushed.append(session.at)
        repository.numbers.append(number)
    return pushed


def nodes(world: Population, calendar: Calendar, day: int) -> list[Request]:
    """Pods that start, and rolling deployments after pushes. Most find everything in the node's image store."""
    out: list[Request] = []
    rng = stream(world.seed, "nodes", day)
    for node in world.nodes:
        node.evict(int(rng.random() * EVICTED * len(node.images)))
    rates = [node.rate for node in world.nodes]
    zones = [(1, 1, -6)[node.cluster % 3] for node in world.nodes]
    starts = calendar.starts("nodes", rates, zones, day)
    weights = [list(accumulate(r.weight**0.75 for r in cluster.repositories)) for cluster in world.clusters]
    jobs = []
    for who, at in starts:
        cluster = world.nodes[who].cluster
        jobs.append((at, who, rng.choices(world.clusters[cluster].repositories, cum_weights=weights[cluster])[0]))
    for at, who, repository in sorted(
        jobs + _deployments(world, rng, day), key=lambda job: (job[0], job[1], job[2].key or job[2].name)
    ):
        start_pod(out, rng, world, world.nodes[who], repository, at)
    return out


def _deployments(world: Population, rng: Random, day: int) -> list[tuple[int, int, Repository]]:
    """A push is soon pulled: by some nodes of a cluster that runs the repository, within minutes."""
    first = world.start + day * DAY
    jobs = []
    by_cluster: dict[int, list[int]] = {}
    for number, node in enumerate(world.nodes):
        by_cluster.setdefault(node.cluster, []).append(number)
    for index, cluster in enumerate(world.clusters):
        members = by_cluster.get(index, [])
        for repository in cluster.repositories:
            for place in range(bisect_left(repository.pushed, first), bisect_left(repository.pushed, first + DAY)):
                number, pushed = repository.numbers[place], repository.pushed[place]
                if rolled_out(number):
                    chosen = rng.sample(members, min(len(members), rng.randrange(2, 7)))
                    jobs += [(pushed + int(rng.uniform(1, 4) * MINUTE), who, repository) for who in chosen]
    return jobs


def start_pod(out: list[Request], rng: Random, world: Population, node: Node, repository: Repository, at: int) -> None:
    """Resolve the tag, get the manifest, get the blobs that are missing."""
    session = Session(out, rng, at, world.clusters[node.cluster].name, node.address, node.agent)
    number = repository.deployed(at)
    image = repository.image(number)
    held = image.digest in node.images
    if rng.random() < 0.95:
        session.challenge()
    if node.agent.startswith("containerd"):
        if rng.random() < 0.5:
            session.check(repository, image, "stable")
        if held and rng.random() < 0.1:
            return
        session.pull(repository, image, image.digest if rng.random() < 0.5 else "stable")
    else:
        session.pull(repository, image, "stable" if rng.random() < 0.6 else repository.tag(number))
    if not held:
        session.fetch(repository, node.keep(image))


def scanner(world: Population, calendar: Calendar, day: int) -> list[Request]:
    """Every night a part of all repositories, wholly."""
    out: list[Request] = []
    rng = stream(world.seed, "scanner", day)
    at = world.start + day * DAY + int(rng.uniform(1.9, 2.2) * HOUR)
    session = Session(out, rng, at, world.scanner.name, world.scanner.addresses[0], world.scanner.agent)
    session.login()
    for repository in world.repositories[day % world.preset.scan_nights :: world.preset.scan_nights]:
        scan(session, repository)
    return out


def scan(session: Session, repository: Repository) -> Request:
    """The current image of one repository, with every blob."""
    session.list_tags(repository)
    image = repository.current(session.at)
    session.check(repository, image, "latest")
    request = pull_all(session, repository, image, image.digest)
    session.wait(1)
    return request


def mirror(world: Population, calendar: Calendar, day: int) -> list[Request]:
    """Every second hour: which of the mirrored repositories have changed, and those wholly."""
    out: list[Request] = []
    rng = stream(world.seed, "mirror", day)
    for hour in range(0, 24, 2):
        at = world.start + day * DAY + hour * HOUR + int(rng.uniform(2, 4) * MINUTE)
        session = Session(out, rng, at, world.mirror.name, world.mirror.addresses[0], world.mirror.agent)
        session.login()
        for repository in world.mirror.repositories:
            if repository.number(at) == repository.number(at - 2 * HOUR):
                continue
            image = repository.current(at)
            session.check(repository, image, "latest")
            pull_all(session, repository, image, image.digest)
            session.wait(1)
    return out


def updater(world: Population, calendar: Calendar, day: int) -> list[Request]:
    """Twice an hour: the tags of a fixed list, and now and then a HEAD."""
    out: list[Request] = []
    rng = stream(world.seed, "updater", day)
    for half in range(48):
        at = world.start + day * DAY + half * HOUR // 2 + int(rng.uniform(10, 40) * SECOND)
        session = Session(out, rng, at, world.updater.name, world.updater.addresses[0], world.updater.agent)
        session.challenge()
        for repository in world.updater.repositories:
            session.list_tags(repository)
            if rng.random() < 0.25:
                session.check(repository, repository.current(at), "latest")
            session.wait(0.4)
    return out


def mishaps(world: Population, calendar: Calendar, day: int) -> list[Request]:
    """What goes wrong on any day: a server error, a tag that is not there, a forgotten old token."""
    out: list[Request] = []
    rng = stream(world.seed, "mishaps", day)
    for _, at in calendar.starts("machines", [world.preset.people * 1.2], [0], day):
        person = rng.choice(world.people)
        session = Session(out, rng, at, person.name, person.addresses[0], person.agent)
        repository = rng.choice(person.repositories)
        if rng.random() < 0.05:
            session.fail(repository, "latest")
        else:
            session.unknown(repository.name, rng.choice(("lates", "v0.0.1", "develop", "prod", "test-2")))
    if rng.random() < 0.12:
        forgotten_token(out, rng, world, world.start + day * DAY + int(rng.uniform(0, 20) * HOUR), rng.uniform(0.3, 2))
    return out


def forgotten_token(out: list[Request], rng: Random, world: Population, at: int, hours: float) -> list[Request]:
    """A job goes on with a token that has run out: every few minutes the same refusal from the same address."""
    robot = rng.choice(world.robots)
    repository = rng.choice(robot.repositories)
    session = Session(out, rng, at, "", rng.choice(robot.addresses), robot.agent)
    found = []
    pace = rng.uniform(240, 420)
    while session.at < at + int(hours * HOUR):
        session.challenge()
        found.append(session.refuse(robot.name, repository.name, "latest"))
        session.wait(pace, 0.05)
    return found


# Robots come before those who pull what they pushed.
ORDINARY: dict[str, Callable[[Population, Calendar, int], list[Request]]] = {
    "robots": robots,
    "people": people,
    "nodes": nodes,
    "cache": cache,
    "scanner": scanner,
    "mirror": mirror,
    "updater": updater,
    "administration": administration,
    "cleaning": cleaning,
    "health": health,
    "strangers": strangers,
    "mishaps": mishaps,
}
