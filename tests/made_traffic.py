"""Events made by hand: steady traffic of a small registry, and single things to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from store.contract import Store
from store.event import Event, schema
from store.locate import open_store

START = datetime(2026, 9, 7, tzinfo=UTC)  # a Monday
EVENING = START + timedelta(days=15, hours=20)  # of the attack in `attacked`
PEOPLE = {f"person-{n}": f"192.0.2.{n}" for n in range(1, 9)}
ROBOTS = {f"robot$build-{n}": f"10.30.0.{n}" for n in range(1, 4)}
REPOSITORIES = [f"{team}/{name}" for team in ("shop", "data", "web", "base") for name in "abcdefghijklmn"]


class Made:
    """A list of events that numbers itself. Times are aware; what is not said stays null."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, at: datetime, action: str, outcome: str = "success", **fields: object) -> str:
        number = len(self.events)
        event: Event = {
            "event_id": f"e-{number}",
            "revision": 0,
            "channel": "application",
            "timestamp": at,
            "read_at": at,
            "stored_at": at,
            "action": action,
            "outcome": outcome,
            "dataset": "made",
            "registry": "made",
            "stream": "made",
            "offset": number * 100,
            "parts": [f"made:{number * 100}"],
            **fields,  # type: ignore[typeddict-item]
        }
        if event.get("repository"):
            event["project"] = str(event["repository"]).partition("/")[0]
        self.events.append(event)
        return f"e-{number}"

    def refuse(self, at: datetime, actor: str | None, client: str, agent: str = "docker/28.1") -> str:
        return self.add(
            at, "login", "denied", reason="bad_credentials", actor=actor, client_ip=client, user_agent=agent, status=401
        )

    def login(self, at: datetime, actor: str, client: str) -> str:
        return self.add(at, "login", actor=actor, client_ip=client, user_agent="docker/28.1", status=200)

    def pull(self, at: datetime, actor: str, client: str, repository: str) -> str:
        digest = "sha256:" + repository.encode().hex().ljust(64, "0")
        return self.add(
            at,
            "pull",
            actor=actor,
            actor_kind="robot" if actor in ROBOTS else "human",
            client_ip=client,
            user_agent="docker/28.1",
            repository=repository,
            digest=digest,
            status=200,
            response_bytes=2_000,
        )

    def store(self, folder: Path) -> Store:
        """A new embedded store with the events in it; to be closed by who asked."""
        store = open_store(f"delta:{folder}")
        rows = sorted(self.events, key=lambda event: event["timestamp"])
        store.commit(pa.Table.from_pylist(list(rows), schema=schema()), [])
        return store


def steady(days: int, seed: int = 1) -> Made:
    """Traffic of `days` from START: bursty, by day and weekend, each account in its own repositories from its own address,
    now and then a mistyped password. Nothing in it deserves an alert."""
    made, rng = Made(), np.random.default_rng(seed)
    for index, (actor, client) in enumerate([*PEOPLE.items(), *ROBOTS.items()]):
        own = REPOSITORIES[index * 4 : index * 4 + 4]
        rate = 0.7 if actor in PEOPLE else 1.5
        for at in _moments(rng, days, rate, people=actor in PEOPLE):
            if actor in PEOPLE and rng.random() < 0.1:
                for _ in range(int(rng.choice([0, 0, 0, 1, 2]))):
                    made.refuse(at - timedelta(seconds=20), actor, client)
                made.login(at, actor, client)
            made.add(at, "ping", "unknown", reason="challenge", client_ip=client, status=401)
            made.pull(at + timedelta(seconds=1), actor, client, str(rng.choice(own, p=[0.5, 0.25, 0.15, 0.1])))
    return made


def _moments(rng: np.random.Generator, days: int, rate: float, people: bool) -> Iterator[datetime]:
    for hour in range(days * 24):
        start = START + timedelta(hours=hour)
        shape = 1.0 if 8 <= start.hour < 18 else 0.2
        shape *= 0.1 if people and start.weekday() >= 5 else 1.0
        for _ in range(rng.poisson(rate * shape * rng.gamma(1.5, 1 / 1.5))):
            yield start + timedelta(seconds=float(rng.uniform(60, 3540)))


def attacked() -> Made:
    """Steady traffic; on an evening passwords are guessed, one fits, and the account pulls from everywhere."""
    made = steady(17)
    for number in range(60):
        made.refuse(EVENING + timedelta(seconds=20 * number), f"person-{number % 9}", "203.0.113.9")
    made.login(EVENING + timedelta(minutes=40), "person-4", "203.0.113.9")
    for number, repository in enumerate(REPOSITORIES):
        made.pull(EVENING + timedelta(minutes=41, seconds=30 * number), "person-4", "203.0.113.9", repository)
    return made
