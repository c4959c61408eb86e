"""Quay's action logs of an organisation, a repository or everything: `GET /api/v1/…/logs`, newest rows first.

A day is the finest span that Quay can be asked for, so each day is read from its end back to what is known, and the cursor
moves on when that is done. Rows have no ids and times of one second: they are told apart by what they say, so two that say
exactly the same are one.

endpoints/api/logs.py of quay/quay.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path

import orjson
from pydantic import SecretStr

from collector.api_poll import Answer, Api, Patience, Row, Track, moment_in, rows_in
from collector.backoff import Backoff
from collector.stages import Block
from store.contract import Position

DAY = timedelta(days=1)


class QuayLogs:
    """Source of one list of rows, as documents `{"logs": […]}`. `of` is `organization/<name>`, `repository/<ns>/<name>`,
    `user`, or `superuser`; `token` an OAuth token of an application with the right to read it.
    """

    follow = True

    def __init__(
        self,
        name: str,
        url: str,
        of: str,
        token: SecretStr,
        *,
        registry: str | None = None,
        interval_seconds: float = 60.0,
        overlap_seconds: float = 300.0,
        first_days: float = 30.0,
        ca_file: Path | None = None,
        backoff: Callable[[], Backoff] = Backoff,
        once: bool = False,
    ) -> None:
        self.name, self.registry = name, registry
        self._path = f"/api/v1/{of}/logs"
        self._interval, self._overlap, self._once = interval_seconds, timedelta(seconds=overlap_seconds), once
        self._first = timedelta(days=first_days)
        self._patience = Patience(name, backoff)
        self._api = Api(url, lambda: {"Authorization": f"Bearer {token.get_secret_value()}"}, ca_file)

    def format_of(self, block: Block) -> str:
        return "quay-logs"

    def stop(self) -> None:
        self._patience.stop()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """Asks every `interval_seconds`; ends at `stop`, or after one round with `once`."""
        stream = f"quay:{self.name}"
        track = Track(stream, self._api.url + self._path, committed(stream))
        yield from self._patience.rounds(lambda: self._round(track), self._interval, self._once)

    def _round(self, track: Track) -> Iterator[Block]:
        """Day by day, up to the server's today."""
        since = track.cursor - self._overlap if track.cursor is not None else None
        day = since.date() if since is not None else None
        while not self._patience.stopped:
            asked = self._ask(day, None)
            if asked is None:
                return
            now = asked.server_time or datetime.now(UTC)
            if day is None:
                day = (now - self._first).date()
                continue
            done = yield from self._day(track, day, since, asked, now)
            if not done:
                return
            if day >= now.date():
                break
            day += DAY
        if track.cursor is not None:
            track.forget_before(track.cursor - self._overlap)

    def _day(
        self, track: Track, day: date, since: datetime | None, answer: Answer | None, now: datetime
    ) -> Generator[Block, None, bool]:
        """Pages of a day, of which the first is there already; returns whether it was read back to what is known. With the
        last page the cursor moves on.
        """
        newest = _end_of(day - DAY)
        while answer is not None:
            rows = rows_in(answer.value, "logs", self._path)
            moments = [_moment(row) for row in rows]
            newest = max([newest, *moments])
            more = answer.value.get("next_page")
            last = not more or (since is not None and min(moments, default=now) < since)
            reach = partial(track.reach, max(newest, min(_end_of(day), now - self._overlap)), now)
            yield from track.blocks(
                track.fresh(rows, _name),
                wrap=_document,
                name_of=_name,
                moment_of=_moment,
                registry=self.registry,
                then=reach if last else lambda: None,
            )
            if last:
                return True
            answer = self._ask(day, str(more))
        return False

    def _ask(self, day: date | None, page: str | None) -> Answer | None:
        told = {"starttime": f"{day:%m/%d/%Y}", "endtime": f"{day:%m/%d/%Y}"} if day is not None else {}
        fields: Mapping[str, str] = told | ({"next_page": page} if page is not None else {})

        def question() -> Answer:
            answer = self._api.get(self._path, fields)
            rows_in(answer.value, "logs", self._path)
            return answer

        return self._patience.ask(question)


def _end_of(day: date) -> datetime:
    return datetime.combine(day + DAY, time(), UTC)


def _document(rows: list[Row]) -> dict[str, list[Row]]:
    return {"logs": rows}


def _name(row: Row) -> str:
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode()


def _moment(row: Row) -> datetime:
    return moment_in(row.get("datetime"))
