"""Attacks by what is stored or run, of the fresh kinds: repositories without images, manifests that are none, a build of one's own
on nodes. Whoever wrote them had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Blob, Image, Repository
from regsight.traffic.names import PARTS
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import INDEX, MANIFEST, Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import LAYERS, Planted

# `{}`, which stands for a config and for a layer where there is none.
EMPTY = Blob("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", 2)
BAIT = ("free", "full", "movie", "ebook", "crack", "keygen", "bonus", "stream", "serial", "gift", "casino", "coins")
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
UNKNOWN = "unsupported manifest media type and no default available: "
# Media type that is claimed, and what the registry says to what comes under it.
NONE_SUCH = (
    (MANIFEST, "ocimanifest: expected manifest but found index"),
    (MANIFEST, f"if present, mediaType in manifest should be '{MANIFEST}' not '{INDEX}'"),
    (DOCKER, f"mediaType in manifest should be '{DOCKER}' not '{MANIFEST}'"),
    *(
        (name, UNKNOWN + name)
        for name in (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            "application/vnd.oci.artifact.manifest.v1+json",
            "application/vnd.docker.container.image.v1+json",
            "application/json",
            "text/plain",
        )
    ),
)


def open_empty_repositories(scene: Scene) -> Planted:
    """Repositories without an image, for what their descriptions link to: hosting that costs nothing, under a name one trusts.

    A new repository begins with layers. One whose whole content is the two bytes that stand for nothing may be somebody's
    first try of a tool; a second one is not.
    """
    rng, person = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[-1])
    agent = scene.pick("python-requests/2.32.3", "oras/1.2.0+Homebrew", person.agent)
    projects = sorted({one.project for one in scene.world.repositories} - {"base"})
    own = person.repositories[0].project
    count, span = scene.pick((150, HOUR), (40, 6 * HOUR), (9, 3 * DAY))
    evidence: list[Request] = []
    for number, at in enumerate(scene.moments(count, span)):
        bait = f"{rng.choice(BAIT)}-{rng.choice(BAIT)}-{rng.randrange(100, 1000)}{number}"
        part = scene.pick(bait, bait, f"{PARTS[number % len(PARTS)]}-{rng.choice(('guide', 'notes', 'readme'))}")
        project = scene.pick(rng.choice(projects), own, own)
        repository = Repository(scene.world.seed, f"{project}/{part}", 0.0, 1, False)
        page = Image(repository.image(1).digest, rng.randrange(900, 3900), EMPTY, (EMPTY,))
        session = scene.session(person.name, address, agent, at)
        session.challenge()
        session.upload(repository, EMPTY)
        evidence.append(session.put(repository, page, "latest"))
    return Planted(evidence, decidable=2, needs=LAYERS)


def feed_the_parser(scene: Scene) -> Planted:
    """Manifests that are none, under one media type after the other: somebody looks for the one that the registry chokes on.

    A client that is broken is refused for the same reason each time. The third reason in a row was thought up.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    robot = rng.choice(world.robots)
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    repository = rng.choice(who.repositories)
    kinds = rng.sample(NONE_SUCH, len(NONE_SUCH))
    count, span = scene.pick((400, HOUR), (40, 5 * HOUR), (8, 3 * DAY))
    evidence: list[Request] = []
    for number, at in enumerate(scene.moments(count, span)):
        session = scene.session(who.name, address, agent, at)
        session.challenge()
        tag = scene.pick(f"t{number}", f"test-{number}", f"{rng.getrandbits(40):010x}")
        evidence.append(session.reject(repository, tag, *kinds[number % len(kinds)]))
    return Planted(evidence, decidable=3)


def run_own_build(scene: Scene) -> Planted:
    """What somebody built at a desk runs on nodes: no robot built it, nobody rolled it out, and nothing is left in the pipeline.

    To push a `dev-` image is ordinary. Nodes run what was rolled out; an image that never had another tag was not.
    """
    rng, world = scene.rng, scene.world
    builder = rng.choice([one for one in world.people if one.pushes] or world.people)
    person: Actor = scene.pick(scene.somebody(), builder, builder)
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[0])
    agent = scene.pick(scene.agent(), person.agent, person.agent)
    run = world.running()
    own = [one for one in person.repositories if one.name in run] or person.repositories
    foreign = [one for one in run.values() if one not in person.repositories]
    pool = scene.pick(foreign, own, own)
    prey = rng.sample(pool, min(scene.pick(5, 2, 1), len(pool)))
    evidence: list[Request] = []
    for repository, at in zip(prey, scene.moments(len(prey), scene.pick(HOUR, 3 * HOUR, 10 * MINUTE)), strict=False):
        session = scene.session(person.name, address, agent, at)
        session.login()
        image = repository.image(900_000 + rng.randrange(10**6))
        tag = f"dev-{person.name.partition('.')[0]}"
        evidence += session.push(repository, image, [tag], 1)
        reference = scene.pick(tag, tag, image.digest)
        minutes = scene.pick((2.0, 20.0), (2.0, 50.0), (90.0, 240.0))
        evidence += scene.deploy(repository, image, reference, session.at, scene.pick(4, 2, 1), minutes)
    evidence.sort(key=lambda request: request.at)
    run_at = [place for place, one in enumerate(evidence, 1) if one.method == "GET"]
    return Planted(evidence, culprit=person.name, decidable=min(run_at, default=len(evidence) + 1))
