"""nginx in front of a registry."""

from __future__ import annotations

from collections import Counter

from format_samples import read, read_sample, rows

LINE = (
    '2001:db8::7 - {} [28/Jan/2024:00:46:49 +0800] "{} HTTP/1.1" {} 113 "-" '
    '"docker/20.10.5 UpstreamClient(Docker-Client/20.10.5 \\x5C(linux\\x5C))" "10.0.0.1, 10.0.0.2"\n'
)


def test_a_line_in_full() -> None:
    """User, zone, nginx' escapes and a trailing X-Forwarded-For are read."""
    (row,) = rows(read("nginx-combined", LINE.format("jo nas", "PUT /v2/a/b/manifests/v1", 201).encode()))
    assert row["timestamp"].isoformat() == "2024-01-27T16:46:49+00:00"
    assert row["user_agent"] == "docker/20.10.5 UpstreamClient(Docker-Client/20.10.5 \\(linux\\))"
    assert (row["actor"], row["action"], row["outcome"], row["reason"]) == ("jo nas", "push", "success", None)
    assert (row["client_ip"], row["client_via"], row["status"], row["response_bytes"]) == (
        "2001:db8::7",
        "peer",
        201,
        113,
    )
    assert (row["repository"], row["tag"], row["channel"]) == ("a/b", "v1", "access")
    assert row["event_id"].startswith("l-")


def test_401_means_what_the_user_column_says() -> None:
    """With a name it was refused; without one, `/v2/` is the challenge, and elsewhere the reason is not visible."""
    lines = [
        LINE.format("jonas", "GET /v2/", 401),
        LINE.format("-", "GET /v2/", 401),
        LINE.format("jonas", "GET /v2/a/b/manifests/1", 401),
        LINE.format("-", "GET /v2/a/b/manifests/1", 401),
        LINE.format("jonas", "GET /v2/", 200),
        LINE.format("-", "GET /v2/a/b/manifests/1", 403),
    ]
    told = [
        (row["action"], row["outcome"], row["reason"]) for row in rows(read("nginx-combined", "".join(lines).encode()))
    ]
    assert told == [
        ("login", "denied", "bad_credentials"),
        ("ping", "unknown", "challenge"),
        ("pull", "denied", "bad_credentials"),
        ("pull", "denied", None),
        ("login", "success", None),
        ("pull", "denied", "forbidden"),
    ]


def test_a_tls_greeting_is_an_event_of_no_method() -> None:
    """What is no request at all was still tried: status 400, no method, and the bytes as they were written."""
    name = "distribution-live/v2.8.2-json/nginx-access.combined.log"
    greetings = [row for row in rows(read_sample("nginx-combined", name)) if row["method"] is None]
    assert len(greetings) == 8
    assert {(row["action"], row["outcome"], row["status"]) for row in greetings} == {("other", "failure", 400)}


def test_users_of_the_capture() -> None:
    """The proxy's user column is the only place where 2.8's successful requests have a name."""
    name = "distribution-live/v2.8.2-json/nginx-access.combined.log"
    assert set(Counter(row["actor"] for row in rows(read_sample("nginx-combined", name)))) == {"jonas", None}


def test_a_refused_line() -> None:
    """A line of another form is a reject; its neighbours are read."""
    parsed = read("nginx-combined", b"hello\n" + LINE.format("-", "GET /v2/", 200).encode())
    assert ([reject.offset for reject in parsed.rejects], parsed.events.num_rows) == ([0], 1)
