"""The request log of JFrog's Access service."""

from __future__ import annotations

from format_samples import read, read_sample, rows


def test_tokens_and_rights() -> None:
    """What people asked of the service; what services asked of it, and mere questions, are ignored."""
    parsed = read_sample("artifactory-access-request", "artifactory-access-request/documented.log")
    assert (parsed.ignored, parsed.rejects) == (2, [])
    assert [(row["action"], row["outcome"], row["reason"], row["actor"]) for row in rows(parsed)] == [
        ("token", "success", None, "alice"),
        ("token", "denied", None, None),
        ("permission", "success", None, "alice"),
        ("permission", "success", None, "alice"),
    ]


def test_the_lengths_stand_in_the_other_order() -> None:
    """The answer's first, then the request's: a real ping had `2|-1`, and nothing is sent with a ping."""
    row = rows(read_sample("artifactory-access-request", "artifactory-access-request/documented.log"))[0]
    assert (row["response_bytes"], row["request_bytes"], row["duration_ns"]) == (913, 148, 35_000_000)
    assert (row["client_ip"], row["uri"], row["method"]) == ("192.0.2.1", "/access/api/v1/tokens", "POST")
    assert row["request_id"] == "6a0c3a9be2d1470f8c6b7a1d2e3f4001"


def test_a_real_line_is_ignored() -> None:
    """JFrog's own client asks whether the service is there."""
    parsed = read_sample("artifactory-access-request", "artifactory-access-request/capture-7.161-2026.log")
    assert (parsed.events.num_rows, parsed.ignored, parsed.rejects) == (0, 1, [])


def test_what_is_no_such_line() -> None:
    """A line of another form is a dead letter."""
    assert len(read("artifactory-access-request", b"hello\n").rejects) == 1
