"""Long files in pieces: whole lines, every byte once, and a line beyond the limit told as one."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from collector.content import open_content
from collector.slow_start import SlowStart
from collector.whole_lines import (
    BEFORE_BYTES,
    CHUNK_BYTES,
    EDGE_BYTES,
    FIRST_BYTES,
    MAX_LINE_BYTES,
    Piece,
    WholeLines,
    growing,
    oversize,
)


def pieces_of(path: Path, data: bytes, sizes: SlowStart | None = None) -> list[Piece]:
    path.write_bytes(data)
    lines, found = WholeLines(open_content(str(path)), sizes=sizes), []
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


def test_the_first_pieces_are_small(tmp_path: Path) -> None:
    """And each about twice as long as the one before, up to whole chunks; every byte comes once."""
    data = b"".join(b"line %d\n" % number for number in range(1_500_000)) + b"the last has no end"
    found = pieces_of(tmp_path / "long.log", data, growing())
    assert b"".join(piece.data for piece in found) == data
    sizes = [len(piece.data) for piece in found]
    wanted = [FIRST_BYTES << step for step in range(5)]
    assert all(size - 100 < got <= size for got, size in zip(sizes, wanted, strict=False)), sizes
    assert sizes[6] > CHUNK_BYTES - EDGE_BYTES
    for piece in found[1:]:
        assert data[: piece.offset].endswith(piece.before) and piece.before


@pytest.mark.parametrize("length", [2_000, 20_000])
def test_small_pieces_do_not_cut_documents(tmp_path: Path, length: int) -> None:
    """What is printed over many lines is in one piece, as it is in a chunk: of 40 or 400 KB, with indentation or rows alone."""
    rows = [{"number": number, "name": "x" * 10} for number in range(length // 2)]
    indented = json.dumps({"rows": rows}, indent=2).encode()
    bare = b"[\n" + b",\n".join(json.dumps(row).encode() for row in rows) + b"\n]"
    documents = [indented, bare] * 3
    found = pieces_of(tmp_path / "pages.json", b"\n".join(documents) + b"\n", growing())
    ends, place = set(), 0
    for document in documents:
        place += len(document) + 1
        ends.add(place)
    assert {piece.end for piece in found} <= ends
    assert (len(found) > 1) == (length == 2_000)


def test_a_line_beyond_the_limit_behind_small_pieces(tmp_path: Path) -> None:
    """Wherever it stands, and whatever is read at once there, it is a piece of its own."""
    for place in (0, FIRST_BYTES - 10, 3 * FIRST_BYTES, 20 * FIRST_BYTES, 40 * FIRST_BYTES):
        front, behind = b"a line\n" * (place // 7), b"another\n" * 900_000
        long = b"y" * (MAX_LINE_BYTES + 7) + b"\n"
        found = pieces_of(tmp_path / "long.log", front + long + behind, growing())
        assert [piece.offset for piece in found if oversize(piece.data)] == [len(front)]
        assert b"".join(piece.data for piece in found if not oversize(piece.data)) == front + behind
