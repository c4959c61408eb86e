"""Attacks on rights: of the unforeseen kinds, a robot account that is made for one use and taken away again, and write access that
is tried out; of the uncharted kinds, an administrator who reads, and owners who are put out of their project. Whoever wrote them
had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import ADMINISTRATION, LAYERS, Planted

BY_MISTAKE = 0.15  # share of others' repositories that an account may write to


def use_robot_once(scene: Scene) -> Planted:
    """A robot account is made, takes a few images, and is deleted within the hour; the next time it is another one.

    Robots are made for jobs that go on for months. One that is made, used and deleted in an hour leaves no account behind that
    somebody could come upon; with the deletion that is known.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    admin = rng.choice(world.admins)
    who: Actor = scene.pick(person, person, admin)
    address = scene.pick(outside(rng), person.addresses[-1], admin.addresses[0])
    agent = scene.pick(scene.agent(), person.agent, admin.agent)
    away, client = scene.pick(address, outside(rng), outside(rng)), scene.agent()
    moments = scene.moments(*scene.pick((6, 2 * HOUR), (3, 6 * HOUR), (3, 3 * DAY)))
    if scene.difficulty == "stealthy":
        moments = scene.at_work(moments) or [scene.at]
    evidence: list[Request] = []
    for at in moments:
        repositories = world.named(rng.choice(world.repositories).project)
        name = f"robot${repositories[0].project}+{rng.choice(('tmp', 'job', 'test'))}-{rng.randrange(100, 1000)}"
        session = scene.session(who.name, address, agent, at)
        session.login()
        evidence.append(session.administer("create", "robot", name))
        user = scene.session(name, away, client, session.at + int(rng.uniform(1, 6) * MINUTE))
        user.login()
        for repository in rng.sample(repositories, min(scene.pick(8, 4, 2), len(repositories))):
            evidence.append(pull_all(user, repository, repository.current(user.at), "latest"))
            user.wait(20)
        session.at = max(session.at, user.at)
        session.wait(scene.pick(60, 240, 600), 0.3)
        evidence.append(session.administer("delete", "robot", name))
    evidence = scene.until_end(evidence)
    gone = [place for place, one in enumerate(evidence, 1) if one.admin is not None and one.admin[0] == "delete"]
    return Planted(evidence, decidable=min(gone, default=len(evidence) + 1), needs=ADMINISTRATION)


def try_write_access(scene: Scene) -> Planted:
    """Where may this account write? An upload is begun in repository after repository of others and given up at once.

    Tools ask that way before they push, for the one place where they are about to push. Three places of others, and no push to
    any, is somebody who draws a map.
    """
    rng, person = scene.rng, scene.somebody()
    robot = rng.choice(scene.world.robots)
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    prey = [one for one in scene.shuffled() if one not in who.repositories][: scene.pick(200, 24, 10)]
    span = scene.pick(20 * MINUTE, 4 * HOUR, 3 * DAY)
    evidence: list[Request] = []
    for repository, at in zip(prey, scene.moments(len(prey), span), strict=False):
        session = scene.session(who.name, address, agent, at)
        session.challenge()
        may = rng.random() < BY_MISTAKE
        evidence.append(session.give_up(repository) if may else session.deny(repository))
    return Planted(evidence, decidable=3, needs=LAYERS)


def read_as_administrator(scene: Scene) -> Planted:
    """An account that administers, and may therefore read everything, takes images of the teams: curiosity, or a sale.

    Whoever helps somebody may have to look at one image, or at two. Administrators make accounts and projects, and run nothing;
    the third repository that one takes is for the one who takes it.
    """
    rng = scene.rng
    admin = rng.choice(scene.world.admins)
    address = scene.pick(outside(rng), admin.addresses[0], admin.addresses[0])
    agent = scene.pick("python-requests/2.32.3", "skopeo/1.16.1", admin.agent)
    prey = [one for one in scene.shuffled() if one.project != "base"][: scene.pick(40, 10, 6)]
    moments = scene.moments(len(prey), scene.pick(HOUR, 5 * HOUR, 3 * DAY))
    if scene.difficulty == "stealthy":
        moments = scene.at_work(moments) or [scene.at]
    evidence: list[Request] = []
    for repository, at in zip(prey, moments, strict=False):
        session = scene.session(admin.name, address, agent, at)
        session.login()
        image = repository.current(at)
        evidence.append(pull_all(session, repository, image, scene.pick("latest", "latest", image.digest)))
    return Planted(sorted(evidence, key=lambda request: request.at), decidable=3)


def put_owners_out(scene: Scene) -> Planted:
    """The members of a project are taken out of it one after the other, until nobody is left who could object.

    Members come and go, one at a time, at the hands of those who always do that. Whoever has never done it is known with the
    second; an administrator who takes a fourth out of one project within the hour has been told by nobody to.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    admin = rng.choice(world.admins)
    who: Actor = scene.pick(person, person, admin)
    address = scene.pick(outside(rng), person.addresses[-1], admin.addresses[0])
    agent = scene.pick(scene.agent(), person.agent, admin.agent)
    projects = sorted({one.project for one in world.repositories} - {"base"})
    others = rng.sample(projects, min(6, len(projects)))
    owned = scene.pick(others, [person.repositories[0].project], others[:1])
    prey = [project for project in owned for _ in range(scene.pick(5, 8, 5))]
    session = scene.session(who.name, address, agent)
    session.login()
    evidence: list[Request] = []
    for project in prey:
        evidence.append(session.administer("delete", "member", project))
        session.wait(scene.pick(15, 240, 300), 0.4)
    evidence = [one for one in evidence if one.at < scene.end]
    return Planted(evidence, decidable=scene.pick(2, 2, 4), needs=ADMINISTRATION)
