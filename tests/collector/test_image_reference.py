"""Names of images, by the cases of the Distribution reference rules."""

from __future__ import annotations

import pytest

from collector.image_reference import ImageReference, is_digest, is_repository, is_tag, read_image

SHA = "sha256:" + "f" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("payments/api:1.1.0", ImageReference("payments/api", "1.1.0")),
        (f"payments/api@{SHA}", ImageReference("payments/api", None, SHA)),
        (f"payments/api:1@{SHA}", ImageReference("payments/api", "1", SHA)),
        ("payments/api", ImageReference("payments/api")),
        ("payments/api@nonsense", ImageReference("payments/api@nonsense")),
        ("a:" + "x" * 129, ImageReference("a:" + "x" * 129)),
        ("", ImageReference("")),
    ],
)
def test_names_are_taken_apart(text: str, expected: ImageReference) -> None:
    """What is neither a tag nor a digest stays in the name."""
    assert read_image(text) == expected


@pytest.mark.parametrize("name", ["a", "a/b/c", "a-b", "a--b", "a__b", "a.b", "9a/x_y", "blobs/manifests"])
def test_good_repositories(name: str) -> None:
    assert is_repository(name)


@pytest.mark.parametrize(
    "name", ["", "A", "a/", "/a", "a//b", "a___b", "a..b", "-a", "a-", "a:1", "caf\u00e9", "a" * 256, "a" * 5000 + "!"]
)
def test_bad_repositories(name: str) -> None:
    assert not is_repository(name)


def test_tags_and_digests() -> None:
    """A cosign signature's tag is a tag; a digest needs its algorithm and at least 32 characters."""
    assert is_tag("sha256-" + "a" * 64 + ".sig")
    assert not is_tag("-x") and not is_tag("") and not is_tag("a:b")
    assert is_digest(SHA) and is_digest("sha512:" + "a" * 128)
    assert not is_digest("latest") and not is_digest("sha256:abc") and not is_digest("sha256-" + "a" * 64)
