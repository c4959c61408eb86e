"""Harbor's audit log from its REST API: `auditlog-exts` (2.13 and later) and the classic `audit-logs`.

Both tables are asked: a Harbor that was upgraded keeps its old rows in the classic one (and their ids overlap, which
the format keeps apart). Rows are asked in ascending order of `op_time` from a moving lower bound instead of by page
number, so that rows which appear or are purged meanwhile cannot shift others past the reader; a page number is used
only while a whole page lies in one second. The last minutes are asked again each time, for rows that were committed
late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from collector.api_poll import FIRST, Answer, Api, Patience, Row, Track, moment_in, rows_in
from collector.backoff import Backoff
from collector.stages import Block
from store.contract import Position

PAGE_SIZE = 100  # the most that Harbor gives
TABLES = {"ext": "/api/v2.0/auditlog-exts", "classic": "/api/v2.0/audit-logs"}
SECOND = timedelta(seconds=1)


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
        self._interval, self._overlap, self._once = interval_seconds, timedelta(seconds=overlap_seconds), once
        self._patience = Patience(name, backoff)
        headers = urllib3.make_headers(basic_auth=f"{username}:{password.get_secret_value()}")
        self._api = Api(url, lambda: headers, ca_file)

    def format_of(self, block: Block) -> str:
        return "harbor-audit"

    def stop(self) -> None:
        self._patience.stop()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """Asks every `interval_seconds`; ends at `stop`, or after one round with `once`."""
        host = urlsplit(self._api.url).netloc
        streams = {table: f"harbor:{host}:{table}" for table in TABLES}
        tracks = {
            path: Track(streams[table], self._api.url + path, committed(streams[table]))
            for table, path in TABLES.items()
        }

        def both() -> Iterator[Block]:
            for path, track in tracks.items():
                yield from self._round(path, track)

        yield from self._patience.rounds(both, self._interval, self._once)

    def _round(self, path: str, track: Track) -> Iterator[Block]:
        """All rows that came since the last round."""
        bound = FIRST if track.cursor is None else (track.cursor - self._overlap).replace(microsecond=0)
        page = 1
        while (answer := self._ask(path, bound, page)) is not None and (rows := answer.value):
            reach = partial(track.reach, max(map(_moment, rows)), answer.server_time)
            yield from track.blocks(
                track.fresh(rows, _name),
                wrap=list,
                name_of=_name,
                moment_of=_moment,
                registry=self.registry,
                then=reach,
            )
            if len(rows) < PAGE_SIZE:
                break
            last = _moment(rows[-1]).replace(microsecond=0)  # the API's bound has whole seconds
            bound, page = (last, 1) if last > bound else (bound, page + 1)
        if track.cursor is not None:
            track.forget_before(track.cursor - self._overlap - 2 * SECOND)

    def _ask(self, path: str, bound: datetime, page: int) -> Answer | None:
        """One page, whatever it takes; None at a stop, and for a table that this Harbor lacks."""
        fields = {
            "q": f"op_time=[{bound.strftime('%Y-%m-%d %H:%M:%S')}~]",
            "sort": "op_time",
            "page": str(page),
            "page_size": str(PAGE_SIZE),
        }

        def question() -> Answer:
            answer = self._api.get(path, fields)
            rows_in(answer.value, None, path)
            return answer

        return self._patience.ask(question, but=(404,))


def _name(row: Row) -> str:
    """Ids of a table are its own, and each table has a track of its own."""
    return str(row.get("id"))


def _moment(row: dict[str, Any]) -> datetime:
    return moment_in(row.get("op_time"))
