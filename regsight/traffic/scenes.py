"""What attacks and surprises have in common: the stage they play on, and how one is described."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from regsight.traffic.images import Image, Repository
from regsight.traffic.operations import pull_all
from regsight.traffic.population import DAY, HOUR, Actor, Node, Population, outside
from regsight.traffic.requests import Request, Session
from regsight.traffic.truth import Planted

MINUTE = HOUR // 60
SECOND = MINUTE // 60
EVENING = (18.0, 21.5)  # hours, UTC
DIFFICULTIES = ("blatant", "moderate", "stealthy")

T = TypeVar("T")


@dataclass(slots=True)
class Scene:
    """One scenario about to happen: when, how hard to see, its own generator. It reads the world and adds to `out`."""

    world: Population
    rng: Random
    at: int
    end: int  # of the whole simulation
    difficulty: str
    turn: int = 0  # place of the scenario in the list of all, so that each has its own people
    out: list[Request] = field(default_factory=list)

    def session(self, actor: str, address: str, agent: str, at: int | None = None) -> Session:
        return Session(self.out, self.rng, self.at if at is None else at, actor, address, agent)

    def pick(self, blatant: T, moderate: T, stealthy: T) -> T:
        """The figure for this difficulty."""
        return {"blatant": blatant, "moderate": moderate, "stealthy": stealthy}[self.difficulty]

    def somebody(self) -> Actor:
        """A person with an account: another one for each scenario, as far as there are enough."""
        return self.world.people[self.turn % len(self.world.people)]

    def builder(self) -> Actor:
        """A robot that builds what clusters run; if none does, any."""
        run, robots = self.world.running(), self.world.robots
        return self.rng.choice([one for one in robots if any(own.name in run for own in one.repositories)] or robots)

    def person_or_robot(self, person: Actor, robot: Actor) -> tuple[Actor, str, str, list[Repository]]:
        """Who does it to what runs, from where, with what client, to which repositories: a person's account from outside to any of
        them, the person from home to the own ones, and, hardest to see, the robot on its runner.
        """
        who = self.pick(person, person, robot)
        address = self.pick(outside(self.rng), person.addresses[-1], self.rng.choice(robot.addresses))
        agent = self.pick(self.agent(), person.agent, robot.agent)
        run = self.world.running()
        own = [one for one in who.repositories if one.name in run] or who.repositories
        return who, address, agent, self.pick(list(run.values()), own, own)

    def agent(self) -> str:
        """What an intruder brings along."""
        return self.rng.choice(
            ("skopeo/1.16.1", "curl/8.5.0", "python-requests/2.32.3", "go-containerregistry/v0.20.2")
        )

    def shuffled(self) -> list[Repository]:
        """All repositories in an order of this scene's own."""
        return self.rng.sample(self.world.repositories, len(self.world.repositories))

    def moments(self, count: int, span: int) -> list[int]:
        """`count` moments over `span` ns, evenly with noise; what lies behind the end of the simulation is left out."""
        step = span / count
        found = [self.at + int((index + self.rng.uniform(0.1, 0.9)) * step) for index in range(count)]
        return [at for at in found if at < self.end - MINUTE]

    def hours(self, count: int, days: float, first: float, last: float) -> list[int]:
        """`count` moments on consecutive days, each between two hours of the day (UTC; past 24 is after midnight)."""
        day = self.at - self.at % DAY
        found = []
        for index in range(count):
            number = int(index * days / count)
            found.append(day + number * DAY + int(self.rng.uniform(first, last) % 24 * HOUR))
        return sorted(at for at in found if self.at <= at < self.end - MINUTE)

    def deploy(
        self,
        repository: Repository,
        image: Image,
        reference: str,
        after: int,
        count: int,
        minutes: tuple[float, float] = (2, 50),
    ) -> list[Request]:
        """Nodes of a cluster that runs the repository pull an image so many minutes later; if no cluster does, any node."""
        pulls = []
        for node in self.machines(repository, count):
            at = after + int(self.rng.uniform(*minutes) * MINUTE)
            puller = self.session(self.world.clusters[node.cluster].name, node.address, node.agent, at)
            pulls.append(pull_all(puller, repository, image, reference))
        return pulls

    def machines(self, repository: Repository, count: int) -> list[Node]:
        """Nodes of clusters that run the repository; if none does, any."""
        world = self.world
        running = [one for one in world.nodes if repository in world.clusters[one.cluster].repositories] or world.nodes
        return self.rng.sample(running, min(count, len(running)))

    @staticmethod
    def working_hours(moments: list[int]) -> list[int]:
        """Each moment moved into the working hours (8 to 17, UTC) of its own day."""
        return sorted(at - at % DAY + int((8 + at % DAY / DAY * 9) * HOUR) for at in moments)

    def at_work(self, moments: list[int]) -> list[int]:
        """The same, without those that would come before the scenario."""
        return [at for at in self.working_hours(moments) if at >= self.at]

    def until_end(self, requests: Iterable[Request]) -> list[Request]:
        """What of it the simulation still reaches, by time."""
        return sorted((one for one in requests if one.at < self.end), key=lambda one: one.at)

    def read_later(self, stored: int, at: int, blatant: tuple[float, float], moderate: tuple[float, float]) -> int:
        """When somebody fetches what was put there, begun at `at` and done when `stored`: after some minutes; hardest to see, in
        the evening of its day.
        """
        later = stored + int(self.rng.uniform(*self.pick(blatant, moderate, (1, 1))) * MINUTE)
        if self.difficulty == "stealthy":
            later = max(later, at - at % DAY + int(self.rng.uniform(*EVENING) * HOUR))
        return later


def place_of(evidence: Iterable[Request], many: int, key: Callable[[Request], str]) -> int:
    """The place of the request with which one key (not the empty one) has come `many` times; behind all if none has."""
    seen: Counter[str] = Counter()
    place = 0
    for place, one in enumerate(evidence, 1):
        name = key(one)
        seen[name] += 1
        if name and seen[name] == many:
            return place
    return place + 1


Play = Callable[[Scene], Planted]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A scenario by name.

    `classes` says what a finding may be about, `hours` when it may begin (UTC), `days` what it needs at each difficulty.
    """

    code: str
    name: str
    play: Play
    benign: bool = False
    technique: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    severity: str = ""
    evidence: str = ""  # S: by bookkeeping, N: by novelty or sequence, V: by volume
    hours: tuple[float, float] = (0, 24)
    days: tuple[float, float, float] = (0.1, 0.5, 5)
    alters: bool = False  # it cannot but change the lines of others
