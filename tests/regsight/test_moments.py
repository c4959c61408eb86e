from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from regsight.moments import moment

NOW = datetime(2026, 11, 26, 15, 30, tzinfo=UTC)  # a Thursday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("36h", NOW - timedelta(hours=36)),
        ("today", datetime(2026, 11, 26, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 25, tzinfo=UTC)),
        ("monday", datetime(2026, 11, 23, tzinfo=UTC)),
        ("thursday", datetime(2026, 11, 26, tzinfo=UTC)),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24T02:17:24Z", datetime(2026, 11, 24, 2, 17, 24, tzinfo=UTC)),
        ("2026-11-24T04:17:24+02:00", datetime(2026, 11, 24, 2, 17, 24, tzinfo=UTC)),
    ],
)
def test_what_people_write(text: str, expected: datetime) -> None:
    """Each spelling means the moment that people mean by it, in UTC where no zone is given."""
    assert moment(text, NOW) == expected


def test_nonsense_says_what_is_allowed() -> None:
    """What is no moment is refused with the spellings that are."""
    with pytest.raises(ValueError, match="write 2026-11-24"):
        moment("next week", NOW)
