"""How values are shown to people: text out of logs made harmless and visible, numbers with units, times in UTC."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

LONGEST = 300  # characters of a text from a log that a page shows
NOTHING = "–"


def visible(text: str, longest: int = LONGEST) -> str:
    """Text from a log with everything that is invisible or acts on the screen spelled out.

    Control characters (ANSI escapes among them), bidirectional overrides, zero-width and private characters become
    `\\x1b` or `\\u202e`; text is cut at `longest` with an ellipsis. Escaping for HTML is left to the template.
    """
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(char if _harmless(char) else _spelled(char) for char in cut)


def _harmless(char: str) -> bool:
    return " " <= char <= "~" or not (unicodedata.category(char)[0] == "C" or char in "\u2028\u2029")


def _spelled(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def finalize(value: Any) -> Any:
    """What every `{{ … }}` of our templates passes through before it is escaped: nobody can forget it."""
    if value is None:
        return NOTHING
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def prose(text: str) -> Markup:
    """A sentence of ours, which may quote names out of logs: longer than a name may be, and with `code` set as code."""
    pieces = [escape(visible(piece, 4000)) for piece in text.split("`")]
    marked = [Markup("<code>{}</code>").format(piece) if index % 2 else piece for index, piece in enumerate(pieces)]
    return Markup("").join(marked)


def number(value: float | None) -> str:
    """`12 345`, with narrow no-break spaces; at most one decimal."""
    if value is None:
        return NOTHING
    text = f"{value:,.1f}" if value != int(value) else f"{int(value):,}"
    return text.replace(",", "\u202f")


def percent(value: float | None) -> str:
    """`41 %` of a share of 0.41; a decimal where it is small."""
    if value is None:
        return NOTHING
    return f"{value * 100:.1f} %" if 0 < value < 0.1 else f"{value * 100:.0f} %"


def size(value: float | None) -> str:
    """`1.4 GiB`: bytes in powers of 1024."""
    if value is None:
        return NOTHING
    scaled = float(value)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(scaled) < 1024 or unit == "TiB":
            return f"{scaled:.0f} B" if unit == "B" else f"{scaled:.1f} {unit}"
        scaled /= 1024
    raise AssertionError("the last unit takes all")


def seconds(value: float | None) -> str:
    """`45 s`, `12 min`, `3.5 h`, `2 d`."""
    if value is None:
        return NOTHING
    for limit, unit, name in ((60.0, 1.0, "s"), (3600.0, 60.0, "min"), (86400.0, 3600.0, "h")):
        if abs(value) < limit:
            return f"{value / unit:.0f} {name}" if name == "s" else f"{_short(value / unit)} {name}"
    return f"{_short(value / 86400)} d"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def moment(value: str | datetime | None) -> str:
    """`2026-11-24 02:17:24`: to the second, in UTC, which the heading says once."""
    if value is None or value == "":
        return NOTHING
    when = datetime.fromisoformat(value) if isinstance(value, str) else value
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def change(now: float, before: float) -> str:
    """`+12 %`, `−3 %`, `as before`; `none before` where there is nothing to compare with."""
    if before == 0:
        return "none before" if now else "as before"
    percent = round((now - before) / before * 100)
    return "as before" if percent == 0 else f"{'+' if percent > 0 else '−'}{number(abs(percent))} %"
