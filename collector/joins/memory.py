"""What was seen of one registry lately: events as groups of parts, found by what they have in common with a new part.

Bounded: the oldest make room, and the span of time for which nothing needs to be asked of the store shrinks with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from collector.joins.alike import login_like
from collector.joins.part import SECOND, Part, natural_keys, request_key
from store.event import Action

BUCKET = 2 * SECOND
_MOST_BUCKETS = 64  # a longer request is looked for at its ends only
_BY_REPOSITORY = frozenset(
    (Action.PULL, Action.CHECK, Action.PUSH, Action.DELETE, Action.UNTAG, Action.TAG, Action.SIGN, Action.REFERRERS)
)
_MOST_CLIENTS = 100_000
_LOGIN = ("login",)
_HERE = ("127.0.0.1", "::1")  # whoever comes from the registry's own machine may be its proxy


@dataclass(slots=True, eq=False)
class Group:
    """One event: its parts, and the id that they share."""

    id: str
    parts: list[Part] = field(default_factory=list)

    @property
    def end(self) -> int:
        """When it ended, as the most exact of its parts says."""
        placed = [part for part in self.parts if part.placed] or self.parts
        return min(placed, key=lambda part: (not part.exact, part.end)).end


class Spans:
    """Spans of time, in µs; ends included."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []

    def missing(self, begin: int, end: int) -> list[tuple[int, int]]:
        """Which parts of a span are not covered."""
        found, at = [], begin
        for low, high in self._spans:
            if high < at or low > end:
                continue
            if low > at:
                found.append((at, low - 1))
            at = high + 1
        return [*found, (at, end)] if at <= end else found

    def add(self, begin: int, end: int) -> None:
        inside = [span for span in self._spans if span[0] <= end + 1 and span[1] >= begin - 1]
        rest = [span for span in self._spans if span not in inside]
        whole = (min([begin, *(low for low, _ in inside)]), max([end, *(high for _, high in inside)]))
        self._spans = sorted([*rest, whole])

    def cut(self, until: int) -> None:
        """Nothing up to `until` is covered any longer."""
        self._spans = [(max(low, until + 1), high) for low, high in self._spans if high > until]

    def clear(self) -> None:
        self._spans = []


class Memory:
    """The groups of one registry, at most `most` parts. `tolerance` is that of times, in µs."""

    def __init__(self, most: int, tolerance: int) -> None:
        self._most, self.tolerance, self.size = most, tolerance, 0
        self.groups: dict[str, Group] = {}
        self.covered = Spans()
        self.voices: set[tuple[str, str]] = set()
        self.forgotten = -1  # what ended until then may have made room
        self.numbered = True  # every row so far had the number of its request: nothing to remember
        self._index: dict[Hashable, list[Group]] = {}
        self._natural: defaultdict[Hashable, list[tuple[Part, str]]] = defaultdict(list)
        self._requests: dict[tuple[str, ...], Group] = {}
        self._tags: defaultdict[tuple[str, str], set[str]] = defaultdict(
            set
        )  # (repository, tag or digest) → digests or tags
        self._aliases: dict[str, Group] = {}  # ids that rows had before they took over their event's
        self.clients: set[str] = set()  # addresses that a proxy saw
        self.proxies = set(_HERE)  # addresses that the registry saw where a proxy saw the client

    def add(self, part: Part, group: Group) -> None:
        """Take a part into a group, which may be new."""
        self.groups.setdefault(group.id, group)
        self._learn(part, group)
        if part.event_id != group.id:
            self._aliases[part.event_id] = group
        group.parts.append(part)
        self.size += 1
        for key in _keys(part):
            groups = self._index.setdefault(key, [])
            if group not in groups:
                groups.append(group)
        for key in natural_keys(part):
            self._natural[key].append((part, group.id))
        if (request := request_key(part)) is not None:
            self._requests.setdefault(request, group)

    def take_stored(self, part: Part) -> None:
        """Take over a row of the store, unless it is here already."""
        group = self.groups.get(part.event_id) or Group(part.event_id)
        for other in group.parts:
            if _same_line(part, other):
                low, high = sorted((part.row, other.row), key=lambda row: row["revision"] or 0)
                other.tell({name: low[name] if value is None else value for name, value in high.items()})
                self._learn(other, group)
                return
        self.add(part, group)

    def again(self, part: Part, taken: set[int]) -> str | None:
        """The event id that this very line has in the store, if it was read before. `taken` holds those given out."""
        for known, event_id in self._natural.get(natural_keys(part)[0], ()):
            if not (known.fresh or id(known) in taken or known.row["dataset"] != part.row["dataset"]):
                taken.add(id(known))
                return event_id
        return None

    def remember(self, part: Part, group: Group) -> None:
        """A line that is known; others with the id that it had are it once more."""
        self._aliases[part.event_id] = group

    def of_request(self, part: Part) -> Group | None:
        """The event to which the source itself says that it belongs: by the number of the request, or a number of its own."""
        key = request_key(part)
        same = self.groups.get(part.event_id) or self._aliases.get(part.event_id)
        return same or (None if key is None else self._requests.get(key))

    def near(self, part: Part) -> Iterator[Group]:
        """Groups that may be the part's event, in the order in which they came; not yet compared."""
        seen: set[int] = set()
        for key in _keys(part, self.tolerance):
            for group in self._index.get(key, ()):
                if id(group) not in seen:
                    seen.add(id(group))
                    yield group

    def shrink(self) -> None:
        """Make room: the longest ago goes first, so that what is left is one span of time, of which nothing needs to be asked.
        What is forgotten must be asked of the store when it is needed again."""
        if self.size <= self._most:
            return
        ends = {id(group): max(part.end for part in group.parts) for group in self.groups.values()}
        until = None
        for group in sorted(self.groups.values(), key=lambda group: ends[id(group)]):
            del self.groups[group.id]
            until = ends[id(group)]
            for part in group.parts:
                self._forget(part, group)
            if self.size <= self._most:
                break
        if until is not None:
            self.covered.cut(until)
            self.forgotten = max(self.forgotten, until)

    def clear(self) -> None:
        """Forget every part, and what was asked; the store still has them."""
        self.forget_parts()
        self.covered.clear()

    def forget_parts(self) -> None:
        """Forget every part, but not for which times the store was asked: nothing there can be a partner."""
        for store in (self.groups, self._index, self._natural, self._requests, self._aliases, self._tags):
            store.clear()
        self.size = 0

    def _learn(self, part: Part, group: Group) -> None:
        """Which addresses are proxies': a line says so, or the URI of an upload, which is told of no other request."""
        row = part.row
        if part.front and part.address is not None and len(self.clients) < _MOST_CLIENTS:
            self.clients.add(part.address)
        if row["tag"] is not None and row["digest"] is not None and row["repository"] is not None:
            self._tags[row["repository"], row["tag"]].add(row["digest"])
            self._tags[row["repository"], row["digest"]].add(row["tag"])
        if part.row["peer_ip"] is not None:
            self.proxies.add(part.row["peer_ip"])
        if part.uploading:
            same = [other for other in group.parts if other.row["uri"] == part.row["uri"]]
            self.proxies |= {found for other in same if (found := proxy_between(part, other)) is not None}

    def other_image(self, one: Part, other: Part) -> bool:
        """Whether one names a tag and the other a digest that are known not to belong together: the tag is known as of another
        digest, and the digest as of another tag."""
        a, b = (one, other) if one.row["digest"] is None else (other, one)
        repository, tag, digest = a.row["repository"], a.row["tag"], b.row["digest"]
        if a.row["digest"] is not None or b.row["tag"] is not None or None in (repository, tag, digest):
            return False
        tags, digests = self._tags.get((repository, digest)), self._tags.get((repository, tag))
        return bool(tags and digests and tag not in tags)

    def learn_from(self, part: Part) -> None:
        """The same of a part that no group has taken yet."""
        for group in self.near(part) if part.uploading else ():
            self._learn(part, group)

    def _forget(self, part: Part, group: Group) -> None:
        self.size -= 1
        for key in _keys(part):
            groups = self._index.get(key)
            if groups is not None and group in groups:
                groups.remove(group)
                if not groups:
                    del self._index[key]
        for key in natural_keys(part):
            self._natural.pop(key, None)
        self._aliases.pop(part.event_id, None)
        row = part.row
        if row["digest"] is not None:
            self._tags.pop((row["repository"], row["tag"]), None)
            self._tags.pop((row["repository"], row["digest"]), None)
        if (request := request_key(part)) is not None and self._requests.get(request) is group:
            del self._requests[request]


def proxy_between(one: Part, other: Part) -> str | None:
    """The address that would be a proxy's: one part names it as its peer, and the other the client behind it."""
    if None in (one.address, other.address) or one.address == other.address:
        return None
    for peer, client in ((one, other), (other, one)):
        if not peer.front and not peer.forwarded and (client.front or client.forwarded):
            return peer.address
    return None


def _same_line(one: Part, other: Part) -> bool:
    return all(one.row[name] == other.row[name] for name in ("stream", "offset", "channel"))


def _keys(part: Part, around: int = 0) -> Iterator[tuple[Any, ...]]:
    """What a part is found by, in each span of time that it touches; with `around`, what it is looked for by."""
    whats = part.whats = part.whats or tuple(_whats(part))
    for what in whats:
        if what[0] == "upload":
            yield what
    low, high = (part.begin - around) // BUCKET, (part.end + around) // BUCKET
    buckets: Any = range(low, high + 1)
    if high - low >= _MOST_BUCKETS and part.placed:
        ends = (part.begin // BUCKET, part.end // BUCKET)
        reach = 1 if around else 0
        buckets = [bucket + way for bucket in ends for way in range(-reach, reach + 1)]
    for bucket in buckets:
        for what in whats:
            if what[0] != "upload":
                yield (*what, bucket)


def _whats(part: Part) -> Iterator[tuple[Any, ...]]:
    row = part.row
    if row["uri"] is not None:
        yield ("upload" if part.uploading else "uri", row["method"], row["uri"])
    if login_like(part):
        yield _LOGIN
    if row["repository"] is None:
        if row["uri"] is None and row["actor"] is not None:
            yield "account", row["action"], row["actor"]
        return
    if row["action"] in _BY_REPOSITORY:
        yield ("image", row["action"], row["repository"])
    elif row["digest"] is not None:
        yield ("layer", row["action"], row["repository"], row["digest"])
