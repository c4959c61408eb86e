"""Which digest a tag pointed to, told by events that are spelled out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from analytics.tag_ledger import LEARNED, SEEN, SET, UNSAID, Entry, ledger_of

START = datetime(2026, 11, 1, tzinfo=UTC)
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def event(
    minute: int, action: str, tag: str | None = "v1", digest: str | None = None, actor: str | None = "ci"
) -> dict[str, Any]:
    return {
        "event_id": f"e{minute}",
        "timestamp": START + timedelta(minutes=minute),
        "action": action,
        "repository": "shop/api",
        "tag": tag,
        "digest": digest,
        "actor": actor,
        "client_ip": "10.0.0.1",
    }


def shown(entries: list[Entry]) -> list[tuple[Any, ...]]:
    minutes = [None if one.last is None else (one.last - START) // timedelta(minutes=1) for one in entries]
    return [
        (one.tag, one.digest, (one.first - START) // timedelta(minutes=1), last, one.how, one.by, one.pulls)
        for one, last in zip(entries, minutes, strict=True)
    ]


def test_a_tag_that_moves_has_an_entry_for_each_digest() -> None:
    """Pushed, pulled twice, pushed anew: the first entry ends where the second begins."""
    found = ledger_of(
        [
            event(0, "push", digest=A),
            event(1, "pull", digest=A, actor="node"),
            event(2, "pull"),
            event(3, "push", digest=B, actor="bob"),
        ]
    )
    assert shown(found) == [("v1", A, 0, 3, SET, "ci", 2), ("v1", B, 3, None, SET, "bob", 0)]
    assert found[0].events == ("e0", "e3")


def test_the_same_digest_again_is_no_move() -> None:
    """A push of what is there already changes nothing."""
    found = ledger_of([event(0, "push", digest=A), event(1, "push", digest=A, actor="bob")])
    assert shown(found) == [("v1", A, 0, None, SET, "ci", 0)]


def test_a_pull_shows_where_a_tag_points_and_not_who_set_it() -> None:
    """A pull before any push, and one with another digest than the last push: nobody is named for either."""
    found = ledger_of(
        [event(0, "pull", digest=A, actor="node"), event(1, "push", digest=A), event(2, "pull", digest=B, actor="node")]
    )
    assert shown(found) == [("v1", A, 0, 2, SEEN, None, 1), ("v1", B, 2, None, SEEN, None, 1)]


def test_a_push_without_digest_is_not_guessed() -> None:
    """It ends what was known; the next pull that names a digest says what it was."""
    found = ledger_of([event(0, "push", digest=A), event(1, "push"), event(2, "pull")])
    assert shown(found) == [("v1", A, 0, 1, SET, "ci", 0), ("v1", None, 1, None, UNSAID, "ci", 1)]
    found = ledger_of([event(0, "push"), event(1, "pull", digest=B)])
    assert shown(found) == [("v1", B, 0, None, LEARNED, "ci", 1)]


def test_a_removed_tag_and_a_deleted_digest_end_entries() -> None:
    """Untagging ends one tag, deleting a digest all that point to it, and another digest's tags stay."""
    pushes = [
        event(0, "push", "v1", A),
        event(1, "push", "v2", A),
        event(2, "push", "v3", B),
        event(3, "push", "v4", A),
    ]
    found = ledger_of([*pushes, event(4, "untag", "v4", actor="eve"), event(5, "delete", None, A, actor="eve")])
    assert [(one.tag, one.last is None, one.ended_by) for one in found] == [
        ("v1", False, "eve"),
        ("v2", False, "eve"),
        ("v3", True, None),
        ("v4", False, "eve"),
    ]


def test_pulls_by_digest_say_nothing_of_tags() -> None:
    """Without a tag there is no entry."""
    assert ledger_of([event(0, "push", None, A), event(1, "pull", None, A)]) == []
