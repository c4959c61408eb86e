"""Harmless surprises that people make: releases, new teams, moves, migrations, audits."""

from __future__ import annotations

from regsight.traffic.images import Repository
from regsight.traffic.names import BUILDERS, DESKTOPS, PARTS, PROJECTS
from regsight.traffic.operations import build, pull_all, start_pod
from regsight.traffic.population import DAY, HOUR, outside, person_name
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, SECOND, Scene
from regsight.traffic.supply import signed
from regsight.traffic.surprises.machines import copy_of
from regsight.traffic.truth import Planted


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
                scene.out, rng, scene.world, copy_of(node), repository, session.at + int(rng.uniform(1, 20) * MINUTE)
            )
    evidence.sort(key=lambda request: request.at)
    return Planted(evidence, actors=tuple(cluster.name for cluster in scene.world.clusters))


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
        signed(scene.out, repository, image, session.at)
        session.wait(600, 0.3)
        for node in rng.sample(scene.world.nodes, min(3, len(scene.world.nodes))):
            cluster = scene.world.clusters[node.cluster].name
            puller = scene.session(cluster, node.address, node.agent, session.at - int(rng.uniform(60, 300) * SECOND))
            evidence.append(pull_all(puller, repository, image, "latest"))
    return Planted(sorted(evidence, key=lambda request: request.at))


def new_employee(scene: Scene) -> Planted:
    """A new colleague, on the first day: everything that the team works with, from a new address."""
    rng, peer = scene.rng, scene.somebody()
    name, address = person_name(rng), peer.addresses[0] if scene.difficulty == "stealthy" else outside(rng)
    admin = scene.world.admin
    session = scene.session(admin.name, admin.addresses[0], admin.agent)
    evidence = [session.administer("create", "user", name)]
    session.wait(60)
    evidence.append(session.administer("create", "member", peer.repositories[0].project))
    team = [*peer.repositories, *scene.world.named("base")][: scene.pick(24, 16, 8)]
    for repository, at in zip(team, scene.moments(len(team), 6 * HOUR), strict=False):
        session = scene.session(name, address, rng.choice(DESKTOPS[:2]), at + HOUR)
        session.login()
        evidence.append(pull_all(session, repository, repository.current(session.at), "latest"))
    return Planted(sorted(evidence, key=lambda request: request.at))


def migrate(scene: Scene) -> Planted:
    """Some projects move to another registry: everything is pulled once, by an account made for it, then deleted."""
    rng, world = scene.rng, scene.world
    admin = world.admin
    session = scene.session(admin.name, admin.addresses[0], admin.agent)
    robot = f"robot$migration-{rng.randrange(90)}"
    evidence = [session.administer("create", "robot", robot)]
    projects = sorted({one.project for one in world.repositories} - {"base"})
    leaving = world.named(*rng.sample(projects, max(len(projects) // scene.pick(2, 4, 8), 1)))
    for repository, at in zip(leaving, scene.moments(len(leaving), scene.pick(1, 3, 5) * DAY), strict=False):
        session = scene.session(robot, "10.60.0.31", "skopeo/1.16.1", at + HOUR)
        evidence.append(pull_all(session, repository, repository.current(session.at), "latest"))
        old = repository.numbers[0]
        if old not in repository.removed:
            evidence.append(session.delete(repository, repository.image(old)))
    return Planted(sorted(evidence, key=lambda request: request.at))


def rebuild_cascade(scene: Scene) -> Planted:
    """A base image was renewed: everything on top of it is built again within two hours, by the usual robots."""
    rng, world = scene.rng, scene.world
    work = [(robot, repository) for robot in world.robots for repository in robot.repositories]
    rng.shuffle(work)
    count = min(len(work), scene.pick(300, 120, 50))
    evidence: list[Request] = []
    for (robot, repository), at in zip(work, scene.moments(count, 2 * HOUR), strict=False):
        session = scene.session(robot.name, rng.choice(robot.addresses), robot.agent, at)
        evidence += build(session, repository, remember=False)
    return Planted(sorted(evidence, key=lambda request: request.at))


def office_moves(scene: Scene) -> Planted:
    """The provider of an office changes: on one day all its people come from another address."""
    rng, world = scene.rng, scene.world
    old = scene.somebody().addresses[0]
    new, begin = outside(rng), scene.at

    def alter(request: Request) -> Request | None:
        return request._replace(address=new) if request.address == old and request.start >= begin else request

    people = tuple(person.name for person in world.people if old in person.addresses)
    end = min(begin + scene.pick(3, 2, 1) * DAY, scene.end)
    return Planted(span=(begin, end), alter=alter, actors=people, addresses=(new,))


def licence_audit(scene: Scene) -> Planted:
    """A tool reads the manifest and config of every image, with a robot account made for it."""
    admin, world = scene.world.admin, scene.world
    made = scene.session(admin.name, admin.addresses[0], admin.agent)
    robot = "robot$licence-audit"
    evidence = [made.administer("create", "robot", robot)]
    session = scene.session(robot, "10.20.250.41", "syft/1.14.0", scene.at + HOUR)
    session.login()
    for repository in world.repositories:
        image = repository.current(scene.at)
        evidence.append(session.pull(repository, image, "latest"))
        session.fetch(repository, [image.config])
        session.wait(scene.pick(1, 10, 60))
    return Planted(evidence)


def training(scene: Scene) -> Planted:
    """A course: everybody pulls the same few images within the hour and pushes a test."""
    rng, world = scene.rng, scene.world
    crowd = rng.sample(world.people, min(scene.pick(30, 20, 8), len(world.people)))
    images = rng.sample(world.repositories, 5)
    playground = Repository(world.seed, "training/exercise", 0.0, 2, False)
    evidence: list[Request] = []
    for number, person in enumerate(crowd):
        session = scene.session(
            person.name, person.addresses[0], person.agent, scene.at + int(rng.uniform(0, 20) * MINUTE)
        )
        session.login()
        for repository in images:
            evidence.append(pull_all(session, repository, repository.current(session.at), "latest", share=0.6))
            session.wait(120)
        evidence += session.push(playground, playground.image(number), ["test"], 1)
    return Planted(sorted(evidence, key=lambda request: request.at))


def rotate_robot(scene: Scene) -> Planted:
    """A robot account is replaced by a new one with the same habits, from the same runners."""
    rng, world, admin = scene.rng, scene.world, scene.world.admin
    robot = rng.choice(world.robots)
    fresh = f"{robot.name}-2"
    session = scene.session(admin.name, admin.addresses[0], admin.agent)
    evidence = [session.administer("create", "robot", fresh)]
    session.wait(300)
    evidence.append(session.administer("delete", "robot", robot.name))
    begin = session.at

    def alter(request: Request) -> Request | None:
        return request._replace(actor=fresh) if request.actor == robot.name and request.start >= begin else request

    end = min(begin + scene.pick(3, 2, 1) * DAY, scene.end)
    return Planted(
        evidence, span=(begin, end), alter=alter, actors=(robot.name, fresh), addresses=tuple(robot.addresses)
    )
