"""The door to Elasticsearch: one server, its TLS, its refusals, and its errors in the words of `store.errors`.

The `elasticsearch` library says in each request that it speaks version 9. A server of version 8 refuses that, and is then
spoken to in plain JSON, its own version: what is asked here is the same in both.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import elastic_transport
import elasticsearch
import elasticsearch.serializer
import orjson

from store.errors import Rejected, Unavailable

PASSWORD = "REGSIGHT_ES_PASSWORD"  # noqa: S105 (the variable's name)
_JSON = {"accept": "application/json", "content-type": "application/json"}
_NDJSON = _JSON | {"content-type": "application/x-ndjson"}
_VERSIONED = re.compile(r"application/vnd\.elasticsearch\+([a-z-]+)\s*;\s*compatible-with=\d+")


log = logging.getLogger(__name__)


class _PlainNode(elastic_transport.Urllib3HttpNode):
    """Takes the version out of the media types that the library writes into the headers."""

    def perform_request(
        self, method: str, target: str, body: bytes | None = None, headers: Any = None, request_timeout: Any = None
    ) -> Any:
        plain = elastic_transport.HttpHeaders(headers or {})
        for name in ("accept", "content-type"):
            if name in plain:
                plain[name] = _VERSIONED.sub(r"application/\1", plain[name])
        return super().perform_request(method, target, body, plain, request_timeout)


# As a filter leaves the answer to a bulk request (`store.bulk`): of what went well nobody asks line by line.
_ALL_TAKEN = b'{"errors":false,"items":['


class _Json(elasticsearch.serializer.JsonSerializer):
    """Reads answers, of which those to bulk requests have a line for each document, several times as fast as `json`."""

    def json_loads(self, data: bytes) -> Any:
        if data.startswith(_ALL_TAKEN):
            return {"errors": False}
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:  # half a surrogate pair, which `json` takes
            return super().json_loads(data)


class _Lines(elasticsearch.serializer.NdjsonSerializer):
    """Sends bodies that are bytes already as they are, without a copy."""

    def dumps(self, data: Any) -> bytes:
        return data if isinstance(data, bytes) else super().dumps(data)


_VENDOR = "application/vnd.elasticsearch+"
_SERIALIZERS = {
    **dict.fromkeys(("application/json", f"{_VENDOR}json"), _Json()),
    **dict.fromkeys(("application/x-ndjson", f"{_VENDOR}x-ndjson"), _Lines()),
}


class Client:
    """One server (or what stands in front of several), and its errors in the words of `store.errors`."""

    def __init__(self, url: str, user: str | None, password: str | None, ca_file: str | None, timeout: float) -> None:
        self.url = url
        self._options: dict[str, Any] = {
            "basic_auth": (user, password or "") if user else None,
            "request_timeout": timeout,
            # Whoever called decides when to try again: it knows about pausing and stopping.
            "max_retries": 0,
            "retry_on_timeout": False,
            "serializers": _SERIALIZERS,
        }
        if ca_file:
            self._options["ca_certs"] = ca_file
        self._plain = False
        self._left: list[elasticsearch.Elasticsearch] = []
        self._client = self._connect()

    def _connect(self) -> elasticsearch.Elasticsearch:
        options = self._options | ({"node_class": _PlainNode} if self._plain else {})
        try:
            return elasticsearch.Elasticsearch(self.url, **options)
        except (ValueError, OSError) as error:
            raise Rejected(f"cannot use {self.url}: {error}") from error

    def _speak_plainly(self) -> None:
        """Threads that ask through the other client meanwhile come here too, so it is closed in the end."""
        log.info("the server refuses the headers of version 9 and is asked in its own", extra={"server": self.url})
        self._plain = True
        self._left.append(self._client)
        self._client = self._connect()

    def call(
        self, method: str, path: str, body: Any = None, *, expect: Sequence[int] = (), **parameters: Any
    ) -> tuple[int, dict[str, Any]]:
        headers = _NDJSON if path.endswith("/_bulk") else _JSON
        plain = self._plain
        try:
            answer = self._client.perform_request(method, path, params=parameters, headers=headers, body=body)
        except elasticsearch.UnsupportedProductError as error:
            raise Rejected(f"{self.url} answers, but is no Elasticsearch: {error}") from error
        except elasticsearch.ApiError as error:
            status = error.meta.status
            if error.message == "media_type_header_exception" and not plain:
                self._speak_plainly()
                return self.call(method, path, body, expect=expect, **parameters)
            if status in expect:
                return status, error.body if isinstance(error.body, dict) else {}
            raise self._refusal(status, error) from error
        except elastic_transport.TlsError as error:
            raise self._tls_refusal(error) from error
        except elastic_transport.TransportError as error:  # refused, reset, timed out
            raise Unavailable(f"{self.url} does not answer: {error.message}") from error
        return answer.meta.status, answer.body if isinstance(answer.body, dict) else {}

    def _refusal(self, status: int, error: elasticsearch.ApiError) -> Unavailable | Rejected:
        said = f"{self.url} answers {status}: {error.message}{_reason(error.body)}"
        if status in (401, 403) and "cluster_block" not in error.message:
            return Rejected(f"{said}; check the user in the URL and the password in {PASSWORD}")
        if status in (403, 408, 429) or status >= 500:
            after = error.meta.headers.get("retry-after") or ""
            return Unavailable(said, float(after) if after.isdigit() else None)
        return Rejected(said)

    def _tls_refusal(self, error: elastic_transport.TlsError) -> Unavailable | Rejected:
        """A certificate that is not accepted stays so until somebody does something; a broken handshake may pass."""
        if "CERTIFICATE_VERIFY_FAILED" not in error.message:
            return Unavailable(f"{self.url} breaks off the TLS handshake: {error.message}")
        cause = re.search(r"certificate verify failed: ([^(]*)", error.message)
        why = cause[1].strip() if cause else error.message
        help = "renew it on the server" if "expired" in why else "[store] ca_file names the authority that signed it"
        return Rejected(f"the certificate of {self.url} is not accepted: {why}; {help}")

    def close(self) -> None:
        for client in (self._client, *self._left):
            client.close()


def split_url(url: str) -> tuple[str, str | None, str | None, dict[str, str]]:
    """Address without secrets, user, password, settings."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 9200)
    except ValueError as error:
        raise Rejected(f"the store's URL cannot be read: {error}") from error
    if not parts.hostname:
        raise Rejected("the store's URL names no host: http(s)://HOST:9200")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    settings = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    user, secret = (None if text is None else unquote(text) for text in (parts.username, parts.password))
    return f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}", user, secret, settings


def _reason(body: Any) -> str:
    """What the server says of it, with the privilege that is missing; empty where it says nothing."""
    error = body.get("error") if isinstance(body, dict) else None
    reason = error.get("reason") if isinstance(error, dict) else None
    return f" ({str(reason)[:300]})" if reason else ""
