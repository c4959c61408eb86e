"""Attacks by accounts in other hands: of the fresh kinds, an owner who is locked out, an account that only ever pulled and now
writes, signatures that are put a second time; of the uncharted kinds, signatures for images that are not here, and tokens that are
hoarded. Whoever wrote them had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Image, Repository
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor, Node, outside
from regsight.traffic.requests import MILLISECOND, Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.seeds import derive
from regsight.traffic.supply import SIGNER_ADDRESS, SIGNER_AGENT, signature_of, signature_tag
from regsight.traffic.truth import REFUSALS, Planted

CHECKED = 55 * MILLISECOND  # what it takes to find that a password is wrong
TRIES = 3
UNUSED = 12  # logins that lead to nothing
SIGNED_WITHIN = 6 * HOUR  # a signature comes seconds after the push; after so long nobody takes one for the other


def lock_out_owner(scene: Scene) -> Planted:
    """Somebody has changed the password: the account works at a place where it never was, and its owner is refused at home.

    Whoever mistypes gets in at the second or third try, from the same desk. Here each try from every usual place is refused,
    and after the third of them the same account is let in elsewhere.
    """
    rng, owner = scene.rng, scene.somebody()
    address, agent = outside(rng), scene.pick(scene.agent(), owner.agent, owner.agent)
    until = min(scene.at + scene.pick(2, 3, 4) * DAY, scene.end)
    prey = scene.pick(scene.shuffled(), owner.repositories, owner.repositories)
    uses = [scene.at, *scene.moments(scene.pick(40, 12, 10), until - scene.at)]
    evidence: list[Request] = []
    for index, at in enumerate(uses):
        session = scene.session(owner.name, address, agent, at)
        evidence.append(session.login())
        repository = prey[index % len(prey)]
        evidence.append(pull_all(session, repository, repository.current(session.at), "latest"))
    for at in _at_the_desk(scene, owner, until):
        session = scene.session("", owner.addresses[0], owner.agent, at)
        for _ in range(rng.choice((TRIES, TRIES + 1))):
            session.challenge()
            evidence.append(session.refuse(owner.name))
            session.wait(20, 0.5)

    def alter(request: Request) -> Request | None:
        mine = request.actor == owner.name and request.address in owner.addresses
        if not mine or not scene.at <= request.start < until:
            return request
        if request.uri != "/v2/":
            return None
        return request._replace(
            at=request.at + CHECKED,
            duration=request.duration + CHECKED,
            status=401,
            written=87,
            actor="",
            refused=owner.name,
            answer_type="",
        )

    evidence.sort(key=lambda request: request.at)
    refused = [place for place, one in enumerate(evidence) if one.refused][TRIES - 1 :]
    let_in = [place for place, one in enumerate(evidence, 1) if refused and place > refused[0] + 1 and not one.refused]
    enough = min(let_in, default=len(evidence) + 1)
    return Planted(evidence, decidable=enough, alter=alter, needs=REFUSALS)


def _at_the_desk(scene: Scene, owner: Actor, until: int) -> list[int]:
    """When the owner wants to get to work: twice a day, in the hours of the owner's zone."""
    midnight = scene.at - scene.at % DAY
    found = []
    for day in range((until - midnight) // DAY + 1):
        for first, last in ((9, 11), (13, 16)):
            found.append(midnight + day * DAY + int((scene.rng.uniform(first, last) - owner.zone) * HOUR))
    return [at for at in found if scene.at + 5 * MINUTE <= at < until - 5 * MINUTE]


def write_as_puller(scene: Scene) -> Planted:
    """A cluster's pull secret was given the right to write, and whoever got out of a container puts images with it.

    A cluster's account has never stored anything anywhere. The first manifest that it puts is known for what it is.
    """
    rng, world = scene.rng, scene.world
    node = _able_to_push(scene)
    cluster = world.clusters[node.cluster]
    address = scene.pick(outside(rng), node.address, node.address)
    agent = scene.pick(scene.agent(), "Buildah/1.37.3", node.agent)
    pool = scene.pick(scene.shuffled(), cluster.repositories, cluster.repositories)
    prey = rng.sample(pool, min(scene.pick(10, 3, 1), len(pool)))
    evidence: list[Request] = []
    for repository, at in zip(prey, scene.moments(len(prey), scene.pick(HOUR, 5 * HOUR, 10 * MINUTE)), strict=False):
        session = scene.session(cluster.name, address, agent, at)
        session.challenge()
        image = repository.image(900_000 + rng.randrange(10**6))
        evidence += session.push(repository, image, scene.pick(["latest", "stable"], ["stable"], ["stable"]), 1)
    return Planted(evidence)


def _able_to_push(scene: Scene) -> Node:
    """A node whose own client can push as well as pull, if there is one."""
    nodes = scene.world.nodes
    return scene.rng.choice([one for one in nodes if one.agent.startswith("containerd")] or nodes)


def sign_again(scene: Scene) -> Planted:
    """With the signer's own account, signatures of old images are replaced by others, made with a key that somebody else has.

    A signature is put once, seconds after the push, and its tag never moves again. One that comes hours later, in the place
    of the first, was ordered by nobody.
    """
    rng, world = scene.rng, scene.world
    signer = world.signer
    address = scene.pick(outside(rng), SIGNER_ADDRESS, SIGNER_ADDRESS)
    agent = scene.pick(scene.agent(), SIGNER_AGENT, SIGNER_AGENT)
    old = [
        (at, repository, number)
        for repository in signer.repositories
        for number, at in zip(repository.numbers, repository.pushed, strict=True)
        if at < scene.at - SIGNED_WITHIN and number not in repository.removed
    ]
    seen = [one for one in old if one[0] >= world.start] or old  # if possible, those whose signing the logs have
    prey = rng.sample(seen, min(scene.pick(40, 8, 2), len(seen)))
    evidence: list[Request] = []
    span = scene.pick(20 * MINUTE, 4 * HOUR, 2 * DAY)
    for (_, repository, number), at in zip(prey, scene.moments(len(prey), span), strict=False):
        image = repository.image(number)
        other = _second_signature(repository, image)
        session = scene.session(signer.name, address, agent, at)
        session.challenge()
        session.check(repository, signature_of(repository, image), signature_tag(image))
        session.upload(repository, other.config)
        evidence.append(session.put(repository, other, signature_tag(image)))
    return Planted(evidence)


def _second_signature(repository: Repository, image: Image) -> Image:
    number = derive(repository.seed, "second signature", image.digest) % 10**9
    return Repository(repository.seed, f"{repository.key or repository.name}#again", 0.0, 1, False).image(number)


def sign_what_is_not_here(scene: Scene) -> Planted:
    """Whoever can make the signer sign has it sign images of another registry: what they sell bears the firm's name.

    A signature follows a push by seconds, and its tag names the image that was pushed. One for a digest that nobody pushed here
    is for an image that is somewhere else, which is known at once.
    """
    rng, world = scene.rng, scene.world
    signer = world.signer
    address = scene.pick(outside(rng), SIGNER_ADDRESS, SIGNER_ADDRESS)
    agent = scene.pick(scene.agent(), SIGNER_AGENT, SIGNER_AGENT)
    moments = scene.moments(*scene.pick((40, 20 * MINUTE), (8, 4 * HOUR), (2, 2 * DAY)))
    if scene.difficulty == "stealthy":
        moments = scene.at_work(moments) or [scene.at]
    one_place = rng.choice(signer.repositories)
    evidence: list[Request] = []
    for at in moments:
        repository = scene.pick(rng.choice(signer.repositories), one_place, rng.choice(signer.repositories))
        elsewhere = Repository(world.seed, f"elsewhere-{rng.getrandbits(64)}", 0.0, 4, True).image(1)
        signature = signature_of(repository, elsewhere)
        session = scene.session(signer.name, address, agent, at)
        session.challenge()
        session.upload(repository, signature.config)
        evidence.append(session.put(repository, signature, signature_tag(elsewhere)))
    return Planted(evidence)


def hoard_tokens(scene: Scene) -> Planted:
    """A stolen password is changed for tokens, again and again, and nothing is done with any: they outlive the password.

    Who logs in does so to do something. Some who do not have tried whether they can; a dozen in a row that lead to nothing are
    kept for later, or checked to be good before they are sold.
    """
    rng, owner = scene.rng, scene.somebody()
    address = scene.pick(outside(rng), outside(rng), owner.addresses[-1])
    agent = scene.pick(scene.agent(), owner.agent, owner.agent)
    count, span = scene.pick((600, HOUR), (96, 8 * HOUR), (72, 3 * DAY))
    evidence = [scene.session(owner.name, address, agent, at).login() for at in scene.moments(count, span)]
    return Planted(evidence, decidable=UNUSED)
