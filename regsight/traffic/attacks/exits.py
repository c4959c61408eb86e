"""Attacks that carry something away: of the kinds that nobody had heard of, blobs that belong to no image, and a client that
goes by a machine's name; of the uncharted kinds, data in names that the cache asks for outside. Whoever wrote them had read no
detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Blob, blob
from regsight.traffic.names import UPSTREAM
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import ADDRESSES, LAYERS, Planted

MEGABYTE = 1_000_000
PROBE = "kube-probe/1.30"  # the load balancer's own question
ROUND = 2 * HOUR  # of the mirror
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def leave_blobs_for_another(scene: Scene) -> Planted:
    """Blobs are stored to the end and no manifest ever names them; somebody else takes them by their digests.

    What was uploaded and has no manifest may be a push that broke off, which the clean-up of the storage takes away one day.
    Nobody can know its digest but who was told.
    """
    rng, person = scene.rng, scene.somebody()
    robot = rng.choice(scene.world.robots)
    giver: Actor = scene.pick(person, robot, robot)
    address = scene.pick(outside(rng), rng.choice(robot.addresses), rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), "curl/8.5.0", robot.agent)
    repository = rng.choice(giver.repositories)
    team = [one for one in scene.world.people if repository in one.repositories]
    taker: Actor = scene.pick(person, robot, rng.choice(team or [person]))
    away = scene.pick(outside(rng), outside(rng), taker.addresses[-1])
    client = scene.pick(scene.agent(), scene.agent(), taker.agent)
    count, span, size = scene.pick((40, HOUR, 300), (12, 8 * HOUR, 60), (6, 3 * DAY, 4))
    evidence: list[Request] = []
    for at in scene.moments(count, span):
        parcel = Blob(blob(f"{repository.seed}/parcel/{rng.getrandbits(64)}").digest, _about(scene, size * MEGABYTE))
        session = scene.session(giver.name, address, agent, at)
        session.challenge()
        evidence.append(session.look(repository, parcel, known=False))
        session.upload(repository, parcel)
        evidence.append(scene.out[-1])  # the request that ends the upload has the digest
        later = session.at + int(rng.uniform(*scene.pick((1, 10), (5, 60), (60, 300))) * MINUTE)
        fetching = scene.session(taker.name, away, client, later)
        fetching.challenge()
        evidence += fetching.fetch(repository, [parcel])
    evidence = scene.until_end(evidence)
    taken = [place for place, one in enumerate(evidence, 1) if one.method == "GET"]
    return Planted(evidence, decidable=min(taken, default=len(evidence) + 1), needs=LAYERS)


def _about(scene: Scene, size: int) -> int:
    return int(size * scene.rng.uniform(0.6, 1.4))


def pose_as_machine(scene: Scene) -> Planted:
    """A person's account pulls what others own, and the client calls itself what a machine of the house is called.

    Rules and eyes leave out the health check, the scanner and the mirror by what their clients say of themselves. That name
    under another account, from a place that is not the machine's, is no client that somebody has installed.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[-1])
    agent = scene.pick(PROBE, world.scanner.agent, world.mirror.agent)
    prey = [one for one in scene.shuffled() if one not in person.repositories]
    wanted = prey[: scene.pick(200, 24, 8)]
    moments = scene.moments(len(wanted), scene.pick(HOUR, 4 * HOUR, 3 * DAY))
    if scene.difficulty == "stealthy":  # when the mirror makes its round
        moments = [_in_the_round(scene, at) for at in moments]
    evidence: list[Request] = []
    for repository, at in zip(wanted, moments, strict=False):
        session = scene.session(person.name, address, agent, at)
        session.login()
        image = repository.current(session.at)
        session.check(repository, image, "latest")
        evidence.append(pull_all(session, repository, image, image.digest))
    evidence = scene.until_end(evidence)
    return Planted(evidence, decidable=3, needs=ADDRESSES)


def _in_the_round(scene: Scene, at: int) -> int:
    """The moment moved behind the beginning of the mirror's next round."""
    start = scene.world.start
    return start + -(-(at - start) // ROUND) * ROUND + int(scene.rng.uniform(2, 8) * MINUTE)


def carry_out_in_names(scene: Scene) -> Planted:
    """A machine without a way out asks the cache for images that do not exist: the cache asks outside, and the names are the data.

    Whoever answers outside reads along, as with names that are asked of a name server. A name that is wrong is asked for again
    and again, the same one; the fourth that is asked for once and was never there is no slip.
    """
    rng, world = scene.rng, scene.world
    node = rng.choice(world.nodes)
    cluster = world.clusters[node.cluster]
    cache = world.cached[0].project
    space = "".join(rng.choices(BASE32[:26], k=9))
    agent = scene.pick(scene.agent(), node.agent, node.agent)
    count, span = scene.pick((400, HOUR), (90, 8 * HOUR), (24, 3 * DAY))
    evidence: list[Request] = []
    for at in scene.moments(count, span):
        piece = "".join(rng.choices(BASE32, k=scene.pick(52, 26, 10)))
        name = scene.pick(f"{space}/{piece}", f"{space}/{piece}", f"library/{rng.choice(UPSTREAM)}-{piece}")
        session = scene.session(cluster.name, node.address, agent, at)
        session.challenge()
        evidence.append(session.unknown(f"{cache}/{name}", "latest"))
    return Planted(evidence, decidable=4)
