"""Spans of time as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import BaseModel, ValidationError

from store.durations import Span, duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("5 min", 300), ("1.5h", 5400), (" 90d ", 90 * 86400), ("2w", 14 * 86400)],
)
def test_what_people_write(text: str, seconds: float) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "15", "m", "-5m", "5 months", "1e3s", "15m 3s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="such as 15m or 90d"):
        duration(text)


class _Settings(BaseModel):
    keep: Span


def test_as_a_setting() -> None:
    """Words, seconds and ISO 8601; never negative."""
    assert _Settings.model_validate({"keep": "90d"}).keep == timedelta(days=90)
    assert _Settings.model_validate({"keep": 60}).keep == timedelta(minutes=1)
    assert _Settings.model_validate({"keep": "PT1H"}).keep == timedelta(hours=1)
    for wrong in ("soon", -1, "-PT1H"):
        with pytest.raises(ValidationError):
            _Settings.model_validate({"keep": wrong})
