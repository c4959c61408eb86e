"""An Elasticsearch index of somebody else's into which logs go already: Filebeat's, or Quay's own action logs.

Each round opens a point in time and pages through it by `search_after`, in the order of the time field, from the newest time
handed on less an overlap. Documents that come late are found within the overlap; those handed on within it are remembered.
A line has no name of its own but its place in what was handed on, so no document may come twice: where more came within the
overlap than can be remembered, the overlap is as long as what is.

Elasticsearch is asked by plain requests, so that servers from 7.14 on answer whatever the client's version.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import elastic_transport
import elasticsearch
import orjson
from pydantic import SecretStr

from collector.errors import CollectorError
from collector.recent import Recent
from collector.stages import Block
from collector.whole_lines import BEFORE_BYTES
from store.contract import Position

log = logging.getLogger(__name__)

KEEP_ALIVE = "2m"
TIMEOUT_SECONDS = 60.0
REMEMBERED = 5_000  # documents, over a restart
_JSON = {"accept": "application/json", "content-type": "application/json"}
_MILLIS = 1_000.0  # in a second; Elasticsearch sorts by them


class ElasticIndexError(CollectorError):
    """The server refused, or did not answer. Asking again later may help."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the server is and who asks: a user with a password, or an API key, or nobody."""

    url: str
    username: str | None = None
    password: SecretStr | None = None
    api_key: SecretStr | None = None
    ca_file: Path | None = None


class ElasticIndex:
    """Source of the documents in `index` (a pattern, an alias or a data stream). A line is the text at `field`, or with
    `field=None` the whole `_source` as JSON. Documents without the time or the field are left out.
    """

    follow = True

    def __init__(
        self,
        name: str,
        access: Access,
        index: str,
        *,
        field: str | None = "message",
        time_field: str = "@timestamp",
        query: dict[str, Any] | None = None,
        registry: str | None = None,
        interval_seconds: float = 30.0,
        overlap_seconds: float = 300.0,
        page_size: int = 1_000,
        once: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name, self.registry, self._clock = name, registry, clock
        self._url, self._index, self._field, self._time_field = access.url.rstrip("/"), index, field, time_field
        self._query, self._interval, self._overlap = query, interval_seconds, overlap_seconds
        self._page_size, self._once = page_size, once
        self._stop = threading.Event()
        options: dict[str, Any] = {"ca_certs": str(access.ca_file)} if access.ca_file else {}
        if access.api_key is not None:
            options["api_key"] = access.api_key.get_secret_value()
        elif access.username is not None:
            secret = access.password.get_secret_value() if access.password is not None else ""
            options["basic_auth"] = (access.username, secret)
        self._client = elasticsearch.Elasticsearch(
            access.url, request_timeout=TIMEOUT_SECONDS, max_retries=0, retry_on_timeout=False, **options
        )

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """Asks every `interval_seconds`; ends at `stop`, or after one round with `once`.

        Raises:
            ElasticIndexError: the server refused, or did not answer.
        """
        stream = f"elasticsearch:{self.name}"
        reading = _Reading(stream, f"{self._url}/{self._index}", committed(stream), self._overlap, self._clock)
        while not self._stop.is_set():
            yield from self._round(reading)
            if self._once:
                return
            self._stop.wait(self._interval)

    def _round(self, reading: _Reading) -> Iterator[Block]:
        opened = self._ask("POST", f"/{self._index}/_pit", None, keep_alive=KEEP_ALIVE)
        pit, after = str(opened.get("id")), None
        try:
            while not self._stop.is_set():
                answer = self._ask("POST", "/_search", self._search(pit, reading.since(), after))
                pit = str(answer.get("pit_id", pit))
                hits = answer.get("hits", {}).get("hits", [])
                block = reading.block([hit for hit in hits if isinstance(hit, dict)], self._line, self.registry)
                if block is not None:
                    yield block
                if len(hits) < self._page_size:
                    reading.round_ends()
                    return
                after = hits[-1]["sort"]
        finally:
            self._ask("DELETE", "/_pit", {"id": pit}, ignore_status=True)

    def _search(self, pit: str, since: float | None, after: list[Any] | None) -> dict[str, Any]:
        span: dict[str, Any] = {"format": "epoch_millis"} | ({"gte": int(since)} if since is not None else {})
        filters: list[dict[str, Any]] = [{"exists": {"field": self._time_field}}]
        if since is not None:
            filters.append({"range": {self._time_field: span}})
        if self._query is not None:
            filters.append(self._query)
        body: dict[str, Any] = {
            "size": self._page_size,
            "track_total_hits": False,
            "query": {"bool": {"filter": filters}},
            "pit": {"id": pit, "keep_alive": KEEP_ALIVE},
            "sort": [{self._time_field: {"order": "asc", "numeric_type": "date"}}],  # and by `_shard_doc`, by itself
        }
        return body if after is None else body | {"search_after": after}

    def _line(self, source: dict[str, Any]) -> bytes | None:
        if self._field is None:
            return orjson.dumps(source) + b"\n"
        text = _at(source, self._field.split("."))
        return text.encode("utf-8", "replace").rstrip(b"\r\n") + b"\n" if isinstance(text, str) else None

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, *, ignore_status: bool = False, **parameters: str
    ) -> dict[str, Any]:
        try:
            answer = self._client.perform_request(method, path, params=parameters, headers=_JSON, body=body)
        except elasticsearch.ApiError as error:
            if ignore_status:  # a point in time that is gone already
                return {}
            told = error.meta.headers.get("retry-after") or ""
            wait = float(told) if told.isdigit() else None
            raise ElasticIndexError(f"{self._url}{path} answers {error.meta.status}: {error.message}", wait) from None
        except (elastic_transport.TransportError, elasticsearch.UnsupportedProductError) as error:
            if ignore_status:
                return {}
            raise ElasticIndexError(f"{self._url}: {type(error).__name__}") from None
        read = answer.body if isinstance(answer.body, dict) else {}
        failed = read.get("_shards", {}).get("failed") or 0
        if failed or read.get("timed_out"):  # half an answer would look like all there is
            raise ElasticIndexError(f"{self._url}{path}: {failed} shards did not answer")
        return read


class _Reading:
    """How far the index is read. Times in milliseconds since 1970, as Elasticsearch sorts by them."""

    def __init__(
        self,
        stream: str,
        path: str,
        position: Position | None,
        overlap_seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        detail = position.detail if position is not None else {}
        self.stream, self.path, self._clock = stream, path, clock
        self._overlap = overlap_seconds * _MILLIS
        self._offset = position.offset if position is not None else 0
        self._newest: float | None = detail.get("newest")
        self._recent = Recent(detail.get("recent"), most_kept=REMEMBERED)
        self._since = self._bound()
        self._before = b""

    def _bound(self) -> float | None:
        if self._newest is None:
            return None
        remembered = -1.0 if self._recent.floor is None else self._recent.floor
        return max(self._newest - self._overlap, min(remembered + 1, self._newest))

    def since(self) -> float | None:
        """The bound of this round; the pages of one round share it."""
        return self._since

    def round_ends(self) -> None:
        self._since = self._bound()
        if self._since is not None:
            self._recent.forget_before(self._since)

    def block(
        self,
        hits: Sequence[dict[str, Any]],
        line_of: Callable[[dict[str, Any]], bytes | None],
        registry: str | None,
    ) -> Block | None:
        """The documents of a page that were not handed on yet; None if there are none."""
        lines = []
        for hit in hits:
            name, time = f"{hit.get('_index')}/{hit.get('_id')}", _millis(hit.get("sort"))
            if time is None or name in self._recent:
                continue
            self._recent.add(name, time)
            # A document of the future must not move the bound beyond those that come meanwhile.
            self._newest = max(self._newest or 0.0, min(time, self._clock().timestamp() * _MILLIS))
            line = line_of(hit.get("_source") or {})
            if line is not None:
                lines.append(line)
        if not lines:
            return None
        data = b"".join(lines)
        begin, self._offset = self._offset, self._offset + len(data)
        before, self._before = self._before, _last_lines(self._before + data)
        detail = {"path": self.path, "newest": self._newest, "recent": self._recent.detail()}
        return Block(
            stream=self.stream,
            offset=begin,
            data=data,
            before=before,
            path=self.path,
            registry=registry,
            after=Position(stream=self.stream, offset=self._offset, detail=detail),
        )


def _last_lines(data: bytes) -> bytes:
    """Whole lines from the end, up to 64 KiB."""
    if len(data) <= BEFORE_BYTES:
        return data
    return data[-BEFORE_BYTES:].partition(b"\n")[2]


def _millis(sort: Any) -> float | None:
    first = sort[0] if isinstance(sort, list) and sort else None
    return float(first) if isinstance(first, int | float) else None


def _at(source: Any, keys: list[str]) -> Any:
    """A value by its path; Filebeat writes objects, others one key with dots."""
    if isinstance(source, dict) and ".".join(keys) in source:
        return source[".".join(keys)]
    for cut in range(1, len(keys)):
        head = ".".join(keys[:cut])
        if isinstance(source, dict) and head in source:
            return _at(source[head], keys[cut:])
    return None
