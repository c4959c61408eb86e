"""Who may post to an endpoint, and what was posted there before.

Senders differ in what they can do: a bearer token (Distribution, Harbor, ACR, zot), a password in the address (Quay), a
query parameter (Docker Hub), a token in a header of their own (Artifactory), or a signature of the body (GitHub and others).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from collector.errors import LineError
from collector.lines import moment

REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One path and who may post to it: whoever knows `token`, or signs with `hmac_secret`. See `EndpointConfig`."""

    path: str
    format: str
    registry: str | None = None
    token: SecretStr | None = None
    token_header: str = "Authorization"  # noqa: S105 - the header's name
    token_query: str | None = None
    hmac_secret: SecretStr | None = None
    signature_header: str = "X-Hub-Signature-256"
    timestamp_header: str | None = None
    signed_id_header: str | None = None
    replay_seconds: float = 300.0
    delivery_header: str | None = None
    keep_headers: bool = False
    max_body_bytes: int = 1 << 20

    def secret_headers(self) -> set[str]:
        """Headers of which nothing may be stored."""
        return {self.token_header.lower(), self.signature_header.lower()}


def knows_token(endpoint: Endpoint, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
    """Whether the endpoint needs no token, or got it: by header as `Bearer token`, as the password of `Basic`, or bare; by
    query parameter where the endpoint says so. All ways are compared in constant time.
    """
    if endpoint.token is None:
        return True
    token = endpoint.token.get_secret_value().encode()
    given = [*_tokens_in(headers.get(endpoint.token_header, ""))]
    if endpoint.token_query is not None:
        given.append(query.get(endpoint.token_query, "").encode())
    return any(hmac.compare_digest(each, token) for each in given)


def _tokens_in(header: str) -> list[bytes]:
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() == "bearer" and rest:
        return [rest.strip().encode("utf-8", "surrogateescape")]
    if scheme.lower() == "basic" and rest:
        try:
            return [base64.b64decode(rest.strip(), validate=True).partition(b":")[2]]
        except (binascii.Error, ValueError):
            return []
    return [header.strip().encode("utf-8", "surrogateescape")]


def signed(endpoint: Endpoint, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether the endpoint needs no signature, or got the right one, of a time that is near enough to `now`."""
    if endpoint.hmac_secret is None:
        return True
    content = body
    if endpoint.timestamp_header is not None:
        told = headers.get(endpoint.timestamp_header, "")
        sent = _seconds(told)
        if sent is None or abs(now.timestamp() - sent) > endpoint.replay_seconds:
            return False
        content = told.encode("utf-8", "replace") + b"." + body
        if endpoint.signed_id_header is not None:
            content = headers.get(endpoint.signed_id_header, "").encode("utf-8", "replace") + b"." + content
    expected = hmac.new(_key(endpoint.hmac_secret), content, hashlib.sha256).digest()
    # Several signatures in one header are what a sender writes while its secret is being changed.
    given = headers.get(endpoint.signature_header, "").replace(",", " ").split()[:8]
    return any(hmac.compare_digest(_digest_in(each), expected) for each in given)


def _key(secret: SecretStr) -> bytes:
    """The secret's own bytes; of one that begins with `whsec_` (Standard Webhooks) those that its base64 means."""
    text = secret.get_secret_value()
    try:
        return (
            base64.b64decode(text.removeprefix("whsec_"), validate=True) if text.startswith("whsec_") else text.encode()
        )
    except (binascii.Error, ValueError):
        return text.encode()


def _digest_in(text: str) -> bytes:
    """The bytes of `sha256=<hex>`, `<hex>`, or base64; a version (`v1`) may stand alone in front of it."""
    bare = text.removeprefix("sha256=")
    try:
        return bytes.fromhex(bare) if len(bare) == 64 else base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _seconds(text: str) -> float | None:
    """Seconds since 1970, from digits (also milliseconds) or RFC 3339."""
    if text.isascii() and text.isdigit() and len(text) <= 13:
        return int(text) / 1000 if len(text) == 13 else float(text)
    try:
        return moment(text).timestamp()
    except LineError:
        return None


class Deliveries:
    """What was stored lately and shall not be stored again: a signed body, whatever else is sent with it, and a delivery of
    the same id. In memory only, and bounded; what was forgotten is stored again, which the ids inside make harmless.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._known: OrderedDict[bytes, None] = OrderedDict()

    @staticmethod
    def names(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> list[bytes]:
        """What this request would be known again by; nothing for an endpoint that gives no hold."""
        parts = []
        if endpoint.hmac_secret is not None:
            parts.append(b"body\0" + body)
        if endpoint.delivery_header is not None and (told := headers.get(endpoint.delivery_header)):
            parts.append(b"id\0" + told.encode("utf-8", "replace"))
        path = endpoint.path.encode()
        return [hashlib.blake2b(path + b"\0" + part, digest_size=16).digest() for part in parts]

    def known(self, names: list[bytes]) -> bool:
        return any(name in self._known for name in names)

    def add(self, names: list[bytes]) -> None:
        for name in names:
            self._known[name] = None
        while len(self._known) > self._most:
            self._known.popitem(last=False)
