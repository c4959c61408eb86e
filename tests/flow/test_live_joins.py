"""A real registry with all its voices on, used by a real client: each operation is one event."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from regsight.live import LiveRegistry, missing_programs
from store.contract import EventQuery
from store.embedded import EmbeddedStore

pytestmark = [
    pytest.mark.external_service,
    pytest.mark.skipif(bool(missing_programs()), reason="docker-registry, skopeo or htpasswd is not installed"),
]

OPERATIONS = ("pull", "push", "delete", "untag", "tag", "sign", "mount")


def test_twenty_operations_told_four_times_are_there_once(tmp_path: Path) -> None:
    """Application log, standard output, nginx and notifications of one run of twenty skopeo operations."""
    store = EmbeddedStore(tmp_path / "store")
    with LiveRegistry(tmp_path / "live") as registry, registry.collecting(store):
        done = registry.exercise()
    assert len(done) == 20
    events = [event for event in store.events(EventQuery()) if event["action"] in OPERATIONS]
    told = Counter(
        (event["action"], event["outcome"], "digest" if event["action"] == "delete" else event["tag"])
        for event in events
    )
    assert told == Counter(operation for step in done for operation in step.operations)
    assert {letter.reason for letter in store.dead_letters()} == set()
    for event in events:
        logs = {part.rpartition(":")[0] for part in event["parts"]}
        # A refused or failed request has no notification, and the tag that goes with a digest nothing else.
        wanted = len(registry.logs) + (event["outcome"] == "success") if event["action"] != "untag" else 1
        assert len(logs) == wanted, event
        assert event["join_confidence"] in ((None,) if wanted == 1 else ("certain", "likely")), event
    store.close()
