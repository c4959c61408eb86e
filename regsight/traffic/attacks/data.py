"""Attacks on what the registry holds: taken, searched, listed, deleted."""

from __future__ import annotations

from regsight.traffic.images import Repository
from regsight.traffic.names import PARTS, PROJECTS
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import Planted


def pull_everything(scene: Scene) -> Planted:
    """A person with a valid account takes most of what the registry has."""
    person = scene.somebody()
    address = person.addresses[-1] if scene.difficulty != "blatant" else outside(scene.rng)
    agent = person.agent if scene.difficulty == "stealthy" else scene.agent()
    wanted = [repository for repository in scene.shuffled() if repository not in person.repositories]
    count = scene.pick(min(500, len(wanted)), min(80, len(wanted)), min(28, len(wanted)))
    span = scene.pick(30 * MINUTE, count * HOUR // 20, count * DAY // 2)
    evidence = []
    for repository, at in zip(wanted, scene.moments(count, span), strict=False):
        session = scene.session(person.name, address, agent, at)
        session.challenge()
        evidence.append(pull_all(session, repository, repository.current(at), "latest"))
    return Planted(evidence, decidable=12)


def enumerate_registry(scene: Scene) -> Planted:
    """The catalogue, then tags of everything, then names out of a list of words."""
    rng, person = scene.rng, scene.somebody()
    agent = scene.agent()
    count, span = scene.pick((1200, 10 * MINUTE), (800, 4 * HOUR), (360, DAY))
    addresses = [outside(rng) for _ in range(scene.pick(1, 1, 10))]
    session = scene.session(person.name, addresses[0], agent)
    evidence = [] if scene.difficulty == "stealthy" else [session.catalog(100)]
    known = {repository.name: repository for repository in scene.world.repositories}
    for at in scene.moments(count, span):
        session = scene.session(person.name, rng.choice(addresses), agent, at)
        name = f"{rng.choice(PROJECTS)}/{rng.choice(PARTS)}"
        evidence.append(session.list_tags(known[name]) if name in known else session.unknown(name, "latest", "HEAD"))
    return Planted(evidence, decidable=10)


def delete_everything(scene: Scene) -> Planted:
    """Image after image is deleted, the older ones first: nothing that is in use, so that nobody cries at once."""
    person = scene.somebody()
    address = scene.pick(outside(scene.rng), person.addresses[-1], person.addresses[0])
    agent = scene.pick(scene.agent(), person.agent, person.agent)
    prey = [
        (repository, number)
        for repository in scene.shuffled()
        for number in repository.numbers[:-3]
        if number not in repository.removed
    ]
    count, span = scene.pick((500, 5 * MINUTE), (160, 4 * HOUR), (50, 10 * DAY))
    evidence = []
    for (repository, number), at in zip(prey, scene.moments(min(count, len(prey)), span), strict=False):
        evidence.append(scene.session(person.name, address, agent, at).delete(repository, repository.image(number)))
    return Planted(evidence, decidable=10)


def hunt_secrets(scene: Scene) -> Planted:
    """Configs and small layers of many images, never a large layer: somebody reads, nobody runs."""
    rng, person = scene.rng, scene.somebody()
    address, agent = scene.pick(outside(rng), person.addresses[-1], person.addresses[0]), scene.agent()
    count, span = scene.pick((500, HOUR), (300, 6 * HOUR), (60, 6 * DAY))
    images = [(repository, number) for repository in scene.shuffled() for number in repository.numbers]
    evidence: list[Request] = []
    for (repository, number), at in zip(images, scene.moments(min(count, len(images)), span), strict=False):
        image = repository.image(number)
        session = scene.session(person.name, address, agent, at)
        evidence.append(session.pull(repository, image, image.digest))
        small = [layer for layer in image.layers if layer.size < 20_000]
        evidence += session.fetch(repository, [image.config, *small])
    return Planted(evidence, decidable=30)


def blind_the_log(scene: Scene) -> Planted:
    """The log falls silent, or says less than it should."""
    begin = scene.at
    end = min(begin + scene.pick(4 * HOUR, 12 * HOUR, DAY), scene.end)

    def alter(request: Request) -> Request | None:
        if not begin <= request.start < end:
            return request
        pulls = request.method == "GET" and "/manifests/" in request.uri
        lost = scene.pick(True, request.port % 2 == 0, pulls)
        return None if lost else request

    note = scene.pick("Every line is missing.", "Half of the connections are missing.", "Pulls are missing.")
    return Planted(span=(begin, end), alter=alter, note=note)


def take_along(scene: Scene) -> Planted:
    """Somebody who is about to leave pulls all versions of the own project and of the neighbours'."""
    person = scene.somebody()
    near = [*person.repositories, *(one for one in scene.shuffled() if one not in person.repositories)]
    images = [(repository, number) for repository in near for number in repository.numbers]
    count, span = scene.pick((300, 3 * HOUR), (150, 5 * DAY), (60, 12 * DAY))
    evidence: list[Request] = []
    moments = scene.moments(min(count, len(images)), span)
    if scene.difficulty != "blatant":  # in working hours
        moments = scene.working_hours(moments)
    for (repository, number), at in zip(images, moments, strict=False):
        session = scene.session(person.name, person.addresses[0], person.agent, at)
        evidence.append(pull_all(session, repository, repository.image(number), repository.tag(number)))
    return Planted([request for request in evidence if request.at >= scene.at], decidable=40)


def probe_for_holes(scene: Scene) -> Planted:
    """Paths and mounts that no client asks for."""
    rng, person = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), outside(rng), person.addresses[0])
    agent = scene.pick("python-requests/2.32.3", "curl/8.5.0", person.agent)
    count, span = scene.pick((2000, HOUR), (50, 4 * HOUR), (5, DAY))
    others = [one for one in scene.shuffled() if one not in person.repositories]
    evidence: list[Request] = []
    for at in scene.moments(count, span):
        if rng.random() < 0.5 and scene.difficulty != "stealthy":
            path = rng.choice(HOLES).format(name=rng.choice(others).name)
            evidence.append(scene.session("", address, agent, at).stranger("GET", path, 404, 19))
            continue
        source: Repository = rng.choice(others)
        session = scene.session(person.name, address, agent, at)
        evidence.append(session.mount(rng.choice(person.repositories), source, source.current(at).layers[-1]))
    return Planted(evidence, decidable=3)


HOLES = (
    "/v2/..%2f..%2fetc%2fpasswd",
    "/v2/{name}/../../../config.yml",
    "/api/v2.0/%2e%2e/%2e%2e/configurations",
    "/v2/{name}/blobs/..%2f..%2fuploads",
    "/debug/.env",
    "/v2/%00/manifests/latest",
)
