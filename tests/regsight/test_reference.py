from __future__ import annotations

from pathlib import Path

from regsight.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_reference_is_up_to_date() -> None:
    """docs/reference.md says what the code says: rewrite it with `python -m regsight.reference`."""
    assert PAGE.read_text(encoding="utf-8") == reference()
