"""What goes on beside pulls and pushes: administration, the weekly clean-up, health checks, the noise of the internet."""

from __future__ import annotations

from regsight.traffic.calendar import Calendar, moment
from regsight.traffic.names import STRANGERS
from regsight.traffic.population import DAY, HOUR, Population, outside
from regsight.traffic.requests import SECOND, Request, Session
from regsight.traffic.seeds import stream

# Where strangers knock: path, status, bytes of the answer.
DOORS = (
    ("/", 200, 0),
    ("/favicon.ico", 404, 19),
    ("/api/v2.0/systeminfo", 404, 19),
    ("/.env", 404, 19),
    ("/login", 404, 19),
)


# Operation and type of resource; members come and go more often than anything else.
ACTS = (
    ("create", "member"),
    ("create", "member"),
    ("update", "member"),
    ("delete", "member"),
    ("create", "user"),
    ("create", "robot"),
    ("delete", "robot"),
    ("update", "project"),
    ("update", "quota"),
)


def administration(world: Population, calendar: Calendar, day: int) -> list[Request]:
    """Projects, members and robot accounts come and go, at the hands of those who always do that."""
    out: list[Request] = []
    rng = stream(world.seed, "administration", day)
    crowd = world.admins
    for who, at in calendar.starts("people", [3.0] * len(crowd), [1] * len(crowd), day):
        admin = crowd[who]
        session = Session(out, rng, at, admin.name, admin.addresses[0], admin.agent)
        session.login()
        for _ in range(rng.choice((1, 1, 2, 3))):
            session.wait(60)
            project = rng.choice(world.repositories).project
            session.administer(*rng.choice(ACTS), project)
    return out


def cleaning(world: Population, calendar: Calendar, day: int) -> list[Request]:
    """Every Sunday before dawn: all but the newest versions of each repository go."""
    first = world.start + day * DAY
    out: list[Request] = []
    if moment(first).weekday() != 6:
        return out
    rng = stream(world.seed, "cleaning", day)
    cleaner = world.cleaner
    session = Session(out, rng, first + 4 * HOUR, cleaner.name, cleaner.addresses[0], cleaner.agent)
    session.login()
    for repository in world.repositories:
        session.list_tags(repository)
        for number in repository.numbers[:-12]:
            if number not in repository.removed and number != repository.deployed(session.at):
                session.delete(repository, repository.image(number))
                repository.removed.add(number)
                session.wait(0.2)
    return out


def health(world: Population, calendar: Calendar, day: int) -> list[Request]:
    """The load balancer's own question, at a fixed pace."""
    out: list[Request] = []
    rng = stream(world.seed, "health", day)
    step = world.preset.health_seconds
    for second in range(0, 86_400, step):
        at = world.start + day * DAY + second * SECOND + int(rng.random() * 0.02 * SECOND)
        Session(out, rng, at, "", "10.0.0.2", "kube-probe/1.30").challenge()
    return out


def strangers(world: Population, calendar: Calendar, day: int) -> list[Request]:
    """The noise of the internet."""
    out: list[Request] = []
    rng = stream(world.seed, "strangers", day)
    for _, at in calendar.starts("machines", [world.preset.probes / 2.5], [0], day):
        session = Session(out, rng, at, "", outside(rng), rng.choice(STRANGERS))
        for _ in range(rng.choice((1, 1, 2, 3, 5))):
            draw = rng.random()
            if draw < 0.45:
                session.challenge()
            elif draw < 0.6:
                session.unauthorised("/v2/_catalog")
            else:
                session.stranger("GET", *rng.choice(DOORS))
            session.wait(1.5)
    return out
