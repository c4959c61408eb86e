"""Long files in pieces: whole lines, every byte once, and a line beyond the limit told as one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from collector.content import open_content
from collector.whole_lines import BEFORE_BYTES, CHUNK_BYTES, EDGE_BYTES, MAX_LINE_BYTES, Piece, WholeLines, oversize


def pieces_of(path: Path, data: bytes) -> list[Piece]:
    path.write_bytes(data)
    lines, found = WholeLines(open_content(str(path))), []
    while (piece := lines.read(final=True)) is not None:
        found.append(piece)
    return found


@pytest.mark.parametrize("longest", [300, 3 * EDGE_BYTES])
def test_every_byte_comes_once_and_in_whole_lines(tmp_path: Path, longest: int) -> None:
    """Also where the last line end of a chunk is further away than its edge."""
    chance = random.Random(longest)
    made: list[bytes] = []
    while len(made) * longest < 6 * CHUNK_BYTES:
        made.append(b"x" * chance.randrange(longest) + b"\n")
    data = b"".join(made) + b"the last has no end"
    found = pieces_of(tmp_path / "long.log", data)
    assert b"".join(piece.data for piece in found) == data
    assert len(found) >= 3 and all(piece.data.endswith(b"\n") for piece in found[:-1])
    assert max(len(piece.data) for piece in found) <= CHUNK_BYTES
    assert min(len(piece.data) for piece in found[:-1]) > CHUNK_BYTES - longest - EDGE_BYTES
    for piece in found[1:]:
        assert data[: piece.offset].endswith(piece.before)
        assert piece.before or longest > BEFORE_BYTES  # whole lines in front, as far as they fit


def test_a_line_beyond_the_limit_is_a_piece_of_its_own(tmp_path: Path) -> None:
    """Wherever it stands in a chunk."""
    for place in (0, CHUNK_BYTES // 2, CHUNK_BYTES - MAX_LINE_BYTES // 2, CHUNK_BYTES - 10):
        front = b"a line\n" * (place // 7)
        behind = b"another\n" * 600_000
        found = pieces_of(tmp_path / "long.log", front + b"y" * (MAX_LINE_BYTES + 7) + b"\n" + behind)
        (long,) = [piece for piece in found if oversize(piece.data)]
        assert (long.offset, long.end) == (len(front), len(front) + MAX_LINE_BYTES + 8)
        assert b"".join(piece.data for piece in found if piece is not long) == front + behind
