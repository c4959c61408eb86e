"""The time of lines that have none (Harbor's proxy log without a syslog prefix), from their order between lines that do.

A request whose URI stands once (or equally often) in both logs is an anchor: the line happened when the registry says. What stands
between two anchors happened between them. A file that is followed live is also right within seconds by the time of reading.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence

from collector.joins.memory import Group
from collector.joins.part import SECOND, Part

_SLACK = SECOND // 5  # a proxy logs a moment after the registry, and not always in its order
_LIVE = 10 * SECOND  # how long ago a line can have been written when it is read live


def place(parts: Sequence[Part], groups: Iterable[Group]) -> None:
    """Narrow the times of the parts (of one stream, in its order, none with a time of its own)."""
    anchored = _anchors(parts, groups)
    places = sorted(anchored)
    for number, part in enumerate(parts):
        after = bisect_right(places, number)
        before = anchored[places[after - 1]] if after else None
        behind = anchored[places[after]] if after < len(places) else None
        if number in anchored:
            behind = before
        read = part.at
        if before is None and (behind is None or read - behind > _LIVE):
            continue  # no anchor, and not read live: when it was is not known
        low = before if before is not None else read - _LIVE
        high = behind if behind is not None else read
        if behind is None and read - low > _LIVE:
            continue
        part.begin, part.end = low - _SLACK, max(low, high) + _SLACK
        part.at = max(low, min(high, part.end))


def _anchors(parts: Sequence[Part], groups: Iterable[Group]) -> dict[int, int]:
    """Place among the parts → µs; only those that agree with one another on the order."""
    lines: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for number, part in enumerate(parts):
        if part.row["method"] is not None:
            lines[part.row["method"], part.row["uri"]].append(number)
    times: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for group in groups:
        told = next(
            (p for p in group.parts if p.placed and (p.row["method"], p.row["uri"]) in lines and not p.front), None
        )
        if told is not None:
            times[told.row["method"], told.row["uri"]].append(told.end)
    pairs = [
        pair
        for key, numbers in lines.items()
        if len(numbers) == len(times[key])
        for pair in zip(numbers, sorted(times[key]), strict=True)
    ]
    return dict(_longest_rising(sorted(pairs)))


def _longest_rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The most pairs whose times do not go back by more than a request may overtake another (patience sorting)."""
    tails: list[int] = []
    ends: list[int] = []
    previous: list[int] = []
    for number, (_, time) in enumerate(pairs):
        pile = bisect_right(tails, time)
        previous.append(ends[pile - 1] if pile else -1)
        if pile == len(tails):
            tails.append(time)
            ends.append(number)
        else:
            tails[pile], ends[pile] = time, number
    chain, at = [], ends[-1] if ends else -1
    while at >= 0:
        chain.append(pairs[at])
        at = previous[at]
    return chain[::-1]
