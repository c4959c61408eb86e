"""Attacks by pieces of uploads, of the unimagined kinds: bytes under a false digest, uploads in crumbs. Whoever wrote them had read
no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Blob
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import Scene, place_of
from regsight.traffic.truth import LAYERS, Planted

CRUMBS = 8  # pieces of one upload; clients send it in one, or in a few


def claim_false_digests(scene: Scene) -> Planted:
    """Other bytes are uploaded under the digests of layers that clusters run, in the hope that one registry does not look.

    A registry computes what it is given, and says no. A line that breaks may spoil one upload; whoever spoils a second, of a
    layer that has long been there and that no client would upload again, has meant to.
    """
    rng, person = scene.rng, scene.somebody()
    who, address, agent, pool = scene.person_or_robot(person, scene.builder())
    count, span = scene.pick((60, HOUR), (12, 5 * HOUR), (5, 3 * DAY))
    evidence: list[Request] = []
    for at in scene.moments(count, span):
        repository = rng.choice(pool)
        known = rng.choice(repository.image(repository.deployed(at)).layers)
        forged = Blob(known.digest, known.size + rng.randrange(200, 40_000))
        session = scene.session(who.name, address, agent, at)
        session.login()
        evidence.append(session.mismatch(repository, forged, session.feed(repository, forged)))
    return Planted(sorted(evidence, key=lambda request: request.at), decidable=2, needs=LAYERS)


def upload_in_crumbs(scene: Scene) -> Planted:
    """An upload is fed a few bytes at a time: each piece is a request, and an object in the storage that is to be put together.

    Clients send a layer in one piece, and over bad lines in a few. It is known with the eighth of one upload.
    """
    rng, person = scene.rng, scene.somebody()
    robot = rng.choice(scene.world.robots)
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick("python-requests/2.32.3", person.agent, robot.agent)
    uploads, each, span = scene.pick((6, 400, HOUR), (2, 150, 6 * HOUR), (3, 30, 3 * DAY))
    evidence: list[Request] = []
    for turn in range(uploads):
        repository = rng.choice(who.repositories)
        blob = repository.image(900_000 + rng.randrange(10**6)).layers[-1]
        begin, length = scene.pick((scene.at, span), (scene.at, span), (scene.at + turn * DAY, 9 * HOUR))
        session = scene.session(who.name, address, agent, begin)
        session.login()
        upload = session.begin(repository)
        step = length / each
        for number in range(each):
            session.at = max(session.at, begin + int((number + rng.uniform(0.1, 0.9)) * step))
            evidence.append(session.crumb(repository, upload))
        if scene.difficulty != "blatant":  # where it ends, it ends well
            session.finish(repository, blob, upload)
    evidence = scene.until_end(evidence)
    return Planted(evidence, decidable=place_of(evidence, CRUMBS, lambda one: one.upload), needs=LAYERS)
