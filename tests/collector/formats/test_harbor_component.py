"""Harbor's registryctl and exporter."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from format_samples import read, read_sample, rows, said

DIGEST = "sha256:" + "ab" * 32


def asked(request: str, status: int) -> bytes:
    return f'10.0.0.7 - - [24/Nov/2026:02:46:18 +0000] "{request} HTTP/1.1" {status} 9\n'.encode()


@pytest.mark.parametrize("version", ["v2.12.4", "v2.15.2-harbor-log"])
@pytest.mark.parametrize("name", ["registryctl", "exporter"])
def test_the_captures_hold_no_event(version: str, name: str) -> None:
    """Start, end and health probes: all are read, and none is anybody's doing."""
    parsed = read_sample("harbor-component", f"harbor-live/{version}/{name}.log")
    assert parsed.lines == parsed.ignored > 10
    assert (parsed.events.num_rows, parsed.rejects) == (0, [])


def test_what_garbage_collection_deletes() -> None:
    """jobservice tells registryctl what to take out of the storage."""
    blob, manifest, gone = rows(
        read(
            "harbor-component",
            asked(f"DELETE /api/registry/blob/{DIGEST}", 200)
            + asked(f"DELETE /api/registry/payments/team-a/web-ui/manifests/{DIGEST}", 200)
            + asked(f"DELETE /api/registry/blob/{DIGEST}", 404),
        )
    )
    assert said(blob) == {
        "channel": "application",
        "timestamp": datetime(2026, 11, 24, 2, 46, 18, tzinfo=UTC),
        "action": "gc",
        "outcome": "success",
        "actor_kind": "internal",
        "client_ip": "10.0.0.7",
        "client_via": "peer",
        "method": "DELETE",
        "uri": f"/api/registry/blob/{DIGEST}",
        "status": 200,
        "reference": DIGEST,
        "digest": DIGEST,
    }
    assert (manifest["repository"], manifest["digest"]) == ("payments/team-a/web-ui", DIGEST)
    assert (gone["outcome"], gone["reason"]) == ("failure", "not_found")


def test_a_stranger_is_a_reject() -> None:
    parsed = read("harbor-component", b'time="2026-11-24T02:45:00Z" level=info msg="response completed"\nwhat\n')
    assert (parsed.events.num_rows, parsed.ignored, len(parsed.rejects)) == (0, 0, 2)
