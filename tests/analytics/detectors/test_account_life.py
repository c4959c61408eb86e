"""Who comes back after a pause, and how."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detectors.account_life import AccountLife

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("hour", "client", "repository", "severity"),
    [
        (10, "192.0.2.99", "shop/a", "info"),  # its own place, its own work
        (10, "203.0.113.7", "shop/a", "info"),  # one sign: a journey
        (10, "203.0.113.7", "data/a", "medium"),
        (10, "198.51.100.7", "data/a", "info"),  # new to it, where colleagues are: the office has several networks
        (3, "192.0.2.99", "data/a", "medium"),
    ],
)
def test_an_account_that_was_seen_once(hour: int, client: str, repository: str, severity: str, tmp_path: Path) -> None:
    """Back after two weeks: it takes two unusual things to wake anybody."""
    made = Made()
    for hour_at_work in (8, 10, 12, 14, 16):
        for day in range(16):
            made.pull(START + day * DAY + timedelta(hours=hour_at_work), f"person-{day % 3}", "192.0.2.1", "shop/a")
            made.pull(
                START + day * DAY + timedelta(hours=hour_at_work), f"person-{3 + day % 3}", "198.51.100.1", "shop/a"
            )
    made.pull(START + timedelta(hours=11), "guest", "192.0.2.99", "shop/a")
    at = START + 15 * DAY + timedelta(hours=hour, minutes=7)
    made.pull(at, "guest", client, repository)
    store = made.store(tmp_path)
    found = [
        one
        for one in AccountLife().detect(store, at - timedelta(minutes=7), at + timedelta(minutes=53))
        if one.subjects["actor"] == ["guest"]
    ]
    store.close()
    assert [(one.kind, str(one.severity)) for one in found] == [("dormant_account_wakes", severity)]
