"""Until when an X.509 certificate is valid, without trusting it: an expired one, too, must say so.

The standard library gives the date only of certificates that it has verified. Here the few bytes before the date are
stepped over: Certificate → tbsCertificate → validity (RFC 5280, section 4.1).
"""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

SECONDS = 5.0
_MOST_BYTES = 1 << 20
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


class NoCertificate(Exception):
    """There is none, or it cannot be read."""


def of_file(path: Path) -> datetime:
    """When the first certificate of a PEM file ends."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("ascii", "replace")
        begin = text.index("-----BEGIN CERTIFICATE-----")
        end = text.index("-----END CERTIFICATE-----", begin) + len("-----END CERTIFICATE-----")
        return ends(ssl.PEM_cert_to_DER_cert(text[begin:end]))
    except (OSError, ValueError) as error:
        raise NoCertificate(f"{path}: {error}") from error


def of_address(address: str) -> datetime:
    """When the certificate that is shown at `host:port` ends."""
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only its date is read, and nothing is sent
    try:
        with (
            socket.create_connection((host, int(port)), timeout=SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            return ends(wrapped.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError) as error:
        raise NoCertificate(f"{address}: {error}") from error


def ends(der: bytes) -> datetime:
    """notAfter of a certificate in DER. ValueError if it is none."""
    certificate = _inside(der, _SEQUENCE)
    rest = _inside(certificate, _SEQUENCE)
    if rest and rest[0] == _VERSION:
        rest = rest[_length(rest)[1] :]
    for _ in range(3):  # serialNumber, signature, issuer
        rest = rest[_length(rest)[1] :]
    validity = _inside(rest, _SEQUENCE)
    after = validity[_length(validity)[1] :]
    start, end = _length(after)
    text = after[start:end].decode("ascii")
    if after[0] == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif after[0] != _GENERALIZED_TIME:
        raise ValueError("no date where the certificate should have one")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _inside(data: bytes, tag: int) -> bytes:
    if not data or data[0] != tag:
        raise ValueError("not a certificate")
    start, end = _length(data)
    return data[start:end]


def _length(data: bytes) -> tuple[int, int]:
    """Where the first element's content begins and ends."""
    if len(data) < 2:
        raise ValueError("the certificate ends too early")
    first, start = data[1], 2
    size = first
    if first & 0x80:
        start += first & 0x7F
        size = int.from_bytes(data[2:start], "big")
    if start + size > len(data):
        raise ValueError("the certificate ends too early")
    return start, start + size
