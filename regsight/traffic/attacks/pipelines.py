"""Attacks by pipelines in other hands, of the kinds that nobody had heard of: a layer that goes from team to team, jobs that build
nothing. Whoever wrote them had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from itertools import chain, zip_longest

from regsight.traffic.images import Blob, Image, Repository, blob
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import LAYERS, Planted

ORDINARY_JOBS = 20  # that a pipeline may lose in a bad hour: they pull the base and break off before they push


def spread_a_layer(scene: Scene) -> Planted:
    """A worm goes from pipeline to pipeline: each puts the same layer on top of the images that it may write.

    Images share what is below, which is mounted or there already. A layer that is new in the repositories of several teams,
    uploaded to each by the team's own robot, was built by none of them. It is known with the third repository.
    """
    rng = scene.rng
    teams, each = scene.pick((6, 5), (3, 4), (3, 2))
    robots = _of_teams(scene, teams)
    own: list[list[tuple[Actor, Repository]]] = []
    taken: set[str] = set()
    for robot in robots:
        free = [one for one in robot.repositories if one.name not in taken]
        chosen = rng.sample(free, min(each, len(free)))
        taken |= {one.name for one in chosen}
        own.append([(robot, one) for one in chosen])
    turns = [one for one in chain.from_iterable(zip_longest(*own)) if one is not None]
    name = f"{scene.world.seed}/worm/{rng.getrandbits(64)}"
    layer = Blob(blob(name).digest, rng.randrange(40_000, 400_000))
    tool = scene.agent()
    evidence: list[Request] = []
    span = scene.pick(HOUR, 6 * HOUR, 3 * DAY)
    for (robot, repository), at in zip(turns, scene.moments(len(turns), span), strict=False):
        agent = scene.pick(tool, robot.agent, robot.agent)
        session = scene.session(robot.name, rng.choice(robot.addresses), agent, at)
        session.login()
        good = repository.current(session.at)
        session.pull(repository, good, "latest")
        session.fetch(repository, [good.config])
        other = repository.image(900_000 + rng.randrange(10**6))
        image = Image(other.digest, good.size + 162, other.config, (*good.layers, layer))
        evidence.append(session.look(repository, layer, known=False))
        session.upload(repository, layer)
        evidence.append(scene.out[-1])  # the request that ends the upload has the digest
        session.upload(repository, image.config)
        evidence.append(session.put(repository, image, "latest"))
    evidence.sort(key=lambda request: request.at)
    return Planted(evidence, decidable=7, needs=LAYERS)


def _of_teams(scene: Scene, count: int) -> list[Actor]:
    """So many robots, each of another project as far as there are enough."""
    order = scene.rng.sample(scene.world.robots, len(scene.world.robots))
    first = {one.repositories[0].project: one for one in reversed(order)}
    return [*first.values(), *(one for one in order if first[one.repositories[0].project] is not one)][:count]


def run_jobs_for_nothing(scene: Scene) -> Planted:
    """Somebody else's work runs on the runners: job after job logs in and takes the base image, and none of them pushes.

    A build that breaks off pulls as well and pushes nothing; some in a row may. Jobs without end that leave nothing behind
    are there for the machines that they run on.
    """
    rng = scene.rng
    robot = rng.choice([one for one in scene.world.robots if any(own.base for own in one.repositories)])
    base = rng.choice([own.base for own in robot.repositories if own.base is not None])
    if scene.difficulty == "stealthy":
        moments = scene.hours(75, 3, 21, 28)
    else:
        moments = scene.moments(*scene.pick((600, 2 * HOUR), (160, 10 * HOUR), (1, MINUTE)))
    evidence: list[Request] = []
    for at in moments:
        session = scene.session(robot.name, rng.choice(robot.addresses), robot.agent, at)
        session.login()
        image = base.current(session.at)
        session.check(base, image, "stable")
        evidence.append(pull_all(session, base, image, "stable", share=0.8))
    evidence.sort(key=lambda request: request.at)
    return Planted(evidence, decidable=ORDINARY_JOBS)
