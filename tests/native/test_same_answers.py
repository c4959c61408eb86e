"""The scanner, the columns and the Python path give equal tables, rejects and counts, on whatever they read."""

from __future__ import annotations

import os
import random
import re
from dataclasses import replace
from datetime import timedelta, timezone
from itertools import islice
from unittest.mock import patch

import pytest
from format_samples import Sample, block, cut, samples
from three_paths import NOW, check_equal, needs_native, parsed

from benchmarks.lines import MAKERS, made
from collector import native
from store.compiled import SWITCH, compiled

MINE = [sample for sample in samples() if sample.format_name in native.FORMATS]
ALL_SAMPLES = pytest.mark.parametrize("sample", MINE, ids=lambda sample: sample.id)
ALL_FORMATS = pytest.mark.parametrize("name", sorted(MAKERS))
# Lines for all formats together; a million takes some minutes.
GENERATED = int(os.environ.get("REGSIGHT_EQUALITY_LINES", "20000"))


def test_every_format_of_the_scanner_is_tried() -> None:
    assert set(MAKERS) == set(native.FORMATS) == {sample.format_name for sample in MINE}


@ALL_SAMPLES
def test_samples(sample: Sample) -> None:
    """Real lines, whole and cut as a tail cuts them (long samples: their first pieces)."""
    check_equal(sample.format_name, block(sample.data))
    for lines in (1, 7, 61):
        for piece in islice(cut(sample.data, lines), 100):
            check_equal(sample.format_name, piece)


@ALL_SAMPLES
def test_mutated_samples(sample: Sample) -> None:
    """Bytes changed at random: quotes, escapes, blanks, NUL, broken UTF-8, line ends."""
    chance = random.Random(sample.id)
    original = sample.data[:12_000]
    for _ in range(16):
        data = bytearray(original)
        for _ in range(max(1, len(data) // chance.choice((50, 200, 1000)))):
            data[chance.randrange(len(data))] = chance.choice(b'\x00\xff\xc3\n"{}[]\\ =-0e\r:/%+.,u')
        check_equal(sample.format_name, block(bytes(data)))


@ALL_FORMATS
def test_usual_lines_are_read_by_the_scanner(name: str) -> None:
    """Of lines as servers write them every day, nothing is left to Python; of the text form the columns read nothing."""
    for path, tally in check_equal(name, block(made(name, 500))).items():
        read = 0 if (path, name) == ("columns", "distribution-text") else 500
        assert (tally.scanned, tally.left) == (read, 500 - read), path


@ALL_FORMATS
@pytest.mark.parametrize("odd", [0.01, 0.2])
def test_generated_lines(name: str, odd: float) -> None:
    """Lines of which a share is odd in its values or shape, in blocks of a tail's size and of all together."""
    count = GENERATED // (2 * len(MAKERS))
    data = made(name, count, seed=count, odd=odd)
    tallies = check_equal(name, block(data))
    for piece in list(cut(data, 97))[:40]:
        for path, part in check_equal(name, piece).items():
            tallies[path].scanned += part.scanned
            tallies[path].left += part.left
    for path, tally in tallies.items():
        text = (path, name) == ("columns", "distribution-text")
        assert text or tally.scanned * 4 > tally.left, f"{path}: so many lines were left that nothing was compared"


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
    tallies = check_equal("distribution-json", block(usual + again + b"\n"))
    assert tallies["columns"].left >= 1
    assert "native" not in tallies or tallies["native"].left == 1


def test_requests_told_twice_in_other_words() -> None:
    """Two lines of one request that are both read by columns are one event, with all that both say."""
    lines = made("distribution-json", 400).splitlines(keepends=True)
    refused = next(line for line in lines if b"error authorizing" in line)
    told = next(line for line in lines if b'response completed"' in line)
    number = told.partition(b'"http.request.id":"')[2][:32]
    other = refused.partition(b'"http.request.id":"')[2][:32]
    check_equal("distribution-json", block(b"".join([*lines, refused.replace(other, number)])))


@pytest.mark.parametrize("name", ["distribution-json", "distribution-text"])
def test_what_is_said_of_a_forged_token_is_kept(name: str) -> None:
    """Only Python keeps it: the quick paths leave such lines."""
    lines = made(name, 400).splitlines(keepends=True)
    refused = [line for line in lines if b"invalid authorization credential" in line]
    forged = [
        re.sub(rb"basic authentication.*?invalid authorization credential", b"invalid token", line) for line in refused
    ]
    assert forged and b"invalid token" in forged[0]
    data = block(b"".join([*lines, *(line.replace(b"/v2/", b"/v2/a/b/manifests/1", 1) for line in forged)]))
    check_equal(name, data)
    plain, _ = parsed(name, data, "rows")
    said = [row["error_message"] for row in plain.events.to_pylist() if row["reason"] == "bad_credentials"]
    assert said.count("invalid token") > 0


def test_few_lines_are_not_read_by_columns() -> None:
    """A tail's handful of lines goes line by line."""
    native.TALLY.scanned = native.TALLY.left = 0
    with patch.object(native, "compiled", lambda: None):
        found = native.scan("nginx-combined", block(made("nginx-combined", 100)), NOW).found
        assert found is None
        assert native.scan("nginx-combined", block(made("nginx-combined", 1000)), NOW).found is not None


def test_a_template_is_no_wider_than_its_line() -> None:
    """Lines that look like another in all but what makes them JSON are left."""
    line = made("distribution-json", 1).rstrip()
    broken = [
        line.replace(b'"http.response.status":200', b'"http.response.status":0200'),
        line.replace(b'"http.response.status":200', b'"http.response.status":2 0'),
        line.replace(b'"http.response.status":200', b'"http.response.status":'),
        line.replace(b'"level":"', b'"level":"\\q'),
        line.replace(b'"level":"', b'"level":"\\ud800'),
        line.replace(b'"level":"', b'"level":"\\u00e9'),
        line + b"}",
        line[:-1],
        line + b" ",
    ]
    usual = made("distribution-json", 60, seed=3)
    check_equal("distribution-json", block(usual + b"\n".join([line, *broken, line]) + b"\n" + usual))


@needs_native
def test_a_switch_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "off")
    compiled.cache_clear()
    try:
        assert native.path_in_use() == "Python by columns (REGSIGHT_NATIVE is off)"
        monkeypatch.setenv(native.COLUMNS_SWITCH, "off")
        assert native.path_in_use().startswith("Python line by line (REGSIGHT_COLUMNS is off)")
        assert native.scan("distribution-json", block(made("distribution-json", 300)), NOW).found is None
    finally:
        monkeypatch.undo()
        compiled.cache_clear()
    assert native.path_in_use().startswith("native scanner ")
