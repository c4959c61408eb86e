"""gzip and zstd, read as a stream; archives of many members or frames included."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import BinaryIO, cast

from collector.readable import Readable

SUFFIXES = (".gz", ".zst", ".zstd")
# So little at a time, since 1 KiB of zstd can be 32 MiB of zeros.
_STEP = 1 << 10
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # behind a byte 0x50 … 0x5f: a frame of some tool's own, often the first


class DamagedError(Exception):
    """Compressed bytes that are no longer what was written, or end too early. Permanent."""


class ZstdReader:
    """A `Readable` of one zstd frame after the other."""

    def __init__(self, stream: BinaryIO) -> None:
        import zstandard

        self._stream, self._zstandard = stream, zstandard
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._left, self._any = b"", False

    def read1(self, size: int, /) -> bytes:
        """Raises: DamagedError."""
        while piece := self._left or self._stream.read(_STEP):
            self._left = b""
            if self._frame.eof:
                self._frame, self._any = self._zstandard.ZstdDecompressor().decompressobj(), False
            try:
                out = bytes(self._frame.decompress(piece))
            except self._zstandard.ZstdError as error:
                raise DamagedError(str(error)) from None
            self._any = True
            self._left = bytes(self._frame.unused_data)
            if out:
                return out
        if self._any and not self._frame.eof:
            self._any = False
            raise DamagedError("the last frame has no end")
        return b""

    def close(self) -> None:
        self._stream.close()


class GzipReader:
    """A `Readable` of gzip members."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._inside = gzip.GzipFile(fileobj=stream, mode="rb")

    def read1(self, size: int, /) -> bytes:
        """Raises: DamagedError."""
        try:
            # One read below at most: a longer one would lose what it has when it comes upon the damage.
            return self._inside.read1(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DamagedError(str(error)) from None

    def close(self) -> None:
        self._inside.close()
        self._stream.close()


def open_readable(path: str) -> Readable:
    """A file, or the inside of one whose name ends in one of `SUFFIXES` or that begins as such a file does.

    Raises:
        OSError: it cannot be opened.
    """
    stream = open(path, "rb")  # noqa: SIM115, PTH123 - whoever reads it closes it
    if path.endswith(".gz"):
        return GzipReader(stream)
    return ZstdReader(stream) if path.endswith(SUFFIXES) else decompressed(stream)


def is_compressed(path: str, head: bytes) -> bool:
    """Whether a file is read as what it holds. `head`: its first bytes; svlogd names its archives `@….s`, compressed or not."""
    return path.endswith(SUFFIXES) or _opener(head) is not None


def _opener(head: bytes) -> type[GzipReader | ZstdReader] | None:
    if head.startswith(_GZIP):
        return GzipReader
    skippable = head[1:4] == _ZSTD_SKIPPABLE and 0x50 <= head[0] <= 0x5F
    return ZstdReader if head.startswith(_ZSTD) or skippable else None


def decompressed(stream: BinaryIO) -> Readable:
    """The inside of a stream that begins as gzip or zstd does, else the stream itself: object stores keep either, whatever
    the name says.
    """
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(_Raw(stream), 64 << 10)
    opener = _opener(buffered.peek(4)[:4])
    return cast("Readable", buffered) if opener is None else opener(cast("BinaryIO", buffered))


class _Raw(io.RawIOBase):
    """A stream that can only `read`, as what a `BufferedReader` wants."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # a buffer is what it is given
        piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
