"""One HTTP POST of JSON to a channel, with every way it can go wrong told apart and told clearly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from alerts.errors import ChannelUnusable, NotSent, Refused

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 15.0
_ANSWER_SHOWN = 200


def post(url: str, body: bytes, headers: Mapping[str, str], now: datetime, ca_file: Path | None = None) -> None:
    """POST `body`; returns when the receiver took it (2xx). Redirects are not followed: they would leak the signature.

    Raises:
        NotSent: no answer, 408, 425, 429 or 5xx; carries Retry-After.
        ChannelUnusable: the address, certificate or credentials are wrong (3xx, 401, 403, 404, 405, 410).
        Refused: the receiver understands us and does not want this message (any other 4xx).
    """
    import urllib3

    where = _shown(url)
    try:
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
        with urllib3.PoolManager(ca_certs=str(ca_file) if ca_file else None, timeout=timeout) as pool:
            answer = pool.request(
                "POST",
                url,
                body=body,
                headers={"Content-Type": "application/json", "User-Agent": "regsight", **headers},
                retries=False,
                redirect=False,
            )
    except urllib3.exceptions.HTTPError as error:
        raise _no_answer(error, where) from None  # the chained error would print the whole address
    except (OSError, ValueError) as error:
        raise ChannelUnusable(f"{where} cannot be asked: {type(error).__name__}") from None
    _judge(answer.status, answer.headers, answer.data, where, now)


def _shown(url: str) -> str:
    """Scheme, host and port: paths and queries of webhook addresses hold tokens."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" if host else "the address"


def _no_answer(error: Exception, where: str) -> NotSent | ChannelUnusable:
    from urllib3 import exceptions

    if isinstance(error, exceptions.NameResolutionError):
        return NotSent(f"{where}: the host name is not known; is it spelled right?")
    if isinstance(error, exceptions.SSLError):
        return ChannelUnusable(f"{where}: the certificate is not trusted; set ca_file if it is your own authority's")
    if isinstance(error, exceptions.NewConnectionError):  # before the time-outs, of which urllib3 makes it one
        return NotSent(f"{where} refused the connection or cannot be reached; is it running, and is the port right?")
    if isinstance(error, exceptions.ConnectTimeoutError | exceptions.ReadTimeoutError):
        return NotSent(f"{where} did not answer in time")
    if isinstance(error, exceptions.LocationParseError | exceptions.URLSchemeUnknown):
        return ChannelUnusable(f"{where} is not a web address")
    return NotSent(f"{where} broke the connection off ({type(error).__name__})")


def _judge(status: int, headers: Mapping[str, str], answer: bytes, where: str, now: datetime) -> None:
    if 200 <= status < 300:
        return
    said = " ".join(answer[:2000].decode("utf-8", "replace").split())
    said = "".join(character for character in said if character.isprintable())[:_ANSWER_SHOWN]
    told = f"{where} answered {status}" + (f": {said}" if said else "")
    if status in (408, 425, 429) or status >= 500:
        raise NotSent(told, retry_after(headers.get("Retry-After"), now))
    if status in (401, 403):
        raise ChannelUnusable(f"{told}; are the credentials or the secret right?")
    if status < 400 or status in (404, 405, 410):
        raise ChannelUnusable(f"{told}; is the address right?")
    raise Refused(told)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait, from `Retry-After: 120` or an HTTP date; None if there is none or it is neither."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
