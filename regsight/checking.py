"""What `regsight parse --check` counts: how much of files is read, what is not and why, what is empty, what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regsight.parsing import Look

NAMES_SHOWN = 12
JSON_LINES_LOOKED_AT = 500  # of each block, for unknown fields


@dataclass(slots=True)
class Why:
    """A reason, how often, and its first line."""

    count: int
    path: str
    offset: int
    line: str

    def as_json(self, reason: str) -> dict[str, Any]:
        return {
            "reason": reason,
            "count": self.count,
            "first": {"path": self.path, "offset": self.offset, "line": self.line},
        }


@dataclass(slots=True)
class Counts:
    """Of one format, or one file in one format. Lines = events + ignored + rejects, but for documents of many things."""

    lines: int = 0
    events: int = 0
    ignored: int = 0
    rejects: int = 0

    def add(self, look: Look) -> None:
        self.lines += look.parsed.lines
        self.events += look.parsed.events.num_rows
        self.ignored += look.parsed.ignored
        self.rejects += len(look.parsed.rejects)

    @property
    def read_ratio(self) -> float:
        return max(0.0, 1 - self.rejects / self.lines) if self.lines else 1.0

    def row(self) -> tuple[int, int, int, int, str]:
        return self.lines, self.events, self.ignored, self.rejects, f"{self.read_ratio:.1%}"

    def as_json(self) -> dict[str, Any]:
        names = ("lines", "events", "ignored", "rejects")
        return {name: getattr(self, name) for name in names} | {"read_ratio": self.read_ratio}


@dataclass(slots=True)
class OfFormat:
    """What the lines of one format gave."""

    counts: Counts = field(default_factory=Counts)
    why: dict[str, Why] = field(default_factory=dict)
    filled: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    looked_at: int = 0  # JSON lines whose fields were looked at

    def nulls(self) -> dict[str, float]:
        """Field → share of events without it, the fullest first; none where there is no event."""
        from store.event import FIELDS

        if not self.counts.events:
            return {}
        names = (each.name for each in FIELDS if each.name not in _OURS)
        shares = {name: 1 - self.filled[name] / self.counts.events for name in names}
        return dict(sorted(shares.items(), key=lambda item: item[1]))


# Filled in by Regsight, whatever the line says.
_OURS = frozenset(
    (
        *("event_id", "revision", "channel", "read_at", "stored_at", "dataset", "registry", "registry_kind"),
        *("stream", "offset", "path", "parts", "join_confidence", "project"),
        *("actor_kind", "actor_session", "traffic_class"),
        *("client_class", "client_version", "ci_system", "ci_project", "ci_ref", "ci_run", "ci_commit"),
    )
)


@dataclass(slots=True)
class Check:
    """Counts over all files."""

    files: dict[tuple[str, str], Counts] = field(default_factory=dict)
    formats: dict[str, OfFormat] = field(default_factory=dict)

    def add(self, look: Look) -> None:
        """Count one block."""
        self.files.setdefault((look.path, look.format), Counts()).add(look)
        format = self.formats.setdefault(look.format, OfFormat())
        format.counts.add(look)
        self._note_rejects(format, look)
        for name, column in zip(look.parsed.events.column_names, look.parsed.events.columns, strict=True):
            format.filled[name] += len(column) - column.null_count
        self._note_fields(format, look)

    @staticmethod
    def _note_rejects(format: OfFormat, look: Look) -> None:
        from collector.scrubbed import scrubbed

        for reject in look.parsed.rejects:
            known = format.why.get(reject.reason)
            if known is not None:
                known.count += 1
                continue
            start = reject.offset - look.block.offset
            line = scrubbed(look.block.data[start : start + reject.length])
            format.why[reject.reason] = Why(1, look.path, reject.offset, line)

    @staticmethod
    def _note_fields(format: OfFormat, look: Look) -> None:
        from collector.field_names import known_fields, names_in

        if (known := known_fields().get(look.format)) is None:
            return
        for _, names in names_in(look.block.data, JSON_LINES_LOOKED_AT):
            format.looked_at += 1
            format.unknown.update(names - known)

    def below(self, at_least: float) -> list[str]:
        """The formats of which less than that share is read."""
        return [name for name, each in sorted(self.formats.items()) if each.counts.read_ratio < at_least]

    def file_rows(self) -> Iterator[tuple[object, ...]]:
        for (path, format), counts in self.files.items():
            yield path, format, *counts.row()

    def format_rows(self) -> Iterator[tuple[object, ...]]:
        """Format, its counts, unknown fields, fields that are never filled and those that are now and then."""
        for name, each in sorted(self.formats.items()):
            nulls = each.nulls()
            empty = [field for field, share in nulls.items() if share == 1]
            some = [f"{field} {share:.0%}" for field, share in nulls.items() if 0 < share < 1]
            unknown = [field for field, _ in each.unknown.most_common()]
            yield name, *each.counts.row(), _listed(unknown), _listed(empty, 60), _listed(some, 60)

    def reasons(self) -> Iterator[str]:
        """One sentence a reason, the most frequent first."""
        found = [(why, reason, name) for name, each in self.formats.items() for reason, why in each.why.items()]
        for why, reason, name in sorted(found, key=lambda item: -item[0].count):
            yield f"{name}: {reason}: {why.count}×, first in {why.path} at byte {why.offset}: {why.line}"

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        files = [{"path": path, "format": name} | each.as_json() for (path, name), each in self.files.items()]
        formats = [
            {"format": name}
            | each.counts.as_json()
            | {
                "unknown_fields": dict(each.unknown.most_common()),
                "null_ratio": each.nulls(),
                "reasons": [why.as_json(reason) for reason, why in each.why.items()],
            }
            for name, each in sorted(self.formats.items())
        ]
        first = [
            f"{why.path} at byte {why.offset}: {reason}"
            for each in self.formats.values()
            for reason, why in each.why.items()
        ]
        return {"files": files, "formats": formats, "first_rejects": first}


def _listed(names: list[str], most: int = NAMES_SHOWN) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
