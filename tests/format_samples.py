"""The samples of every format, and how tests read them: whole, or cut into blocks as a tail would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from collector.lines import split_lines
from collector.stages import Block, Format, Parsed
from regsight import discover
from store.contract import Position

SAMPLES = Path(__file__).parent / "samples"
BEFORE_BYTES = 64 << 10

# Which format the captured files are in; the folders named after a format hold its other samples.
LIVE: dict[str, tuple[str, ...]] = {
    "distribution-json": (
        "distribution-live/v2.8.2-json/registry.log",
        "distribution-live/v3-json/registry.log",
        "harbor-live/v2.12.4/registry.json.log",
    ),
    "distribution-text": (
        "distribution-live/v2.8.2-text/registry.log",
        "distribution-live/v3-text/registry.stderr.log",
        "harbor-live/v2.12.4/registry.text.log",
        "harbor-live/v2.15.2-harbor-log/registry.log",
    ),
    "distribution-access": ("distribution-live/v3-text/registry.stdout.log",),
    "nginx-combined": ("distribution-live/*/nginx-access.combined.log",),
    "nginx-timed-combined": (
        "distribution-live/*/nginx-access.timed_combined.log",
        "harbor-live/v2.12.4/nginx-access.log",
        "harbor-live/v2.15.2-harbor-log/proxy.log",
    ),
    "distribution-notifications": ("distribution-live/*/notifications.jsonl",),
    "harbor-audit": (
        "harbor-live/v2.12.4/api.audit-logs*.json",
        "harbor-live/v2.12.4/api.projects.payments.logs.json",
        "harbor-live/v2.15.2-harbor-log/api.auditlog-exts.page1.json",
    ),
    "harbor-core": ("harbor-live/*/core.log",),
    "harbor-webhook": ("harbor-live/v2.12.4/webhook-*.jsonl",),
    "harbor-audit-syslog": ("harbor-live/v2.12.4/audit-forward.syslog.raw",),
    "harbor-audit-csv": ("harbor-live/v2.12.4/db.audit_log.csv",),
    "harbor-jobservice": ("harbor-live/*/jobservice.log",),
    "harbor-component": ("harbor-live/*/registryctl.log", "harbor-live/*/exporter.log"),
    "harbor-scans": ("harbor-live/v2.12.4/api.artifacts.json",),
    "distribution-gc": ("distribution-live/*/garbage-collect.*.log",),
}


@dataclass(frozen=True)
class Sample:
    format_name: str
    path: Path

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()

    @property
    def id(self) -> str:
        return f"{self.format_name}:{self.path.relative_to(SAMPLES)}"


@cache
def formats() -> dict[str, Format]:
    return {format_.name: format_ for format_ in discover.formats()}


@cache
def samples() -> tuple[Sample, ...]:
    """Every sample of every format that there is, by format and path."""
    found = []
    for name in sorted(formats()):
        own = SAMPLES / name
        paths = [path for path in sorted(own.glob("*")) if path.name != "SOURCES.md"] if own.is_dir() else []
        for pattern in LIVE.get(name, ()):
            paths += sorted(SAMPLES.glob(pattern))
        found += [Sample(name, path) for path in paths]
    return tuple(found)


def block(data: bytes, *, offset: int = 0, before: bytes = b"", final: bool = True, path: str = "x.log") -> Block:
    after = Position(stream="s", offset=offset + len(data))
    return Block(
        stream="s", offset=offset, data=data, before=before, path=path, registry="r1", after=after, final=final
    )


def cut(data: bytes, lines: int) -> Iterator[Block]:
    """The same bytes in blocks of `lines` lines, each with what stands before it."""
    starts = [*[offset for offset, _ in split_lines(data, 0)][::lines], len(data)]
    for start, end in pairwise(starts):
        begin = 0 if start <= BEFORE_BYTES else data.find(b"\n", start - BEFORE_BYTES - 1) + 1
        yield block(data[start:end], offset=start, before=data[begin:start], final=end == len(data))


def rows(parsed: Parsed) -> list[dict[str, Any]]:
    return parsed.events.to_pylist()


def read(format_name: str, data: bytes, path: str = "x.log") -> Parsed:
    return formats()[format_name].parse(block(data, path=path))


def read_sample(format_name: str, name: str) -> Parsed:
    return read(format_name, (SAMPLES / name).read_bytes(), path=name)


def said(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says of the event itself: without nulls, and without what every row is given (ids, stream, format …)."""
    given = (
        "event_id",
        "revision",
        "read_at",
        "dataset",
        "registry",
        "registry_kind",
        "stream",
        "offset",
        "path",
        "parts",
    )
    return {name: value for name, value in row.items() if value is not None and name not in given}
