"""Dead letters become the events that they should have been, once the format can read them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from format_samples import SAMPLES, formats
from prometheus_client import CollectorRegistry

from collector.feed import Feed
from collector.lines import split_lines
from collector.pipeline import Pipeline
from collector.second_reading import CUT, reread
from collector.sources.file_tail import FileTail
from collector.stages import Block, Format, Parsed, Reject
from collector.telemetry import CollectorTelemetry
from regsight.discover import enrichers
from store.contract import EventQuery, Store
from store.locate import open_store

CAPTURE = SAMPLES / "distribution-live" / "v3-json" / "registry.log"
NOW = datetime(2026, 11, 26, tzinfo=UTC)
LOOKED_AT = ("event_id", "timestamp", "action", "outcome", "actor", "client_ip", "repository", "digest", "registry")
_namespaces = itertools.count()


@dataclass(frozen=True)
class Older:
    """A format as an older release had it: lines with `unknown` in them it could not read."""

    today: Format
    unknown: bytes

    @property
    def name(self) -> str:
        return self.today.name

    def claims(self, head: bytes) -> float:
        return self.today.claims(head)

    def parse(self, block: Block) -> Parsed:
        lines = list(split_lines(block.data, block.offset))
        bad = [(offset, line) for offset, line in lines if self.unknown in line]
        data = block.data
        for _, line in bad:
            data = data.replace(line, b" " * len(line))
        got = self.today.parse(replace(block, data=data))
        rejects = [Reject(offset=offset, length=len(line), reason="unknown field") for offset, line in bad]
        return replace(got, rejects=[*got.rejects, *rejects], ignored=got.ignored - len(bad))


@pytest.fixture(params=["delta", pytest.param("elastic", marks=pytest.mark.external_service)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "delta":
        opened = open_store(f"delta:{tmp_path / 'store'}")
    else:
        opened = open_store(f"{request.getfixturevalue('elasticsearch_url')}?namespace=reread{next(_namespaces)}")
    yield opened
    opened.close()


def read(store: Store, path: Path, known: list[Any], format_name: str | None = None) -> None:
    source = FileTail("files", [str(path)], registry="main")
    telemetry = CollectorTelemetry(CollectorRegistry())
    Pipeline(store, [source], known, enrichers(), telemetry, format_name=format_name).run()


def told(store: Store) -> list[tuple[Any, ...]]:
    return sorted(tuple(event[name] for name in LOOKED_AT) for event in store.events(EventQuery()))


def all_formats() -> list[Format]:
    return list(formats().values())


def test_read_again_is_as_if_read_at_first(store: Store, tmp_path: Path) -> None:
    """The same ids and the same events as a store that today's formats filled; a second time changes nothing."""
    log = tmp_path / "registry.log"
    log.write_bytes(CAPTURE.read_bytes())
    older = [Older(format_, b'"PUT"') if format_.name == "distribution-json" else format_ for format_ in all_formats()]
    read(store, log, older)
    letters = store.dead_letters(limit=10_000)
    assert len(letters) > 20 and {letter.registry for letter in letters} == {"main"}
    assert not any(event["method"] == "PUT" for event in store.events(EventQuery()))

    done = reread(store, letters, all_formats(), enrichers(), NOW)
    assert (done.letters, done.removed, done.still_bad.total()) == (len(letters), len(letters), 0)
    assert store.dead_letters() == []

    fresh = open_store(f"delta:{tmp_path / 'fresh'}")
    read(fresh, log, all_formats())
    expected = told(fresh)
    fresh.close()
    assert told(store) == expected

    again = reread(store, letters, all_formats(), enrichers(), NOW)
    assert again.still_bad.total() == 0
    assert told(store) == expected
    position = store.positions()[0]
    assert position.offset == log.stat().st_size


def test_what_is_still_bad_is_kept(store: Store, tmp_path: Path) -> None:
    """A torn line stays with its reason; its neighbour, of a format that was unknown, becomes an event."""
    log = tmp_path / "registry.log"
    lines = CAPTURE.read_bytes().splitlines(keepends=True)[:60]
    log.write_bytes(b"".join([*lines[:30], lines[30][:50] + b"\n", *lines[31:]]))
    nothing_fits = [format_ for format_ in all_formats() if format_.name == "harbor-core"]
    feed = Feed(source=FileTail("files", [str(log)], registry="main"))  # not strict: unknown lines are kept
    Pipeline(store, [feed], nothing_fits, [], CollectorTelemetry(CollectorRegistry())).run()
    letters = store.dead_letters(limit=1_000)
    assert len(letters) == 60
    log.unlink()  # the letters alone must do

    done = reread(store, letters, all_formats(), enrichers(), NOW)
    left = store.dead_letters()
    assert [letter.line for letter in left] == [lines[30][:50]]
    assert (done.removed, dict(done.still_bad)) == (59, {"torn or mutated JSON": 1})
    fresh = open_store(f"delta:{tmp_path / 'fresh'}")
    log.write_bytes(b"".join([*lines[:30], lines[30][:50] + b"\n", *lines[31:]]))
    read(fresh, log, all_formats())
    assert told(store) == told(fresh)
    fresh.close()


def test_a_line_that_was_cut_needs_its_file(store: Store, tmp_path: Path) -> None:
    """Beyond 64 KiB a letter holds the beginning only: the file has the rest, and without it the letter stays."""
    log = tmp_path / "registry.log"
    lines = [json.loads(line) for line in CAPTURE.read_bytes().splitlines() if b"response completed" in line][:3]
    lines[1]["err.detail"] = "x" * 100_000
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    older = [Older(format_, b"xxxx") if format_.name == "distribution-json" else format_ for format_ in all_formats()]
    read(store, log, older)
    [letter] = store.dead_letters()
    assert len(letter.line) == 64 << 10 < letter.length

    moved = log.rename(tmp_path / "elsewhere")
    done = reread(store, [letter], all_formats(), enrichers(), NOW)
    assert (done.removed, dict(done.still_bad)) == (0, {CUT: 1})
    assert len(store.dead_letters()) == 1

    moved.rename(tmp_path / "registry.log.1")  # rotated: beside the log, under another name
    done = reread(store, [letter], all_formats(), enrichers(), NOW)
    assert (done.removed, done.events, done.still_bad.total()) == (1, 1, 0)
    assert store.total() == 3
