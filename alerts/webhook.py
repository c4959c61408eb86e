"""A webhook that its receiver can trust: signed as Standard Webhooks describes (standardwebhooks.com, scheme v1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime

from alerts.config import Channel
from alerts.errors import ChannelUnusable
from alerts.message import Message
from alerts.post import post
from alerts.target import Purpose
from store.event import iso
from store.finding import Finding

_TYPES = {Purpose.REMINDER: "incident.reminder", Purpose.ESCALATION: "incident.escalation"}


def send(channel: Channel, finding: Finding, message: Message, now: datetime) -> None:
    """POST one finding. `webhook-id` is the message's key: the receiver drops an id that it has seen.

    Raises:
        AlertsError: see `alerts.post.post`; ChannelUnusable also where the secret is missing or malformed.
    """
    url, secret = channel.secret("webhook"), channel.secret("secret")
    if url is None or secret is None:
        raise ChannelUnusable("a webhook needs an address and a secret")
    body = body_of(finding, message)
    stamp = str(int(now.timestamp()))
    headers = {
        "webhook-id": message.key,
        "webhook-timestamp": stamp,
        "webhook-signature": signature(secret, message.key, stamp, body),
    }
    post(url, body, headers, now, channel.ca_file)


def body_of(finding: Finding, message: Message) -> bytes:
    """The finding as on the command line, untouched: a program reads it, and escaping is up to whoever shows it."""
    content = {
        "type": _TYPES.get(message.purpose, "finding.detected"),
        "timestamp": iso(finding.detected_at),
        "data": {
            "key": message.key,
            "title": message.title,
            "link": message.link,
            "runbook": message.runbook,
            "incident": message.thread if message.thread != finding.id else None,
            "acknowledge": message.acknowledge,
            "finding": finding.as_json(),
        },
    }
    return json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode()


def signature(secret: str, id: str, timestamp: str, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; the secret is base64, with or without `whsec_`."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise ChannelUnusable("the webhook secret must be base64, as in whsec_MfKQ9r8G…") from None
    if len(key) < 16:
        raise ChannelUnusable("the webhook secret is too short: at least 16 bytes, 24 to 64 are usual")
    digest = hmac.new(key, b".".join((id.encode(), timestamp.encode(), body)), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
