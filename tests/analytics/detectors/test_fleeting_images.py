"""Images that have no tag, or are gone soon, and which of them are only tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detectors.fleeting_images import FleetingImages

NOW = START + timedelta(days=14, hours=10)
MINUTE = timedelta(minutes=1)


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def push(made: Made, at: datetime, number: int, tag: str | None = None, actor: str = "ann") -> None:
    made.add(at, "push", actor=actor, client_ip="192.0.2.1", repository="shop/api", tag=tag, digest=digest(number))


def use(made: Made, at: datetime, number: int, actor: str = "robot$node", **fields: object) -> None:
    made.add(at, "pull", actor=actor, client_ip="10.40.0.1", repository="shop/api", digest=digest(number), **fields)


def remove(made: Made, at: datetime, number: int | None, actor: str = "ann", **fields: object) -> None:
    named = digest(number) if number is not None else None
    made.add(at, "delete", actor=actor, client_ip="192.0.2.1", repository="shop/api", digest=named, **fields)


def history() -> Made:
    made = Made()
    for day in range(14):
        push(made, START + timedelta(days=day, hours=9), day, f"v{day}", "robot$ci")
        use(made, START + timedelta(days=day, hours=10), day)
    return made


def judged(made: Made, folder: Path) -> list[tuple[str, str, list[str]]]:
    store = made.store(folder)
    try:
        found = list(FleetingImages().detect(store, NOW, NOW + timedelta(hours=6)))
    finally:
        store.close()
    return [(one.kind, str(one.severity), one.subjects["actor"]) for one in found]


def test_an_image_without_a_tag_that_somebody_else_runs(tmp_path: Path) -> None:
    made = history()
    push(made, NOW, 99)
    use(made, NOW + 5 * MINUTE, 99, "ann", user_agent="looks at its own")
    use(made, NOW + 20 * MINUTE, 99)
    use(made, NOW + 30 * MINUTE, 99)
    assert judged(made, tmp_path) == [("untagged_image_used", "medium", ["ann"])]


@pytest.mark.parametrize("action", ["push", "tag"])
def test_parts_of_an_index_and_what_gets_a_tag_are_ordinary(action: str, tmp_path: Path) -> None:
    made = history()
    push(made, NOW, 98)
    push(made, NOW + MINUTE, 99)
    where = {"actor": "ann", "client_ip": "192.0.2.1", "repository": "shop/api", "tag": "v2"}
    made.add(NOW + 2 * MINUTE, action, digest=digest(100 if action == "push" else 99), **where)
    use(made, NOW + 3 * MINUTE, 99)
    use(made, NOW + 4 * MINUTE, 98)
    assert judged(made, tmp_path) == []


def test_an_index_whose_push_names_no_digest(tmp_path: Path) -> None:
    """As Distribution logs the push by tag that makes an index of the parts before it."""
    made = history()
    for number in (98, 99):
        push(made, NOW + timedelta(seconds=number), number, None, "robot$ci")
    made.add(NOW + 2 * MINUTE, "push", actor="robot$ci", client_ip="192.0.2.1", repository="shop/api", tag="mr-1")
    use(made, NOW + 20 * MINUTE, 99)
    assert judged(made, tmp_path) == []


def test_an_image_that_was_run_and_is_gone(tmp_path: Path) -> None:
    made = history()
    push(made, NOW, 99, "debug")
    use(made, NOW + 5 * MINUTE, 99)
    remove(made, NOW + 50 * MINUTE, 99)
    push(made, NOW, 98, "mine")
    remove(made, NOW + 50 * MINUTE, 98)  # nobody pulled it
    push(made, NOW, 97, "long")
    use(made, NOW + 5 * MINUTE, 97)
    remove(made, NOW + 200 * MINUTE, 97)
    assert judged(made, tmp_path) == [("image_came_and_went", "medium", ["ann"])]


def test_where_pulls_and_removals_name_only_the_tag(tmp_path: Path) -> None:
    made = history()
    push(made, NOW, 99, "debug")
    made.add(NOW + 5 * MINUTE, "pull", actor="robot$node", client_ip="10.40.0.1", repository="shop/api", tag="debug")
    made.add(NOW + 9 * MINUTE, "untag", actor="ann", client_ip="192.0.2.1", repository="shop/api", tag="debug")
    assert judged(made, tmp_path) == [("image_came_and_went", "medium", ["ann"])]


def test_a_pipeline_that_cleans_up_and_a_clean_up_job_wake_nobody(tmp_path: Path) -> None:
    made = history()
    for day in (10, 12, 14):
        at = START + timedelta(days=day, hours=11)
        push(made, at, 200 + day, f"pr-{day}", "robot$pr")
        use(made, at + MINUTE, 200 + day)
        remove(made, at + 9 * MINUTE, 200 + day, "robot$pr")
    push(made, NOW, 99, "new")
    use(made, NOW + MINUTE, 99)
    for number in (0, 1, 2, 3, 99):
        remove(made, NOW + 20 * MINUTE, number, "robot$clean")
    assert [severity for _, severity, _ in judged(made, tmp_path)] == ["low", "low"]


def test_a_new_repository_is_being_tried(tmp_path: Path) -> None:
    made = history()
    where = {"repository": "shop/new", "digest": digest(99), "client_ip": "192.0.2.1"}
    made.add(NOW, "push", actor="ann", tag="try", **where)
    made.add(NOW + MINUTE, "pull", actor="robot$node", **where | {"client_ip": "10.40.0.1"})
    made.add(NOW + 2 * MINUTE, "delete", actor="ann", **where)
    assert judged(made, tmp_path) == [("image_came_and_went", "low", ["ann"])]


@pytest.mark.parametrize(("nights", "severity"), [(3, "low"), (2, "medium")])
def test_what_a_nightly_clean_up_of_the_builder_removes(nights: int, severity: str, tmp_path: Path) -> None:
    """Elsewhere, as a rule: nothing there was ever run."""
    made = history()
    for night in range(nights):
        at = NOW - timedelta(days=night + 1)
        made.add(at, "delete", actor="ann", client_ip="192.0.2.1", repository="shop/old", digest=digest(500 + night))
    push(made, NOW, 99, "pr-7")
    use(made, NOW + 20 * MINUTE, 99)
    remove(made, NOW + 40 * MINUTE, 99)
    assert judged(made, tmp_path) == [("image_came_and_went", severity, ["ann"])]
