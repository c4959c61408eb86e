"""Compressed files and streams: every frame is read, damage is told, and a little that is very much stays little."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
import zstandard

from collector.compressed import DamagedError, decompressed, open_readable
from collector.content import StreamContent
from collector.readable import Readable

TEXT = b"".join(b"line %d\n" % number for number in range(50_000))


def whole(stream: Readable) -> bytes:
    return b"".join(iter(lambda: stream.read1(1 << 16), b""))


def zstd_frames(*parts: bytes) -> bytes:
    """With a checksum behind each, as the `zstd` program writes them."""
    return b"".join(zstandard.ZstdCompressor(write_checksum=True).compress(part) for part in parts)


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".zstd", ".log"])
def test_a_file_is_read_by_its_suffix(tmp_path: Path, suffix: str) -> None:
    """Archives of several members or frames give all of them."""
    path = tmp_path / f"access.log{suffix}"
    halves = TEXT[:99], TEXT[99:]
    made = {".gz": b"".join(map(gzip.compress, halves)), ".log": TEXT}.get(suffix, zstd_frames(*halves))
    path.write_bytes(made)
    stream = open_readable(str(path))
    assert whole(stream) == TEXT
    stream.close()


@pytest.mark.parametrize("made", [gzip.compress(TEXT), zstd_frames(TEXT[:9], TEXT[9:]), TEXT, b""])
def test_a_stream_is_read_by_what_it_begins_with(made: bytes) -> None:
    """Whatever an object is called."""
    assert whole(decompressed(io.BytesIO(made))) == (TEXT if made else b"")


def test_a_frame_of_a_tools_own_in_front_is_stepped_over() -> None:
    """zstd allows frames that hold no data; pzstd writes one first."""
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"size"
    assert whole(decompressed(io.BytesIO(skippable + zstd_frames(TEXT)))) == TEXT


@pytest.mark.parametrize("made", [gzip.compress(TEXT), zstd_frames(TEXT)])
@pytest.mark.parametrize("harm", ["cut", "changed"])
def test_damage_is_told_and_what_is_whole_is_read(made: bytes, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    """What stood before it comes; then the end, with a warning."""
    middle = len(made) // 2
    broken = made[:-20] if harm == "cut" else made[:middle] + b"\xff" * 40 + made[middle + 40 :]
    with pytest.raises(DamagedError):
        whole(decompressed(io.BytesIO(broken)))
    content = StreamContent(decompressed(io.BytesIO(broken)), "x.zst")
    read = content.at(0, 10 * len(TEXT))
    assert read == TEXT[: len(read)] or harm == "changed"
    assert "damaged" in caplog.text


def test_a_bomb_is_read_in_small_pieces() -> None:
    """A gibibyte of zeros in a few kilobytes is never in memory as a whole."""
    compressor = zstandard.ZstdCompressor().compressobj()
    zeros = bytes(1 << 20)
    bomb = b"".join(compressor.compress(zeros) for _ in range(1_024)) + compressor.flush()
    assert len(bomb) < 100_000
    stream, total, largest = decompressed(io.BytesIO(bomb)), 0, 0
    while piece := stream.read1(1 << 16):
        total, largest = total + len(piece), max(largest, len(piece))
    assert total == 1 << 30 and largest <= 64 << 20
