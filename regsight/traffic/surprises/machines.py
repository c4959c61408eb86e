"""Harmless surprises that machines make: clusters that grow, mirrors, scanners, outages, upgrades."""

from __future__ import annotations

from regsight.traffic.calendar import Quiet
from regsight.traffic.operations import forgotten_token, pull_all, scan, start_pod
from regsight.traffic.population import DAY, HOUR, Node
from regsight.traffic.requests import Request, Session
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import Planted


def scale_out(scene: Scene) -> Planted:
    """New nodes of a known cluster pull its whole set."""
    rng = scene.rng
    index = rng.randrange(len(scene.world.clusters))
    model = next(node for node in scene.world.nodes if node.cluster == index)
    for number in range(scene.pick(40, 20, 10)):
        node = Node(f"10.20.{index}.{180 + number}", model.agent, index, 0.0)
        for repository in scene.world.clusters[index].repositories:
            start_pod(scene.out, rng, scene.world, node, repository, scene.at + int(rng.uniform(0, 12) * MINUTE))
    return Planted(
        sorted((one for one in scene.out if one.target and one.method == "GET"), key=lambda request: request.at)
    )


def copy_of(node: Node) -> Node:
    """A node that a scenario may use without leaving traces in the ordinary one."""
    return Node(node.address, node.agent, node.cluster, node.rate, dict(node.images), set(node.blobs))


def first_sync(scene: Scene) -> Planted:
    """A new mirror takes everything once."""
    session = scene.session("offsite-copy", "10.60.0.9", "regclient/regctl (v0.7.2)")
    evidence = [session.login()]
    for repository in scene.world.repositories:
        session.list_tags(repository)
        evidence.append(pull_all(session, repository, repository.current(scene.at), "latest"))
        session.wait(scene.pick(5, 20, 60))
    return Planted(evidence)


def full_scan(scene: Scene) -> Planted:
    """After a database update the scanner goes through everything, at an hour that is not its own."""
    scanner = scene.world.scanner
    session = scene.session(scanner.name, scanner.addresses[0], scanner.agent)
    session.login()
    return Planted([scan(session, repository) for repository in scene.world.repositories])


def outage(scene: Scene) -> Planted:
    """The storage is away for some minutes; then everybody tries again at once."""
    rng, begin = scene.rng, scene.at
    end = begin + scene.pick(20, 8, 3) * MINUTE

    def alter(request: Request) -> Request | None:
        if not (begin <= request.start < end and request.routed) or request.status == 401:
            return request
        error = ("unavailable", "service unavailable", "storage driver: connection refused")
        return request._replace(status=503, written=97, error=error, target="", answer_type="application/json")

    evidence: list[Request] = []
    for _ in range(scene.pick(160, 80, 30)):
        robot = rng.choice(scene.world.robots)
        repository = rng.choice(robot.repositories)
        at = begin + int(rng.random() * (end - begin))
        session = scene.session(robot.name, rng.choice(robot.addresses), robot.agent, at)
        pause = 5.0
        while session.at < end:
            evidence.append(session.fail(repository, "latest"))
            session.wait(pause, 0.3)
            pause = min(pause * 1.8, 120)
        evidence.append(session.pull(repository, repository.current(session.at), "latest"))
    return Planted(sorted(evidence, key=lambda request: request.at), alter=alter)


def expired_token(scene: Scene) -> Planted:
    """A robot's token has run out: the same refusal from the same address, at a constant pace, for hours."""
    hours = scene.pick(40.0, 12.0, 3.0)
    return Planted(forgotten_token(scene.out, scene.rng, scene.world, scene.at, hours))


def holiday(scene: Scene) -> Planted:
    """The company is closed."""
    begin, end = closed(scene.at, scene.difficulty, scene.world.start, scene.end)
    return Planted(span=(begin, end), note="People and robots do little; machines go on.")


def closed(at: int, difficulty: str, start: int, end: int) -> tuple[int, int]:
    """From the midnight of the day on which the holiday falls, for some days."""
    first = at - (at - start) % DAY
    return first, min(first + {"blatant": 4, "moderate": 2, "stealthy": 1}[difficulty] * DAY, end)


def quiet(at: int, difficulty: str, start: int, end: int) -> Quiet:
    """The holiday as the calendar needs to know it, before the first day is drawn."""
    return Quiet(*closed(at, difficulty, start, end))


def cold_start(scene: Scene) -> Planted:
    """The nodes' system is renewed, one after the other: each comes back with an empty image store."""
    rng, world = scene.rng, scene.world
    index = rng.randrange(len(world.clusters))
    members = [node for node in world.nodes if node.cluster == index]
    for node, at in zip(members, scene.moments(len(members), scene.pick(2, 4, 8) * HOUR), strict=False):
        bare = Node(node.address, node.agent, node.cluster, node.rate)
        for repository in world.clusters[index].repositories:
            start_pod(scene.out, rng, world, bare, repository, at + int(rng.uniform(0, 10) * MINUTE))
    return Planted(_pulls(scene))


def morning_cluster(scene: Scene) -> Planted:
    """A cluster for development is put up anew each morning, and pulls everything within minutes."""
    rng, world = scene.rng, scene.world
    index = len(world.clusters) - 1
    agent = next(node.agent for node in world.nodes if node.cluster == index)
    day = scene.at - scene.at % DAY
    for number in range(scene.pick(5, 4, 3)):
        at = day + number * DAY + 7 * HOUR
        if scene.at <= at < scene.end - HOUR:
            for host in range(scene.pick(20, 12, 6)):
                node = Node(f"10.20.{index}.{200 + host}", agent, index, 0.0)
                for repository in world.clusters[index].repositories:
                    start_pod(scene.out, rng, world, node, repository, at + int(rng.uniform(0, 4) * MINUTE))
    return Planted(_pulls(scene))


def _pulls(scene: Scene) -> list[Request]:
    """All manifests that were read in the scene."""
    return sorted((one for one in scene.out if one.target and one.method == "GET"), key=lambda request: request.at)


def evict_caches(scene: Scene) -> Planted:
    """A node's disk is full: it pulls the same images again and again."""
    rng, world = scene.rng, scene.world
    node = rng.choice(world.nodes)
    for at in scene.moments(scene.pick(40, 20, 10), DAY // 2):
        bare = Node(node.address, node.agent, node.cluster, node.rate)
        for repository in rng.sample(world.clusters[node.cluster].repositories, 5):
            start_pod(scene.out, rng, world, bare, repository, at + int(rng.uniform(0, 5) * MINUTE))
    return Planted(_pulls(scene))


def load_test(scene: Scene) -> Planted:
    """A game day: a cluster pulls a few images as fast as it can."""
    rng, world = scene.rng, scene.world
    index = len(world.clusters) - 1
    members = [node for node in world.nodes if node.cluster == index]
    images = rng.sample(world.clusters[index].repositories, 3)
    evidence = []
    for at in scene.moments(scene.pick(1500, 700, 300), HOUR):
        node = rng.choice(members)
        session = scene.session(world.clusters[index].name, node.address, node.agent, at)
        repository = rng.choice(images)
        evidence.append(session.pull(repository, repository.current(at), "stable"))
    return Planted(evidence)


def first_retention(scene: Scene) -> Planted:
    """Retention runs for the first time: what is old goes, at once, by the account that cleans up every week."""
    cleaner = scene.world.cleaner
    session = scene.session(cleaner.name, cleaner.addresses[0], cleaner.agent)
    evidence = [session.login()]
    prey = [
        (repository, number)
        for repository in scene.world.repositories
        for number in repository.numbers[:-3]
        if number not in repository.removed
    ]
    for repository, number in prey[: scene.pick(5000, 1000, 300)]:
        evidence.append(session.delete(repository, repository.image(number)))
        session.wait(0.4)
    return Planted(evidence)


def upgrade_clients(scene: Scene) -> Planted:
    """A fleet's runtime is upgraded: the same machines, another agent."""
    begin = scene.at
    index = scene.rng.randrange(len(scene.world.clusters))
    name = scene.world.clusters[index].name
    span = scene.pick(HOUR, 8 * HOUR, DAY)
    order = {
        node.address: begin + int(scene.rng.random() * span) for node in scene.world.nodes if node.cluster == index
    }

    def alter(request: Request) -> Request | None:
        if request.actor == name and request.at >= order.get(request.address, scene.end):
            return request._replace(agent="containerd/v2.2.0")
        return request

    return Planted(
        span=(begin, min(begin + span + DAY, scene.end)), alter=alter, actors=(name,), addresses=tuple(order)
    )


def change_proxy(scene: Scene) -> Planted:
    """A new load balancer in front: for some hours every request seems to come from it."""
    begin = scene.at
    end = min(begin + scene.pick(12, 4, 1) * HOUR, scene.end)

    def alter(request: Request) -> Request | None:
        return request._replace(address="10.0.0.8") if begin <= request.start < end else request

    return Planted(span=(begin, end), alter=alter, addresses=("10.0.0.8",))


def quarterly_jobs(scene: Scene) -> Planted:
    """Jobs of the quarter's end pull images that nobody has asked for since the last one."""
    rng, world = scene.rng, scene.world
    index = rng.randrange(len(world.clusters))
    members = [node for node in world.nodes if node.cluster == index]
    others = [one for one in scene.shuffled() if one not in world.clusters[index].repositories]
    evidence = []
    for repository, at in zip(
        others[: scene.pick(20, 10, 4)], scene.moments(scene.pick(20, 10, 4), 3 * HOUR), strict=False
    ):
        node = rng.choice(members)
        session = Session(scene.out, rng, at, world.clusters[index].name, node.address, node.agent)
        image = repository.image(repository.numbers[0])
        evidence.append(pull_all(session, repository, image, image.digest))
    return Planted(evidence)
