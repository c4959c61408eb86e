"""Attacks on what is released, of the unforeseen kinds: a version that somebody promotes by hand, a ransom note in place of images,
a name that was asked for in vain. Whoever wrote them had read no detector and no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Blob, Image, Repository, rolled_out
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor, outside
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import Planted

# What a language model adds to a name when it makes up an image that there should be.
MADE_UP = ("utils", "helper", "sdk", "client", "common", "runtime")


def promote_by_hand(scene: Scene) -> Planted:
    """`stable` is set on a version that was built and never rolled out: no test was waited for, nobody was asked.

    Builds set it themselves, on what they have just pushed. A person who moves it, with nothing uploaded, has gone round
    whatever stands between a build and its rollout; the first such move is known for what it is.
    """
    rng, person = scene.rng, scene.somebody()
    run = _built_and_run(scene)
    count = scene.pick(8, 3, 1)
    own = {one.name: [repository for repository in run if repository in one.repositories] for one in scene.world.people}
    insider = rng.choice([one for one in scene.world.people if len(own[one.name]) >= count] or [person])
    who: Actor = scene.pick(person, insider, insider)
    address = scene.pick(outside(rng), who.addresses[-1], who.addresses[0])
    agent = scene.pick(scene.agent(), who.agent, who.agent)
    prey = scene.pick(run, own[who.name] or run, own[who.name] or run)[:count]
    evidence: list[Request] = []
    span = scene.pick(30 * MINUTE, 4 * HOUR, 10 * MINUTE)
    for repository, at in zip(prey, scene.moments(len(prey), span), strict=False):
        number = _left_behind(repository, at)
        image = repository.image(number)
        session = scene.session(who.name, address, agent, at)
        session.login()
        session.pull(repository, image, repository.tag(number))
        session.look(repository, image.config, known=True)
        evidence.append(session.put(repository, image, "stable"))
        minutes = scene.pick((1.0, 10.0), (2.0, 40.0), (10.0, 120.0))
        evidence += scene.deploy(repository, image, "stable", session.at, scene.pick(4, 2, 1), minutes)
    evidence = scene.until_end(evidence)
    return Planted(evidence, culprit=who.name)


def _built_and_run(scene: Scene) -> list[Repository]:
    """Repositories that robots build and clusters run, in front those whose newest version has not been rolled out."""
    built = {one.name for robot in scene.world.robots for one in robot.repositories}
    run = {one.name: one for cluster in scene.world.clusters for one in cluster.repositories if one.name in built}
    return sorted(scene.rng.sample(list(run.values()), len(run)), key=lambda one: rolled_out(one.number(scene.at)))


def _left_behind(repository: Repository, at: int) -> int:
    """The newest version that has not been rolled out."""
    there = [
        number
        for number, pushed in zip(repository.numbers, repository.pushed, strict=True)
        if pushed <= at and not rolled_out(number) and number not in repository.removed
    ]
    return there[-1] if there else repository.number(at)


def leave_ransom_note(scene: Scene) -> Planted:
    """Version after version is taken, and then its tag points to one and the same tiny image: a note that says what to pay.

    Nothing is deleted, so that nothing that watches deletions sees it; what is no longer tagged goes with the next clean-up of
    the storage. No build puts one image under the tags of two versions.
    """
    rng, person = scene.rng, scene.somebody()
    robot = rng.choice(scene.world.robots)
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    pool = scene.pick(scene.shuffled(), who.repositories, who.repositories)
    chosen = rng.sample(pool, min(scene.pick(12, 3, 1), len(pool)))
    prey = [one for repository in chosen for one in _versions(scene, repository)]
    note = _note(scene)
    uploaded: set[str] = set()
    evidence: list[Request] = []
    span = scene.pick(40 * MINUTE, 5 * HOUR, 2 * DAY)
    for (repository, number), at in zip(prey, scene.moments(len(prey), span), strict=False):
        session = scene.session(who.name, address, agent, at)
        session.challenge()
        pull_all(session, repository, repository.image(number), repository.tag(number))
        if repository.name not in uploaded:
            uploaded.add(repository.name)
            for blob in (*note.layers, note.config):
                session.upload(repository, blob)
            if scene.difficulty == "blatant":
                evidence += [session.put(repository, note, tag) for tag in ("HOW-TO-RESTORE", "latest", "stable")]
        evidence.append(session.put(repository, note, repository.tag(number)))
    evidence = scene.until_end(evidence)
    return Planted(evidence, decidable=2)


def _versions(scene: Scene, repository: Repository) -> list[tuple[Repository, int]]:
    """The newest; where it shall not be noticed, the oldest."""
    there = [number for number in repository.numbers if number not in repository.removed]
    return [(repository, number) for number in scene.pick(there[-10:], there[-6:], there[:5])]


def _note(scene: Scene) -> Image:
    """A text file in one layer."""
    key = f"note-{scene.rng.getrandbits(64)}"
    plain = Repository(scene.world.seed, key, 0.0, 1, False).image(1)
    return Image(plain.digest, 582, plain.config, (Blob(plain.layers[0].digest, scene.rng.randrange(400, 1400)),))


def take_name_asked_for(scene: Scene) -> Planted:
    """Images that a language model made up are asked for and are not there; somebody pushes one under just that name.

    A name that is new may be a new part of a product. One that comes from an account with no part in that project, hours after
    others had been told that there is none, and that those then pull, was waited for.
    """
    rng, world, person = scene.rng, scene.world, scene.somebody()
    robot = rng.choice(world.robots)
    who: Actor = scene.pick(person, person, robot)
    address = scene.pick(outside(rng), person.addresses[-1], rng.choice(robot.addresses))
    agent = scene.pick(scene.agent(), person.agent, robot.agent)
    asking, taking, again = scene.pick(
        ((0.0, 0.4), (0.5, 0.6), (0.1, 0.7)), ((0.0, 3.0), (3.2, 3.6), (0.5, 2.5)), ((0.0, 14.0), (15.0, 17.0), (1, 6))
    )
    evidence: list[Request] = []
    for name, victims in _names(scene, who, scene.pick(5, 2, 1), scene.pick(4, 3, 2)):
        repository = Repository(world.seed, name, 0.0, 3, True)
        for victim in victims:
            at = scene.at + int(rng.uniform(*asking) * HOUR)
            client = scene.session(victim.name, rng.choice(victim.addresses), victim.agent, at)
            client.challenge()
            client.unknown(name, "latest")
        session = scene.session(who.name, address, agent, scene.at + int(rng.uniform(*taking) * HOUR))
        session.login()
        image = repository.image(1)
        evidence += session.push(repository, image, ["latest"], len(image.layers))
        for victim in victims:
            at = session.at + int(rng.uniform(*again) * HOUR)
            client = scene.session(victim.name, rng.choice(victim.addresses), victim.agent, at)
            client.challenge()
            evidence.append(pull_all(client, repository, image, "latest"))
    evidence = scene.until_end(evidence)
    taken = [place for place, one in enumerate(evidence, 1) if one.method == "GET"]
    return Planted(evidence, culprit=who.name, decidable=min(taken, default=len(evidence) + 1))


def _names(scene: Scene, who: Actor, count: int, each: int) -> list[tuple[str, list[Actor]]]:
    """Names in projects that the account has no part in, and who asks for each: first those who belong to the project."""
    rng, world = scene.rng, scene.world
    mine = {one.project for one in who.repositories}
    known = {one.name for one in world.repositories}
    foreign = [one for one in scene.shuffled() if one.project not in mine | {"base"}] or scene.shuffled()
    found: dict[str, list[Actor]] = {}
    for one in foreign:
        name = f"{one.name}-{rng.choice(MADE_UP)}"
        if name in known:
            continue
        found[name] = _who_asks(scene, one.project, who)[:each]
        if len(found) == count:
            break
    return list(found.items())


def _who_asks(scene: Scene, project: str, but: Actor) -> list[Actor]:
    """Robots and people but one, in front those of the project."""
    crowd = [one for one in (*scene.world.robots, *scene.world.people) if one is not but]
    scene.rng.shuffle(crowd)
    return sorted(crowd, key=lambda one: all(own.project != project for own in one.repositories))
