"""Tags that point to another image than they should: a release that was overwritten, a tag set back to an old image.

Notices: a whole version number (`v1.2.3`) that is pushed again with another image; a tag that goes back to an image which it had
left. Needs: logs that name the digest of a push, or clients that ask for the tag and then fetch by digest; a version number whose
push stores layers that were never there is another image, whatever its line leaves out. Assumes that whole version numbers stay
what they are. A release that those who build there build again on the day, a repository whose release tags move all the time, one
step back by a usual pusher, and an account that takes back within a day what it had set itself (a night of trouble) are told, but
wake nobody; a tag that goes to and fro for days does. Method: exact bookkeeping (`analytics/ledger.py`), weighed by whether the
account and its address are usual there. Never sees: an image that was changed behind the registry's back, and a tag set before the
history begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.detector import Suspicion
from analytics.layers import new_layers, stored
from analytics.ledger import (
    ACTIONS,
    COLUMNS,
    MOST_EVIDENCE,
    PULL,
    Move,
    Setting,
    home,
    is_release,
    note,
    repositories,
    setting_of,
    tags_of,
)
from analytics.walk import Event, Memory, Walk
from analytics.wording import duration, plain
from store.contract import EventReader
from store.event import Action, Outcome
from store.finding import Severity

_REBUILT = timedelta(hours=12)  # after the first push of a release those who build it may still be at it
_HABIT = 3  # release tags of a repository that moved before: there they are no releases
_LONG_GONE = timedelta(days=14)
_UNDONE = timedelta(days=1)  # within which an account takes back what it did itself
_TO_AND_FRO = timedelta(days=4)
_TIMES = 3  # within that time, that a tag goes back to what it had left
_SHARE = 10  # at least one in so many of its moves: two pipelines at a time set a busy `latest` back now and then
_SETTLED = timedelta(days=3)  # before so much is known, nobody is unusual


@dataclass(slots=True)
class TagLedger:
    """See the top of the file."""

    name: str = "tag_ledger"
    subject: str = "repository"
    every: timedelta = timedelta(minutes=1)
    history: timedelta = timedelta(days=45)
    next_step: str = (
        "Compare both digests (`regsight blast --digest`), ask the account that pushed, and have clusters pull by digest "
        "until it is clear."
    )
    walk: Walk = field(init=False)

    def __post_init__(self) -> None:
        actions, columns = (*ACTIONS, Action.LAYER_UPLOAD), (*COLUMNS, "status")
        self.walk = Walk(self.name, actions, self.history, _see, outcomes=(Outcome.SUCCESS,), columns=columns)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return self.walk.between(store, since, now)


def _see(memory: Memory, event: Event) -> Iterable[Suspicion]:
    if event["action"] == PULL:
        moves = note(memory, event)
        return _judged(memory, moves) if moves else ()
    return _set(memory, event)


def _set(memory: Memory, event: Event) -> Iterator[Suspicion]:
    if event["action"] == Action.LAYER_UPLOAD:
        stored(memory, event)
        return
    if event["action"] == Action.PUSH and event["tag"] and not event["digest"] and is_release(event["tag"]):
        yield from _pushed_unsaid(memory, event)
    yield from _judged(memory, note(memory, event))


def _judged(memory: Memory, moves: Iterable[Move]) -> Iterator[Suspicion]:
    for move in moves:
        if move.before is None:
            continue
        settled = memory.reaches_back(move.after.at, _SETTLED)
        if move.back:
            yield _rolled_back(move, settled, memory.reaches_back(move.after.at, 2 * _TO_AND_FRO))
        elif is_release(move.tag):
            yield _overwritten(move, settled)


def _pushed_unsaid(memory: Memory, event: Event) -> Iterator[Suspicion]:
    """A version number pushed again, whose line does not say with which image: with new layers it is another one."""
    at, key = event["timestamp"], (home(event), event["tag"])
    tag, known = tags_of(memory).look(key), repositories(memory).look(key[0])
    before = None if tag is None else tag.pending or (tag.settings[-1] if tag.settings else None)
    layers = new_layers(memory, event)
    if before is None or known is None or layers is None or not before.at < layers:
        return
    move = Move(
        repository=event["repository"],
        tag=event["tag"],
        before=before,
        after=setting_of(known, event),
        at=at,
        back=0,
        gone=None,
        moves=tag.moves,
        release_moves=known.release_moves,
        first_push=before.at,
        undone=False,
    )
    repositories(memory)[key[0]].release_moves += 1
    yield _overwritten(move, memory.reaches_back(at, _SETTLED))


def _overwritten(move: Move, settled: bool) -> Suspicion:
    after = move.after
    assert move.before is not None
    if settled and not move.before.usual_pusher and after.usual_pusher and after.actor != move.before.actor:
        return _taken(move)
    strange = _strange(move) if settled else []
    same_hands = after.actor == move.before.actor or (after.usual_pusher and move.before.usual_pusher)
    rebuilt = same_hands and after.at - (move.first_push or after.at) <= _REBUILT
    habit = move.release_moves >= _HABIT
    if strange:
        severity = Severity.HIGH
    elif rebuilt or habit or not settled:
        severity = Severity.LOW
    else:
        severity = Severity.MEDIUM
    why = "Whoever pulls this version gets something else than was released. "
    why += f"Unusual: {' and '.join(strange)}. " if strange else "The account and its address are usual here. "
    why += f"{move.release_moves} release tags of this repository moved before. " if move.release_moves else ""
    why += "It was first pushed on the same day, by those who build here: built again. " if rebuilt else ""
    return _suspicion(
        "release_tag_overwritten",
        move,
        severity,
        title=f"{plain(move.repository)}:{plain(move.tag)} was pushed again with another image, by {_who(move)}",
        expected="a version number keeps its image",
        explanation=why.strip(),
    )


def _taken(move: Move) -> Suspicion:
    """Whoever usually releases overwrites what a stranger had put there before: the stranger is who is to be asked."""
    before = move.before
    assert before is not None
    who, late = plain(before.actor or "") or "nobody named", duration(move.after.at - before.at)
    return _suspicion(
        "release_tag_overwritten",
        move,
        Severity.MEDIUM,
        title=f"{plain(move.repository)}:{plain(move.tag)} had been set by {who}, a stranger here; {_who(move)} overwrote it",
        expected="a version number keeps its image, and is set by who releases here",
        explanation=f"For {late} whoever pulled this version got what a stranger had put there.",
        by=before,
    )


def _rolled_back(move: Move, settled: bool, habits: bool) -> Suspicion:
    """`habits`: whether so much is known that a tag which always goes to and fro would be."""
    assert move.gone is not None
    strange = _strange(move) if settled else []
    long_gone = move.gone >= _LONG_GONE
    # What it put there in the meantime is judged by itself; this step brings back what everybody ran before.
    undone = move.undone and move.gone <= _UNDONE
    lately = 1 + sum(move.at - one <= _TO_AND_FRO for one in move.returns)
    moved = 1 + sum(move.at - one <= _TO_AND_FRO for one in move.set_at)
    fro = habits and lately >= _TIMES and lately > len(move.returns) + 1 - lately and lately * _SHARE >= moved
    if undone and not fro:
        severity = Severity.LOW
    elif strange:
        severity = Severity.HIGH if long_gone or is_release(move.tag) else Severity.MEDIUM
    elif fro or (long_gone and move.back >= 2 and settled):
        severity = Severity.MEDIUM
    else:
        severity = Severity.LOW
    steps = f"{move.back} versions back" if move.back > 1 else "one version back"
    why = f"The tag points to an image again that it had left {duration(move.gone)} before, {steps}. "
    why += f"Unusual: {' and '.join(strange)}." if strange else "The account and its address are usual here."
    why += " The account takes back what it had set there itself." if undone else ""
    why += (
        f" It went back {lately} times in {_TO_AND_FRO.days} days, as if for somebody who looks now and then."
        if fro
        else ""
    )
    return _suspicion(
        "tag_rolled_back",
        move,
        severity,
        title=f"{plain(move.repository)}:{plain(move.tag)} was set back to an older image, {steps}, by {_who(move)}",
        expected="a tag goes on to newer images; a step back is made by those who release here, to the version before",
        explanation=why,
    )


def _strange(move: Move) -> list[str]:
    if move.after.actor is None:
        return []
    if not move.after.usual_pusher:
        return ["the account never pushed here before"]
    return [] if move.after.usual_place else ["the network is new for this account here"]


def _who(move: Move) -> str:
    return plain(move.after.actor or "") or "nobody named"


def _suspicion(
    kind: str, move: Move, severity: Severity, *, title: str, expected: str, explanation: str, by: Setting | None = None
) -> Suspicion:
    """`by`: the setting that is to be explained, if it is not the one that came after."""
    after = move.after
    by = by or after
    assert move.before is not None
    old, new = (f"{one.digest[:19]}…" if one.digest else "an image that no line names" for one in (move.before, after))
    return Suspicion(
        kind=kind,
        cause=(kind, move.repository, move.tag, after.digest, f"{after.at:%Y-%m-%d}"),
        severity=severity,
        title=title,
        start=by.at,
        end=move.at,
        subjects={
            "actor": [by.actor] if by.actor else [],
            "client": [by.client] if by.client else [],
            "repository": [move.repository],
        },
        score=10.0 * severity.rank + min(move.back, 9),
        expected=expected,
        observed=f"{plain(move.tag)} pointed to {old} since {move.before.at:%Y-%m-%d %H:%M}, and to {new} now"
        + ("" if after.digest else ", with layers that the repository never had"),
        evidence=(by.evidence if by is after else [*by.evidence, *after.evidence])[:MOST_EVIDENCE],
        explanation=explanation,
    )


DETECTOR = TagLedger
