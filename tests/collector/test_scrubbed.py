"""Foreign lines that are shown to people: no secret, no control character, never long, never slow."""

from __future__ import annotations

import time

import pytest

from collector.scrubbed import SHOWN, scrubbed

SECRET = "c2VjcmV0LXZhbHVl"


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Basic {SECRET}",
        f'"Authorization":["Bearer {SECRET}"]',
        f'{{"password":"{SECRET}","user":"a"}}',
        f'{{\\"client_secret\\":\\"{SECRET}\\"}}',
        f"password={SECRET}&x=1",
        f"token='{SECRET}'",
        f"GET /v2/?X-Amz-Signature={SECRET} HTTP/1.1",
        f"https://user:{SECRET}@registry.example/v2/",
        f"Cookie: sid={SECRET}; a=b",
        f"eyJhbGciOiJIUzI1NiJ9.{SECRET}.{SECRET}",
        f"x ghp_{SECRET}{SECRET} y",
        f"X-Api-Key: {SECRET}",
    ],
)
def test_secrets_are_hidden(line: str) -> None:
    """In headers, JSON, escaped JSON, queries, addresses, and by their own shape."""
    assert SECRET not in scrubbed(line.encode())
    assert "***" in scrubbed(line.encode())


def test_the_rest_stays() -> None:
    """What a person needs to see what changed is still there."""
    line = b'{"level":"info","http.request.uri":"/v2/shop/web/manifests/1.4","auth.user.name":"alice","status":200}'
    assert scrubbed(line) == line.decode()


def test_inert_and_short() -> None:
    """ASCII without control characters, cut, whatever is in it."""
    shown = scrubbed(b"\x1b[31m\x00\xff\xe2\x80\xae" + b"x" * 5_000)
    assert shown.endswith("…") and shown[:-1].isascii() and shown.isprintable()
    assert len(shown) == SHOWN


@pytest.mark.parametrize(
    "piece", [b"password", b'password="', b"a://", b"eyJaaaaaa.", b"basic ", b"\\", b"[", b"token[["]
)
def test_never_slow(piece: bytes) -> None:
    """A line made to be slow is scrubbed within a blink."""
    begun = time.perf_counter()
    scrubbed(piece * (1 << 20))
    assert time.perf_counter() - begun < 2
