"""The figures of DETECTION: recall with intervals, delay, false alerts, ranked lists, explanations. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf, sqrt

from regsight.evaluation.match import Matched, Score, names, overlaps
from regsight.evaluation.outcome import Incident, Said
from regsight.evaluation.techniques import techniques


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, with the Wilson interval at 95 %."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.hits, self.total)


def wilson(hits: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a share; (0, 1) of nothing.

    Wilson 1927, Journal of the American Statistical Association 22.
    """
    if total == 0:
        return 0.0, 1.0
    share = hits / total
    centre = share + z * z / (2 * total)
    half = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    below = 1 + z * z / total
    return max((centre - half) / below, 0.0), min((centre + half) / below, 1.0)


def scored(scores: Iterable[Score]) -> list[Matched]:
    """All attacks that the logs suffice to know of."""
    return [one for score in scores for one in score.attacks if one.incident.scored]


def found(matched: Iterable[Matched], of: Callable[[Incident], bool] = lambda incident: True) -> Share:
    """Recall over the incidents that `of` chooses."""
    chosen = [one for one in matched if of(one.incident)]
    return Share(sum(one.found for one in chosen), len(chosen))


def delay(matched: Matched) -> float:
    """Seconds from the moment at which it could be known to the first finding, not below 0; infinite if never found."""
    if not matched.found or matched.incident.decidable is None:
        return inf
    return max((matched.said[0].at - matched.incident.decidable).total_seconds(), 0.0)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie (the next one above); infinite ones count."""
    if not values:
        return inf
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def done_before(matched: Matched) -> float | None:
    """Share of the incident's requests that had been made when it was found; None where ids tell no time."""
    times = [at for at in map(_time_of, matched.incident.event_ids) if at is not None]
    if not times or not matched.found:
        return None
    return sum(at <= matched.said[0].at for at in times) / len(times)


def _time_of(request_id: str) -> datetime | None:
    """A version 7 UUID begins with its time in milliseconds."""
    head = request_id.replace("-", "")[:12]
    if len(request_id) != 36:
        return None
    return datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(milliseconds=int(head, 16))


def false_rate(scores: Sequence[Score], least: int = 2) -> float:
    """False alerts a week and per 1,000 repositories, at rank `least` or above."""
    span = sum(score.outcome.thousand_weeks for score in scores)
    return sum(one.rank >= least for score in scores for one in score.false) / span if span else 0.0


def ranked(score: Score) -> list[tuple[Said, str]]:
    """Findings of any severity, the most serious first, one per cause, each with the id of the attack it belongs to: of two whose
    account it names, the one that no line above tells of.
    """
    listed: list[tuple[Said, str]] = []
    causes: set[str] = set()
    for said in sorted(score.outcome.said, key=lambda said: (-said.rank, -said.score)):
        owners = _owners(score, said)
        owner = next((id for id in owners if id not in causes), owners[0] if owners else "")
        cause = owner or f"{said.detector} {said.kind} {(said.actors or said.clients or said.repositories)[:2]}"
        if cause not in causes:
            causes.add(cause)
            listed.append((said, owner))
    return listed


def _owners(score: Score, said: Said) -> list[str]:
    """The attacks that a finding belongs to."""
    return [one.incident.id for one in score.attacks if overlaps(said, one.incident) and names(said, one.incident)]


def precision_at(score: Score, depth: int) -> float | None:
    """Share of the first `depth` of the ranked list that belong to an attack, of as many as can be there: those that the logs tell
    of, and those that were found all the same; without those of which a line tells that stands for another one. R, their number,
    for depth 0.
    """
    if not (scored := {one.incident.id for one in score.attacks if one.incident.scored}):
        return None
    listed = ranked(score)
    told = {id for said, _ in listed for id in _owners(score, said)}
    many = len((scored - told) | {owner for _, owner in listed if owner})
    depth = depth or many
    return sum(bool(owner) for _, owner in listed[:depth]) / min(depth, many)


@dataclass(frozen=True, slots=True)
class Explained:
    """How often the findings of found incidents named the right things, over the incidents that have such things."""

    actor: Share
    address: Share
    repository: Share
    technique: Share
    evidence: Share  # of all evidence that the findings list, how much is of an incident that they belong to


def explained(matched: Iterable[Matched]) -> Explained:
    """Over the found incidents; the technique is asked of the first two findings."""
    mine = [one for one in matched if one.found]

    def share(told: Callable[[Said], Iterable[str]], true: Callable[[Incident], Iterable[str]]) -> Share:
        asked = [one for one in mine if set(true(one.incident))]
        hits = sum(any(set(told(said)) & set(true(one.incident)) for said in one.said) for one in asked)
        return Share(hits, len(asked))

    named = sum(any(_same(techniques(said.kind), one.incident.techniques) for said in one.said[:2]) for one in mine)
    evidence: dict[int, tuple[Said, set[str]]] = {}  # a finding about an account that two attacks used is one finding
    for one in mine:
        if one.incident.event_ids:  # a log that falls silent has no events of its own
            for said in one.said:
                evidence.setdefault(id(said), (said, set()))[1].update(one.incident.event_ids)
    return Explained(
        actor=share(lambda said: said.actors, lambda incident: incident.actors),
        address=share(lambda said: said.clients, lambda incident: incident.addresses),
        repository=share(lambda said: said.repositories, lambda incident: incident.repositories),
        technique=Share(named, len(mine)),
        evidence=Share(
            sum(event in true for said, true in evidence.values() for event in said.evidence),
            sum(len(said.evidence) for said, _ in evidence.values()),
        ),
    )


def _same(told: Iterable[str], true: Iterable[str]) -> bool:
    """Whether one technique is in both, sub-techniques taken for their technique."""
    return not {one.partition(".")[0] for one in told}.isdisjoint(one.partition(".")[0] for one in true)


def merging(matched: Iterable[Matched]) -> float:
    """Findings per found incident; one that belongs to two incidents is one."""
    found = [one for one in matched if one.found]
    return len({id(said) for one in found for said in one.said}) / len(found) if found else 0.0


def opened(scores: Iterable[Score]) -> float | None:
    """Incidents that Regsight opened per found one: how many things a person sees where one was planted. None where runs of
    an older release do not say.
    """
    found, stories = 0, 0
    for score in scores:
        mine = [one for one in score.attacks if one.incident.scored and one.found]
        told = {said.story for one in mine for said in one.said}
        if "" in told:
            return None
        found += len(mine)
        stories += len(told)
    return stories / found if found else None
