"""Harmless but unusual things, one function each, listed in `SURPRISES`. None of them deserves an alert."""

from __future__ import annotations

from regsight.traffic.calendar import Quiet
from regsight.traffic.images import Repository
from regsight.traffic.names import BUILDERS, PARTS, PROJECTS
from regsight.traffic.operations import build, forgotten_token, pull_all, scan, start_pod
from regsight.traffic.population import DAY, HOUR, Node, outside, person_name
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, SECOND, Play, Recipe, Scene
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


def release_day(scene: Scene) -> Planted:
    """The usual robots build much more than usual, versions go up, clusters pull."""
    rng = scene.rng
    evidence: list[Request] = []
    for at in scene.moments(scene.pick(90, 60, 30), 9 * HOUR):
        robot = rng.choice(scene.world.robots)
        repository = rng.choice(robot.repositories)
        session = scene.session(robot.name, robot.addresses[0], robot.agent, at)
        evidence += build(session, repository, remember=False, release=f"v{rng.randrange(20, 90)}.0.{len(evidence)}")
        for node in rng.sample(scene.world.nodes, min(3, len(scene.world.nodes))):
            start_pod(
                scene.out, rng, scene.world, _copy(node), repository, session.at + int(rng.uniform(1, 20) * MINUTE)
            )
    return Planted(sorted(evidence, key=lambda request: request.at))


def _copy(node: Node) -> Node:
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


def password_change(scene: Scene) -> Planted:
    """On one morning many people fail a few times from where they always are, and then get in."""
    rng = scene.rng
    crowd = rng.sample(scene.world.people, max(int(len(scene.world.people) * scene.pick(0.9, 0.6, 0.3)), 1))
    evidence = []
    for person in crowd:
        session = scene.session(
            person.name, person.addresses[0], person.agent, scene.at + int(rng.uniform(0, 2) * HOUR)
        )
        for _ in range(rng.choice((2, 3, 4))):
            session.challenge()
            evidence.append(session.refuse(person.name))
            session.wait(15, 0.5)
        evidence.append(session.login())
    return Planted(sorted(evidence, key=lambda request: request.at))


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


def new_team(scene: Scene) -> Planted:
    """New people, new repositories, a new robot, all within some days and in the usual order."""
    rng, world = scene.rng, scene.world
    project = f"{rng.choice(PROJECTS)}-{rng.choice(PROJECTS)}"
    count = scene.pick(24, 16, 10)
    repositories = [Repository(world.seed, f"{project}/{part}", 0.0, 3, True) for part in rng.sample(PARTS, count)]
    evidence: list[Request] = []
    address = outside(rng)
    robot, runner, builder = f"ci-{project}", f"10.30.{rng.randrange(256)}.77", rng.choice(BUILDERS)
    members = [person_name(rng) for _ in range(scene.pick(12, 8, 5))]
    for index, at in enumerate(scene.hours(count, 4, 8, 16)):
        repository = repositories[index % count]
        person = scene.session(members[index % len(members)], address, "docker/27.3.1", at)
        evidence.append(person.login())
        pushing = scene.session(robot, runner, builder, at + 10 * MINUTE)
        pushing.challenge()
        image = repository.image(1)
        evidence += pushing.push(repository, image, ["v1.0.0", "latest"], len(image.layers))
        evidence.append(
            pull_all(person, repository, image, "latest") if person.at > pushing.at else pushing.list_tags(repository)
        )
    return Planted(sorted(evidence, key=lambda request: request.at))


def night_hotfix(scene: Scene) -> Planted:
    """Somebody on call pushes at night, moves the tag twice and goes back to the last good image."""
    rng, person = scene.rng, scene.somebody()
    repository = rng.choice(person.repositories)
    session = scene.session(person.name, person.addresses[-1], person.agent)
    evidence = [session.login()]
    last = repository.current(scene.at)
    for image in (repository.image(800_001), repository.image(800_002), last):
        evidence += session.push(repository, image, ["latest"], 1 if image is not last else 0)
        session.wait(600, 0.3)
        for node in rng.sample(scene.world.nodes, min(3, len(scene.world.nodes))):
            cluster = scene.world.clusters[node.cluster].name
            puller = scene.session(cluster, node.address, node.agent, session.at - int(rng.uniform(60, 300) * SECOND))
            evidence.append(pull_all(puller, repository, image, "latest"))
    return Planted(sorted(evidence, key=lambda request: request.at))


MORNING, DAYTIME, NIGHT = (7.0, 8.0), (8.0, 13.0), (2.0, 3.5)


def _surprise(code: str, name: str, play: Play, **rest: object) -> Recipe:
    return Recipe(code=code, name=name, play=play, benign=True, **rest)  # type: ignore[arg-type]


SURPRISES: dict[str, Recipe] = {
    recipe.code: recipe
    for recipe in (
        _surprise("B01", "node pool scale-out", scale_out),
        _surprise("B04", "release day", release_day, hours=DAYTIME, days=(0.5, 0.5, 0.5)),
        _surprise("B05", "first mirror sync", first_sync),
        _surprise("B06", "scanner full run", full_scan, hours=DAYTIME),
        _surprise("B07", "retry storm after outage", outage, hours=DAYTIME, alters=True),
        _surprise("B08", "expired robot token", expired_token, days=(1.7, 0.6, 0.2)),
        _surprise("B09", "password change by policy", password_change, hours=MORNING),
        _surprise("B11", "holiday", holiday, days=(4, 2, 1), alters=True),
        _surprise("B12", "new team", new_team, hours=MORNING, days=(4, 4, 4)),
        _surprise("B20", "night hotfix", night_hotfix, hours=NIGHT),
    )
}
