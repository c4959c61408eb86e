"""Attacks on the rules of the registry itself. They are acts of administration: only audit logs tell of them."""

from __future__ import annotations

from regsight.traffic.operations import pull_all
from regsight.traffic.population import HOUR, Actor, inside, outside, person_name
from regsight.traffic.requests import Request, Session
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import ADMINISTRATION, Planted


def burn_bridges(scene: Scene) -> Planted:
    """What would bring images or traces back is switched off: retention, immutability, the audit log."""
    session = _at_work(scene, scene.somebody())
    project = scene.rng.choice(scene.world.repositories).project
    acts = [
        ("update", "configuration", "configuration"),
        ("delete", "immutable", project),
        ("update", "retention", project),
        ("create", "gc", "manual"),
        ("delete", "replication", "dr-sync"),
    ][: scene.pick(5, 2, 1)]
    return Planted(_all(session, acts, scene.pick(60, 4 * 3600, 60)))


def take_rights(scene: Scene) -> Planted:
    """Somebody becomes an administrator who was none."""
    rng, person = scene.rng, scene.somebody()
    fresh = person_name(rng)
    project = rng.choice(scene.world.repositories).project
    acts = scene.pick(
        [("create", "user", fresh), ("update", "user", fresh), ("create", "member", project)],
        [("update", "user", person.name), ("create", "member", project)],
        [("create", "member", project)],
    )
    return Planted(_all(_at_work(scene, person), acts, 40))


def plant_robot(scene: Scene) -> Planted:
    """A robot account of one's own, that nobody will miss, used from elsewhere."""
    rng, person = scene.rng, scene.somebody()
    session = _at_work(scene, person)
    names = [f"robot$sync-{rng.randrange(1000)}" for _ in range(scene.pick(5, 1, 1))]
    if scene.difficulty == "stealthy":
        names = ["trivy-operator-2"]
    evidence = _all(session, [("create", "robot", name) for name in names], 30)
    address = outside(rng)
    for name in names:
        user = scene.session(name, address, scene.agent(), session.at + int(rng.uniform(0.5, 3) * HOUR))
        for repository in scene.shuffled()[: scene.pick(8, 5, 2)]:
            evidence.append(pull_all(user, repository, repository.current(user.at), "latest"))
            user.wait(60)
        if scene.difficulty == "blatant":
            evidence += user.push(repository, repository.image(900_000 + rng.randrange(10**6)), ["latest"], 1)
    return Planted(sorted(evidence, key=lambda request: request.at), needs=ADMINISTRATION)


def open_project(scene: Scene) -> Planted:
    """A private project becomes public, and the world comes in."""
    rng = scene.rng
    session = _at_work(scene, scene.somebody())
    repositories = scene.world.named(rng.choice(scene.world.repositories).project)
    evidence = _all(session, [("update", "project", repositories[0].project)], 10)
    for _ in range(scene.pick(100, 12, 3)):
        at = session.at + int(rng.uniform(1, scene.pick(180, 180, 9)) * MINUTE)
        visitor = scene.session("", outside(rng), scene.agent(), at)
        repository = rng.choice(repositories)
        evidence.append(pull_all(visitor, repository, repository.current(at), "latest"))
    if scene.difficulty == "stealthy":
        session.at += 10 * MINUTE
        evidence += _all(session, [("update", "project", repositories[0].project)], 1)
    return Planted(sorted(evidence, key=lambda request: request.at), decidable=2)


def replicate_away(scene: Scene) -> Planted:
    """Everything is to be copied to a registry that nobody knows."""
    session = _at_work(scene, scene.somebody())
    name = f"backup-{scene.rng.randrange(100)}"
    acts = [("create", "registry", name), ("create", "replication", name)]
    return Planted(
        _all(session, acts, 60), note="The copying itself leaves the registry: its logs have the order only."
    )


def _at_work(scene: Scene, person: Actor) -> Session:
    """The intruder at the management API, under somebody's name."""
    rng = scene.rng
    address = scene.pick(outside(rng), inside(rng, 77), person.addresses[0])
    session = scene.session(person.name, address, scene.pick(scene.agent(), scene.agent(), person.agent))
    session.login()
    return session


def _all(session: Session, acts: list[tuple[str, str, str]], pause: float) -> list[Request]:
    found = []
    for act in acts:
        found.append(session.administer(*act))
        session.wait(pause, 0.4)
    return found
