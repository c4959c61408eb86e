"""Dead letters read once more with the formats of today: what can be read now becomes the event that it should have been.

An event's id comes from the registry's own id or from stream, offset and line, and all of these are in the letter: reading
it again gives the ids that reading it at first would have given. So doing it twice counts nothing twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from collector.errors import UnknownFormat
from collector.feed import Feed
from collector.identity import content_of
from collector.interpret import Interpreter, with_time
from collector.lines import MAX_LINE_BYTES
from collector.recognise import recognise
from collector.rotated import siblings
from collector.stages import Block, Enricher, Format
from collector.whole_lines import BEFORE_BYTES
from store.contract import DeadLetter, Position, Store

if TYPE_CHECKING:
    import pyarrow as pa

RUN_BYTES = 4 << 20
CUT = "cut when it was kept, and its file is gone"


@dataclass(slots=True, kw_only=True)
class Reread:
    """What became of letters: `events` rows went to the store, `removed` letters are no letters any more, the others were
    kept. `still_bad` counts these by their reason of today.
    """

    letters: int = 0
    events: int = 0
    removed: int = 0
    still_bad: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Run:
    """Letters that stand one behind the other, and the bytes of them all."""

    letters: list[DeadLetter]
    data: bytes
    before: bytes


@dataclass(frozen=True, slots=True)
class _How:
    """What every run of a stream is read with."""

    store: Store
    format_name: str
    formats: Sequence[Format]
    enrichers: Sequence[Enricher]
    zone: tzinfo
    now: datetime
    join: Callable[[pa.Table], pa.Table]


class _Nowhere:
    """The source that a second reading has: none."""

    name = "dead letters"

    def blocks(self, committed: object) -> Iterator[Block]:
        return iter(())

    def stop(self) -> None:
        return


def reread(
    store: Store,
    letters: Iterable[DeadLetter],
    formats: Sequence[Format],
    enrichers: Sequence[Enricher],
    now: datetime,
    zones: Mapping[str, tzinfo] | None = None,
    join: Callable[[pa.Table], pa.Table] = lambda events: events,
) -> Reread:
    """Read them again, stream by stream. `zones`: by registry, of wrappers that write times without one. `join` gives rows
    the ids of the events that other logs have told of already.

    Raises:
        Unavailable: the store did not answer; what was read until then is stored, and calling again goes on.
    """
    done = Reread()
    by_stream: dict[str, list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        by_stream[letter.stream].append(letter)
        done.letters += 1
    for stream, own in by_stream.items():
        position = store.position(stream)
        format_name = _format_name(own, position, formats)
        for run in _runs(sorted(own, key=lambda letter: letter.offset), done):
            if format_name is None:
                done.still_bad["unknown format"] += len(run.letters)
            else:
                zone = (zones or {}).get(run.letters[0].registry or "", UTC)
                how = _How(store, format_name, formats, enrichers, zone, now, join)
                _read(run, how, position, done)
    return done


def _format_name(letters: Sequence[DeadLetter], position: Position | None, formats: Sequence[Format]) -> str | None:
    """The format that the stream was in; where none was known, the one that claims the letters today."""
    known = {format_.name for format_ in formats}
    named = next((letter.format for letter in letters if letter.format), "")
    named = named or str(position.detail.get("format", "") if position else "")
    if named in known:
        return named
    head = b"\n".join(letter.line for letter in sorted(letters, key=lambda letter: letter.offset))[:BEFORE_BYTES]
    try:
        return recognise(head, formats).name
    except UnknownFormat:
        return None


def _runs(letters: Sequence[DeadLetter], done: Reread) -> Iterator[_Run]:
    """Neighbours together: a document over many lines was one letter for each of them."""
    run: _Run | None = None
    for letter in letters:
        from_file = _from_file(letter)
        data, before = from_file or (letter.line, b"")
        if from_file is None and letter.length > len(letter.line):
            done.still_bad[CUT] += 1
            continue
        if run is not None:
            gap = letter.offset - (run.letters[0].offset + len(run.data))
            if gap in (1, 2) and len(run.data) + len(data) < RUN_BYTES:
                run = _Run([*run.letters, letter], run.data + (b"\n" if gap == 1 else b"\r\n") + data, run.before)
                continue
            yield run
        run = _Run([letter], data, before)
    if run is not None:
        yield run


def _from_file(letter: DeadLetter) -> tuple[bytes, bytes] | None:
    """The letter's bytes and the lines in front of them, if the file is still there and holds them at that place."""
    if not letter.path or letter.length > MAX_LINE_BYTES * 16:
        return None
    own = Path(letter.path)
    for path in (own, *(Path(each.path) for each in reversed(siblings(letter.path)))):
        try:
            with path.open("rb") as file:
                start = max(0, letter.offset - BEFORE_BYTES)
                file.seek(start)
                before = file.read(letter.offset - start)
                data = file.read(letter.length)
        except OSError:
            continue
        if len(data) == letter.length and data.startswith(letter.line) and (not before or before.endswith(b"\n")):
            return data, before if not start else before[before.find(b"\n") + 1 :]
    return None


def _read(run: _Run, how: _How, position: Position | None, done: Reread) -> None:
    first = run.letters[0]
    known = [letter.read_at for letter in run.letters if letter.read_at is not None]
    then = min(known, default=how.now)
    end = first.offset + len(run.data)
    block = Block(
        stream=content_of(first.stream),
        offset=first.offset,
        data=run.data,
        before=run.before,
        path=first.path,
        registry=first.registry,
        # A time without a year lies before the line was first read.
        after=Position(stream=first.stream, offset=end, detail={"written": then.timestamp()}),
        final=True,
    )
    interpreter = Interpreter([_at(format_, then) for format_ in how.formats], how.enrichers)
    got = interpreter.interpret(block, Feed(source=_Nowhere(), format=how.format_name, zone=how.zone), how.now)
    good: list[DeadLetter] = []
    for letter in run.letters:
        reasons = [dead.reason for dead in got.dead if _touches(dead, letter)]
        done.still_bad.update(reasons[:1])
        if not reasons:
            good.append(letter)
    if got.events.num_rows:
        # With the position, which does not move, the store looks whether the rows are there already.
        rows = with_time(how.join(got.events), "stored_at", how.now)
        how.store.commit(rows, [position] if position else [])
        done.events += got.events.num_rows
    how.store.drop_dead_letters(good)
    done.removed += len(good)


def _touches(dead: DeadLetter, letter: DeadLetter) -> bool:
    return dead.offset < letter.offset + max(letter.length, 1) and letter.offset < dead.offset + max(dead.length, 1)


def _at(format_: Format, then: datetime) -> Format:
    """The format with its clock at that time: a line without a time of its own keeps that of its first reading."""
    if is_dataclass(format_) and not isinstance(format_, type) and hasattr(format_, "clock"):
        changed: Any = replace(format_, clock=lambda: then)
        return cast("Format", changed)
    return format_
