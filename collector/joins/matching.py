"""Which event a new part belongs to, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collector.joins.alike import Alike, No, alike, gap, rivals, tolerance
from collector.joins.memory import Group, Memory, proxy_between
from collector.joins.part import Part
from store.merge import CONFIDENCES

CERTAIN, LIKELY, POSSIBLE = CONFIDENCES
_APART = 20_000  # µs by which a second candidate must at least be farther away for the time to decide


@dataclass(frozen=True, slots=True)
class Candidate:
    """A group that a part may belong to. `taken`: another line of the same log is in it already."""

    group: Group
    penalty: int
    weak: bool
    elsewhere: bool
    away: int  # µs
    taken: bool

    @property
    def badness(self) -> tuple[int, bool, bool]:
        """How little of what can be compared is equal."""
        return self.penalty, self.weak, self.elsewhere


@dataclass(frozen=True, slots=True)
class Choice:
    group: Group
    confidence: str


def candidates(part: Part, memory: Memory, window: int) -> list[Candidate]:
    """Every group that the part does not contradict, in order of their time; groups that are taken are among them."""
    found = [one for group in memory.near(part) if (one := _candidate(part, group, memory, window))]
    return sorted(found, key=lambda one: one.group.end)


def _candidate(part: Part, group: Group, memory: Memory, window: int) -> Candidate | None:
    found: list[tuple[bool, bool]] = []
    gaps: list[tuple[bool, int]] = []  # the finest clock decides, also where another part has more in common
    penalty, taken = 0, False
    for other in group.parts:
        if rivals(part, other):
            taken = True
            continue
        if part.number is not None and other.number is not None and part.number != other.number:
            return None
        how = alike(part, other)
        if how is No.CONTRADICTION or memory.other_image(part, other) or _strange(part, other, memory):
            return None
        away = gap(part, other)
        same_step = part.uploading and part.row["uri"] == other.row["uri"]
        if away > (window if same_step else tolerance(part, other, memory.tolerance)):
            return None
        if isinstance(how, Alike):
            penalty = max(penalty, how.penalty)
            found.append((how.weak, how.elsewhere))
            gaps.append((not (part.exact and other.exact), away))
    return None if not found else Candidate(group, penalty, *min(found), min(gaps)[1], taken)


def _strange(one: Part, other: Part, memory: Memory) -> bool:
    """Whether the two name two clients, as far as is known.

    A log behind a proxy may name the proxy, if that is one; or what the client wrote into X-Forwarded-For itself, if no
    client of the proxy has that address.
    """
    if None in (one.address, other.address) or one.address == other.address:
        return False
    if proxy_between(one, other) in memory.proxies:
        return False
    said = next((part for part in (one, other) if part.forwarded and not part.front), None)
    uris = one.row["uri"], other.row["uri"]
    return said is None or said.address in memory.clients or (None not in uris and uris[0] != uris[1])


def wanted(found: Sequence[Candidate]) -> Iterator[Group]:
    """The groups that are as good as the best."""
    best = min((one.badness for one in found), default=None)
    return (one.group for one in found if one.badness == best)


def choose(part: Part, found: Sequence[Candidate], others: Sequence[Part]) -> Choice | None:
    """The best of the groups that are free. Among several alike the first: lines of one log are in the order of another.

    `others` are the lines of the same log in this batch that could belong to the chosen group too.
    """
    free = [one for one in found if not one.taken]
    if not free:
        return None
    best = min(free, key=lambda one: (one.badness, one.away))  # the first of equals: `found` is in order of time
    rest = [one for one in found if one is not best and one.badness <= best.badness]
    close = [one for one in rest if not _apart(part, best, one)]
    lines = [other for other in others if other is not part and _alike_in_time(part, other, best)]
    lines += [line for one in close for line in one.group.parts if rivals(part, line)]
    return Choice(best.group, _confidence(part, best, rest, close, lines))


def _confidence(
    part: Part, best: Candidate, rest: Sequence[Candidate], close: Sequence[Candidate], lines: Sequence[Part]
) -> str:
    groups = [best.group, *(one.group for one in close)]
    told = [line for group in groups for line in group.parts if not rivals(part, line)]
    if close and _disagree([part, *lines]) and _disagree(told):
        return POSSIBLE  # whoever it was: the other way round would say something else of both
    if best.penalty > 1 and best.weak:
        return POSSIBLE
    if rest or lines or best.penalty or best.weak or not part.placed:
        return LIKELY
    return CERTAIN


def _apart(part: Part, best: Candidate, other: Candidate) -> bool:
    """Whether the times alone decide between two candidates: both finer than a second, and clearly different."""
    exact = part.exact and any(line.exact for line in other.group.parts)
    return exact and other.away > _APART + 2 * best.away


def _alike_in_time(part: Part, other: Part, best: Candidate) -> bool:
    """Whether another line of the same log is as near to the group as this one."""
    if not (part.exact and other.exact and any(line.exact for line in best.group.parts)):
        return True
    return abs(other.at - best.group.end) <= _APART + 2 * best.away


def _disagree(parts: Sequence[Part]) -> bool:
    """Whether they name two different actors, or two different clients."""
    actors = {part.actor for part in parts if part.actor is not None}
    clients = {part.address for part in parts if part.address is not None and (part.front or part.forwarded)}
    clients |= {part.address for part in parts if part.address is not None and not part.front}
    return len(actors) > 1 or len(clients) > 1
