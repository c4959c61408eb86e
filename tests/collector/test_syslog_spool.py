"""Messages on the disk: every line given once, whatever was committed, killed or deleted in between."""

from __future__ import annotations

import random
from pathlib import Path

from collector.syslog_spool import MOST_STREAMS, OTHERS, Spool
from store.contract import Position


class Reader:
    """What a pipeline and a store do with a spool, across restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: dict[str, int] = {}
        self.lines: dict[str, list[bytes]] = {}
        self.spool = self.open()

    def open(self) -> Spool:
        self.spool = Spool(self.folder, 1 << 30, segment_bytes=300)
        self.spool.open()
        return self.spool

    def committed(self, label: str) -> Position | None:
        return Position(stream=label, offset=self.kept[label]) if label in self.kept else None

    def read(self, commit: bool = True) -> None:
        """Hand on what there is; without a commit it does not count."""
        for name, piece in list(self.spool.pieces(self.committed, str)):
            assert piece.data.endswith(b"\n")
            if not commit:
                continue
            assert piece.offset == self.kept.get(name, 0)
            self.lines.setdefault(name, []).extend(piece.data.splitlines())
            self.kept[name] = piece.end
            self.spool.committed(name, piece.end)


def test_each_line_is_given_once_over_restarts(tmp_path: Path) -> None:
    """Lines written, read, committed or not, and restarts at any moment: in the end every stream is whole, in order."""
    chance = random.Random(5)
    reader = Reader(tmp_path)
    written: dict[str, list[bytes]] = {"a@1": [], "b@2": []}
    for number in range(1500):
        name = chance.choice(list(written))
        line = b"%d %b" % (number, b"y" * chance.randrange(60))
        reader.spool.append(name, line + b"\n")
        written[name].append(line)
        match chance.randrange(12):
            case 0 | 1:
                reader.read()
            case 2:
                reader.read(commit=False)
                reader.spool.close()  # what was handed on and not committed must come again
                reader.open()
            case 3:
                reader.spool.close()
                reader.open()
    for _ in range(1000):
        reader.read()
    assert reader.lines == written
    assert reader.spool.unread() == 0
    assert len(list(tmp_path.glob("*@*/*"))) <= 4
    reader.spool.close()


def test_offsets_go_on_when_everything_was_deleted(tmp_path: Path) -> None:
    """A stream whose segments are all stored and gone still knows where it ended."""
    reader = Reader(tmp_path)
    reader.spool.append("a@1", b"y" * 100_000 + b"\n")
    reader.read()
    assert [path.stat().st_size for path in tmp_path.glob("a@1/*")] == [0]
    reader.spool.close()
    reader.open()
    reader.spool.append("a@1", b"z\n")
    reader.read()
    assert reader.kept == {"a@1": 100_003}
    assert reader.lines["a@1"][1:] == [b"z"]
    reader.spool.close()


def test_a_torn_line_of_a_killed_run_is_set_apart(tmp_path: Path) -> None:
    """The lines before it are read as they are; the half goes to the stream of halves."""
    reader = Reader(tmp_path)
    reader.spool.append("a@1", b"whole\n")
    reader.spool.append("b@1", b"x\n")
    reader.spool.close()
    for name, data in (("a@1", b"whole\nha"), ("b@1", b"only ha")):
        next((tmp_path / name).iterdir()).write_bytes(data)
    reader.open()
    reader.spool.append("a@1", b"next\n")
    reader.spool.append("b@1", b"next\n")
    for _ in range(3):
        reader.read()
    assert reader.lines == {"a@1": [b"whole", b"next"], "b@1": [b"next"], "half": [b"ha", b"only ha"]}
    reader.spool.close()


def test_the_number_of_streams_is_bounded(tmp_path: Path) -> None:
    """Invented names of programs do not use up descriptors: the rest share one stream."""
    reader = Reader(tmp_path)
    for number in range(MOST_STREAMS + 50):
        reader.spool.append(f"a@{number}", b"%d\n" % number)
    reader.read()
    assert len(reader.lines) == MOST_STREAMS + 1
    assert len(reader.lines[OTHERS]) == 50
    reader.spool.close()
