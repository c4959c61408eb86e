"""What stands in the file: sizes, halves, line ends, bytes that are no text, and lines without end."""

from __future__ import annotations

import time

import pytest
from faults.bench import FULL, Bench, size

from collector.lines import MAX_LINE_BYTES
from store.contract import EventQuery


@pytest.mark.fault("F11")
def test_growing_by_one_byte(bench: Bench) -> None:
    """From nothing, byte by byte: each line is there when its newline is."""
    bench.log.write_bytes(b"")
    with bench.log.open("ab", buffering=0) as file, bench.collecting() as collector:
        for _ in range(3):
            for byte in bench.truth.lines(1):
                file.write(bytes([byte]))
                time.sleep(0.002)
            bench.until_all(collector)
    bench.verdict()


@pytest.mark.quick
@pytest.mark.fault("F15")
def test_half_a_line(bench: Bench) -> None:
    """Written byte by byte it is one event; at a stop it is none; that never ends, it is told of after a minute."""
    bench.log.write_bytes(bench.truth.lines(1))
    with bench.log.open("ab", buffering=0) as file:
        with bench.collecting() as collector:
            bench.until_all(collector)
            line = bench.truth.lines(1)
            for start in range(0, len(line), size(20, 1)):
                file.write(line[start : start + size(20, 1)])
                time.sleep(0.1)
            bench.until_all(collector)
            last = bench.truth.lines(1)
            file.write(last[:40])
            if FULL:
                bench.until(bench.gaps, "telling of the half line", collector)
                (gap,) = bench.gaps()
                assert (gap["kind"], gap["bytes"], gap["resolved_at"]) == ("unfinished_line", 40, None)
        assert bench.stored() == 2
        file.write(last[40:])
        with bench.collecting() as collector:
            bench.until_all(collector)
            bench.until_still(1)
    bench.verdict()


@pytest.mark.fault("F16")
def test_line_ends(bench: Bench) -> None:
    """CRLF and LF mixed, empty lines, a mark of byte order in front, a lone CR inside, and UTF-16, which nobody reads."""
    truth = bench.truth
    content = b"\xef\xbb\xbf" + truth.line() + b"\r\n" + truth.line() + b"\n\n\r\n" + truth.line("a\rb") + b"\n"
    bench.log.write_bytes(content)
    wide = bench.folder / "wide.log"
    wide.write_bytes("a line in UTF-16\n".encode("utf-16"))
    with bench.collecting(bench.log, wide) as collector:
        bench.until(lambda: bench.stored() + sum(bench.store.dead_letter_counts().values()) >= 3, "reading", collector)
        bench.until_still(1)
        assert collector.alive()
    letters = sum(bench.store.dead_letter_counts().values())
    done = bench.verdict(lost_at_most=1, dead_letters=None, said=f"{letters} dead letters")
    assert len(done.lost) + bench.stored() == 3 and letters >= len(done.lost)


@pytest.mark.fault("F17")
def test_bytes_that_are_no_text(bench: Bench) -> None:
    """Invalid UTF-8, overlong forms, escape codes, NUL and separators inside a line: each is an event, or kept as it is."""
    odd = [b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\x00", b"\x1b[31m", "\u2028".encode(), b"\x85", b"\x9b2J"]
    lines = [bench.truth.line().replace(b"skopeo", b"sko" + each + b"peo") + b"\n" for each in odd]
    bench.log.write_bytes(b"".join(lines))
    with bench.collecting() as collector:
        bench.until(
            lambda: bench.stored() + sum(bench.store.dead_letter_counts().values()) >= len(odd), "reading", collector
        )
    letters = bench.store.dead_letters(limit=100)
    done = bench.verdict(lost_at_most=len(letters), dead_letters=None, said=f"{len(letters)} dead letters")
    assert all(letter.line + b"\n" in lines for letter in letters)
    assert len(done.lost) == len(letters)
    agents = [event["user_agent"] for event in bench.store.events(EventQuery())]
    assert all("sko" in str(agent) for agent in agents)


@pytest.mark.quick
@pytest.mark.fault("F18")
def test_lines_without_end(bench: Bench) -> None:
    """64 KiB is a line; beyond 1 MiB it is cut and kept with its true length; memory stays within three times the limit."""
    long = [64 << 10, 1 << 20, 10 << 20, size(128 << 20, 1 << 30)]
    bench.log.write_bytes(bench.truth.lines(50))
    with bench.log.open("ab") as file, bench.collecting() as collector:
        bench.until_all(collector)
        before = collector.resident()
        highest = before
        for length in long:
            for _ in range(length // (64 << 10)):
                file.write(b"x" * (64 << 10))
                if length >= 64 << 20:
                    highest = max(highest, collector.resident())
            file.write(b"\n" + bench.truth.lines(5))
            file.flush()
            done = bench.truth.count
            while bench.stored() < done:
                highest = max(highest, collector.resident())
                assert collector.alive()
                time.sleep(0.02)
    bench.log.unlink()
    done = bench.verdict(
        dead_letters=len(long), said=f"{len(long)} dead letters; memory +{(highest - before) >> 20} MiB"
    )
    whole = 64 << 10  # the newline counts where the line was cut
    assert sorted(letter.length // whole * whole for letter in bench.store.dead_letters()) == sorted(long)
    # The reading buffer is 4 MiB, of which the queue may hold some: not one of them is a line of a gibibyte.
    assert highest - before < 64 * MAX_LINE_BYTES
