"""How far an account, address or repository reached, as a picture: who → which repositories → who pulled what was pushed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from math import log2
from typing import Any

from analytics.wording import plain, several
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome

Event = dict[str, Any]
WIDTH, BOX, ROW, TOP = 980, 230, 38, 56
LEFT, MIDDLE, RIGHT = 20, 375, 730
MOST = 12  # boxes of a column; the rest is counted
MOST_PULLS = 2000  # looked at, of each repository that was pushed to
NODE_TOOLS = frozenset({"containerd", "cri-o"})
NO_REPOSITORY = "no repository"
WORDS = {
    Action.PULL: "pull", Action.PUSH: "push", Action.TAG: "push", Action.DELETE: "deletion", Action.UNTAG: "deletion",
    Action.LOGIN: "login", Action.TOKEN: "login",
}  # fmt: skip
ORDER = ("push", "deletion", "pull", "login", "refused", "other request")


@dataclass(slots=True)
class Reach:
    """Who touched which repository how often, by what was done; and who pulled from those that were pushed to, since."""

    touched: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    takers: dict[tuple[str, str], int] = field(default_factory=dict)  # (repository, who) → pulls
    nodes: set[str] = field(default_factory=set)  # those of the takers that are nodes of a cluster

    def column(self, place: int) -> list[tuple[str, Counter[str]]]:
        """The names on the left (0) or in the middle (1) with what was done, the busiest first."""
        sums: dict[str, Counter[str]] = {}
        for key, counted in self.touched.items():
            sums.setdefault(key[place], Counter()).update(counted)
        return sorted(sums.items(), key=lambda one: (-sum(one[1].values()), one[0]))

    def right(self) -> list[tuple[str, int]]:
        """Who pulled, nodes first, then the busiest."""
        sums: Counter[str] = Counter()
        for (_, who), times in self.takers.items():
            sums[who] += times
        return sorted(sums.items(), key=lambda one: (one[0] not in self.nodes, -one[1], one[0]))


def reach_of(store: EventReader, kind: str, events: Sequence[Event], until: datetime) -> Reach:
    """`events` are those of an actor, client or repository (`kind`), oldest first. What was pushed is followed to `until`.

    Raises:
        Unavailable: the store does not answer.
    """
    found, pushed = Reach(), dict[str, datetime]()
    for event in events:
        repository = event["repository"] or NO_REPOSITORY
        word = "refused" if event["outcome"] == Outcome.DENIED else WORDS.get(event["action"], "other request")
        found.touched.setdefault((_who(event, kind), repository), Counter())[word] += 1
        if word == "push" and event["outcome"] == Outcome.SUCCESS and event["repository"]:
            pushed.setdefault(repository, event["timestamp"])
    own = {event["event_id"] for event in events} if kind != "repository" else set()
    for repository, since in list(pushed.items())[:MOST]:
        query = EventQuery(
            since=since,
            until=until,
            action=[Action.PULL],
            outcome=[Outcome.SUCCESS],
            repository=repository,
            limit=MOST_PULLS,
        )
        _follow(found, repository, (event for event in store.events(query) if event["event_id"] not in own))
    return found


def _follow(found: Reach, repository: str, pulls: Iterable[Event]) -> None:
    for event in pulls:
        node = event["actor_kind"] == "node" or event["client_class"] in NODE_TOOLS
        who = _named(event, ("client_ip", "actor") if node else ("actor", "client_ip"))
        found.takers[repository, who] = found.takers.get((repository, who), 0) + 1
        if node:
            found.nodes.add(who)


def _who(event: Event, kind: str) -> str:
    """Of an account its addresses; of everything else the accounts, and addresses where no account is named."""
    return _named(event, ("client_ip", "actor") if kind == "actor" else ("actor", "client_ip"))


def _named(event: Event, names: Sequence[str]) -> str:
    return next((str(event[name]) for name in names if event[name] not in (None, "", "-")), "not named")


def drawing(reach: Reach) -> str:
    """The SVG, of the class `blast`, in the colours of the page it stands in. Names come from logs: control characters
    are spelled out, markup is escaped.
    """
    left, middle, right = reach.column(0), reach.column(1), reach.right()
    rows = max(min(len(column), MOST) for column in (left, middle, right))
    height = TOP + ROW * rows + 26
    center = TOP + ROW * rows / 2
    at = {
        x: {
            one[0]: center + (place - (min(len(column), MOST) - 1) / 2) * ROW for place, one in enumerate(column[:MOST])
        }
        for x, column in ((LEFT, left), (MIDDLE, middle), (RIGHT, right))
    }
    heads = ((LEFT, "who", left), (MIDDLE, "touched", middle), (RIGHT, "pulled it since", right))
    parts = [_text(x, 30, f"{word} ({len(column)})") for x, word, column in heads if column]
    for (who, repository), counted in reach.touched.items():
        if who in at[LEFT] and repository in at[MIDDLE]:
            tried = set(counted) == {"refused"}
            parts.append(_flow(LEFT, at[LEFT][who], MIDDLE, at[MIDDLE][repository], sum(counted.values()), tried))
    for (repository, who), times in reach.takers.items():
        if repository in at[MIDDLE] and who in at[RIGHT]:
            parts.append(_flow(MIDDLE, at[MIDDLE][repository], RIGHT, at[RIGHT][who], times))
    parts += [_box(LEFT, at[LEFT][name], name, _said(counted), "box") for name, counted in left[:MOST]]
    parts += [_box(MIDDLE, at[MIDDLE][name], name, _said(counted), "image") for name, counted in middle[:MOST]]
    for name, times in right[:MOST]:
        parts.append(
            _box(RIGHT, at[RIGHT][name], name, several(times, "pull"), "node" if name in reach.nodes else "box")
        )
    for x, _, column in heads:
        if len(column) > MOST:
            parts.append(_text(x, height - 8, f"and {len(column) - MOST} more", "small"))
    label = f"reach: {several(len(left), 'name')}, {several(len(middle), 'repository', 'repositories')}, {len(right)} pulled since"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="blast" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _said(counted: Counter[str]) -> str:
    words = [
        f"{counted[word]:,} refused" if word == "refused" else _plural(counted[word], word)
        for word in ORDER
        if counted[word]
    ]
    return ", ".join(words)


def _plural(count: int, word: str) -> str:
    return several(count, word, "pushes" if word == "push" else f"{word}s")


def _flow(x0: float, y0: float, x1: float, y1: float, times: int, tried: bool = False) -> str:
    start, half = x0 + BOX, (x0 + BOX + x1) / 2
    kind = ' class="tried"' if tried else ""
    curve = f"M{start:.0f} {y0:.0f}C{half:.0f} {y0:.0f} {half:.0f} {y1:.0f} {x1:.0f} {y1:.0f}"
    return f'<path{kind} stroke-width="{1 + min(6.0, log2(1 + times)):.1f}" d="{curve}"/>'


def _box(x: float, y: float, name: str, said: str, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{x}" y="{y - 16:.0f}" width="{BOX}" height="32" rx="5"/>'
        f"{_text(x + 8, y - 2, name)}{_text(x + 8, y + 12, said, 'small')}"
    )


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    """Cut to the box; the whole name is in its title."""
    shown, most = plain(text), 36 if kind else 29
    cut = shown if len(shown) <= most else shown[: most - 1] + "…"
    look = f' class="{kind}"' if kind else ""
    title = f"<title>{escape(shown)}</title>" if cut != shown else ""
    return f'<text{look} x="{x:.0f}" y="{y:.0f}">{title}{escape(cut)}</text>'
