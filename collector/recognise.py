"""Which format the first lines of a stream are in."""

from __future__ import annotations

from collections.abc import Sequence

from collector.errors import UnknownFormat
from collector.stages import Format
from collector.wrappers import inner_lines

_BARE_LINES = 200
SURE_ENOUGH = 0.3  # under this a claim is a coincidence: a few readable lines among foreign ones


def recognise(head: bytes, formats: Sequence[Format], name: str = "") -> Format:
    """The format that claims `head` (the first lines of `name`, up to 64 KiB) best; on a draw the first by name.

    Raises:
        UnknownFormat: none does; the message names those tried and shows the first line, escaped and cut.
    """
    by_name = sorted(formats, key=lambda format_: format_.name)
    best = max(by_name, key=lambda format_: format_.claims(head), default=None)
    if best is None or best.claims(head) < SURE_ENOUGH:
        # Formats of whole documents look at the bytes as they come, wrappers and all.
        bare = b"".join(line + b"\n" for line in inner_lines(head, _BARE_LINES))
        best = max(by_name, key=lambda format_: format_.claims(bare), default=None)
        if best is not None and best.claims(bare) >= SURE_ENOUGH:
            return best
        first = next((line for line in head.split(b"\n") if line.strip()), b"").rstrip(b"\r")
        raise UnknownFormat([format_.name for format_ in by_name], first, name)
    return best
