"""Attacks that read, of the kinds that came after the detectors: blobs without manifests, a shared account, a node that
looks into other clusters. Whoever wrote them had read no detector and no rule.
"""

from __future__ import annotations

from regsight.traffic.images import Repository
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import ACCOUNTS, Planted


def take_blobs_alone(scene: Scene) -> Planted:
    """Images of others are fetched layer by layer, by digests known from elsewhere: where pulls are counted, there is none.

    The blobs of one image without its manifest may be a pull that is resumed; those of a second one are not.
    """
    rng, person = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[0])
    agent = scene.pick(scene.agent(), scene.agent(), person.agent)
    wanted = [one for one in scene.shuffled() if one not in person.repositories][: scene.pick(40, 12, 8)]
    span = scene.pick(HOUR, 6 * HOUR, 4 * DAY)
    evidence: list[Request] = []
    enough = 0
    moments = scene.moments(len(wanted), span)
    if scene.difficulty == "stealthy":
        moments = scene.at_work(moments)
    for repository, at in zip(wanted, moments, strict=False):
        image = repository.current(at)
        # The base is everywhere; who is careful asks only for what is on top of it.
        layers = image.layers[-repository.layer_count :] if scene.difficulty == "stealthy" else image.layers
        session = scene.session(person.name, address, agent, at)
        session.login()
        evidence += session.fetch(repository, (image.config, *layers))
        enough = enough or len(evidence) + 1
    return Planted(sorted(evidence, key=lambda request: request.at), decidable=max(enough, 1))


def share_account(scene: Scene) -> Planted:
    """A password goes round: one person's account is used by colleagues, each at home, each for the own work.

    One other place may be a journey. The account is shared when a second place of somebody else's turns up beside it.
    """
    rng, owner = scene.rng, scene.somebody()
    count, span = scene.pick((10, HOUR), (12, 8 * HOUR), (6, 3 * DAY))
    takers = _others(scene, owner, scene.pick(9, 5, 2))
    evidence = []
    moments = scene.moments(count, span)
    if scene.difficulty == "stealthy":
        moments = scene.at_work(moments)
    for index, at in enumerate(moments):
        taker, address = takers[index % len(takers)]
        session = scene.session(owner.name, address, taker.agent, at)
        session.login()
        repository = rng.choice(taker.repositories)
        evidence.append(pull_all(session, repository, repository.current(session.at), "latest"))
    return Planted(evidence, decidable=2, needs=ACCOUNTS)


def _others(scene: Scene, owner: Actor, count: int) -> list[tuple[Actor, str]]:
    """Colleagues, those of the same project first, with a home of each: its own address, if the logs know one."""
    crowd = [one for one in scene.rng.sample(scene.world.people, len(scene.world.people)) if one is not owner]
    crowd.sort(key=lambda one: one.repositories is not owner.repositories)
    found: list[tuple[Actor, str]] = []
    for one in crowd[:count]:
        home = one.addresses[-1] if len(one.addresses) > 2 else outside(scene.rng)
        found.append((one, home))
    return found


def reach_beyond_cluster(scene: Scene) -> Planted:
    """Somebody sits on a node and uses its pull secret, from its own address, for what other clusters run.

    A workload that is new to a node is an ordinary thing; three of them on one node and on no other of its cluster are not.
    """
    rng, world = scene.rng, scene.world
    node = rng.choice(world.nodes)
    cluster = world.clusters[node.cluster]
    others = {one.name: one for other in world.clusters if other is not cluster for one in other.repositories}
    foreign = [one for one in others.values() if one not in cluster.repositories]
    rest = [one for one in scene.shuffled() if one not in cluster.repositories and one.name not in others]
    wanted: list[Repository] = [*rng.sample(foreign, len(foreign)), *rest][: scene.pick(25, 8, 5)]
    span = scene.pick(30 * MINUTE, 4 * HOUR, 3 * DAY)
    agent = scene.pick(scene.agent(), node.agent, node.agent)
    evidence: list[Request] = []
    for repository, at in zip(wanted, scene.moments(len(wanted), span), strict=False):
        session = scene.session(cluster.name, node.address, agent, at)
        session.challenge()
        if scene.difficulty == "blatant":
            session.list_tags(repository)
        reference = scene.pick("latest", "stable", "stable")
        evidence.append(pull_all(session, repository, repository.image(repository.deployed(at)), reference))
    return Planted(evidence, decidable=3)
