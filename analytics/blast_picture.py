"""A blast radius as a picture: who pushed → the image and its tags → who pulled, as one SVG that needs no network."""

from __future__ import annotations

from html import escape
from math import log2

from analytics.blast import Contact, Radius
from analytics.wording import plain, several

_ROW, _WIDTH, _MIDDLE, _BOX = 34, 980, 400, 250
_MOST = 14  # rows a side; the rest is counted
_STYLE = """text{font:13px system-ui,sans-serif;fill:#1c2733}.small{font-size:11px;fill:#5a6b7b}
.box{fill:#eef3f8;stroke:#9fb3c8}.image{fill:#fff4dd;stroke:#d9a520}.likely{stroke-dasharray:5 4}
path{fill:none;stroke:#5b8db8;stroke-opacity:.6}.node{fill:#e3f4e8;stroke:#69a97c}
@media (prefers-color-scheme: dark){text{fill:#e6edf3}.small{fill:#9fb0c0}.box{fill:#1d2a36;stroke:#4d6478}
.image{fill:#3a3014;stroke:#b58c1e}.node{fill:#173023;stroke:#4a8a5e}}"""


def picture(radius: Radius) -> str:
    """A file of its own: the drawing with its colours in it."""
    opening, rest = drawing(radius).split(">", 1)
    return f"{opening}><style>{_STYLE}</style>{rest}\n"


def drawing(radius: Radius) -> str:
    """The SVG text, of the class `blast`; its colours are those of the page it stands in (`box`, `node`, `image`, `likely`,
    `small`). Names come from logs: control characters are replaced, markup is escaped.
    """
    left, right = radius.pushed[:_MOST], radius.pulled[:_MOST]
    rows = max(len(left), len(right), 1)
    height = 90 + _ROW * rows + 24
    middle = 60 + _ROW * rows / 2
    nodes = {id(contact) for contact in radius.nodes}
    parts = [_text(20, 30, f"pushed by ({len(radius.pushed)})"), _text(710, 30, f"pulled by ({len(radius.pulled)})")]
    parts += [_flow(20 + _BOX, _middle_of(place, left, middle), _MIDDLE, middle, one) for place, one in enumerate(left)]
    parts += [
        _flow(_MIDDLE + 180, middle, 710, _middle_of(place, right, middle), one) for place, one in enumerate(right)
    ]
    parts += [_box(20, _middle_of(place, left, middle), one, "box") for place, one in enumerate(left)]
    for place, one in enumerate(right):
        parts.append(_box(710, _middle_of(place, right, middle), one, "node" if id(one) in nodes else "box"))
    parts.append(_subject(radius, middle))
    for x, everyone in ((20, radius.pushed), (710, radius.pulled)):
        if len(everyone) > _MOST:
            parts.append(_text(x, height - 10, f"and {len(everyone) - _MOST} more", "small"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="blast" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" '
        f'aria-label="blast radius: {len(radius.pushed)} pushed, {len(radius.pulled)} pulled">'
        f"{''.join(parts)}</svg>"
    )


def _middle_of(place: int, everyone: list[Contact], middle: float) -> float:
    return middle + (place - (len(everyone) - 1) / 2) * _ROW


def _flow(x0: float, y0: float, x1: float, y1: float, contact: Contact) -> str:
    half = (x0 + x1) / 2
    width = 1 + min(6.0, log2(1 + contact.times))
    kind = ' class="likely"' if contact.certainty != "certain" else ""
    curve = f"M{x0:.0f} {y0:.0f}C{half:.0f} {y0:.0f} {half:.0f} {y1:.0f} {x1:.0f} {y1:.0f}"
    return f'<path{kind} stroke-width="{width:.1f}" d="{curve}"/>'


def _box(x: float, y: float, contact: Contact, kind: str) -> str:
    who = contact.actor or "not named"
    where = " · ".join(filter(None, (contact.client, contact.tool, several(contact.times, "time"))))
    return (
        f'<rect class="{kind}" x="{x:.0f}" y="{y - 15:.0f}" width="{_BOX}" height="30" rx="5"/>'
        f"{_text(x + 8, y - 2, who)}{_text(x + 8, y + 11, where, 'small')}"
    )


def _subject(radius: Radius, middle: float) -> str:
    name = next(iter(radius.about.values()))
    tags = [f"{span.repository}:{span.tag}" for span in radius.tags]
    lines = [_cut(name, 20), *(_cut(tag, 26) for tag in tags[:2])]
    if len(tags) > 2:
        lines.append(f"and {several(len(tags) - 2, 'more tag')}")
    height = 18 * len(lines) + 16
    drawn = f'<rect class="image" x="{_MIDDLE}" y="{middle - height / 2:.0f}" width="180" height="{height}" rx="6"/>'
    for place, line in enumerate(lines):
        drawn += _text(
            _MIDDLE + 10, middle - height / 2 + 21 + 18 * place, line, "small" if place else "", most=len(line)
        )
    return drawn


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _text(x: float, y: float, text: str, kind: str = "", most: int = 36) -> str:
    shown = escape(_cut(plain(text), most))
    return f'<text x="{x:.0f}" y="{y:.0f}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{shown}</text>'
