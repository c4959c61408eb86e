"""Attacks from where an intruder has got to, of the newest kinds: accounts that were gathered on the way, tools fetched through
the cache, downloads for the cost of them, a scanner that looks away. Whoever wrote them had read no detector and no rule, nor
what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Image, Repository
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import ACCOUNTS, Planted

# What intruders run once they are in, as it is called on a public registry.
TOOLS = (
    "kalilinux/kali-rolling",
    "instrumentisto/nmap",
    "metasploitframework/metasploit-framework",
    "projectdiscovery/nuclei",
    "caffix/amass",
    "rustscan/rustscan",
    "jpillora/chisel",
    "metal3d/xmrig",
    "dperson/torproxy",
    "trufflesecurity/trufflehog",
    "aquasec/kube-hunter",
    "rclone/rclone",
)
SCANNED_BY = 2.25  # hours after midnight, UTC, when the nightly scan has begun


def use_gathered_accounts(scene: Scene) -> Planted:
    """The secrets that lay on one machine are used from one place: account after account, each right at the first try.

    A robot at a new address may be a new runner. A second team's robot at the same one is not.
    """
    rng, world = scene.rng, scene.world
    count = min(scene.pick(8, 4, 3), len(world.robots) - 1)
    robots = _of_many_teams(rng.sample(world.robots, len(world.robots)))
    host, taken = robots[-1], robots[:count]
    address = scene.pick(outside(rng), rng.choice(host.addresses), rng.choice(world.nodes).address)
    tool = scene.agent()
    evidence: list[Request] = []
    times, span = scene.pick((2 * count, HOUR), (2 * count, 6 * HOUR), (2 * count, 3 * DAY))
    for index, at in enumerate(scene.moments(times, span)):
        robot = taken[index % count]
        session = scene.session(robot.name, address, scene.pick(tool, tool, robot.agent), at)
        session.login()
        repository = rng.choice(robot.repositories)
        evidence.append(pull_all(session, repository, repository.current(session.at), "latest"))
    evidence.sort(key=lambda request: request.at)
    return Planted(evidence, decidable=2, needs=ACCOUNTS)


def _of_many_teams(robots: list[Actor]) -> list[Actor]:
    """The first robot of each project in front."""
    first = {one.repositories[0].project: one for one in reversed(robots)}
    return [*first.values(), *(one for one in robots if first[one.repositories[0].project] is not one)]


def fetch_tools_through_cache(scene: Scene) -> Planted:
    """What a firewall would stop comes through the pull-through cache: images of others that nobody here has ever used.

    One that is new may be a wish that somebody has. Two by the same account are a tool bag.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    node = rng.choice(world.nodes)
    name = scene.pick(person.name, person.name, world.clusters[node.cluster].name)
    address = scene.pick(outside(rng), person.addresses[0], node.address)
    agent = scene.pick(scene.agent(), person.agent, node.agent)
    cache = world.cached[0].name.partition("/")[0]
    wanted = rng.sample(TOOLS, scene.pick(12, 5, 3))
    evidence = []
    for tool, at in zip(wanted, scene.moments(len(wanted), scene.pick(HOUR, 4 * HOUR, 2 * DAY)), strict=False):
        copy = Repository(world.seed, f"{cache}/{tool}", 0.0, 4, True)
        session = scene.session(name, address, agent, at)
        session.challenge()
        evidence.append(pull_all(session, copy, copy.image(1), "latest"))
    return Planted(evidence, decidable=2)


def download_over_and_over(scene: Scene) -> Planted:
    """One large image, always the same, from its first byte to its last, again and again: whoever runs the registry pays.

    A client keeps what it has. One that fetches every layer of one digest for the twelfth time does it for the traffic.
    """
    rng, person = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), person.addresses[-1], person.addresses[-1])
    agent = scene.pick(scene.agent(), person.agent, person.agent)
    pool = scene.pick(scene.shuffled(), person.repositories, person.repositories)
    repository = max(pool, key=lambda one: _bytes(one.current(scene.at)))
    image = repository.current(scene.at)
    count, span = scene.pick((300, HOUR), (90, 6 * HOUR), (72, 3 * DAY))
    evidence = []
    for at in scene.moments(count, span):
        session = scene.session(person.name, address, agent, at)
        session.challenge()
        evidence.append(pull_all(session, repository, image, image.digest))
    return Planted(evidence, decidable=12)


def _bytes(image: Image) -> int:
    return sum(layer.size for layer in image.layers)


def blind_the_scanner(scene: Scene) -> Planted:
    """The scanner stops, or goes on and looks at nothing, or leaves out one project: what comes next there stays unseen.

    No line tells of it. It is known when the hour of the nightly scan has passed and what is always read was not.
    """
    rng, world, scanner = scene.rng, scene.world, scene.world.scanner
    left_out: list[Repository] = []
    if scene.difficulty == "stealthy":
        projects = sorted({one.project for one in world.repositories} - {"base"})
        large = [one for one in projects if len(world.named(one)) >= 3]
        left_out = world.named(rng.choice(large or projects))
    names = {one.name for one in left_out}
    begin = scene.at - scene.at % DAY + int(SCANNED_BY * HOUR)
    if begin <= scene.at + 20 * MINUTE:  # tonight's has begun
        begin += DAY
    end = min(begin + scene.pick(2, 3, 4) * DAY - HOUR, scene.end)  # so many scans
    since = scene.at

    def alter(request: Request) -> Request | None:
        if request.address not in scanner.addresses or request.agent != scanner.agent:
            return request
        lost = scene.pick(True, "/manifests/" in request.uri or "/blobs/" in request.uri, request.name in names)
        return None if lost and since <= request.start < end else request

    if begin >= scene.end - HOUR:
        return Planted(note="It ended before a scan was missed.")
    return Planted(
        span=(begin, end),
        alter=alter,
        actors=(scanner.name,),
        addresses=tuple(scanner.addresses),
        repositories=tuple(sorted(names)),
        note=scene.pick("No request comes.", "Tags are listed, no image is read.", "One project is left out."),
    )
