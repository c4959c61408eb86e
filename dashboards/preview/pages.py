"""Boards → pages: one file for each, without network or script, and an index of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from analytics.reports.render import policy_for, style, template_environment
from dashboards.preview.asked import Span
from dashboards.preview.asking import Asker
from dashboards.preview.panels import content
from dashboards.preview.servers import AskError, Elasticsearch, Prometheus

HERE = Path(__file__).parent
_BOARD_LINK = re.compile(r"/d/([\w-]+)\?")


def write(
    out: Path,
    boards: Mapping[str, Mapping[str, Any]],
    *,
    prometheus: Prometheus | None,
    elasticsearch: Elasticsearch | None,
    span_of: Callable[[Mapping[str, Any]], Span],
    given: Mapping[str, str],
    left_out: Sequence[str] = (),
) -> list[Path]:
    """Draw `boards` (uid → Grafana's JSON) into the folder `out`; returns the files, the index first.

    `span_of` a board is the time that it shows, `given` are values of variables that are not to be at their defaults,
    `left_out` names what the data sources cannot fill.
    """
    out.mkdir(parents=True, exist_ok=True)
    names = {uid: board["title"] for uid, board in boards.items()}
    written, told = [], []
    for uid, board in boards.items():
        asker = Asker(prometheus, elasticsearch, span_of(board))
        html, panels, errors, empty = _board(board, asker, given, names)
        told.append(
            {"uid": uid, "title": board["title"], "about": board["description"], "panels": panels}
            | {"errors": errors, "empty": empty, "span": _span(asker.span)}
        )
        written.append(_written(out / f"{uid}.html", html))
    index = _page("index.html", "", boards=told, left_out=left_out)
    return [_written(out / "index.html", index), *written]


def _board(
    board: Mapping[str, Any], asker: Asker, given: Mapping[str, str], names: Mapping[str, str]
) -> tuple[str, int, int, int]:
    """The page, and how many panels it has, how many of them failed, how many are empty."""
    variables = [_choice(variable, asker, given) for variable in board["templating"]["list"]]
    panels, places = [], []
    for panel in board["panels"]:
        place = panel["gridPos"]
        places.append(
            f"#p{int(panel['id'])} {{ grid-area: {int(place['y']) + 1} / {int(place['x']) + 1}"
            f" / span {int(place['h'])} / span {int(place['w'])}; }}"
        )
        shown = {"kind": "row"} if panel["type"] == "row" else content(panel, asker)
        panels.append({"panel": panel, "content": shown, "next": _next(panel, names)})
    html = _page(
        "board.html",
        "@media (min-width: 1001px) {\n" + "\n".join(places) + "\n}\n",
        board=board,
        boards=names,
        panels=panels,
        variables=variables,
        span=_span(asker.span),
    )
    kinds = [one["content"]["kind"] for one in panels if one["content"]["kind"] != "row"]
    return html, len(kinds), kinds.count("error"), kinds.count("empty")


def _choice(variable: Mapping[str, Any], asker: Asker, given: Mapping[str, str]) -> dict[str, Any]:
    try:
        return {"label": variable["label"], "value": asker.choose(variable, given.get(variable["name"])), "error": None}
    except AskError as error:
        asker.chosen[variable["name"]] = ""
        return {"label": variable["label"], "value": "", "error": str(error)}


def _next(panel: Mapping[str, Any], names: Mapping[str, str]) -> str | None:
    """The board that the panel's link leads to, if it is drawn too."""
    for link in panel.get("links", ()):
        found = _BOARD_LINK.match(link["url"])
        if found and found[1] in names:
            return found[1]
    return None


def _span(span: Span) -> str:
    return f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC"


def _page(name: str, places: str, **values: Any) -> str:
    """A page with its one style sheet, which the policy allows by its hash: nothing else may load or run."""
    sheet = style() + (HERE / "preview.css").read_text(encoding="utf-8") + places
    return _template(name).render(style=Markup(sheet), policy=policy_for(sheet), **values)  # noqa: S704  # our own files and numbers


@cache
def _template(name: str) -> Template:
    return template_environment(HERE).get_template(name)


def _written(path: Path, html: str) -> Path:
    path.write_bytes(html.encode("utf-8", errors="replace"))
    return path
