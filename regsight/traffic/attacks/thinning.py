"""Attacks that take away what nobody asks for today, of the unimagined kinds: tags are taken off images, and the clean-up takes
what is young. Whoever wrote them had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Repository
from regsight.traffic.population import DAY, HOUR, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import Planted

NIGHTLY = (3.9, 4.6)  # hours, UTC, in which the clean-up is at work on Sundays


def take_tags_off(scene: Scene) -> Planted:
    """Old releases lose their names: the images stay, and the next collection of garbage takes what has none.

    Nothing that runs stops, and no image is deleted. What is tidied up is deleted by its digest; the second tag that somebody takes
    off an image that stays is for the way back.
    """
    rng, person = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[0])
    agent = scene.pick(scene.agent(), person.agent, person.agent)
    pool = scene.pick(scene.shuffled(), person.repositories, person.repositories)
    prey = [(one, number) for one in pool for number in _idle(one, scene.at)]
    count, span = scene.pick((80, 30 * MINUTE), (12, 4 * HOUR), (4, 2 * DAY))
    chosen = rng.sample(prey, min(count, len(prey)))
    moments = scene.moments(len(chosen), span)
    if scene.difficulty == "stealthy":
        moments = scene.at_work(moments) or [scene.at]
    evidence: list[Request] = []
    for (repository, number), at in zip(chosen, moments, strict=False):
        session = scene.session(person.name, address, agent, at)
        session.login()
        session.list_tags(repository)
        evidence.append(session.untag(repository, repository.image(number), repository.tag(number)))
    return Planted(sorted(evidence, key=lambda request: request.at), decidable=2)


def clean_up_the_young(scene: Scene) -> Planted:
    """The job that deletes what is old has been told to delete what is young: its own account, at its own place.

    It comes on Sundays, and takes what twelve newer versions have made old. The second that it takes of those that are
    hardly older than the current one has been put on its list by somebody.
    """
    rng, cleaner = scene.rng, scene.world.cleaner
    built = {one.name: one for robot in scene.world.robots for one in robot.repositories}
    projects = sorted({one.project for one in built.values()})
    project = rng.choice(projects)
    pool = scene.pick(
        list(built.values()), [one for one in built.values() if one.project == project], list(built.values())
    )
    each, most = scene.pick((8, 240), (6, 24), (1, 6))
    prey = [(one, number) for one in rng.sample(pool, len(pool)) for number in _idle(one, scene.at)[-each:]][:most]
    if scene.difficulty == "stealthy":  # of those that get new versions every day
        young = sorted(built.values(), key=lambda one: -one.pushed[-1])[: 2 * most]
        prey = [(one, number) for one in rng.sample(young, len(young)) for number in _idle(one, scene.at)[-1:]][:most]
    moments = scene.moments(len(prey), scene.pick(20 * MINUTE, 90 * MINUTE, HOUR))
    if scene.difficulty == "stealthy":
        moments = scene.hours(len(prey), 3, *NIGHTLY)
    evidence: list[Request] = []
    last = 0
    for (repository, number), at in zip(prey, moments, strict=False):
        session = scene.session(cleaner.name, cleaner.addresses[0], cleaner.agent, at)
        if at - last > HOUR:
            session.login()
        last = at
        session.list_tags(repository)
        evidence.append(session.delete(repository, repository.image(number)))
    return Planted(sorted(evidence, key=lambda request: request.at), decidable=2)


def _idle(repository: Repository, at: int) -> list[int]:
    """Versions that are there and neither current nor run anywhere, the newest last: nobody will ask for them."""
    used = {repository.number(at), repository.deployed(at)} | repository.removed
    there = [number for number, pushed in zip(repository.numbers, repository.pushed, strict=True) if pushed < at]
    return [number for number in there if number not in used]
