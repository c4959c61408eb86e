"""Who may post: every way in which registries prove themselves, and what is no proof."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from alerts.webhook import signature
from collector.webhook_proof import Deliveries, Endpoint, knows_token, signed

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BODY = b'{"action": "push"}'
TOKEN, SECRET = SecretStr("the token"), SecretStr("the secret")


def by_token(**options: object) -> Endpoint:
    return Endpoint(**{"path": "/e", "format": "x", "token": TOKEN, **options})  # type: ignore[arg-type]


def by_signature(**options: object) -> Endpoint:
    return Endpoint(**{"path": "/e", "format": "x", "hmac_secret": SECRET, **options})  # type: ignore[arg-type]


def mac(content: bytes, key: bytes = b"the secret") -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("Bearer the token", True),
        ("bearer  the token ", True),
        ("the token", True),  # Harbor sends its setting as it stands
        ("Basic " + base64.b64encode(b"quay:the token").decode(), True),  # a password in the address of the webhook
        ("Basic " + base64.b64encode(b"the token").decode(), False),
        ("Basic the token", False),
        ("Bearer", False),
        ("Bearer the toke", False),
        ("Bearer the token and more", False),
        ("", False),
    ],
)
def test_tokens(header: str, known: bool) -> None:
    """As bearer, as the password of Basic, or bare."""
    assert knows_token(by_token(), {"Authorization": header}, {}) is known


def test_tokens_elsewhere() -> None:
    """In a header of the sender's own; in the address only where the endpoint says so."""
    artifactory = by_token(token_header="X-JFrog-Event-Auth")
    assert knows_token(artifactory, {"X-JFrog-Event-Auth": "the token"}, {})
    assert not knows_token(artifactory, {"Authorization": "Bearer the token"}, {})
    assert not knows_token(by_token(), {}, {"token": "the token"})
    assert knows_token(by_token(token_query="token"), {}, {"token": "the token"})
    assert not knows_token(by_token(token_query="token"), {}, {"token": ""})


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("sha256=" + mac(BODY).hex(), True),
        (mac(BODY).hex().upper(), True),
        (base64.b64encode(mac(BODY)).decode(), True),
        ("sha256=" + mac(BODY + b" ").hex(), False),
        ("sha256=" + mac(BODY, b"another").hex(), False),
        ("sha1=" + hmac.new(b"the secret", BODY, hashlib.sha1).hexdigest(), False),
        ("sha256=", False),
        ("", False),
        ("é" * 64, False),
    ],
)
def test_signatures(header: str, known: bool) -> None:
    """Hex or base64, with or without the name of the method."""
    assert signed(by_signature(), {"X-Hub-Signature-256": header}, BODY, NOW) is known


@pytest.mark.parametrize("age", [-301, -299, 0, 299, 301])
def test_a_signed_time_must_be_near(age: int) -> None:
    """The time is part of what is signed, and neither old nor of the future."""
    endpoint = by_signature(timestamp_header="X-Time", signature_header="X-Signature")
    sent = str(int((NOW - timedelta(seconds=age)).timestamp()))
    headers = {"X-Time": sent, "X-Signature": mac(sent.encode() + b"." + BODY).hex()}
    assert signed(endpoint, headers, BODY, NOW) is (abs(age) <= 300)
    assert not signed(endpoint, headers | {"X-Time": str(int(NOW.timestamp()) + 1)}, BODY, NOW)
    assert not signed(endpoint, {"X-Signature": mac(BODY).hex()}, BODY, NOW)
    assert not signed(endpoint, headers | {"X-Time": "soon"}, BODY, NOW)


def test_standard_webhooks() -> None:
    """What Regsight itself sends can be received by it: id, time and body are signed, the key is base64."""
    secret = "whsec_" + base64.b64encode(b"a key of enough bytes").decode()
    endpoint = by_signature(
        hmac_secret=SecretStr(secret),
        timestamp_header="webhook-timestamp",
        signed_id_header="webhook-id",
        signature_header="webhook-signature",
    )
    sent = str(int(NOW.timestamp()))
    headers = {
        "webhook-id": "one",
        "webhook-timestamp": sent,
        "webhook-signature": "v1,bm90IHRoaXM= " + signature(secret, "one", sent, BODY),
    }
    assert signed(endpoint, headers, BODY, NOW)
    assert not signed(endpoint, headers | {"webhook-id": "two"}, BODY, NOW)


def test_deliveries_are_known_again() -> None:
    """A signed body whatever its id, since that is not signed; an unsigned one by its id alone; and a bounded number."""
    known = Deliveries(most=3)
    github, harbor = (
        by_signature(delivery_header="X-GitHub-Delivery"),
        by_token(path="/h", delivery_header="X-Delivery"),
    )
    first = known.names(github, {"X-GitHub-Delivery": "1"}, BODY)
    known.add(first)
    assert known.known(known.names(github, {"X-GitHub-Delivery": "2"}, BODY))
    assert known.known(known.names(github, {"X-GitHub-Delivery": "1"}, b"{}"))
    assert not known.known(known.names(github, {"X-GitHub-Delivery": "2"}, b"{}"))
    assert not known.known(known.names(by_token(), {}, BODY))
    for number in range(3):
        known.add(known.names(harbor, {"X-Delivery": str(number)}, BODY))
    assert not known.known(first)
