"""Who and what there is: repositories, people, robots, nodes, tools. Drawn once, from the preset and the seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

from regsight.traffic.images import Blob, Image, Repository
from regsight.traffic.names import BASES, BUILDERS, DESKTOPS, FIRST, LAST, PARTS, PROJECTS, RUNTIMES, UPSTREAM
from regsight.traffic.seeds import derive, stream


@dataclass(frozen=True, slots=True)
class Preset:
    """Sizes of an installation; the rest are its habits."""

    repositories: int
    projects: int
    people: int
    robots: int
    nodes: int
    clusters: int
    builds: float  # a day and robot, on average
    starts: float  # pods started a day and node
    probes: float  # requests from strangers a day
    health_seconds: int  # between two health checks of the load balancer
    scan_nights: int  # until the scanner has seen everything
    workloads: tuple[int, int] = (18, 32)  # repositories that a cluster runs, from … to
    named: bool = True  # False: nobody has an account, as in a public installation's trace


PRESETS = {
    "small": Preset(60, 6, 12, 8, 20, 2, 17.5, 50.0, 80.0, 75, 1, (9, 15)),
    "medium": Preset(600, 40, 150, 90, 250, 8, 9.0, 36.0, 300.0, 11, 3),
    "large": Preset(10_000, 600, 2_500, 1_500, 4_000, 60, 3.5, 11.0, 500.0, 4, 7),
    "dal09": Preset(9_000, 3_000, 1_500, 900, 6_500, 2_400, 5.0, 5.0, 800.0, 1, 14, (1, 7), False),
}

CLUSTERS = ("prod", "stage", "east", "west", "edge", "lab", "data", "ml")
HOUR = 3_600_000_000_000
DAY = 24 * HOUR


@dataclass(slots=True, eq=False)
class Actor:
    """Somebody with an account. `zone` is in hours from UTC, `rate` in operations a day."""

    name: str
    addresses: list[str]
    agent: str
    repositories: list[Repository]
    zone: int = 0
    rate: float = 1.0
    pushes: bool = False


@dataclass(slots=True, eq=False)
class Node:
    """A machine of a cluster, and what its image store holds."""

    address: str
    agent: str
    cluster: int
    rate: float
    images: dict[str, set[str]] = field(default_factory=dict)  # digests of each image's blobs, oldest image first
    blobs: set[str] = field(default_factory=set)

    def keep(self, image: Image) -> list[Blob]:
        """Take an image into the store; gives the blobs that have to be fetched for it."""
        missing = [blob for blob in (image.config, *image.layers) if blob.digest not in self.blobs]
        self.images[image.digest] = {blob.digest for blob in (image.config, *image.layers)}
        self.blobs |= self.images[image.digest]
        return missing

    def evict(self, count: int) -> None:
        """Disk pressure: the oldest images go, and the blobs that no other image needs."""
        for digest in list(self.images)[:count]:
            del self.images[digest]
        self.blobs = set().union(*self.images.values())


@dataclass(slots=True, eq=False)
class Population:
    """Everybody. `retired` people have an account and a history, and no work here any more."""

    preset: Preset
    seed: int
    start: int
    repositories: list[Repository]
    people: list[Actor]
    retired: list[Actor]
    robots: list[Actor]
    nodes: list[Node]
    clusters: list[Actor]  # the account that a cluster's nodes pull with, and its workloads
    scanner: Actor
    mirror: Actor
    updater: Actor
    admin: Actor
    admins: list[Actor]  # all that administer, the first of them `admin`
    cleaner: Actor  # the job that deletes what is old, once a week
    signer: Actor  # signs what is pushed to some projects, right after the push
    cached: list[Repository]  # copies of others' images, which a pull-through cache keeps

    def named(self, *names: str) -> list[Repository]:
        """The repositories of these projects."""
        return [repository for repository in self.repositories if repository.project in names]

    def running(self) -> dict[str, Repository]:
        """The repositories that clusters run, by name."""
        return {one.name: one for cluster in self.clusters for one in cluster.repositories}


def populate(preset: Preset, seed: int, start: int) -> Population:
    """The population that follows from the seed. `start` is in nanoseconds since 1970."""
    rng = stream(seed, "population")
    repositories = _repositories(preset, seed, start, rng)
    people = _people(preset, repositories, rng)
    keep = preset.people
    clusters = _clusters(preset, repositories, rng)
    robots, nodes = _robots(preset, repositories, rng), _nodes(preset, rng)
    admins = [Actor("registry-admin", ["10.50.0.9"], "curl/8.5.0", repositories)]
    admins += [
        Actor(f"admin-{name}", [f"10.50.0.{20 + index}"], "Mozilla/5.0 (X11; Linux x86_64)", repositories)
        for index, name in enumerate(FIRST[: min(preset.people // 40, 3)])
    ]
    for node in nodes:
        _warm(node, clusters[node.cluster], start, rng)
    signer = Actor(
        "image-signer", ["10.20.250.50"], "cosign/v2.4.1 (linux; amd64)", _signed(seed, repositories, robots)
    )
    for repository in signer.repositories:
        repository.signer = signer.name
    return Population(
        preset=preset,
        seed=seed,
        start=start,
        repositories=repositories,
        people=people[:keep],
        retired=people[keep:],
        robots=robots,
        nodes=nodes,
        clusters=clusters,
        scanner=Actor("trivy-operator", ["10.20.250.7"], "trivy/0.56.2", repositories),
        mirror=Actor("dr-sync", ["10.60.0.4"], "harbor-registry-client", repositories[:20]),
        updater=Actor("argocd-image-updater", ["10.20.250.19"], "Go-http-client/1.1", repositories[5:17]),
        admin=admins[0],
        admins=admins,
        cleaner=Actor("cleanup-job", ["10.20.250.30"], "regclient/regctl (v0.7.2)", repositories),
        signer=signer,
        cached=[Repository(seed, f"hub-cache/library/{name}", 0.0, 4, True) for name in UPSTREAM],
    )


def _signed(seed: int, repositories: list[Repository], robots: list[Actor]) -> list[Repository]:
    """The repositories of one project in five, and of one at least, among those that robots build."""
    built = sorted({repository.project for robot in robots for repository in robot.repositories} - {"base"})
    order = sorted(built, key=lambda project: derive(seed, "signed", project))
    chosen = set(order[: max(len(order) // 5, 1)])
    return [repository for repository in repositories if repository.project in chosen]


def outside(rng: Random) -> str:
    """An address on the internet. 198.18.0.0/15 belongs to nobody; homes, probes and attackers all come from there."""
    return f"198.{18 + rng.getrandbits(1)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def inside(rng: Random, network: int) -> str:
    """An address in 10.`network`.0.0/16."""
    return f"10.{network}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def person_name(rng: Random) -> str:
    return f"{rng.choice(FIRST)}.{rng.choice(LAST)}"


def _repositories(preset: Preset, seed: int, start: int, rng: Random) -> list[Repository]:
    names = [f"base/{name}" for name in BASES]
    sizes = [rng.lognormvariate(2.08, 1.0) for _ in range(preset.projects)]
    rest = preset.repositories - len(names)
    projects = _projects(preset.projects)
    for project, size in zip(projects, sizes, strict=True):
        count = min(max(round(size * rest / sum(sizes)), 1), len(PARTS))
        names += [f"{project}/{part}" for part in rng.sample(PARTS, count)]
    taken = set(names)
    rest_of_names = [name for project in projects for part in PARTS if (name := f"{project}/{part}") not in taken]
    names += rng.sample(rest_of_names, len(rest_of_names))
    names = names[: preset.repositories]
    ranks = list(range(1, len(names) + 1))
    rng.shuffle(ranks)
    found: list[Repository] = []
    for name, rank in zip(names, ranks, strict=True):
        base = rng.choice(found[: len(BASES)]) if len(found) >= len(BASES) else None
        repository = Repository(
            seed, name, rank**-1.3, rng.choice((3, 3, 4, 5, 6) if base else (4, 5, 6)), rng.random() < 0.5, base
        )
        versions = rng.randrange(4, 14)
        repository.numbers = list(range(100, 100 + versions))
        repository.pushed = sorted(start - int(rng.expovariate(1 / 40) * DAY) - HOUR for _ in range(versions))
        found.append(repository)
    return found


def _projects(count: int) -> list[str]:
    """Names of projects: one word each as long as there are words, then two, then a number."""
    pairs = [f"{first}-{second}" for first in PROJECTS for second in PROJECTS if first != second]
    names = [*PROJECTS, *pairs][:count]
    return names + [f"{pairs[index % len(pairs)]}-{2 + index // len(pairs)}" for index in range(count - len(names))]


def _people(preset: Preset, repositories: list[Repository], rng: Random) -> list[Actor]:
    drawn: dict[str, None] = {}
    while len(drawn) < preset.people + 3:
        name = person_name(rng)
        while name in drawn and preset.people > 600:  # more people than names: a second initial tells them apart
            name = f"{name}{rng.choice('abcdefghklmnprstvw')}"
        drawn[name] = None
    names = list(drawn)
    offices = {1: outside(rng), -6: outside(rng)}
    projects = sorted({repository.project for repository in repositories[len(BASES) :]})
    teams: dict[str, list[Repository]] = {}
    for repository in repositories:
        teams.setdefault(repository.project, []).append(repository)
    found = []
    for name in names:
        zone = 1 if rng.random() < 0.6 else -6
        own = rng.choice(projects)
        found.append(
            Actor(
                name,
                [offices[zone], offices[zone], outside(rng)][: rng.choice((2, 3, 3))],
                rng.choice(DESKTOPS),
                teams[own],
                zone,
                min(rng.lognormvariate(0.7, 0.7), 12.0),
                rng.random() < 0.2,
            )
        )
    return found


def _robots(preset: Preset, repositories: list[Repository], rng: Random) -> list[Actor]:
    teams: dict[str, list[Repository]] = {}
    for repository in repositories:
        teams.setdefault(repository.project, []).append(repository)
    projects = sorted(teams)
    rates = [rng.lognormvariate(0, 0.9) for _ in range(preset.robots)]
    scale = preset.builds * preset.robots / sum(rates)
    found = []
    for index, rate in enumerate(rates):
        project = projects[index % len(projects)]
        name = (
            f"ci-{project}"
            if index < len(projects)
            else f"{project}-{rng.choice(('deploy', 'release', 'build'))}-{index}"
        )
        own = rng.sample(teams[project], min(len(teams[project]), rng.randrange(3, 7)))
        pool = [inside(rng, 30) for _ in range(rng.randrange(4, 10))]
        found.append(Actor(name, pool, rng.choice(BUILDERS), own, rng.choice((1, 1, 1, -6)), rate * scale, True))
    return found


def _clusters(preset: Preset, repositories: list[Repository], rng: Random) -> list[Actor]:
    weights = list(accumulate(repository.weight for repository in repositories))
    found = []
    for index in range(preset.clusters):
        count = min(len(repositories), rng.randrange(*preset.workloads))
        chosen: dict[str, Repository] = {}
        while len(chosen) < count:  # the popular ones first, each once
            pick = rng.choices(repositories, cum_weights=weights)[0]
            chosen[pick.name] = pick
        name = CLUSTERS[index % len(CLUSTERS)] + (f"-{index // len(CLUSTERS)}" if index >= len(CLUSTERS) else "")
        found.append(Actor(f"k8s-{name}", [], "", list(chosen.values())))
    return found


def _warm(node: Node, cluster: Actor, start: int, rng: Random) -> None:
    """The node has been at work before the logs begin: it holds most of what its cluster runs."""
    for repository in cluster.repositories:
        if rng.random() < 0.9:
            node.keep(repository.image(repository.deployed(start)))


def _nodes(preset: Preset, rng: Random) -> list[Node]:
    found = []
    for index in range(preset.nodes):
        cluster = index * preset.clusters // preset.nodes
        place = index - -(-cluster * preset.nodes // preset.clusters)  # within the cluster
        rate = preset.starts * rng.uniform(0.4, 1.6)
        found.append(
            Node(
                f"10.{20 + cluster // 200}.{cluster % 200}.{10 + place}",
                RUNTIMES[cluster % len(RUNTIMES)],
                cluster,
                rate,
            )
        )
    return found
