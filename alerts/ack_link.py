"""A link that acknowledges one incident and can do nothing else: signed, with an end, worth what the message is worth.

The token is `incident.channel.until.signature`: readable, so that a person sees what it is for, and signed with
HMAC-SHA256 under a text of its own, so that no other token of the same secret passes for one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from alerts.config import AlertsConfig

_TOKEN = re.compile(r"([a-z0-9-]{1,64})\.([a-z0-9_-]{1,40})\.(\d{1,12})\.([A-Za-z0-9_-]{43})")


class BadLink(Exception):
    """The link acknowledges nothing. `status` is that of the HTTP answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Claim:
    """What a good token says: which incident, and the channel whose message held the link."""

    incident: str
    channel: str


def sign(secret: str, incident: str, channel: str, until: datetime) -> str:
    """The token for one incident, told to one channel."""
    payload = f"{incident}.{channel}.{int(until.timestamp())}"
    return f"{payload}.{_mac(secret, payload)}"


def verify(secret: str, token: str, now: datetime) -> Claim:
    """What the token allows.

    Raises:
        BadLink: not one of ours (403), or its time is over (410).
    """
    match = _TOKEN.fullmatch(token)
    if match is None or not hmac.compare_digest(match[4], _mac(secret, token.rpartition(".")[0])):
        raise BadLink("This link was not made here, or was cut off on its way.", 403)
    if now.timestamp() >= int(match[3]):
        raise BadLink("This link has run out. Acknowledge on the page, or with regsight incidents ack.", 410)
    return Claim(match[1], match[2])


def link(config: AlertsConfig, incident: str, channel: str, now: datetime) -> str | None:
    """The address for a message; None where the settings have no `link_base` or no secret.

    Raises:
        ChannelUnusable: the secret cannot be read.
    """
    secret = config.ack_secret()
    if secret is None or config.link_base is None:
        return None
    token = sign(secret, incident, channel, now.astimezone(UTC) + config.ack_valid)
    return f"{config.link_base}/ack?token={quote(token, safe='')}"


def _mac(secret: str, payload: str) -> str:
    digest = hmac.new(secret.encode(), f"regsight acknowledge {payload}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
