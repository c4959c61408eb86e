"""Attacks that only look, of the kinds that nobody had heard of: whose signature is missing, when the next version comes. Whoever
wrote them had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Image, Repository
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.supply import SIGNER_AGENT, signature_of, signature_tag
from regsight.traffic.truth import Planted

ROUNDS = 6  # of a watch, after which it is no longer somebody who waits for one build


def look_for_unsigned(scene: Scene) -> Planted:
    """Image after image is asked for its signature: what has none can be replaced, and nobody would notice.

    Who checks a signature does so for the image that is about to run. The third image of others that is asked for its
    signature and not for itself is asked for the answer alone.
    """
    rng = scene.rng
    person, robot = _without_signatures(scene)
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), SIGNER_AGENT, robot.agent)
    prey = _signed_and_unsigned(scene, who, scene.pick(240, 36, 12))
    span = scene.pick(20 * MINUTE, 5 * HOUR, 3 * DAY)
    evidence: list[Request] = []
    for (repository, image), at in zip(prey, scene.moments(len(prey), span), strict=False):
        session = scene.session(who.name, address, agent, at)
        session.challenge()
        tag = signature_tag(image)
        if repository.signer:
            evidence.append(session.pull(repository, signature_of(repository, image), tag))
        else:
            evidence.append(session.unknown(repository.name, tag))
    return Planted(evidence, decidable=3)


def _without_signatures(scene: Scene) -> tuple[Actor, Actor]:
    """A person and a robot who have no part in some of what is signed, if there are any."""
    signed, world, rng = scene.world.signer.repositories, scene.world, scene.rng
    order = [scene.somebody(), *rng.sample(world.people, len(world.people))]
    people = [one for one in order if any(other not in one.repositories for other in signed)]
    robots = [one for one in world.robots if not any(other in one.repositories for other in signed)]
    return (people or order)[0], rng.choice(robots or world.robots)


def _signed_and_unsigned(scene: Scene, who: Actor, most: int) -> list[tuple[Repository, Image]]:
    """Up to `most` images of others, half of them signed if there are as many; the newest versions of each repository."""
    signed: list[tuple[Repository, Image]] = []
    unsigned: list[tuple[Repository, Image]] = []
    for repository in scene.shuffled():
        if repository not in who.repositories:
            numbers = [number for number in repository.numbers[-6:] if number not in repository.removed]
            into = signed if repository.signer else unsigned
            into += [(repository, repository.image(number)) for number in numbers]
    half = scene.rng.sample(signed, min(most // 2, len(signed)))
    rest = scene.rng.sample(unsigned, min(most - len(half), len(unsigned)))
    return scene.rng.sample([*half, *rest], len(half) + len(rest))


def watch_releases(scene: Scene) -> Planted:
    """Somebody waits for other teams' next versions: tags are listed and `latest` is compared, round after round.

    Who waits for a build asks until it is there. An account that goes on asking for what it has no part in, round after
    round, wants to be the first to know: to copy it, or to strike before it is patched. What is new is taken at once.
    """
    rng, person = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[-1])
    agent = scene.pick(scene.agent(), person.agent, person.agent)
    built = {one.name for robot in scene.world.robots for one in robot.repositories}
    foreign = [one for one in scene.shuffled() if one not in person.repositories]
    foreign.sort(key=lambda one: one.name not in built)  # those that get new versions first
    watched = foreign[: scene.pick(12, 3, 1)]
    rounds, span = scene.pick((90, 3 * HOUR), (100, 10 * HOUR), (72, 3 * DAY))
    known: dict[str, int] = {}
    evidence: list[Request] = []
    for at in scene.moments(rounds, span):
        session = scene.session(person.name, address, agent, at)
        session.challenge()
        for repository in watched:
            evidence.append(session.list_tags(repository))
            image = repository.current(session.at)
            evidence.append(session.check(repository, image, "latest"))
            number = repository.number(session.at)
            if known.setdefault(repository.name, number) != number:
                known[repository.name] = number
                pull_all(session, repository, image, "latest")
    evidence.sort(key=lambda request: request.at)
    return Planted(evidence, decidable=2 * len(watched) * ROUNDS)
