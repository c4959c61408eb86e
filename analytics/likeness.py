"""Names that look alike, and where to find those that may be without comparing with all."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from string import digits

SHORTEST = 4  # signs of a part; shorter ones differ by one sign all the time
LONG = 9  # from here on two steps are still near
_BETWEEN = re.compile(r"[/._-]+")
_ALIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("3", "e"), ("8", "b"))


class Shelves:
    """Names by what they share with those that look like them: all but the signs between the words, or all parts but one."""

    def __init__(self, names: Iterable[str]) -> None:
        self._shelves: dict[tuple[object, ...], list[str]] = defaultdict(list)
        for name in names:
            for key in _keys(name):
                self._shelves[key].append(name)

    def near(self, name: str) -> set[str]:
        """All for which `alike` may say something, and few others."""
        return {other for key in _keys(name) if key in self._shelves for other in self._shelves[key]}


def _keys(name: str) -> Iterator[tuple[object, ...]]:
    parts = _BETWEEN.split(name.casefold())
    yield ("".join(parts),)
    for place in range(len(parts)):
        yield (place, *parts[:place], None, *parts[place + 1 :])


def alike(name: str, other: str) -> str:
    """How two names look alike; empty if they do not. Names that count (`api-1`, `api-2`) and plurals are not alike."""
    ours, theirs = _BETWEEN.split(name.casefold()), _BETWEEN.split(other.casefold())
    if name == other:
        return ""
    if ours == theirs or "".join(ours) == "".join(theirs):
        return "the same but for signs between the words"
    if len(ours) != len(theirs):
        return ""
    differing = [(one, two) for one, two in zip(ours, theirs, strict=True) if one != two]
    if len(differing) != 1:
        return ""
    one, two = differing[0]
    if min(len(one), len(two)) < SHORTEST or f"{one}s" == two or one == f"{two}s":
        return ""
    if one.rstrip(digits) == two.rstrip(digits):
        return ""
    if skeleton(one) == skeleton(two):
        return "made of signs that look the same"
    steps = distance(one, two)
    return f"{steps} of {len(two)} signs away" if steps <= (2 if min(len(one), len(two)) >= LONG else 1) else ""


def skeleton(text: str) -> str:
    """The text with signs that look alike made equal."""
    text = unicodedata.normalize("NFKC", text).casefold()
    for one, other in _ALIKE:
        text = text.replace(one, other)
    return text


def distance(one: str, two: str) -> int:
    """Signs to insert, drop or change, or neighbours to swap (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, start=1):
        earlier, before, row = before, row, [i, *([0] * len(two))]
        for j, b in enumerate(two, start=1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == two[j - 2] and one[i - 2] == b:
                row[j] = min(row[j], earlier[j - 2] + 1)
    return row[-1]
