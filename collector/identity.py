"""Who a stream is, told by its content alone.

A path is given to another file at every rotation and an inode is given out again after a deletion, so neither says
whether this is the content that was read before. Two things do: the first line (Distribution, Harbor and proxies begin
it with a time) names the stream, and the bytes in front of the committed offset prove that nothing was replaced
meanwhile.
"""

from __future__ import annotations

import re
from hashlib import blake2b

HEAD_BYTES = 1024
TAIL_BYTES = 1024

_CONTENT = re.compile(r"[0-9a-f]{24}")


def stream_id(head: bytes, final: bool = False) -> str | None:
    """The id of the stream that begins with `head`: a hash of its first line, or of the first 1024 bytes of a longer
    one.

    None while the first line is not yet complete, unless `final` says that it never will be.
    """
    line, newline, _ = head.partition(b"\n")
    if not newline and len(line) < HEAD_BYTES and not final:
        return None
    if not line and not newline:
        return None
    return blake2b(line[:HEAD_BYTES].rstrip(b"\r"), digest_size=12).hexdigest()


def content_of(stream: str) -> str:
    """The stream from which the ids of events are made, of one under which a position is kept: what a second file with the
    same first line, or a pipe, has behind it is left out (`collector.tail.Tail`)."""
    content, dot, more = stream.rpartition(".")
    return content if dot and (more == "pipe" or more.isdigit()) and _CONTENT.fullmatch(content) else stream


def tail_of(content_before: bytes) -> str:
    """The proof kept with an offset: a hash of the (up to) 1024 bytes in front of it."""
    return blake2b(content_before[-TAIL_BYTES:], digest_size=12).hexdigest()
