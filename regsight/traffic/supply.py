"""What belongs to images beside themselves: signatures, and copies that a pull-through cache keeps of others' images."""

from __future__ import annotations

from regsight.traffic.calendar import Calendar
from regsight.traffic.images import Image, Repository
from regsight.traffic.population import HOUR, Population
from regsight.traffic.requests import SECOND, Request, Session
from regsight.traffic.seeds import derive, stream

SIGNER_ADDRESS = "10.20.250.50"
SIGNER_AGENT = "cosign/v2.4.1 (linux; amd64)"
CACHED_A_DAY = 0.8  # pulls through the cache, a day and node


def sign(into: list[Request], repository: Repository, image: Image, at: int, actor: str, address: str) -> Request:
    """A signature as cosign stores it: a manifest under a tag made of the image's digest. It draws from a generator of its
    own, so that nothing else changes by it.
    """
    rng = stream(repository.seed, "sign", repository.key or repository.name, image.digest, at)
    session = Session(into, rng, at + int(rng.uniform(1.5, 4) * SECOND), actor, address, SIGNER_AGENT)
    session.challenge()
    signature = signature_of(repository, image)
    session.upload(repository, signature.config)
    return session.put(repository, signature, signature_tag(image))


def signature_of(repository: Repository, image: Image) -> Image:
    """The signature of an image in this repository."""
    number = derive(repository.seed, "signature", image.digest) % 10**9
    return Repository(repository.seed, f"{repository.key or repository.name}#signatures", 0.0, 1, False).image(number)


def signature_tag(image: Image) -> str:
    """The tag under which it is found."""
    return image.digest.replace(":", "-") + ".sig"


def signed(into: list[Request], repository: Repository, image: Image, at: int) -> None:
    """What follows a push by itself, in projects that sign."""
    if repository.signer:
        sign(into, repository, image, at, repository.signer, SIGNER_ADDRESS)


def cache(world: Population, calendar: Calendar, day: int) -> list[Request]:
    """Nodes fetch other people's images through the cache: always the same few."""
    out: list[Request] = []
    rng = stream(world.seed, "cache", day)
    rates = [CACHED_A_DAY] * len(world.nodes)
    for who, at in calendar.starts("machines", rates, [0] * len(rates), day, "cache"):
        node = world.nodes[who]
        session = Session(out, rng, at, world.clusters[node.cluster].name, node.address, node.agent)
        repository = rng.choice(world.cached)
        image = repository.image(at // (14 * 24 * HOUR))  # a new version every other week
        session.pull(repository, image, "stable")
        if rng.random() < 0.2:
            session.fetch(repository, (image.config, *image.layers))
    return out
