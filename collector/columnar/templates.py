"""JSON lines of one writer differ in few places: the same keys in the same order around other values.

A template is what such lines have in common, taken from one of them: the texts between the values, each measured from a quote
(or the line's end). Lines that have all of these texts in their places are objects with these keys, and the values lie between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa

from collector.columnar.text import ROOM, BlockText
from collector.columnar.values import by_word, numbers

if TYPE_CHECKING:
    from collector.columnar.text import Mask, Places

FEWEST = 24  # lines of one template; fewer are read faster one by one
_TEMPLATES = 12  # kept for the lines with one number of quotes
_COUNTS = 256  # so many numbers of quotes have templates
_MOST_QUOTES = 1000
_FAILURES = 4  # lines that make no template, or one for few lines, before the others are given up


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a line: so many bytes behind its start (column 0), behind one of its quotes, or its end (the last column)."""

    column: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Template:
    """`texts` and `numbers` are the values (from, to) by key; `fixed` are those that are the same in every line: true,
    false, and None for all else."""

    count: int
    literals: tuple[tuple[Place, bytes], ...]
    texts: dict[str, tuple[Place, Place]]
    numbers: dict[str, tuple[Place, Place]]
    fixed: dict[str, Any]

    def matches(self, text: BlockText, places: Places) -> Mask:
        """Which lines, by their quotes, are of this template."""
        column, literal = self.literals[-1][0], self.literals[-1][1]
        fit: Mask = _at(places, column) + len(literal) == places[-1]
        for place, literal in self.literals:
            fit &= text.says(_at(places, place), literal)
        return fit


def _at(places: Places, place: Place) -> Places:
    at: Places = places[place.column] + place.offset
    return at


@dataclass(slots=True)
class Group:
    """Lines of one template. `numbers` are read when it is made: what stands there must be one."""

    template: Template
    lines: Places
    places: Places
    text: BlockText
    numbers: dict[str, pa.Array] = field(default_factory=dict)

    def string(self, key: str) -> pa.Array | None:
        """The texts of a key, unescaped; None where its value is none or it is not there."""
        bounds = self.template.texts.get(key)
        if bounds is None:
            return None
        column = self._cut(bounds)
        if self.text.may_be_escaped(self.template.count, bounds[0].column - 1):
            return by_word(column, _unescaped, pa.string())
        return column

    def read_numbers(self) -> Mask:
        """Which lines have whole numbers where the template has them."""
        fit = np.ones(len(self.lines), bool)
        for key, bounds in self.template.numbers.items():
            self.numbers[key], whole = numbers(self._cut(bounds))
            fit &= whole
        return fit

    def where(self, chosen: Mask) -> Group:
        """Some of the lines."""
        if chosen.all():
            return self
        at = pa.array(np.flatnonzero(chosen))
        kept = {key: column.take(at) for key, column in self.numbers.items()}
        return Group(self.template, self.lines[chosen], self.places[:, chosen], self.text, kept)

    def _cut(self, bounds: tuple[Place, Place]) -> pa.Array:
        return self.text.cut(_at(self.places, bounds[0]), _at(self.places, bounds[1]))


def _unescaped(text: str) -> str:
    return str(orjson.loads(f'"{text}"')) if "\\" in text else text


def groups(text: BlockText, lines: Sequence[int] | Places, known: dict[int, list[Template]]) -> Iterator[Group]:
    """These lines by template. What is in none is in no group. `known` keeps the templates from block to block."""
    chosen = np.asarray(lines)
    counts = text.count[chosen]
    for count in np.unique(counts).tolist():
        rest = chosen[counts == count]
        if len(rest) < FEWEST or count % 2 or not 4 <= count <= _MOST_QUOTES:
            continue
        if len(known) >= _COUNTS and count not in known:
            known.clear()
        places = text.quotes_of(rest, count)
        mine = known.setdefault(count, [])
        for template in list(mine):
            if not len(rest):
                break
            rest, places = yield from _split(template, text, rest, places)
        failures = 0
        while len(rest) >= FEWEST and failures < _FAILURES:
            line = text.data[int(places[0, 0]) : int(places[-1, 0])]
            made = read_template(line, (places[1:-1, 0] - places[0, 0]).tolist())
            found = len(rest)
            if made is not None:
                rest, places = yield from _split(made, text, rest, places)
            found -= len(rest)
            if made is not None and found >= FEWEST:
                mine.insert(0, made)
                del mine[_TEMPLATES:]
            else:
                failures += 1
            if not found:
                rest, places = rest[1:], places[:, 1:]


def _split(template: Template, text: BlockText, lines: Places, places: Places) -> Any:
    """Gives the lines of this template as a group, if they are enough; returns the others."""
    fit = template.matches(text, places)
    if fit.sum() >= FEWEST:
        group = Group(template, lines[fit], places[:, fit], text)
        yield group.where(group.read_numbers())
        return lines[~fit], places[:, ~fit]
    return lines, places


def read_template(line: bytes, quotes: list[int]) -> Template | None:
    """What the line has in common with others of its writer. None: it is no such object, or one that is not read here."""
    try:
        value = orjson.loads(line)
    except ValueError:
        return None
    reading = _TemplateReading(line, quotes)
    if not isinstance(value, dict) or not reading.run():
        return None
    keys = [*reading.texts, *reading.numbers, *reading.fixed]
    if keys != list(dict.fromkeys(keys)) or set(keys) != set(value) or reading.twice:
        return None
    if any(len(literal) >= ROOM // 2 for _, literal in reading.literals):
        return None
    for key in reading.fixed:
        reading.fixed[key] = value[key] if isinstance(value[key], bool) else None
    return Template(len(quotes), tuple(reading.literals), reading.texts, reading.numbers, reading.fixed)


class _TemplateReading:
    """Walks over the strings of a line and what stands between them."""

    def __init__(self, line: bytes, quotes: list[int]) -> None:
        self.line, self.quotes = line, quotes
        self.literals: list[tuple[Place, bytes]] = []
        self.texts: dict[str, tuple[Place, Place]] = {}
        self.numbers: dict[str, tuple[Place, Place]] = {}
        self.fixed: dict[str, Any] = {}
        self.twice = False
        self._depth = 0
        self._key: str | None = None  # of the outermost object, whose value comes next
        self._anchor, self._begun = Place(0), 0  # where the literal that is being read begins

    def run(self) -> bool:
        bounds = [*self.quotes, len(self.line)]
        at = 0
        for number in range(0, len(bounds) - 1, 2):
            opening, closing = bounds[number], bounds[number + 1]
            if not self._between(at, opening, number):
                return False
            at = closing + 1
            if self.line[at : at + 1] == b":":
                inner = self.line[opening + 1 : closing]
                if b"\\" in inner or not inner:
                    return False
                if self._depth == 1:
                    self._key = inner.decode()
                    self.twice |= self._key in self.texts or self._key in self.numbers or self._key in self.fixed
                continue
            self._end_literal(opening + 1)
            if self._key is not None and self._depth == 1:
                self.texts[self._key], self._key = (Place(number + 1, 1), Place(number + 2)), None
            self._anchor, self._begun = Place(number + 2), closing
        if not self._between(at, len(self.line), len(self.quotes)):
            return False
        self._end_literal(len(self.line))
        return self._depth == 0

    def _end_literal(self, end: int) -> None:
        self.literals.append((self._anchor, self.line[self._begun : end]))

    def _between(self, start: int, end: int, quote: int) -> bool:
        """What stands between two strings; `quote` is the next. A whole number as the value of a key is a value of its own."""
        text = self.line[start:end]
        if self._key is not None and self._depth == 1:
            if text.strip() != text:
                return False
            raw = text[1:].rstrip(b",}")
            if raw.isdigit():
                self._number(start + 1, start + 1 + len(raw), end, quote)
            elif text != b":":
                self.fixed[self._key], self._key = None, None
        for byte in text:
            self._depth += (byte in b"{[") - (byte in b"}]")
        return True

    def _number(self, begin: int, end: int, next_quote: int, quote: int) -> None:
        assert self._key is not None
        self._end_literal(begin)
        behind = Place(quote + 1, end - next_quote)
        anchor = Place(self._anchor.column, self._anchor.offset + begin - self._begun)
        self.numbers[self._key], self._key = (anchor, behind), None
        self._anchor, self._begun = behind, end
