"""Long files in pieces: whole lines, every byte once, and a line beyond the limit told as one."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from collector.content import PlainContent, open_content
from collector.lines import MAX_LINE_BYTES
from collector.slow_start import SlowStart
from collector.whole_lines import (
    BEFORE_BYTES,
    CHUNK_BYTES,
    EDGE_BYTES,
    FIRST_BYTES,
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


class LateText(PlainContent):
    """On a network file system: what is behind the zeros is there, and seen, before they have become text."""

    def __init__(self, path: Path, text: bytes) -> None:
        super().__init__(str(path))
        self._path, self._text, self.asked = path, text, 0

    def at(self, offset: int, size: int) -> bytes:
        seen = super().at(offset, size)
        if size > 1:
            self.asked += 1
            if self.asked == 1:
                self._path.write_bytes(self._text)
                return seen + self._text[len(seen) :]
        return seen


def test_zeros_that_become_text_meanwhile_are_no_hole(tmp_path: Path) -> None:
    """Nothing is stepped over: the next look finds every line."""
    text = b"".join(b"line %d\n" % number for number in range(100))
    path = tmp_path / "late.log"
    path.write_bytes(bytes(400))
    content = LateText(path, text)
    lines, data = WholeLines(content), b""
    for _ in range(5):
        if (piece := lines.read(final=False)) is not None:
            data += piece.data
    assert data == text and lines.skipped_zeros == 0 and content.asked > 1


HOLE = CHUNK_BYTES + 5_000


def test_a_hole_longer_than_a_chunk_is_stepped_over_where_text_follows(tmp_path: Path) -> None:
    """Zeros up to the end wait, also after the file was cut shorter."""
    path = tmp_path / "hole.log"
    path.write_bytes(bytes(HOLE))
    lines = WholeLines(open_content(str(path)))
    for _ in range(2):
        assert lines.read(final=False) is None and lines.offset == 0
    with path.open("ab") as file:
        file.write(b"behind\n")
    piece = lines.read(final=False)
    assert piece is not None and (piece.offset, piece.data) == (HOLE, b"behind\n")
    path.write_bytes(bytes(3_000))
    lines = WholeLines(open_content(str(path)))
    assert lines.read(final=False) is None
    path.write_bytes(bytes(10) + b"text\n")
    piece = lines.read(final=False)
    assert piece is not None and (piece.offset, piece.data) == (10, b"text\n")


def test_zeros_at_the_end_of_an_archive_end_it(tmp_path: Path) -> None:
    path = tmp_path / "old.log.gz"
    path.write_bytes(gzip.compress(bytes(HOLE)))
    lines = WholeLines(open_content(str(path)))
    assert lines.read(final=True) is None and lines.skipped_zeros == HOLE
    lines.content.close()


def test_many_zeros_behind_half_a_line_are_waited_for(tmp_path: Path) -> None:
    """They are no line beyond the limit: what will stand there is many lines."""
    path = tmp_path / "late.log"
    path.write_bytes(b"first\nsec" + bytes(2 * MAX_LINE_BYTES))
    lines = WholeLines(open_content(str(path)))
    first = lines.read(final=False)
    assert first is not None and first.data == b"first\n" and lines.read(final=False) is None
    text = b"first\nsecond\n" + b"another\n" * (MAX_LINE_BYTES // 4)
    path.write_bytes(text)
    rest = lines.read(final=False)
    assert rest is not None and first.data + rest.data == text
