"""Artifactory's access log, in both spellings."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from format_samples import read, read_sample, rows

NEW = "2026-11-24T02:17:20.255Z [5f0c3a9be2d1470f8c6b7a1d2e3f4051] [{what}] {path}  for client : {user} / 192.0.2.4"
OLD = "2020-05-15 15:52:11,456 [4b1b8a0b04e31b80] [{what}] {path} for {user}/192.0.2.4."
MANIFEST = "docker-local:payments/api/1.4.2/manifest.json"


def test_a_pull_in_full() -> None:
    """User, address and file, under the id of the request."""
    row = rows(read_sample("artifactory-access", "artifactory-access/documented-docker.log"))[1]
    assert {
        name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "audit",
        "timestamp": datetime(2026, 11, 24, 2, 17, 20, 255000, tzinfo=UTC),
        "action": "pull",
        "outcome": "success",
        "dataset": "artifactory-access",
        "registry": "r1",
        "registry_kind": "artifactory",
        "actor": "ci-payments",
        "client_ip": "192.0.2.4",
        "client_via": "log",
        "request_id": "5f0c3a9be2d1470f8c6b7a1d2e3f4051",
        "repository": "docker-local/payments/api",
        "project": "docker-local",
        "reference": "1.4.2",
        "tag": "1.4.2",
        "stream": "s",
        "offset": 124,
        "path": "artifactory-access/documented-docker.log",
        "parts": ["s:124"],
    }


def test_the_documented_day() -> None:
    """Logins, files of images and settings; whoever came without credentials was not logged in."""
    parsed = read_sample("artifactory-access", "artifactory-access/documented-docker.log")
    assert (parsed.ignored, parsed.rejects) == (1, [])
    assert [(row["action"], row["outcome"], row["reason"], row["actor"]) for row in rows(parsed)] == [
        ("login", "success", None, "ci-payments"),
        ("pull", "success", None, "ci-payments"),
        ("layer_download", "success", None, "ci-payments"),
        ("push", "success", None, "ci-payments"),
        ("pull", "denied", "no_credentials", "anonymous"),
        ("login", "denied", "bad_credentials", "alice"),
        ("config", "success", None, "alice"),
    ]


def test_real_lines() -> None:
    """Files that are of no image are ignored; a repository that was deleted is told."""
    files = read_sample("artifactory-access", "artifactory-access/access-7.161-2026.log")
    assert (files.events.num_rows, files.ignored, files.rejects) == (0, 3, [])
    (row,) = rows(read_sample("artifactory-access", "artifactory-access/access-7.161-2026-repository.log"))
    assert (row["action"], row["repository"], row["actor"], row["client_ip"]) == (
        "delete",
        "audit-probe-repo-20260911",
        "admin",
        "192.168.65.1",
    )


def test_the_older_spelling() -> None:
    """`for user/address.` and a time with a comma and no zone; what stands in the address's place but is none is left out."""
    parsed = read_sample("artifactory-access", "artifactory-access/access-older-doc-format.log")
    assert (parsed.ignored, parsed.rejects) == (1, [])
    (row,) = rows(parsed)
    assert (row["action"], row["actor"], row["client_ip"]) == ("login", "admin2", "86.12.14.192")
    assert row["timestamp"] == datetime(2020, 5, 15, 15, 52, 11, 456000, tzinfo=UTC)
    assert row["request_id"] == "4b1b8a0b04e31b80"


@pytest.mark.parametrize("form", [NEW, OLD])
@pytest.mark.parametrize(
    ("what", "user", "told"),
    [
        ("ACCEPTED DEPLOY", "bob", ("push", "success", None, "bob")),
        ("DENIED DEPLOY", "bob", ("push", "denied", "forbidden", "bob")),
        ("DENIED DOWNLOAD", "anonymous", ("pull", "denied", "no_credentials", "anonymous")),
        ("DENIED DOWNLOAD", "non_authenticated_user", ("pull", "denied", "no_credentials", None)),
        ("ACCEPTED DELETE", "bob", ("untag", "success", None, "bob")),
        ("DENIED DELETE", "bob", ("untag", "denied", "forbidden", "bob")),
    ],
)
def test_what_was_done_to_a_manifest(form: str, what: str, user: str, told: tuple[str, str, str | None, str]) -> None:
    """Both spellings mean the same."""
    (row,) = rows(read("artifactory-access", form.format(what=what, path=MANIFEST, user=user).encode()))
    assert (row["action"], row["outcome"], row["reason"], row["actor"]) == told
    assert (row["repository"], row["client_ip"]) == ("docker-local/payments/api", "192.0.2.4")


@pytest.mark.parametrize("form", [NEW, OLD])
def test_a_name_that_holds_a_line_names_nobody(form: str) -> None:
    """A refused login with the rest of a line as its user is told without a user and without an address."""
    forged = "admin / 203.0.113.9  for client : x"
    (row,) = rows(read("artifactory-access", form.format(what="DENIED LOGIN", path="", user=forged).encode()))
    assert (row["action"], row["outcome"], row["actor"], row["client_ip"]) == ("login", "denied", None, None)


def test_lines_about_other_things() -> None:
    """Properties, builds and searches are ignored; a line of another form is a dead letter."""
    other = NEW.format(what="ACCEPTED PROPERTY_ADDED", path=MANIFEST, user="bob") + "\nhello\n"
    parsed = read("artifactory-access", other.encode())
    assert (parsed.events.num_rows, parsed.ignored, len(parsed.rejects)) == (0, 1, 1)
