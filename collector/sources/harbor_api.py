"""Harbor's audit log from its REST API: `auditlog-exts` (2.13 and later) and the classic `audit-logs`.

Both tables are asked: a Harbor that was upgraded keeps its old rows in the classic one (and their ids overlap, which
the format keeps apart). Rows are asked in ascending order of `op_time` from a moving lower bound instead of by page
number, so that rows which appear or are purged meanwhile cannot shift others past the reader; a page number is used
only while a whole page lies in one second. The last minutes are asked again each time, for rows that were committed
late.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from pydantic import SecretStr

from collector.backoff import Backoff
from collector.errors import CollectorError
from collector.stages import Block
from store.contract import Position

log = logging.getLogger(__name__)

PAGE_SIZE = 100  # the most that Harbor gives
TABLES = {"ext": "/api/v2.0/auditlog-exts", "classic": "/api/v2.0/audit-logs"}
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
TIMEOUT_SECONDS = 30.0
SLICE_SECONDS = 0.1


class HarborApiError(CollectorError):
    """Harbor did not answer as expected. Temporary: asking again later may help, for wrong
    credentials once they are right.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class HarborAuditPoller:
    """Source of both audit tables, each a stream `harbor:<host>:<table>` of pages, one page a line."""

    follow = True

    def __init__(
        self,
        name: str,
        url: str,
        username: str,
        password: SecretStr,
        *,
        registry: str | None = None,
        interval_seconds: float = 30.0,
        overlap_seconds: float = 300.0,
        ca_file: Path | None = None,
        backoff: Callable[[], Backoff] = Backoff,
        once: bool = False,
    ) -> None:
        import urllib3

        self.name, self.registry = name, registry
        self._url, self._interval, self._overlap = url.rstrip("/"), interval_seconds, timedelta(seconds=overlap_seconds)
        self._backoff, self._once = backoff, once
        self._stopped = False
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(TIMEOUT_SECONDS),
            retries=False,
            ca_certs=str(ca_file) if ca_file else None,
            headers=urllib3.make_headers(basic_auth=f"{username}:{password.get_secret_value()}", accept_encoding=True)
            | {"Accept": "application/json"},
        )

    def format_of(self, block: Block) -> str:
        return "harbor-audit"

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """Asks every `interval_seconds`; ends at `stop`, or after one round with `once`."""
        host = urlsplit(self._url).netloc
        tables = [_Table(f"harbor:{host}:{table}", path, committed, self._overlap) for table, path in TABLES.items()]
        while not self._stopped:
            for table in tables:
                yield from self._round(table)
            if self._once:
                return
            self._sleep(self._interval)

    def _round(self, table: _Table) -> Iterator[Block]:
        """All rows that came since the last round."""
        bound, page = (table.cursor - self._overlap).replace(microsecond=0), 1
        while not self._stopped:
            rows = self._ask(table, bound, page)
            if not rows:
                return
            block = table.block(rows, self.registry, self._url)
            if block is not None:
                yield block
            if len(rows) < PAGE_SIZE:
                return
            last = _moment(rows[-1]).replace(microsecond=0)  # the API's bound has whole seconds
            bound, page = (last, 1) if last > bound else (bound, page + 1)

    def _ask(self, table: _Table, bound: datetime, page: int) -> list[dict[str, Any]]:
        """One page, whatever it takes: temporary refusals are waited out. A table that this Harbor
        lacks has no rows.
        """
        backoff = self._backoff()
        while not self._stopped:
            try:
                return self._get(table.path, bound, page)
            except HarborApiError as error:
                pause = backoff.pause(error.retry_after_seconds)
                log.warning(
                    "Harbor's audit API refuses; asking again",
                    extra={"source": self.name, "error": str(error), "pause_seconds": round(pause, 1)},
                )
                self._sleep(pause)
        return []

    def _get(self, path: str, bound: datetime, page: int) -> list[dict[str, Any]]:
        import urllib3

        fields = {
            "q": f"op_time=[{bound.strftime('%Y-%m-%d %H:%M:%S')}~]",
            "sort": "op_time",
            "page": str(page),
            "page_size": str(PAGE_SIZE),
        }
        try:
            answer = self._http.request("GET", self._url + path, fields=fields, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise HarborApiError(f"{self._url}: {type(error).__name__}") from None
        if answer.status == 404:
            return []
        if answer.status != 200:
            after = answer.headers.get("Retry-After", "")
            raise HarborApiError(f"{self._url}{path}: HTTP {answer.status}", float(after) if after.isdigit() else None)
        try:
            rows = orjson.loads(answer.data)
        except orjson.JSONDecodeError:
            raise HarborApiError(f"{self._url}{path}: the answer is no JSON") from None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise HarborApiError(f"{self._url}{path}: the answer is no list of rows")
        return rows

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopped and (left := until - time.monotonic()) > 0:
            time.sleep(min(SLICE_SECONDS, left))


class _Table:
    """How far one audit table is read, and which of its rows the overlap would give again."""

    def __init__(self, stream: str, path: str, committed: Callable[[str], Position | None], overlap: timedelta) -> None:
        position = committed(stream)
        self.stream, self.path, self._overlap = stream, path, overlap
        self._offset = position.offset if position else 0
        self.cursor = datetime.fromisoformat(position.detail["op_time"]) if position else FIRST + overlap
        self._given: dict[int, datetime] = {}

    def block(self, rows: list[dict[str, Any]], registry: str | None, url: str) -> Block | None:
        """The rows not yet given, as one line; None if there are none."""
        fresh = [row for row in rows if row.get("id") not in self._given]
        if not fresh:
            return None
        self._given |= {row["id"]: _moment(row) for row in fresh if isinstance(row.get("id"), int)}
        self.cursor = max(self.cursor, *map(_moment, fresh))
        horizon = self.cursor - self._overlap - timedelta(seconds=2)
        self._given = {number: moment for number, moment in self._given.items() if moment >= horizon}
        line = orjson.dumps(fresh) + b"\n"
        begin, self._offset = self._offset, self._offset + len(line)
        detail = {"op_time": self.cursor.isoformat(), "url": url + self.path}
        return Block(
            stream=self.stream,
            offset=begin,
            data=line,
            path=url + self.path,
            registry=registry,
            after=Position(stream=self.stream, offset=self._offset, detail=detail),
        )


def _moment(row: dict[str, Any]) -> datetime:
    """When the row says it happened; the beginning of time if it does not, so that it never moves the cursor."""
    try:
        moment = datetime.fromisoformat(str(row.get("op_time")))
    except ValueError:
        return FIRST
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
