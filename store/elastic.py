"""The Elasticsearch store: event-day indices `regsight-events-<namespace>-YYYY.MM.DD` behind one read alias.

An event is written with op `create` under its `event_id`, so that a repeated write is refused (409) and counts as done.
If what is there has not all our parts yet, ours are merged in on condition that nobody wrote in between. The position
is written after the bulk was taken: a crash in between means reading, and being refused, again.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import elastic_transport
import elasticsearch

from store import aggregations
from store.bulk import BulkWriter
from store.contract import Committed, DeadLetter, EventQuery, Position
from store.documents import Documents
from store.elastic_records import ElasticRecords
from store.errors import Rejected, Unavailable
from store.event import BY_NAME, FIELDS, schema
from store.frames import check_countable, counts_frame, windows_frame
from store.mapping import ROWS, event_of, events_template, rows_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

log = logging.getLogger(__name__)

PASSWORD = "REGSIGHT_ES_PASSWORD"  # noqa: S105 (the variable's name)
# No dash: `a` and `a-b` would claim each other's indices.
NAMESPACE = re.compile(r"[a-z0-9][a-z0-9_]{0,99}")
PAGE = 1_000
_JSON = {"accept": "application/json", "content-type": "application/json"}
_NDJSON = _JSON | {"content-type": "application/x-ndjson"}
# An index that is not there yet answers a search with nothing, rather than an error; half an answer is an error.
_SEARCH = {"ignore_unavailable": "true", "allow_partial_search_results": "false"}


class Client:
    """One server (or what stands in front of several), and its errors in the words of `store.errors`."""

    def __init__(self, url: str, user: str | None, password: str | None, ca_file: str | None, timeout: float) -> None:
        self.url = url
        options: dict[str, Any] = {"ca_certs": ca_file} if ca_file else {}
        try:
            self._client = elasticsearch.Elasticsearch(
                url,
                basic_auth=(user, password or "") if user else None,
                request_timeout=timeout,
                # Whoever called decides when to try again: it knows about pausing and stopping.
                max_retries=0,
                retry_on_timeout=False,
                **options,
            )
        except (ValueError, OSError) as error:
            raise Rejected(f"cannot use {url}: {error}") from error

    def call(
        self, method: str, path: str, body: Any = None, *, expect: Sequence[int] = (), **parameters: Any
    ) -> tuple[int, dict[str, Any]]:
        headers = _NDJSON if path.startswith("/_bulk") else _JSON
        try:
            answer = self._client.perform_request(method, path, params=parameters, headers=headers, body=body)
        except elasticsearch.UnsupportedProductError as error:
            raise Rejected(f"{self.url} answers, but is no Elasticsearch: {error}") from error
        except elasticsearch.ApiError as error:
            status = error.meta.status
            if status in expect:
                return status, error.body if isinstance(error.body, dict) else {}
            raise self._refusal(status, error) from error
        except elastic_transport.TransportError as error:  # refused, reset, timed out, TLS
            raise Unavailable(f"{self.url} does not answer: {error.message}") from error
        return answer.meta.status, answer.body if isinstance(answer.body, dict) else {}

    def _refusal(self, status: int, error: elasticsearch.ApiError) -> Unavailable | Rejected:
        said = f"{self.url} answers {status}: {error.message}"
        if status in (401, 403) and "cluster_block" not in error.message:
            return Rejected(f"{said}; check the user in the URL and the password in {PASSWORD}")
        if status in (403, 408, 429) or status >= 500:
            after = error.meta.headers.get("retry-after") or ""
            return Unavailable(said, float(after) if after.isdigit() else None)
        return Rejected(said)

    def close(self) -> None:
        self._client.close()


class ElasticStore(ElasticRecords):
    """`store.contract.Store` for `http(s)://[user@]host:port?namespace=name`.

    The password comes from `password` or the environment (REGSIGHT_ES_PASSWORD), never from the URL that people see.
    """

    def __init__(
        self,
        url: str,
        *,
        password: str | None = None,
        ca_file: str | None = None,
        namespace: str | None = None,
        timeout_seconds: float = 30,
    ) -> None:
        server, user, secret, settings = _split(url)
        namespace = namespace or settings.pop("namespace", "default")
        ca_file = ca_file or settings.pop("ca_file", None)
        if settings:
            raise Rejected(f"unknown setting {next(iter(settings))!r} in the store's URL: known are namespace, ca_file")
        if not NAMESPACE.fullmatch(namespace):
            raise Rejected(f"namespace {namespace!r}: lower-case letters, digits and _ only")
        self.url = f"{server}?namespace={namespace}"
        self._client = Client(server, user, password or secret or os.environ.get(PASSWORD), ca_file, timeout_seconds)
        super().__init__(Documents(self._client, namespace))
        self._alias = f"regsight-events-{namespace}"
        self._bulk = BulkWriter(self._client, self._alias)
        self._events_prepared = False
        # Set while there may be something that a search does not see yet. What others write later is seen within the
        # index's refresh interval, a second.
        self._unread = threading.Event()
        self._unread.set()

    def close(self) -> None:
        self._client.close()

    # writing

    def commit(self, events: pa.Table, positions: Sequence[Position], dead: Sequence[DeadLetter] = ()) -> Committed:
        if not self._events_prepared:
            self._prepare_events()
        missing = set(schema().names) - set(events.column_names)
        if missing or events["event_id"].null_count or events["timestamp"].null_count:
            raise Rejected(f"rows do not have the event schema: {sorted(missing) or 'event_id or timestamp is null'}")
        self._unread.set()
        taken = self._bulk.write(events.to_pylist())
        self.put_dead_letters([*dead, *taken.refused])
        for position in positions:
            self.put_position(position)
        return Committed(rows=events.num_rows, known=taken.known)

    def _prepare_events(self) -> None:
        """Put the template, and tell the indices that an earlier release made of the fields that are new since."""
        template = events_template(self._alias)
        self._client.call("PUT", f"/_index_template/{self._alias}", template)
        mapping = {"properties": template["template"]["mappings"]["properties"]}
        # 404: there is no index yet. 400: an index of that name is somebody else's; its documents are refused one by one.
        if self._client.call("PUT", f"/{self._alias}/_mapping", mapping, expect=(400, 404))[0] == 400:
            log.warning("an index has fields of other types: new fields are not searchable in it")
        self._events_prepared = True

    # reading

    def events(self, query: EventQuery) -> Iterator[dict[str, Any]]:
        found = (event for event in self._exact(query) if _inside(event["timestamp"], query))
        for count, event in enumerate(found):
            if query.limit is not None and count >= query.limit:
                return
            yield event

    def parts(self, query: EventQuery) -> Iterator[dict[str, Any]]:
        found = (part for source in self._sources(query, [ROWS]) for part in rows_of(source))
        parts = [part for part in found if _inside(part["timestamp"], query)]
        yield from sorted(parts, key=lambda part: part["timestamp"], reverse=query.newest_first)[: query.limit]

    def _exact(self, query: EventQuery) -> Iterator[dict[str, Any]]:
        """Events in order of the microsecond: Elasticsearch sorts by the millisecond, so each one is sorted anew."""
        same: list[dict[str, Any]] = []
        for event in self._hits(query):
            if same and aggregations.floor(same[0]["timestamp"]) != aggregations.floor(event["timestamp"]):
                yield from _sorted(same, query.newest_first)
                same = []
            same.append(event)
        yield from _sorted(same, query.newest_first)

    def _hits(self, query: EventQuery) -> Iterator[dict[str, Any]]:
        return (event_of(source) for source in self._sources(query))

    def _sources(self, query: EventQuery, more: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """Documents by the millisecond; of a limited query some more than asked for."""
        way = {"order": "desc" if query.newest_first else "asc"}
        body: dict[str, Any] = {
            "query": {"bool": {"filter": aggregations.filters(query)}},
            "sort": [{BY_NAME["timestamp"].ecs: way}, {BY_NAME["event_id"].ecs: way}],
            "size": PAGE if query.limit is None else min(PAGE, query.limit + 1),
            "track_total_hits": False,
            "_source": [*(field.ecs for field in FIELDS), *more],
        }
        while True:
            hits = self._read("_search", body)["hits"]["hits"]
            yield from (hit["_source"] for hit in hits)
            if len(hits) < body["size"]:
                return
            body["search_after"], body["size"] = hits[-1]["sort"], PAGE

    def counts(
        self, since: datetime, until: datetime, by: Sequence[str], width: timedelta | None = None
    ) -> pd.DataFrame:
        check_countable(by, width)
        parts = [(since, until)] if width is None else aggregations.slices(since, until, width)
        buckets = [bucket for part in parts for bucket in self._groups(aggregations.counts(*part, by, width))]
        return counts_frame(aggregations.count_columns(buckets, by, width is not None), by)

    def windows(self, since: datetime, until: datetime, width: timedelta, subject: str) -> pd.DataFrame:
        check_countable((), width)
        parts = aggregations.slices(since, until, width)
        buckets = [bucket for part in parts for bucket in self._groups(aggregations.windows(*part, width, subject))]
        return windows_frame(*aggregations.window_columns(buckets))

    def _groups(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """All buckets of the composite aggregation, page by page."""
        buckets: list[dict[str, Any]] = []
        while True:
            answer = self._read("_search", body)
            if "aggregations" not in answer:  # there is no index yet
                return []
            if "groups" not in answer["aggregations"]:
                count = answer["hits"]["total"]["value"]
                return [{"key": {}, "doc_count": count, **answer["aggregations"]}] if count else []
            groups = answer["aggregations"]["groups"]
            buckets += groups["buckets"]
            if "after_key" not in groups:
                return buckets
            body["aggs"]["groups"]["composite"]["after"] = groups["after_key"]

    def span(self) -> tuple[datetime, datetime] | None:
        ends = [next(self.events(EventQuery(limit=1, newest_first=newest)), None) for newest in (False, True)]
        if ends[0] is None or ends[1] is None:
            return None
        return ends[0]["timestamp"], ends[1]["timestamp"]

    def total(self) -> int:
        return int(self._read("_count", {"query": {"match_all": {}}})["count"])

    def _read(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        if self._unread.is_set():
            self._unread.clear()
            self._client.call("POST", f"/{self._alias}/_refresh", ignore_unavailable="true")
        parameters: dict[str, Any] = _SEARCH if what == "_search" else {"ignore_unavailable": "true"}
        return self._client.call("POST", f"/{self._alias}/{what}", body, **parameters)[1]

    # upkeep

    def maintain(self, now: datetime, keep: timedelta | None) -> dict[str, int]:
        """Drops whole day indices; merging segments and the like is Elasticsearch's own business."""
        if keep is None:
            return {}
        status, found = self._client.call("GET", f"/_alias/{self._alias}", expect=(404,))
        oldest = f"{self._alias}-{now - keep:%Y.%m.%d}"
        day = re.compile(re.escape(self._alias) + r"-\d{4}\.\d\d\.\d\d")
        old = [name for name in found if day.fullmatch(name) and name < oldest] if status == 200 else []
        for name in old:
            self._client.call("DELETE", f"/{name}", expect=(404,))
        return {"days_dropped": len(old)} | self.prune(now - keep)


def _split(url: str) -> tuple[str, str | None, str | None, dict[str, str]]:
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


def _sorted(events: list[dict[str, Any]], newest_first: bool) -> list[dict[str, Any]]:
    return sorted(events, key=lambda event: (event["timestamp"], event["event_id"]), reverse=newest_first)


def _inside(moment: datetime, query: EventQuery) -> bool:
    return (query.since is None or moment >= query.since) and (query.until is None or moment < query.until)
