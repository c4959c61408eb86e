"""Attacks played in a small registry's week: the truth, and what its log has of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from regsight.traffic.simulate import simulate
from regsight.traffic.truth import Entry, Truth

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
SEED = 11


def short(out: Path, *, days: float = 0.6, **rest: object) -> Truth:
    return simulate(out, start=MONDAY, days=days, seed=SEED, **({"attacks": [], "surprises": []} | rest))  # type: ignore[arg-type]


class Played(NamedTuple):
    """Attacks at one difficulty: the truth by kind, and the answers that the registry's log has, in order."""

    difficulty: str
    scenarios: dict[str, Entry]
    truth: Truth
    lines: list[dict[str, Any]]

    def evidence(self, kind: str) -> list[dict[str, Any]]:
        wanted = set(self.scenarios[kind].event_ids)
        return [line for line in self.lines if line["http.request.id"] in wanted]

    def known(self, kind: str) -> list[dict[str, Any]]:
        """The evidence up to the moment at which it suffices."""
        decidable = moment(self.scenarios[kind].decidable or "")
        return [line for line in self.evidence(kind) if moment(line["time"]) <= decidable]

    def without(self, kind: str) -> list[dict[str, Any]]:
        """All lines that are no evidence of it."""
        mine = set(self.scenarios[kind].event_ids)
        return [line for line in self.lines if line["http.request.id"] not in mine]


def play(out: Path, codes: Iterable[str], difficulty: str) -> Played:
    """All of them, one day after the beginning."""
    truth = short(out, days=5.3, attacks=[f"{code}/{difficulty}@1.1" for code in codes])
    return Played(difficulty, {entry.kind: entry for entry in truth.scenarios}, truth, answers(out))


def answers(out: Path) -> list[dict[str, Any]]:
    """The requests that the registry's log in a folder tells of as complete, in order."""
    found = [json.loads(line) for line in (out / "registry.log").read_text().splitlines() if line.startswith("{")]
    return [line for line in found if line["msg"].startswith("response completed")]


def kinds(out: Path) -> list[str]:
    """Of the scenarios of a folder's truth."""
    return [entry["kind"] for entry in json.loads((out / "truth.json").read_text())["scenarios"]]


def moment(text: str) -> datetime:
    """To the microsecond, as the truth has it."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")


def seconds_before(line: dict[str, Any], other: dict[str, Any]) -> float:
    return (moment(other["time"]) - moment(line["time"])).total_seconds()


def client_of(line: dict[str, Any]) -> str:
    return str(line["http.request.remoteaddr"].rpartition(":")[0])


def who(line: dict[str, Any]) -> str:
    return str(line.get("auth.user.name", ""))


def is_blob(line: dict[str, Any], method: str = "GET") -> bool:
    return line["http.request.method"] == method and "/blobs/sha256" in line["http.request.uri"]


def is_pull(line: dict[str, Any]) -> bool:
    return line["http.request.method"] == "GET" and "/manifests/" in line["http.request.uri"]


def assert_borne_out(played: Played, kind: str, *, by_one: bool) -> None:
    """Every event id is a line of the log, by those from the addresses that are named, and times are in order. `by_one`: by one
    account, and nobody comes upon the results."""
    entry, lines = played.scenarios[kind], played.evidence(kind)
    assert not entry.invisible and entry.difficulty == played.difficulty and entry.event_ids
    assert {line["http.request.id"] for line in lines} == set(entry.event_ids)
    own = [line for line in lines if who(line) in entry.actors]
    assert {who(line) for line in own} == set(entry.actors) != set()
    assert {client_of(line) for line in own} == set(entry.addresses) != set()
    assert {line["vars.name"] for line in lines} == set(entry.repositories) != set()
    assert not by_one or (own == lines and len(entry.actors) == 1)
    first, decidable = entry.first_evidence or "", entry.decidable or ""
    assert played.truth.start <= entry.start <= first <= decidable <= entry.end <= played.truth.end
    assert entry.attack_technique and entry.expected_finding["rule_classes"]


def puts(line: dict[str, Any]) -> bool:
    """Whether it stores a manifest."""
    return line["http.request.method"] == "PUT" and "/manifests/" in line["http.request.uri"]


def equal_files(one: Path, two: Path) -> int:
    """How many files there are, each the same in both folders to the byte.

    Raises:
        AssertionError: one differs.
    """
    files = sorted(path.name for path in one.iterdir())
    for file in files:
        assert (one / file).read_bytes() == (two / file).read_bytes(), file
    return len(files)
