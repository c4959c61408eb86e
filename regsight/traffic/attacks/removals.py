"""Attacks that take away: of the kinds that nobody had heard of, what runs is deleted, and pods cannot start; of the uncharted
kinds, layers are deleted beneath images. Whoever wrote them had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Blob, Image, Repository
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import JSON, Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import Planted


def delete_what_runs(scene: Scene) -> Planted:
    """The very image that clusters run is deleted: what is up stays up, and what starts anew does not.

    What is tidied up is old, or was a try. The digest that nodes have asked for since the last rollout is neither, which is
    known at once. Until somebody has put it back whoever asks for it is told that there is none.
    """
    rng = scene.rng
    who, address, agent, pool = _who_and_what(scene, 3)
    prey = rng.sample(pool, min(scene.pick(10, 3, 2), len(pool)))
    moments = scene.moments(len(prey), scene.pick(10 * MINUTE, 4 * HOUR, 2 * DAY))
    if scene.difficulty == "stealthy":
        moments = scene.at_work(moments) or [scene.at]
    evidence: list[Request] = []
    gone: dict[tuple[str, str], tuple[int, int]] = {}
    for repository, at in zip(prey, moments, strict=False):
        session = scene.session(who.name, address, agent, at)
        session.login()
        image = repository.image(repository.deployed(session.at))
        session.check(repository, image, "stable")  # what digest the tag stands for
        evidence.append(session.delete(repository, image))
        back = session.at + int(rng.uniform(*scene.pick((0.5, 1.5), (1, 4), (3, 9))) * HOUR)
        gone[repository.name, image.digest] = (session.at, back)
        _put_back(scene, who, repository, image, back)
    evidence.sort(key=lambda request: request.at)
    refused: set[tuple[str, int, str]] = set()  # address, port, repository of those who were told that there is none

    def alter(request: Request) -> Request | None:
        begin, end = gone.get((request.name, request.target), (0, 0))
        if begin < request.start < end and request.method in ("GET", "HEAD") and "/manifests/" in request.uri:
            refused.add((request.address, request.port, request.name))
            return _missing(request)
        client = (request.address, request.port, request.name)
        return None if request.method == "GET" and request.digest and client in refused else request

    return Planted(evidence, culprit=who.name, alter=alter)


def _who_and_what(scene: Scene, fewest: int) -> tuple[Actor, str, str, list[Repository]]:
    """Who deletes, from where, with what, and in which of the repositories that clusters run: somebody from outside in any, or one
    of a team who has at least so many of them in those.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    run = list(world.running().values())
    own = {one.name: [repository for repository in run if repository in one.repositories] for one in world.people}
    insider = rng.choice([one for one in world.people if len(own[one.name]) >= fewest] or [person])
    who: Actor = scene.pick(person, insider, insider)
    address = scene.pick(outside(rng), who.addresses[-1], who.addresses[0])
    agent = scene.pick(scene.agent(), who.agent, who.agent)
    pool = scene.pick(run, own[who.name] or run, own[who.name] or run)
    return who, address, agent, pool


def _put_back(scene: Scene, culprit: Actor, repository: Repository, image: Image, at: int) -> None:
    """Somebody of the team has noticed: the layers are all there still, so that the manifest is enough."""
    rescuer = _of_the_team(scene, culprit, repository)
    session = scene.session(rescuer.name, rescuer.addresses[0], rescuer.agent, at)
    session.challenge()
    session.put(repository, image, "stable")


def _of_the_team(scene: Scene, culprit: Actor, repository: Repository) -> Actor:
    """Another one who pushes there; a robot, if one builds it."""
    world = scene.world
    robots = [one for one in world.robots if repository in one.repositories]
    people = [one for one in world.people if repository in one.repositories and one is not culprit]
    return scene.rng.choice(robots or people or [world.admin])


def _missing(request: Request) -> Request:
    """The same question with the answer that there is no such manifest."""
    detail = f"unknown tag={request.reference}"
    if request.reference.startswith("sha256:"):
        detail = f"unknown manifest name={request.name} revision={request.reference}"
    return request._replace(
        status=404,
        written=83 + len(detail),
        answer_type=JSON,
        error=("manifest unknown", "manifest unknown", detail),
        target="",
        size=0,
    )


def delete_layers(scene: Scene) -> Planted:
    """Layers are deleted and the manifests that name them stay: lists are complete, tags answer, and the image cannot be had.

    What is tidied up is manifests; the clean-up of the storage takes layers when none names them. A layer that somebody deletes
    by its own digest was meant to be missed, which is known at once. Until the team has put it back whoever fetches it there is
    told that there is none.
    """
    rng = scene.rng
    who, address, agent, pool = _who_and_what(scene, 2)
    chosen = rng.sample(pool, min(scene.pick(10, 3, 2), len(pool)))
    prey = [(one, layer) for one in chosen for layer in _deep_layers(one, scene.at)[: scene.pick(4, 2, 1)]]
    moments = scene.moments(len(prey), scene.pick(20 * MINUTE, 4 * HOUR, 2 * DAY))
    if scene.difficulty == "stealthy":
        moments = scene.at_work(moments) or [scene.at]
    evidence: list[Request] = []
    gone: dict[tuple[str, str], tuple[int, int]] = {}
    for (repository, layer), at in zip(prey, moments, strict=False):
        session = scene.session(who.name, address, agent, at)
        session.login()
        session.pull(repository, repository.image(repository.deployed(at)), "stable")  # what layers there are
        evidence.append(session.delete_layer(repository, layer))
        back = session.at + int(rng.uniform(*scene.pick((0.5, 1.5), (2, 5), (8, 20))) * HOUR)
        gone[repository.name, layer.digest] = (session.at, back)
        _upload_again(scene, who, repository, layer, back)
    evidence.sort(key=lambda request: request.at)

    def alter(request: Request) -> Request | None:
        begin, end = gone.get((request.name, request.digest), (0, 0))
        missed = begin < request.start < end and request.method == "GET"
        return _without_layer(request) if missed else request

    return Planted(evidence, culprit=who.name, alter=alter)


def _deep_layers(repository: Repository, at: int) -> list[Blob]:
    """Of what clusters run, the largest first; neither the lowest, which builds mount, nor the upper ones, which they look at."""
    layers = repository.image(repository.deployed(at)).layers
    return sorted(layers[1:-4] or layers[1:2], key=lambda layer: -layer.size)


def _upload_again(scene: Scene, culprit: Actor, repository: Repository, layer: Blob, at: int) -> None:
    """Somebody of the team has noticed. The manifest is there still, so that the layer is enough."""
    rescuer = _of_the_team(scene, culprit, repository)
    session = scene.session(rescuer.name, rescuer.addresses[0], rescuer.agent, at)
    session.challenge()
    session.upload(repository, layer)


def _without_layer(request: Request) -> Request:
    """The same question with the answer that there is no such layer."""
    error = ("blob unknown", "blob unknown to registry", request.digest)
    return request._replace(status=404, written=157, answer_type=JSON, error=error, size=0)
