"""The page of formats and the known JSON fields are those of the code and of the samples."""

from __future__ import annotations

from pathlib import Path

from format_samples import formats, samples

from regsight.format_table import TOLD, format_table, known_fields

ROOT = Path(__file__).parents[2]
AGAIN = "run `python -m regsight.format_table`"


def by_format() -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for sample in samples():
        found.setdefault(sample.format_name, []).append(sample.data)
    return found


def test_the_page_is_up_to_date() -> None:
    """Who adds a format or a sample writes the page anew."""
    assert (ROOT / "docs" / "formats.md").read_text() == format_table(formats().values(), by_format()), AGAIN


def test_known_fields_are_up_to_date() -> None:
    """Fields of the samples are known fields, and no others are."""
    assert (ROOT / "collector" / "known_fields.json").read_text() == known_fields(by_format()), AGAIN


def test_every_format_states_its_facts() -> None:
    """Versions, tested or documented, and what its lines can never tell: people rely on it."""
    for name, format_ in formats().items():
        assert format_.facts is not None, name
        assert format_.facts.versions, name


def test_what_is_never_told_is_not_told() -> None:
    """A format that says it never tells a field has it in no event of its samples, and a `tested` one has samples."""
    words = {"user": "user", "address": "address", "duration": "duration", "bytes": "bytes", "digest": "digest"}
    table = format_table(formats().values(), by_format()).splitlines()
    columns = [cell.strip() for cell in next(line for line in table if line.startswith("| format ")).split("|")[1:-1]]
    for line in table:
        if not line.startswith("| `"):
            continue
        row = dict(zip(columns, (cell.strip() for cell in line.split("|")[1:-1]), strict=True))
        for never in row["never tells"].split(", "):
            if never in words:
                assert row[words[never]] == "–", (row["format"], never)
    assert set(words) <= {*TOLD}
