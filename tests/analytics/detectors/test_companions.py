"""Pushes without what belongs to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made
from signed_builds import AT, CI, DAY, MINUTE, build, found, usual


@pytest.mark.parametrize(
    ("made_as", "expected"),
    [
        ({}, []),
        ({"sign": False}, [("used_unsafe", "medium"), ("push_without_companions", "low")]),
        ({"base": False, "use": False}, [("push_without_companions", "low")]),
        ({"base": False, "sign": False, "use": False}, [("push_without_companions", "medium")]),
        (
            {"actor": "mallory", "client": "203.0.113.9", "base": False, "beside": False, "sign": False, "use": False},
            [("push_without_companions", "high")],
        ),
        (
            # Somebody who pushes in this project by hand, in a night of trouble.
            {"actor": "ann", "client": "192.0.2.1", "base": False, "beside": False, "sign": False, "use": False},
            [("push_without_companions", "low")],
        ),
    ],
)
def test_what_is_missing(made_as: dict[str, object], expected: list[tuple[str, str]], tmp_path: Path) -> None:
    made = usual()
    build(made, AT, 100, **made_as)  # type: ignore[arg-type]
    assert found(made, tmp_path) == expected


@pytest.mark.parametrize(("sign", "expected"), [(True, []), (False, [("push_without_companions", "medium")])])
def test_a_signature_before_the_next_push_is_its_own(
    sign: bool, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    """No line says which image a push made; the builder is busy elsewhere, with more pushes than anybody counts."""
    made = Made()
    for day in range(16):
        at, who = START + day * DAY, {"actor": CI, "client_ip": "10.30.0.1"}
        unsaid(made, at, sign=True, beside=True)
        for number in range(40):
            made.add(at + (1 + number) * MINUTE, "push", repository=f"web/{number}", tag="main", **who)
    unsaid(made, AT, sign=sign, beside=sign)
    unsaid(made, AT + 30 * MINUTE, sign=True, beside=True)
    assert found(made, tmp_path) == expected


def unsaid(made: Made, at: datetime, *, sign: bool, beside: bool) -> None:
    for tag in ("1.0.0", "stable") if beside else ("stable",):
        made.add(at, "push", repository="shop/api", tag=tag, actor=CI, client_ip="10.30.0.1")
    if sign:
        made.add(at + timedelta(seconds=5), "sign", repository="shop/api", tag=f"sha256-{at.timestamp():064.0f}.sig")
