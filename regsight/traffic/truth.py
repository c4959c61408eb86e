"""What was planted, and what of it the logs show: `truth.json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from regsight.traffic.calendar import moment
from regsight.traffic.requests import Request
from store.event import iso

# What a log must tell for some scenarios to be known from it; ACCOUNTS is whose requests they are, and from what addresses,
# REFUSALS that and whose passwords were refused, LAYERS what is done with blobs, DURATIONS how long an answer took, SIZES how large
# a manifest or a layer is, TYPES of what media type a manifest is.
ADDRESSES, ADMINISTRATION, ACCOUNTS = "addresses", "administration", "accounts"
REFUSALS, LAYERS = "refusals", "layers"
DURATIONS, SIZES, TYPES = "durations", "sizes", "types"


@dataclass(slots=True)
class Planted:
    """What a scenario did. `evidence` holds the requests that tell of it, in order of time.

    `decidable` is the number of pieces of evidence after which it can be known. `span` (ns) stands in for evidence
    where the evidence is that something is missing, or changed. `alter` changes or drops requests of others.
    """

    evidence: list[Request] = field(default_factory=list)
    decidable: int = 1
    span: tuple[int, int] | None = None
    alter: Callable[[Request], Request | None] | None = None
    note: str = ""
    culprit: str = ""  # the account behind it, where the evidence also has others who only came upon its results
    actors: tuple[str, ...] = ()  # whom it touches, where the evidence does not name them
    addresses: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    needs: str = ""  # what the log must tell to know of it at all, one of those above; empty: nothing more


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One scenario in `truth.json`. Times are ISO 8601 with `Z`; `event_ids` are `http.request.id` or audit row ids."""

    id: str
    kind: str
    name: str
    benign: bool
    difficulty: str
    evidence: str  # S: decidable by bookkeeping, N: by novelty or sequence, V: by volume; empty for surprises
    start: str
    first_evidence: str | None
    decidable: str | None
    end: str
    actors: list[str]
    addresses: list[str]
    repositories: list[str]
    digests: list[str]
    tags: list[str]
    event_ids: list[str]
    sources: list[str]
    invisible: bool  # this source cannot show it: leave it out of the score
    attack_technique: list[str]
    expected_finding: dict[str, Any]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """All that the simulator knows about the files it wrote. `counts` is of requests that are in the files."""

    preset: str
    seed: int
    start: str
    end: str
    files: list[str]
    lines: dict[str, int]
    counts: dict[str, int]
    scenarios: list[Entry]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def times(planted: Planted, shown: list[Request]) -> dict[str, str | None]:
    """start, first_evidence, decidable, end of a scenario of which the logs have `shown`: None if that is nothing."""
    if planted.span is not None:
        first, last = (iso(moment(at)) for at in planted.span)
        later = iso(moment(min(planted.span[0] + 3_600_000_000_000, planted.span[1])))
        return {"start": first, "first_evidence": first, "decidable": later, "end": last}
    if not shown:
        return dict.fromkeys(("start", "first_evidence", "decidable", "end"))
    decided = shown[planted.decidable - 1].at if len(shown) >= planted.decidable else None
    return {
        "start": iso(moment(shown[0].start)),
        "first_evidence": iso(moment(shown[0].at)),
        "decidable": None if decided is None else iso(moment(decided)),
        "end": iso(moment(shown[-1].at)),
    }


def subjects(
    planted: Planted, shown: list[Request], told_as: Callable[[str], str], with_addresses: bool = True
) -> dict[str, list[str]]:
    """Who, from where, what: each sorted, without repeats. The users whose passwords were refused are actors too.

    `told_as` gives the name that the log has for a user, and for nobody (the empty name) if it has one.
    """
    own = [one for one in shown if not planted.culprit or planted.culprit in (one.actor, one.refused)]
    digests = {digest for request in shown for digest in (request.target, request.digest) if digest}
    tags = {request.reference for request in shown if request.reference and ":" not in request.reference}
    return {
        "actors": sorted(
            {told_as(name) for name in (*planted.actors, *(one.actor or one.refused for one in own))} - {""}
        ),
        "addresses": sorted({*planted.addresses, *(one.address for one in own)}) if with_addresses else [],
        "repositories": sorted({*planted.repositories, *(request.name for request in shown)} - {""}),
        "digests": sorted(digests),
        "tags": sorted(tags),
    }
