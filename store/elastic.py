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
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from store import aggregations, arrivals
from store.bulk import STRADDLE, BulkWriter
from store.contract import Committed, Damage, Day, DeadLetter, EventQuery, Position, Voice
from store.documents import Documents
from store.elastic_client import PASSWORD, Client, split_url
from store.elastic_records import ElasticRecords
from store.errors import Rejected
from store.event import BY_NAME, schema
from store.frames import check_countable, counts_frame, windows_frame
from store.mapping import ROWS, event_of, events_template, rows_of
from store.retention import retain

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

log = logging.getLogger(__name__)

# No dash: `a` and `a-b` would claim each other's indices.
NAMESPACE = re.compile(r"[a-z0-9][a-z0-9_]{0,99}")
PAGE = 1_000
TABLE_ROWS = 20_000  # so many rows are objects at once while a table is made of them
EARLIEST = datetime.min.replace(tzinfo=UTC) + STRADDLE
LATEST = datetime.max.replace(tzinfo=UTC) - STRADDLE
# An index that is not there yet answers a search with nothing, rather than an error; half an answer is an error.
_SEARCH = {"ignore_unavailable": "true", "allow_partial_search_results": "false"}


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
        server, user, secret, settings = split_url(url)
        named, trusted = settings.pop("namespace", "default"), settings.pop("ca_file", None)
        namespace, ca_file = namespace or named, ca_file or trusted
        if settings:
            raise Rejected(f"unknown setting {next(iter(settings))!r} in the store's URL: known are namespace, ca_file")
        if not NAMESPACE.fullmatch(namespace):
            raise Rejected(f"namespace {namespace!r}: lower-case letters, digits and _ only")
        self.url = f"{server}?namespace={namespace}"
        self._client = Client(server, user, password or secret or os.environ.get(PASSWORD), ca_file, timeout_seconds)
        super().__init__(Documents(self._client, namespace))
        self._alias = f"regsight-events-{namespace}"
        self._bulk = BulkWriter(self._client, self._alias)
        self._day_index = re.compile(re.escape(self._alias) + r"-\d{4}\.\d\d\.\d\d")
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
        try:
            taken = self._bulk.write(events)
        finally:
            self._unread.set()  # another thread may have searched meanwhile
        self.put_dead_letters([*dead, *taken.refused])
        for position in positions:
            self.put_position(position)
        return Committed(rows=events.num_rows, known=taken.known)

    def add(self, events: pa.Table) -> Committed:
        return self.commit(events, ())

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
            yield {name: event[name] for name in query.columns} if query.columns else event

    def table(self, query: EventQuery) -> pa.Table:
        import pyarrow as pa

        fields = schema()
        if query.columns:
            fields = pa.schema([fields.field(name) for name in query.columns])
        events, parts = self.events(query), [fields.empty_table()]
        while some := list(islice(events, TABLE_ROWS)):
            parts.append(pa.Table.from_pylist(some, fields))
        return pa.concat_tables(parts)

    def parts(
        self, query: EventQuery, *, numbered_by: Sequence[str] = (), besides: Collection[Voice] = ()
    ) -> Iterator[dict[str, Any]]:
        # The time of an event is that of its most trusted part; the others may lie on the other side of a limit.
        wide = replace(
            query,
            since=None if query.since is None else max(query.since, EARLIEST) - STRADDLE,
            until=None if query.until is None else min(query.until, LATEST) + STRADDLE,
            columns=(),
        )
        without = aggregations.told_alone(numbered_by, besides)
        found = (part for source in self._sources(wide, [ROWS], without) for part in rows_of(source))
        parts = [
            part
            for part in found
            if _inside(part["timestamp"], query)
            and not _numbered(part, numbered_by)
            and (part["dataset"] or "", part["channel"] or "") not in besides
        ]
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
        names = _fetched(query)
        return (event_of(source, names) for source in self._sources(query))

    def _sources(
        self, query: EventQuery, more: Sequence[str] = (), without: Sequence[dict[str, Any]] = ()
    ) -> Iterator[dict[str, Any]]:
        """Documents by the millisecond; of a limited query some more than asked for."""
        way = {"order": "desc" if query.newest_first else "asc"}
        body: dict[str, Any] = {
            "query": {"bool": {"filter": aggregations.filters(query), "must_not": list(without)}},
            "sort": [{BY_NAME["timestamp"].ecs: way}, {BY_NAME["event_id"].ecs: way}],
            "size": PAGE if query.limit is None else min(PAGE, query.limit + 1),
            "track_total_hits": False,
            "_source": [*(BY_NAME[name].ecs for name in _fetched(query)), *more],
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

    def arrived(self, stored_since: datetime, since: datetime, before: datetime) -> list[arrivals.Arrival]:
        self._unread.set()  # another process writes: what it has just written counts
        return arrivals.from_elastic(self._read("_search", arrivals.elastic(stored_since, since, before)))

    def total(self) -> int:
        return int(self._read("_count", {"query": {"match_all": {}}})["count"])

    def _read(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        if self._unread.is_set():
            self._unread.clear()
            self._client.call("POST", f"/{self._alias}/_refresh", ignore_unavailable="true")
        parameters: dict[str, Any] = _SEARCH if what == "_search" else {"ignore_unavailable": "true"}
        return self._client.call("POST", f"/{self._alias}/{what}", body, **parameters)[1]

    # upkeep

    def days(self) -> list[Day]:
        self._client.call("POST", f"/{self._alias}/_refresh", ignore_unavailable="true")
        status, found = self._client.call("GET", f"/{self._alias}/_stats/docs,store", expect=(404,))
        days: list[Day] = []
        for name, stats in sorted(found.get("indices", {}).items() if status == 200 else ()):
            if self._day_index.fullmatch(name):
                size = stats["total"]["store"]["size_in_bytes"]
                day = name[-10:].replace(".", "-")
                days.append(Day(day=day, rows=stats["primaries"]["docs"]["count"], bytes=size))
        return days

    def drop_days(self, days: Sequence[str]) -> None:
        for day in days:
            self._client.call("DELETE", f"/{self._alias}-{day.replace('-', '.')}", expect=(404,))

    def damage(self, repair: bool = False, deep: bool = False) -> list[Damage]:
        """Indices that have lost a shard. Elasticsearch copies shards itself; what no copy is left of, nobody can mend."""
        answer = self._client.call("GET", "/_cluster/health", level="indices")[1]
        found: list[Damage] = []
        for name, health in sorted(answer["indices"].items()):
            if health["status"] == "red" and name.startswith("regsight-"):
                lost = "what is on the shards without a copy; it comes back with the node that has them, or from a snapshot"
                found.append(Damage(path=f"{self.url} {name}", wrong="is red: a shard is nowhere", lost=lost))
        return found

    def maintain(self, now: datetime, keep: timedelta | None, keep_rollups: timedelta | None = None) -> dict[str, int]:
        """Drops whole day indices; merging segments and the like is Elasticsearch's own business."""
        if keep is None:
            return {}
        return retain(self, now, keep, keep_rollups) | self.prune(now - keep)


def _sorted(events: list[dict[str, Any]], newest_first: bool) -> list[dict[str, Any]]:
    return sorted(events, key=lambda event: (event["timestamp"], event["event_id"]), reverse=newest_first)


def _fetched(query: EventQuery) -> list[str]:
    """The columns to ask for: what is wanted, and what puts them in order."""
    return list(dict.fromkeys((*query.columns, "timestamp", "event_id"))) if query.columns else list(BY_NAME)


def _inside(moment: datetime, query: EventQuery) -> bool:
    return (query.since is None or moment >= query.since) and (query.until is None or moment < query.until)


def _numbered(part: Mapping[str, Any], by: Sequence[str]) -> bool:
    """Whether one of these formats told the row under the registry's own number of the request."""
    return part["dataset"] in by and part["request_id"] is not None and part["event_id"].startswith("r-")
