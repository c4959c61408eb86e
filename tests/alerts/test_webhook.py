"""The signed webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from alerts.config import AlertsConfig
from alerts.errors import ChannelUnusable
from alerts.message import compose
from alerts.webhook import send, signature

from .conftest import NOW, Receiver, make_finding

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_is_that_of_the_published_example() -> None:
    """The example of the Standard Webhooks libraries comes out to the byte."""
    body = b'{"test": 2432232314}'
    signed = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["not base64!", "whsec_c2hvcnQ="])
def test_a_bad_secret_is_refused_without_being_shown(secret: str) -> None:
    """A secret that is no base64 or too short is a setting to repair."""
    with pytest.raises(ChannelUnusable) as caught:
        signature(secret, "id", "1", b"")
    assert secret not in str(caught.value)


def test_a_receiver_can_verify_what_it_gets(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers and body are as the specification has them, and the body holds the finding as on the command line."""
    monkeypatch.setenv("REGSIGHT_TEST_SECRET", SECRET)
    config = AlertsConfig.model_validate(
        {"channels": [{"name": "soar", "webhook": receiver.url + "/in?a=b", "secret_env": "REGSIGHT_TEST_SECRET"}]}
    )
    finding = make_finding()
    send(config.channels[0], finding, compose(finding, "soar", config), NOW)
    ((path, headers, body),) = receiver.requests
    assert path == "/in?a=b"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    content = json.loads(body)
    assert content["type"] == "finding.detected"
    assert content["data"]["finding"] == finding.as_json()
    assert content["data"]["key"] == headers["webhook-id"] == f"{finding.id}-soar"
