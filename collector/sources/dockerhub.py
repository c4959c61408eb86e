"""Docker Hub's audit log of an organisation: `GET /v2/auditlogs/{account}`, paged by number within a span of time.

The order of the rows is nowhere promised and they have no ids. So a span of at most a day is read whole before the cursor
moves on, until a page is empty, and rows are told apart by what they say. Pulls are not in this log, nor are addresses.

Operations AuditLogs_ListAuditLogs and AuthCreateAccessToken of Docker's Hub API reference.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import quote

import orjson
from pydantic import SecretStr

from collector.api_poll import Answer, Api, ApiError, Patience, Row, Track, moment_in, rows_in
from collector.backoff import Backoff
from collector.stages import Block
from store.contract import Position

PAGE_SIZE = 100
SPAN = timedelta(days=1)


class DockerHubAudit:
    """Source of one account's rows, as documents `{"logs": […]}`. `secret` is an access token of the organisation (then
    `username` is its name), a personal access token, or a password.
    """

    follow = True

    def __init__(
        self,
        name: str,
        account: str,
        username: str,
        secret: SecretStr,
        *,
        url: str = "https://hub.docker.com",
        registry: str | None = None,
        interval_seconds: float = 300.0,
        overlap_seconds: float = 900.0,
        first_days: float = 30.0,
        ca_file: Path | None = None,
        backoff: Callable[[], Backoff] = Backoff,
        once: bool = False,
    ) -> None:
        self.name, self.registry = name, registry
        self._path = f"/v2/auditlogs/{quote(account, safe='')}"
        self._username, self._secret = username, secret
        self._interval, self._overlap, self._once = interval_seconds, timedelta(seconds=overlap_seconds), once
        self._first = timedelta(days=first_days)
        self._patience = Patience(name, backoff)
        self._api = Api(url, self._authorise, ca_file)
        self._token: str | None = None

    def format_of(self, block: Block) -> str:
        return "dockerhub-audit"

    def stop(self) -> None:
        self._patience.stop()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """Asks every `interval_seconds`; ends at `stop`, or after one round with `once`."""
        stream = f"dockerhub:{self._path.rpartition('/')[2]}"
        track = Track(stream, self._api.url + self._path, committed(stream))
        yield from self._patience.rounds(lambda: self._round(track), self._interval, self._once)

    def _round(self, track: Track) -> Iterator[Block]:
        """From the cursor to the server's present, a span at a time."""
        asked = self._ask({"page": "1", "page_size": "1"})
        if asked is None:
            return
        now = asked.server_time or datetime.now(UTC)
        begin = (track.cursor - self._overlap) if track.cursor is not None else now - self._first
        while not self._patience.stopped:
            end = begin + SPAN
            done = yield from self._span(track, begin, end, now)
            if not done:
                return
            if end >= now:
                track.forget_before(begin)
                return
            begin = end - self._overlap

    def _span(self, track: Track, begin: datetime, end: datetime, now: datetime) -> Generator[Block, None, bool]:
        """All rows of a span; returns whether it was read whole. The last ones are held back until it is known that they
        are the last: with them the cursor moves on.
        """
        newest, page = begin, 1
        held: list[Row] = []
        while True:
            fields = {"from": _rfc3339(begin), "to": _rfc3339(end), "page": str(page), "page_size": str(PAGE_SIZE)}
            answer = self._ask(fields)
            if answer is None:
                return False
            rows = rows_in(answer.value, "logs", self._path)
            if not rows:
                reach = partial(track.reach, max(newest, min(end, now - self._overlap)), now)
                yield from self._blocks(track, held, reach)
                return True
            yield from self._blocks(track, held)
            held = track.fresh(rows, _name)
            newest, page = max(newest, *map(_moment, rows)), page + 1

    def _blocks(self, track: Track, rows: list[Row], then: Callable[[], None] = lambda: None) -> Iterator[Block]:
        return track.blocks(rows, wrap=_document, name_of=_name, moment_of=_moment, registry=self.registry, then=then)

    def _ask(self, fields: Mapping[str, str]) -> Answer | None:
        def question() -> Answer:
            try:
                answer = self._api.get(self._path, fields)
            except ApiError as error:
                if error.status == 401:  # tokens last for minutes
                    self._token = None
                raise
            rows_in(answer.value, "logs", self._path)
            return answer

        return self._patience.ask(question)

    def _authorise(self) -> Mapping[str, str]:
        if self._token is None:
            body = {"identifier": self._username, "secret": self._secret.get_secret_value()}
            given = self._api.post("/v2/auth/token", body).value
            token = given.get("access_token") if isinstance(given, dict) else None
            if not isinstance(token, str):
                raise ApiError(f"{self._api.url}/v2/auth/token: no token in the answer")
            self._token = token
        return {"Authorization": f"Bearer {self._token}"}


def _document(rows: list[Row]) -> dict[str, list[Row]]:
    return {"logs": rows}


def _name(row: Row) -> str:
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode()


def _moment(row: Row) -> datetime:
    return moment_in(row.get("timestamp"))


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
