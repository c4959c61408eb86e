"""What a pipe, a decompressor and the body of an answer have in common."""

from __future__ import annotations

from typing import Protocol


class Readable(Protocol):
    """Bytes, forwards only."""

    def read1(self, size: int, /) -> bytes:
        """Some bytes (about `size`, from one read below); empty only at the end."""
        ...

    def close(self) -> None: ...
