"""The scanner and the Python path give equal tables, rejects and counts, on whatever they read."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from format_samples import Sample, block, cut, samples
from two_paths import NOW, check_equal, needs_native

from benchmarks.lines import MAKERS, made
from collector import native

pytestmark = needs_native
MINE = [sample for sample in samples() if sample.format_name in native.FORMATS]
ALL_SAMPLES = pytest.mark.parametrize("sample", MINE, ids=lambda sample: sample.id)
ALL_FORMATS = pytest.mark.parametrize("name", sorted(MAKERS))
# Lines for all formats together; a million takes some minutes.
GENERATED = int(os.environ.get("REGSIGHT_EQUALITY_LINES", "50000"))


def test_every_format_of_the_scanner_is_tried() -> None:
    assert set(MAKERS) == set(native.FORMATS) == {sample.format_name for sample in MINE}


@ALL_SAMPLES
def test_samples(sample: Sample) -> None:
    """Real lines, whole and cut as a tail cuts them."""
    check_equal(sample.format_name, block(sample.data))
    for lines in (1, 7, 61):
        for piece in cut(sample.data, lines):
            check_equal(sample.format_name, piece)


@ALL_SAMPLES
def test_mutated_samples(sample: Sample) -> None:
    """Bytes changed at random: quotes, escapes, blanks, NUL, broken UTF-8, line ends."""
    chance = random.Random(sample.id)
    original = sample.data[:12_000]
    for _ in range(40):
        data = bytearray(original)
        for _ in range(max(1, len(data) // chance.choice((50, 200, 1000)))):
            data[chance.randrange(len(data))] = chance.choice(b'\x00\xff\xc3\n"{}[]\\ =-0e\r:/%+.,u')
        check_equal(sample.format_name, block(bytes(data)))


@ALL_FORMATS
def test_usual_lines_are_read_by_the_scanner(name: str) -> None:
    """Of lines as servers write them every day, nothing is left to Python."""
    tally = check_equal(name, block(made(name, 500)))
    assert (tally.scanned, tally.left) == (500, 0)


@ALL_FORMATS
@pytest.mark.parametrize("odd", [0.01, 0.2])
def test_generated_lines(name: str, odd: float) -> None:
    """Lines of which a share is odd in its values or shape, in blocks of a tail's size and of all together."""
    count = GENERATED // (2 * len(MAKERS))
    data = made(name, count, seed=count, odd=odd)
    tally = check_equal(name, block(data))
    for piece in list(cut(data, 97))[:40]:
        part = check_equal(name, piece)
        tally.scanned, tally.left = tally.scanned + part.scanned, tally.left + part.left
    assert tally.scanned * 4 > tally.left, "so many lines were left that nothing was compared"


@ALL_FORMATS
def test_times_of_another_zone_are_left(name: str) -> None:
    """Headers of syslog whose zone is not UTC are the Python path's."""
    data = made(name, 50)
    check_equal(name, replace(block(data), zone=timezone(timedelta(hours=3))))


def test_counted_lines_are_found_in_front() -> None:
    """`message repeated` makes copies of the line it means, also where the scanner read that, or it stands in the block before."""
    line = b'Nov 24 03:03:0%d h proxy[1]: 10.0.0.1 - "GET /v2/ HTTP/1.1" 200 2 "-" "x" 0.001 0.001 .\n'
    other = b'Nov 24 03:03:09 h other[1]: 10.0.0.2 - "GET /v2/ HTTP/1.1" 200 2 "-" "x" 0.001 0.001 .\n'
    counted = b'Nov 24 03:03:09 h proxy[1]: message repeated 3 times: [ 10.0.0.1 - "GET /v2/ HTTP/1.1" 200 2]\n'
    bare = b"Nov 24 03:03:09 h last message repeated 2 times\n"
    for data in (line % 1 + other + counted, counted, line % 1 + bare + bare, line % 2 + counted + other + bare):
        for before in (b"", line % 3, line % 3 + counted, other):
            check_equal("nginx-timed-combined", block(data, before=before, offset=len(before)))


def test_the_way_back_to_python_is_whole() -> None:
    """Where a line that is left tells of a request that the scanner told of, both are one event as ever."""
    usual = made("distribution-json", 3)
    first = usual.split(b"\n")[0]
    again = first.replace(b'{"', b'{ "', 1)
    tally = check_equal("distribution-json", block(usual + again + b"\n"))
    assert tally.left == 1


def test_a_switch_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.SWITCH, "off")
    native.scanner.cache_clear()
    try:
        assert native.path_in_use() == "pure Python (REGSIGHT_NATIVE=off)"
        assert native.scan("distribution-json", block(made("distribution-json", 3)), NOW).found is None
    finally:
        monkeypatch.undo()
        native.scanner.cache_clear()
    assert native.path_in_use().startswith("native scanner ")
