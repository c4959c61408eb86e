"""Attacks on the machines that build, of the unforeseen kinds: a pipeline that reads what other teams have, and a person's account
that works like a machine. Whoever wrote them had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Repository
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor
from regsight.traffic.requests import Request
from regsight.traffic.scenes import Scene
from regsight.traffic.truth import ACCOUNTS, Planted


def read_through_pipeline(scene: Scene) -> Planted:
    """Somebody has changed what a team's pipeline does: it takes other teams' images, under the robot's own account.

    A build takes its base, and one day perhaps a second image to copy something from. Images of three other teams are for
    whoever has written that into the job.
    """
    rng = scene.rng
    robot = rng.choice(scene.world.robots)
    runner = rng.choice(robot.addresses)
    agent = scene.pick(scene.agent(), robot.agent, robot.agent)
    prey = _of_others(scene, robot)[: scene.pick(40, 10, 4)]
    moments = scene.moments(len(prey), scene.pick(HOUR, 5 * HOUR, 3 * DAY))
    evidence: list[Request] = []
    for repository, at in zip(prey, moments, strict=False):
        session = scene.session(robot.name, scene.pick(runner, runner, rng.choice(robot.addresses)), agent, at)
        session.login()
        session.challenge()
        reference = scene.pick("latest", "latest", "stable")
        image = scene.pick(repository.current(at), repository.current(at), repository.image(repository.deployed(at)))
        evidence.append(pull_all(session, repository, image, reference))
    return Planted(sorted(evidence, key=lambda request: request.at), decidable=3)


def _of_others(scene: Scene, robot: Actor) -> list[Repository]:
    """What the robot has no part in, one of each project in front."""
    mine = {one.project for one in robot.repositories} | {"base"}
    foreign = [one for one in scene.shuffled() if one.project not in mine]
    first = {one.project: one for one in reversed(foreign)}
    return [*first.values(), *(one for one in foreign if first[one.project] is not one)]


def work_as_machine(scene: Scene) -> Planted:
    """A person's name and password stand in a pipeline, or somebody on the runner has found them: the account works there.

    People work from an office or a home. The address of a runner, with a client that only builds have, is neither: the first
    time somebody may be looking for what is wrong there, the third time it is a job.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    near = [one for one in world.robots if one.repositories[0].project == person.repositories[0].project]
    robot = rng.choice(near or world.robots)
    runners = rng.sample(robot.addresses, scene.pick(3, 1, 1))
    moments = scene.moments(*scene.pick((200, 8 * HOUR), (40, 12 * HOUR), (9, 3 * DAY)))
    if scene.difficulty == "stealthy":
        moments = scene.at_work(moments) or [scene.at]
    evidence: list[Request] = []
    for at in moments:
        session = scene.session(person.name, rng.choice(runners), robot.agent, at)
        session.login()
        repository = rng.choice(person.repositories)
        evidence.append(pull_all(session, repository, repository.current(at), "latest", share=0.8))
    return Planted(sorted(evidence, key=lambda request: request.at), decidable=3, needs=ACCOUNTS)
