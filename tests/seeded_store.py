"""A store with a fortnight of plausible traffic, a credential attack, two findings and their deliveries.

The same seed gives the same events. Names that no registry would accept are among them on purpose: whoever shows them
must not let them act.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics.incidents import gather
from store.contract import DeadLetter, JobRun, Position, Store
from store.event import schema
from store.finding import Finding, Severity, finding_id
from store.locate import open_store

START = datetime(2026, 11, 10, tzinfo=UTC)
END = START + timedelta(days=14)
ATTACK = START + timedelta(days=13, hours=2, minutes=17)
ATTACKER, VICTIM = "203.0.113.77", "ci-release"

REPOSITORIES = [
    f"{team}/{name}" for team in ("shop", "data", "infra", "web") for name in ["api", "worker", "cron", "base", "ui"]
]
PEOPLE = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"]
ROBOTS = ["ci-build", VICTIM, "ci-nightly", "node-pool-a", "node-pool-b"]
TOOLS = [
    ("docker", "docker/28.1"),
    ("containerd", "containerd/2.1.0"),
    ("skopeo", "skopeo/1.18"),
    ("podman", "podman/5.4"),
]

HOSTILE = {
    "actor": "<img src=x onerror=alert(1)>\"'&",
    "repository": "shop/\u202egpj.exe\u2066",
    "user_agent": "\x1b[31mred\x1b[0m</td><script>document.title='owned'</script>",
    "reference": 'v1"><svg/onload=alert(2)>',
}


def seed(store: Store) -> None:
    """Fill an empty store."""
    rows = [*_traffic(random.Random(7)), *_attack(), *_newcomer(), *_hostile()]
    rows.sort(key=lambda row: row["timestamp"])
    events = [_event(index, row) for index, row in enumerate(rows)]
    table = pa.Table.from_pylist(events, schema=schema())
    end = Position(stream="s-seeded", offset=len(events) * 300, detail={"path": "/var/log/registry/registry.log"})
    torn = DeadLetter(stream="s-seeded", offset=900, length=12, reason="not_json", line=b'{"time":"202', read_at=END)
    store.commit(table, [end], [torn])
    for finding in (_attack_finding(events), _spike_finding(events)):
        store.put_finding(finding)
    _tell(store)
    gather(store, START)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The filled store, for tests that only read it."""
    store = open_store(f"delta:{tmp_path_factory.mktemp('seeded')}")
    seed(store)
    yield store
    store.close()


def digest(text: str) -> str:
    """A digest that looks like one and is the same every time."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _traffic(rng: random.Random) -> list[dict[str, Any]]:
    """Working days are busy from eight to six; robots work all the time; nodes pull the same content again."""
    rows = []
    for hour in range(14 * 24):
        start = START + timedelta(hours=hour)
        busy = 9 if start.weekday() < 5 and 8 <= start.hour < 18 else 2
        for _ in range(rng.randint(busy, busy * 3)):
            actor = rng.choice(PEOPLE if busy > 2 and rng.random() < 0.5 else ROBOTS)
            at = start + timedelta(seconds=rng.uniform(0, 3599))
            rows += _visit(rng, actor, rng.choice(REPOSITORIES), at)
    return rows


def _visit(rng: random.Random, actor: str, repository: str, at: datetime) -> list[dict[str, Any]]:
    tag = rng.choice(["latest", "v1.0", "v1.1", "v2.0"])
    tool, agent = TOOLS[len(actor) % len(TOOLS)]
    who = {
        "actor": actor,
        "actor_kind": "human" if actor in PEOPLE else "robot",
        "client_ip": f"10.0.{len(actor)}.{sum(map(ord, actor)) % 200 + 10}",
        "client_class": tool,
        "user_agent": agent,
        "repository": repository,
        "project": repository.split("/")[0],
    }
    done = {"outcome": "success", "status": 200}
    manifest = {"reference": tag, "tag": tag, "digest": digest(repository + tag)}
    layer = digest(repository + tag + "layer")
    if rng.random() < 0.15:
        size = rng.randint(2_000_000, 90_000_000)
        return [
            {**who, **done, "timestamp": at, "action": "layer_upload", "digest": layer, "request_bytes": size},
            {**who, **manifest, "outcome": "success", "status": 201, "timestamp": at + timedelta(seconds=2),
             "action": "push", "request_bytes": 1500},
        ]  # fmt: skip
    if rng.random() < 0.03:
        return [
            {
                **who,
                **manifest,
                "timestamp": at,
                "action": "pull",
                "outcome": "failure",
                "status": 404,
                "reason": "not_found",
            }
        ]
    if rng.random() < 0.02:
        return [
            {
                **who,
                **manifest,
                "timestamp": at,
                "action": "push",
                "outcome": "denied",
                "status": 403,
                "reason": "forbidden",
            }
        ]
    size = int(digest(repository)[7:13], 16) * 4
    return [
        {**who, **done, **manifest, "timestamp": at, "action": "pull", "response_bytes": 1600},
        {**who, **done, "timestamp": at + timedelta(seconds=1), "action": "layer_download", "digest": layer,
         "response_bytes": size},
    ]  # fmt: skip


def _attack() -> list[dict[str, Any]]:
    """Forty wrong passwords in eight minutes, then the right one."""
    tried = {"client_ip": ATTACKER, "client_class": "curl", "user_agent": "curl/8.5.0", "action": "login"}
    rows = [
        {**tried, "timestamp": ATTACK + timedelta(seconds=12 * n), "actor": VICTIM if n % 4 else f"admin{n}",
         "outcome": "denied", "reason": "bad_credentials", "status": 401}
        for n in range(40)
    ]  # fmt: skip
    got_in = {"timestamp": ATTACK + timedelta(seconds=490), "actor": VICTIM, "outcome": "success", "status": 200}
    return [*rows, {**tried, **got_in}]


def _newcomer() -> list[dict[str, Any]]:
    """An account and a repository that appear in the second week, and a deletion."""
    at = START + timedelta(days=9, hours=10)
    who = {
        "actor": "mia",
        "actor_kind": "human",
        "client_ip": "10.0.3.40",
        "client_class": "docker",
        "user_agent": "docker/28.1",
        "outcome": "success",
        "repository": "lab/experiment",
        "project": "lab",
    }
    image = {"digest": digest("lab/experiment"), "reference": "try-1", "tag": "try-1"}
    return [
        {**who, **image, "timestamp": at, "action": "push", "status": 201, "request_bytes": 1200},
        {**who, "timestamp": at + timedelta(hours=1), "action": "delete", "status": 202, "digest": image["digest"]},
    ]


def _hostile() -> list[dict[str, Any]]:
    return [{**HOSTILE, "timestamp": END - timedelta(minutes=3), "action": "pull", "outcome": "failure", "status": 404,
             "reason": "not_found", "client_ip": "198.51.100.9", "client_class": "other",
             "uri": "/v2/<script>alert(3)</script>"}]  # fmt: skip


def _event(index: int, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "event_id": f"l-{hashlib.blake2b(str(index).encode(), digest_size=16).hexdigest()}",
        "revision": 0,
        "channel": "application",
        "dataset": "distribution",
        "registry": "registry.example.org",
        "registry_kind": "distribution",
        "stream": "s-seeded",
        "offset": index * 300,
        "path": "/var/log/registry/registry.log",
        "parts": [f"s-seeded:{index * 300}"],
        "read_at": row["timestamp"] + timedelta(seconds=1),
        "stored_at": row["timestamp"] + timedelta(seconds=2),
        **row,
    }


def _attack_finding(events: list[dict[str, Any]]) -> Finding:
    evidence = [event["event_id"] for event in events if event.get("client_ip") == ATTACKER]
    return Finding(
        id=finding_id("credential_probe", ATTACKER, "2026-11-23"),
        detector="credential_probe",
        kind="guessed_password",
        severity=Severity.CRITICAL,
        title=f"{ATTACKER} guessed passwords and got in as {VICTIM}",
        detected_at=ATTACK + timedelta(minutes=13),
        start=ATTACK,
        end=ATTACK + timedelta(seconds=490),
        subjects={"actor": sorted({VICTIM, "admin0"}), "client": [ATTACKER], "repository": []},
        score=41.0,
        expected="no more than 3 refused logins from one address in 10 minutes",
        observed="40 logins with wrong passwords in 8 minutes, then one that succeeded",
        evidence=evidence[:50],
        explanation="A login that succeeds after many wrong passwords from one address means a password is known.",
        next_step=f"Lock the account {VICTIM}, then list what it did since: `regsight events --actor {VICTIM}`.",
    )


def _spike_finding(events: list[dict[str, Any]]) -> Finding:
    hostile = HOSTILE["repository"]
    return Finding(
        id=finding_id("pull_volume", hostile, "2026-11-23"),
        detector="pull_volume",
        kind="pull_volume",
        severity=Severity.LOW,
        title=f"Pulls of {hostile} by {HOSTILE['actor']} are above what is usual",
        detected_at=END - timedelta(minutes=1),
        start=END - timedelta(hours=1),
        end=END,
        subjects={"actor": [HOSTILE["actor"]], "client": ["198.51.100.9"], "repository": [hostile]},
        score=3.5,
        expected="0 to 2 pulls an hour at this time of the week",
        observed="9 pulls in one hour",
        evidence=[event["event_id"] for event in events if event.get("client_ip") == "198.51.100.9"],
        next_step="See whether a deployment was planned.",
    )


def _tell(store: Store) -> None:
    found = finding_id("credential_probe", ATTACKER, "2026-11-23")
    at = ATTACK + timedelta(minutes=13)
    store.enqueue(found, ["local", "mail"], at)
    for delivery in store.due(at):
        if delivery.channel == "local":
            store.mark_sent(delivery, at + timedelta(seconds=20))
        else:
            store.mark_failed(delivery, at, "the mail server did not answer", at + timedelta(minutes=5))
    run = JobRun(job="detect", due_at=END, started_at=END)
    store.start_run(run)
    store.finish_run(
        JobRun(job="detect", due_at=END, started_at=END, finished_at=END + timedelta(seconds=2), state="ok")
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    opened = open_store(f"delta:{parser.parse_args().folder}")
    seed(opened)
    print(f"{opened.total()} events in {opened.url}")
    opened.close()
