"""Attacks on what images come from, of the unimagined kinds: a cache that is fed from elsewhere, builds upon another base. Whoever
wrote them had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Blob, Image, Repository
from regsight.traffic.population import DAY, HOUR, Actor, Node, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.supply import signed
from regsight.traffic.truth import Planted

FORTNIGHT = 14 * DAY  # how often a cached image gets a new version


def feed_cache_from_elsewhere(scene: Scene) -> Planted:
    """Where the cache asks, somebody else answers: for some hours `stable` of others' images is another image.

    Nothing is pushed here, and nobody has done anything: nodes ask as always. Others' images get new versions one at a time,
    and keep them. When a second one is another within hours, or when one is again what it was before, that was no release.
    """
    rng, world = scene.rng, scene.world
    prey = rng.sample(world.cached, scene.pick(len(world.cached), 3, 1))
    since, until = scene.at, min(scene.at + scene.pick(8, 6, 3) * HOUR, scene.end)
    swapped: dict[str, tuple[Image, Image]] = {}
    evidence: list[Request] = []
    back: list[Request] = []
    for copy in prey:
        good, bad = copy.image(since // FORTNIGHT), copy.image(900_000 + rng.randrange(10**6))
        swapped[copy.name] = good, bad
        for at in scene.moments(scene.pick(5, 4, 5), until - since - 10 * MINUTE):
            evidence += _take(scene, copy, bad, rng.choice(world.nodes), at)
        for _ in range(scene.pick(0, 0, 2)):
            back += _take(scene, copy, good, rng.choice(world.nodes), until + int(rng.uniform(5, 90) * MINUTE))
    evidence = scene.until_end((*evidence, *back))
    first = evidence[0].name if evidence else ""
    enough = [place for place, one in enumerate(evidence, 1) if one.name != first or one in back]
    blobs = {
        (name, one.digest): other
        for name, (good, bad) in swapped.items()
        for one, other in zip((good.config, *good.layers), (bad.config, *bad.layers), strict=True)
    }

    def alter(request: Request) -> Request | None:
        if not since <= request.start < until or request.name not in swapped or request.method not in ("GET", "HEAD"):
            return request
        if (request.name, request.digest) in blobs:
            return _other_blob(request, blobs[request.name, request.digest])
        good, bad = swapped[request.name]
        asked_by_tag = request.target == good.digest and ":" not in request.reference
        return _other_manifest(request, bad) if asked_by_tag else request

    return Planted(evidence, decidable=min(enough, default=len(evidence) + 1), alter=alter)


def _take(scene: Scene, copy: Repository, image: Image, node: Node, at: int) -> list[Request]:
    """A node resolves the tag, and fetches what it stands for."""
    session = scene.session(scene.world.clusters[node.cluster].name, node.address, node.agent, at)
    session.challenge()
    found = [session.pull(copy, image, "stable"), session.pull(copy, image, image.digest)]
    session.fetch(copy, (image.config, *image.layers))
    return found


def _other_manifest(request: Request, image: Image) -> Request:
    written = image.size if request.method == "GET" else 0
    return request._replace(target=image.digest, size=image.size, written=written)


def _other_blob(request: Request, blob: Blob) -> Request:
    written = blob.size if request.method == "GET" else 0
    uri = f"/v2/{request.name}/blobs/{blob.digest}"
    return request._replace(uri=uri, digest=blob.digest, size=blob.size, written=written)


def build_on_another_base(scene: Scene) -> Planted:
    """Somebody has changed the first line of a build file: the pipeline builds upon an image that is nobody's base.

    The account, the runner, the client, the name and the signature are all as always. A build takes its base from where it always
    has; one that takes another team's image, and puts that image's layers beneath its own, is known when it has done both.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    robots = rng.sample(world.robots, min(scene.pick(6, 2, 1), len(world.robots)))
    strange = _nobodys_base(scene, person, robots)
    prepared = strange.current(scene.at)
    begin = scene.at
    if scene.difficulty != "stealthy":
        prepared = strange.image(900_000 + rng.randrange(10**6))
        address = scene.pick(outside(rng), person.addresses[-1], "")
        push = scene.session(person.name, address, scene.pick(scene.agent(), person.agent, ""), begin)
        push.login()
        push.push(strange, prepared, ["latest"], 2)
        begin = push.at
    count, span = scene.pick((12, 3 * HOUR), (5, 6 * HOUR), (3, 2 * DAY))
    evidence: list[Request] = []
    for index, at in enumerate(scene.moments(count, span)):
        evidence += _build_upon(scene, robots[index % len(robots)], strange, prepared, begin + at - scene.at)
    evidence = scene.until_end(evidence)
    return Planted(evidence, decidable=_taken_and_stored(evidence))


def _nobodys_base(scene: Scene, person: Actor, robots: list[Actor]) -> Repository:
    """A repository of a person's team, of which these robots build nothing and upon which nothing stands."""
    projects = {one.project for robot in robots for one in robot.repositories} | {"base"}
    order = [*scene.rng.sample(person.repositories, len(person.repositories)), *scene.shuffled()]
    return ([one for one in order if one.project not in projects] or order)[0]


def _build_upon(scene: Scene, robot: Actor, strange: Repository, base: Image, at: int) -> list[Request]:
    """One build: the base, its layers beneath, what is new on top."""
    rng = scene.rng
    repository = rng.choice(robot.repositories)
    session = scene.session(robot.name, rng.choice(robot.addresses), robot.agent, at)
    session.login()
    found = [session.pull(strange, base, "latest")]
    session.fetch(strange, (base.config, *base.layers))
    session.wait(60, 0.7)
    plain = repository.image(900_000 + rng.randrange(10**6))
    layers = (*base.layers, *plain.layers[-2:])
    image = Image(plain.digest, 420 + 162 * len(layers), plain.config, layers)
    found += [session.mount(repository, strange, layer) for layer in base.layers[-2:]]
    found += session.push(repository, image, [repository.tag(900_000 + rng.randrange(10**6)), "latest"], 2, looks=0)
    signed(scene.out, repository, image, session.at)
    scene.deploy(repository, image, "latest", session.at, scene.pick(4, 2, 1))
    return found


def _taken_and_stored(evidence: list[Request]) -> int:
    """The place of the first that stores something, by an account that has taken the base before."""
    taken: set[str] = set()
    for place, one in enumerate(evidence, 1):
        if one.method == "GET":
            taken.add(one.actor)
        elif one.actor in taken:
            return place
    return len(evidence) + 1
