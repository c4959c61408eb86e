"""Takes the pieces of a secret address out of a foreign error text."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

_SHORTEST = 4  # shorter pieces hide nothing and would tear holes into ordinary words


def scrub(text: str, address: str) -> str:
    """`text` with every user, password, token, path and query piece of `address` as `***`; the host stays readable.

    In addresses such as slack://token/token the host is a token too: a host without a dot that is no loopback name is
    hidden as well.
    """
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2].partition(":")[0]
    keep = {parts.scheme, *((host, *host.split(".")) if "." in host or host == "localhost" else ())}
    pieces = {piece for raw in re.split(r"[/:@?&=,#]+", address) for piece in (raw, unquote(raw))}
    for piece in sorted(pieces - keep, key=len, reverse=True):
        if len(piece) >= _SHORTEST and not piece.isdigit():
            text = text.replace(piece, "***")
    return text
