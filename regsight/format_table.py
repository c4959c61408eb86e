"""`docs/formats.md` and `collector/known_fields.json`, made from the formats and the samples that they are tested with.

`python -m regsight.format_table` in the project's root rewrites both; a test fails when they lag.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collector.stages import Format, Parsed

Samples = Mapping[str, list[bytes]]  # format → the contents of its samples

INTRODUCTION = """\
# Formats

What each log format can tell, and what it never can. Made by `python -m regsight.format_table` from the formats and the
samples in [tests/samples](../tests/samples): change those, not this page. How to add one: [adding-a-format.md](adding-a-format.md).

*Tested* means: with lines that a real server wrote. *Documented*: built from a published list of fields only. A percentage is
the share of events in the samples that have the field; a sample is a capture of a test drive, so take it as "can tell" and
"cannot tell", not as what your traffic will show. *Outcome* is the share that ends otherwise than `unknown`; *bytes* are those
of request or answer, *size* that of the manifest or layer itself; a *user* is a person or a robot, not a part of the registry.
"""

# Column → the fields of the event of which one must be filled.
TOLD: dict[str, tuple[str, ...]] = {
    "user": ("actor",),
    "address": ("client_ip",),
    "user agent": ("user_agent",),
    "repository": ("repository",),
    "tag": ("tag",),
    "digest": ("digest",),
    "outcome": ("outcome",),
    "bytes": ("response_bytes", "request_bytes"),
    "size": ("size_bytes",),
    "duration": ("duration_ns",),
}
JSON_LINES_LOOKED_AT = 100_000


def format_table(formats: Iterable[Format], samples: Samples) -> str:
    """The whole page."""
    columns = ("format", "what", "registry", "versions", "known from", "events", *TOLD, "never tells")
    rows = sorted(_rows(formats, samples), key=lambda row: row[0].strip("`"))
    lines = [columns, ["---"] * len(columns), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return INTRODUCTION + "\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _rows(formats: Iterable[Format], samples: Samples) -> Iterator[tuple[str, ...]]:
    for format_ in formats:
        facts = format_.facts
        own = samples.get(format_.name, [])
        events = [event for data in own for event in _read(format_, data).events.to_pylist()]
        yield (
            f"`{format_.name}`",
            format_.title,
            format_.registry_kind,
            facts.versions if facts else "",
            ("tested" if facts.tested else "documented") if facts else "",
            str(len(events)),
            *(_share(events, names) for names in TOLD.values()),
            ", ".join(facts.never) if facts else "",
        )


def _share(events: list[dict[str, Any]], names: tuple[str, ...]) -> str:
    if not events:
        return "–"
    told = sum(any(_tells(event, name) for name in names) for event in events)
    if told in (0, len(events)):
        return "all" if told else "–"
    return f"{min(99, max(1, round(100 * told / len(events))))} %"


def _tells(event: dict[str, Any], name: str) -> bool:
    """The registry's own parts and the nodes that pull for it are no users."""
    if name == "actor" and event["actor_kind"] in ("internal", "node"):
        return False
    return event[name] not in (None, "unknown")


def _read(format_: Format, data: bytes) -> Parsed:
    from collector.stages import Block
    from store.contract import Position

    after = Position(stream="sample", offset=len(data))
    return format_.parse(Block(stream="sample", offset=0, data=data, after=after, final=True))


def known_fields(samples: Samples) -> str:
    """The text of `collector/known_fields.json`: the names of the JSON fields in the samples, by format."""
    from collector.field_names import names_in

    known: dict[str, list[str]] = {}
    for format_name, own in sorted(samples.items()):
        found: set[str] = set()
        for data in own:
            for _, names in names_in(data, JSON_LINES_LOOKED_AT):
                found |= names
        if found:
            known[format_name] = sorted(found)
    return json.dumps(known, indent=1) + "\n"


def project_samples(root: Path) -> dict[str, list[bytes]]:
    """The samples of the project's own tests, which know which file is of which format."""
    sys.path.insert(0, str(root / "tests"))
    try:
        listed = importlib.import_module("format_samples").samples()
    finally:
        sys.path.remove(str(root / "tests"))
    found: dict[str, list[bytes]] = {}
    for sample in listed:
        found.setdefault(sample.format_name, []).append(sample.data)
    return found


def main(root: Path) -> None:
    """Write both files."""
    from regsight.discover import formats

    samples = project_samples(root)
    (root / "collector" / "known_fields.json").write_text(known_fields(samples), encoding="utf-8")
    (root / "docs" / "formats.md").write_text(format_table(formats(), samples), encoding="utf-8")


if __name__ == "__main__":
    main(Path.cwd())
