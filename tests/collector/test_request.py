"""The grammar of registry requests."""

from __future__ import annotations

import pytest

from collector.request import Kind, read_request, result_of

DIGEST = "sha256:" + "0123456789abcdef" * 4
SIGNED = DIGEST.replace(":", "-")
ENCODED = DIGEST.replace(":", "%3A")


@pytest.mark.parametrize(
    ("method", "uri", "action", "repository", "reference", "routed"),
    [
        ("GET", "/v2/", "ping", None, None, True),
        ("GET", "/v2", "ping", None, None, False),
        ("GET", "/", "ping", None, None, False),
        ("GET", "/v2/_catalog?n=2", "catalog", None, None, True),
        ("GET", "/v2/a/manifests/latest", "pull", "a", "latest", True),
        ("HEAD", f"/v2/a/b/manifests/{DIGEST}", "check", "a/b", DIGEST, True),
        ("GET", f"/v2/a/b/manifests/{ENCODED}", "pull", "a/b", DIGEST, True),
        ("PUT", "/v2/a/b/manifests/1.0", "push", "a/b", "1.0", True),
        ("DELETE", "/v2/a/b/manifests/1.0", "untag", "a/b", "1.0", True),
        ("DELETE", f"/v2/a/b/manifests/{DIGEST}", "delete", "a/b", DIGEST, True),
        # What cosign and the fallback of the referrers API keep beside an image is no image.
        ("PUT", f"/v2/a/manifests/{SIGNED}.sig", "sign", "a", f"{SIGNED}.sig", True),
        ("PUT", f"/v2/a/manifests/{SIGNED}.att", "sign", "a", f"{SIGNED}.att", True),
        ("PUT", f"/v2/a/manifests/{SIGNED}.sbom", "sign", "a", f"{SIGNED}.sbom", True),
        ("PUT", f"/v2/a/manifests/{SIGNED}", "sign", "a", SIGNED, True),
        ("GET", f"/v2/a/manifests/{SIGNED}.sig", "referrers", "a", f"{SIGNED}.sig", True),
        ("GET", f"/v2/a/manifests/{SIGNED}", "referrers", "a", SIGNED, True),
        ("HEAD", f"/v2/a/manifests/{SIGNED}.sig", "check", "a", f"{SIGNED}.sig", True),
        ("DELETE", f"/v2/a/manifests/{SIGNED}.sig", "untag", "a", f"{SIGNED}.sig", True),
        ("PUT", f"/v2/a/manifests/{SIGNED}.exe", "push", "a", f"{SIGNED}.exe", True),
        ("PUT", "/v2/a/manifests/sha256-abc.sig", "push", "a", "sha256-abc.sig", True),
        ("GET", f"/v2/a/blobs/{DIGEST}", "layer_download", "a", DIGEST, True),
        ("HEAD", f"/v2/a/blobs/{DIGEST}", "layer_check", "a", DIGEST, True),
        ("DELETE", f"/v2/a/blobs/{DIGEST}", "delete", "a", DIGEST, True),
        ("GET", "/v2/a/blobs/latest", "layer_download", "a", "latest", False),
        ("POST", "/v2/a/blobs/uploads/", "layer_upload", "a", None, True),
        ("POST", "/v2/a/blobs/uploads", "layer_upload", "a", None, False),
        ("PATCH", "/v2/a/blobs/uploads/0a-1?_state=x%3D", "layer_upload", "a", None, True),
        ("PUT", f"/v2/a/blobs/uploads/0a-1?_state=x&digest={ENCODED}", "layer_upload", "a", DIGEST, True),
        ("POST", f"/v2/a/blobs/uploads/?mount={ENCODED}&from=c%2Fd", "mount", "a", DIGEST, True),
        ("GET", "/v2/a/tags/list", "list_tags", "a", None, True),
        ("GET", f"/v2/a/referrers/{DIGEST}", "referrers", "a", DIGEST, True),
        # The words of the grammar are legal parts of names: the last marker counts.
        ("GET", "/v2/blobs/manifests/tags/manifests/tags", "pull", "blobs/manifests/tags", "tags", True),
        ("GET", "/v2/manifests/manifests/manifests", "pull", "manifests", "manifests", True),
        ("GET", "/v2/a%2Fb/manifests/1", "pull", "a/b", "1", True),
        ("GET", "http://h/v2/a/manifests/1", "pull", "a", "1", True),
        # Names that no repository has: the router refuses them, but what was meant is plain.
        ("GET", "/v2/UPPER/Case/manifests/latest", "pull", "UPPER/Case", "latest", False),
        ("GET", "/v2/caf%C3%A9/manifests/latest", "pull", "café", "latest", False),
        ("GET", "/v2/a/tags/other", "other", None, None, False),
        ("GET", "/v2/a/manifests/", "other", None, None, False),
        ("POST", "/v2/a/manifests/1", "other", "a", "1", False),
        ("GET", "/service/token?account=x&scope=repository:a:pull", "token", None, None, False),
        ("POST", "/jwt/auth", "token", None, None, False),
        ("GET", "/wp-login.php", "other", None, None, False),
        ("GET", "/api/v2.0/projects", "other", None, None, False),
        ("", "\x16\x03\x01", "other", None, None, False),
        ("GET", "", "other", None, None, False),
        ("GET", "/v2/" + "a/" * 50_000 + "manifests/1", "pull", "a/" * 49_999 + "a", "1", False),
    ],
)
def test_requests(
    method: str, uri: str, action: str, repository: str | None, reference: str | None, routed: bool
) -> None:
    """Method and URI give action, repository, reference, and whether the application hears of it."""
    request = read_request(method, uri)
    assert (request.action, request.repository, request.reference) == (action, repository, reference)
    assert request.routed is routed


def test_a_mount_names_where_it_takes_from() -> None:
    """The other repository is read: a flow of data that a detector may want to see."""
    assert read_request("POST", f"/v2/a/blobs/uploads/?mount={DIGEST}&from=c/d").from_repository == "c/d"


@pytest.mark.parametrize(
    ("uri", "status", "actor", "told"),
    [
        ("/v2/", 401, None, ("unknown", "challenge")),
        ("/v2/", 401, "u", ("denied", "bad_credentials")),
        ("/v2/a/tags/list", 401, None, ("denied", None)),
        ("/v2/a/tags/list", 403, "u", ("denied", "forbidden")),
        ("/v2/a/tags/list", 404, None, ("failure", "not_found")),
        ("/v2/a/tags/list", 400, None, ("failure", "invalid")),
        ("/v2/a/tags/list", 405, None, ("failure", "unsupported")),
        ("/v2/a/tags/list", 429, None, ("failure", "rate_limited")),
        ("/v2/a/tags/list", 499, None, ("failure", "aborted")),
        ("/v2/a/tags/list", 503, None, ("failure", "server_error")),
        ("/v2/a/tags/list", 307, None, ("success", None)),
        ("/v2/a/tags/list", None, None, ("unknown", None)),
    ],
)
def test_results(uri: str, status: int | None, actor: str | None, told: tuple[str, str | None]) -> None:
    """What a status says about how it ended."""
    assert result_of(read_request("GET", uri), status, actor) == told


def test_kinds_are_told_apart() -> None:
    """The kind is what decides whether a 401 is the challenge."""
    assert read_request("GET", "/v2/").kind is Kind.BASE
    assert read_request("GET", "/v2/x/manifests/1").kind is Kind.MANIFEST
