"""What `registry garbage-collect` writes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from format_samples import read, read_sample, rows, said

DELETED = {
    "sha256:34ac9ef142b0c18dbfa9f1167f0f529adf7a693152aae6191010a132c329a993",
    "sha256:977c8203b5668662a0f92310b70f54444979b6c11a9fb3862ce99ba6f69f8d52",
    "sha256:a686b691e344d8849b43734d048a44f9928df82f1f31e9cef09279c36b532021",
    "sha256:f9f9e12eafd488f3f465971dea68d1712e01554ae10da53f637fb6cb68486797",
}
VERSIONS = pytest.mark.parametrize("version", ["v2.8.2-json", "v2.8.2-text", "v3-json", "v3-text"])


@VERSIONS
def test_each_blob_deleted_is_an_event(version: str) -> None:
    """Standard error names them; links of layers are no blobs."""
    parsed = read_sample("distribution-gc", f"distribution-live/{version}/garbage-collect.stderr.log")
    assert {row["digest"] for row in rows(parsed)} == DELETED
    assert (parsed.events.num_rows, parsed.rejects) == (4, [])


@VERSIONS
def test_the_summary_counts(version: str) -> None:
    """Standard output says how many could go; a dry run says the same, so the outcome is unknown."""
    parsed = read_sample("distribution-gc", f"distribution-live/{version}/garbage-collect.stdout.log")
    (summary,) = rows(parsed)
    assert summary["error_message"] == "26 blobs marked, 4 blobs and 0 manifests eligible for deletion"
    assert (summary["action"], summary["outcome"]) == ("gc", "unknown")
    assert parsed.rejects == []


def test_a_blob_in_full() -> None:
    first = rows(read_sample("distribution-gc", "distribution-live/v2.8.2-json/garbage-collect.stderr.log"))[0]
    digest = "sha256:34ac9ef142b0c18dbfa9f1167f0f529adf7a693152aae6191010a132c329a993"
    assert said(first) == {
        "channel": "application",
        "timestamp": datetime(2026, 11, 24, 2, 17, 35, 208210, tzinfo=UTC),
        "action": "gc",
        "outcome": "success",
        "actor_kind": "internal",
        "reference": digest,
        "digest": digest,
    }


def test_both_streams_in_one_file() -> None:
    """`2>&1` mixes them; untagged manifests name their repository; the summary takes the wrapper's time."""
    revision = "ab" * 32
    data = (
        b"ml/train_job\n"
        b"2026-11-24T02:17:35.5Z stdout F 2 blobs marked, 1 blobs and 1 manifests eligible for deletion\n"
        b'time="2026-11-24T02:17:36Z" level=info msg="deleting manifest: '
        b"/docker/registry/v2/repositories/ml/train_job/_manifests/revisions/sha256/"
        + revision.encode()
        + b'" go.version=go1\n'
        b'time="2026-11-24T02:17:36Z" level=info msg="deleting manifest tag reference: /docker/x" go.version=go1\n'
        b"failed to garbage collect: failed to mark: filesystem: Path not found\n"
        b"configuration error\n"
    )
    parsed = read("distribution-gc", data)
    summary, manifest, failed = rows(parsed)
    assert summary["timestamp"] == datetime(2026, 11, 24, 2, 17, 35, 500_000, tzinfo=UTC)
    assert (manifest["repository"], manifest["digest"], manifest["outcome"]) == (
        "ml/train_job",
        f"sha256:{revision}",
        "success",
    )
    assert (failed["outcome"], failed["error_message"]) == ("failure", "failed to mark: filesystem: Path not found")
    assert (parsed.ignored, len(parsed.rejects)) == (2, 1)
