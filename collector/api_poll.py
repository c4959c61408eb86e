"""What all sources share that ask a JSON API again and again: requests that are patient, and rows that come once.

A refusal is waited out here, with what is asked for in `Retry-After`, instead of ending the source: what was read stays
read. Times are those that the server writes; ours is never compared with them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import orjson

from collector.backoff import Backoff
from collector.errors import CollectorError
from collector.recent import Recent
from collector.stages import Block
from store.contract import Position

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30.0
MOST_ANSWER_BYTES = 64 << 20
LINE_BYTES = 256 << 10  # rows are put into lines of about this size, well below the longest line
Row = dict[str, Any]


class ApiError(CollectorError):
    """The API did not answer as expected. Temporary: asking again later may help, for wrong credentials once they are
    right.
    """

    def __init__(self, message: str, status: int = 0, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after_seconds = status, retry_after_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API gave, and the time by its own clock if it said."""

    value: Any
    server_time: datetime | None


class Api:
    """One server. `authorise` gives the headers of each request, so that a secret may change; it may ask the API itself."""

    def __init__(self, url: str, authorise: Callable[[], Mapping[str, str]], ca_file: Path | None = None) -> None:
        import urllib3

        self.url = url.rstrip("/")
        self._authorise = authorise
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(TIMEOUT_SECONDS), retries=False, ca_certs=str(ca_file) if ca_file else None
        )

    def close(self) -> None:
        self._http.clear()

    def get(self, path: str, fields: Mapping[str, str]) -> Answer:
        """Raises: ApiError."""
        return self._request("GET", path, fields=dict(fields), headers=self._authorise())

    def post(self, path: str, body: Any) -> Answer:
        """Without authorisation: for logging in. Raises: ApiError."""
        return self._request("POST", path, json=body, headers={})

    def _request(self, method: str, path: str, *, headers: Mapping[str, str], **more: Any) -> Answer:
        import urllib3

        sent = {"Accept": "application/json", "Accept-Encoding": "gzip", **headers}
        try:
            answer = self._http.request(
                method, self.url + path, headers=sent, redirect=False, preload_content=False, **more
            )
            try:
                body = answer.read(MOST_ANSWER_BYTES + 1, decode_content=True)
                if len(body) > MOST_ANSWER_BYTES:
                    answer.close()  # what is left of it must not be read as the next answer
            finally:
                answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(f"{self.url}: {type(error).__name__}") from None
        if answer.status != 200:
            wait = retry_after(answer.headers)
            raise ApiError(f"{self.url}{path}: HTTP {answer.status}", answer.status, wait)
        if len(body) > MOST_ANSWER_BYTES:
            raise ApiError(f"{self.url}{path}: the answer is too large")
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise ApiError(f"{self.url}{path}: the answer is no JSON") from None
        return Answer(value=value, server_time=_http_time(answer.headers.get("Date")))


FIRST = datetime(2000, 1, 1, tzinfo=UTC)


def _http_time(text: str | None) -> datetime | None:
    try:
        read = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks us to wait. A date is read by the server's own clock."""
    told = headers.get("Retry-After", "")
    if told.isascii() and told.isdigit():
        return float(told)
    until, now = _http_time(told), _http_time(headers.get("Date"))
    return max(0.0, (until - now).total_seconds()) if until is not None and now is not None else None


class Patience:
    """Asks until there is an answer, or until `stop`."""

    def __init__(self, name: str, backoff: Callable[[], Backoff]) -> None:
        self._name, self._backoff = name, backoff
        self._stop = threading.Event()

    def stop(self) -> None:
        self._stop.set()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def rounds(self, ask: Callable[[], Iterator[Block]], interval_seconds: float, once: bool) -> Iterator[Block]:
        """The blocks of one round after another, with a pause between; ends at `stop`, or after one round with `once`."""
        while not self.stopped:
            yield from ask()
            if once:
                return
            self.sleep(interval_seconds)

    def ask(self, question: Callable[[], Answer], but: tuple[int, ...] = ()) -> Answer | None:
        """The answer; None after `stop`, and for the statuses in `but`, which are an answer too."""
        backoff = self._backoff()
        while not self.stopped:
            try:
                return question()
            except ApiError as error:
                if error.status in but:
                    return None
                pause = backoff.pause(error.retry_after_seconds)
                log.warning(
                    "the API refuses; asking again",
                    extra={"source": self._name, "error": str(error), "pause_seconds": round(pause, 1)},
                )
                self.sleep(pause)
        return None


class Track:
    """How far the rows of one list are read, and which of them the overlap would give again.

    `cursor` is the newest time of a row handed on, and never later than the server's own time: one row of the future must
    not make all that come after it look old.
    """

    def __init__(self, stream: str, path: str, position: Position | None) -> None:
        detail = position.detail if position is not None else {}
        self.stream, self.path = stream, path
        self._offset = position.offset if position is not None else 0
        self._recent = Recent(detail.get("recent"))
        told = detail.get("cursor") or detail.get("op_time")
        self.cursor: datetime | None = datetime.fromisoformat(told) if told else None

    def fresh(self, rows: Sequence[Row], name_of: Callable[[Row], str]) -> list[Row]:
        """Those that were not handed on yet."""
        return [row for row in rows if name_of(row) not in self._recent]

    def forget_before(self, moment: datetime) -> None:
        self._recent.forget_before(moment.timestamp())

    def reach(self, moment: datetime, server_time: datetime | None) -> None:
        """Everything up to this time is handed on; it is committed with the next block."""
        moment = moment if server_time is None else min(moment, server_time)
        self.cursor = moment if self.cursor is None else max(self.cursor, moment)

    def blocks(
        self,
        rows: Sequence[Row],
        *,
        wrap: Callable[[list[Row]], Any],
        name_of: Callable[[Row], str],
        moment_of: Callable[[Row], datetime],
        registry: str | None,
        then: Callable[[], None] = lambda: None,
    ) -> Iterator[Block]:
        """Rows as documents, a document a line. They are remembered as handed on. `then` is called before the last one: what
        it moves is committed with that, and not before the others are stored.
        """
        parts = list(_parts(rows))
        if not parts:
            then()
        for number, part in enumerate(parts, start=1):
            if number == len(parts):
                then()
            for row in part:
                self._recent.add(name_of(row), moment_of(row).timestamp())
            line = orjson.dumps(wrap(part)) + b"\n"
            begin, self._offset = self._offset, self._offset + len(line)
            detail: dict[str, Any] = {"path": self.path, "recent": self._recent.detail()}
            if self.cursor is not None:
                detail["cursor"] = self.cursor.isoformat()
            yield Block(
                stream=self.stream,
                offset=begin,
                data=line,
                path=self.path,
                registry=registry,
                after=Position(stream=self.stream, offset=self._offset, detail=detail),
                final=True,
            )


def _parts(rows: Sequence[Row]) -> Iterator[list[Row]]:
    part: list[Row] = []
    size = 0
    for row in rows:
        length = len(orjson.dumps(row))
        if part and size + length > LINE_BYTES:
            yield part
            part, size = [], 0
        part.append(row)
        size += length
    if part:
        yield part


def rows_in(value: Any, key: str | None, what: str) -> list[Row]:
    """The rows of an answer: the list itself, or the one under a key.

    Raises:
        ApiError: it is no list of objects.
    """
    rows = value if key is None else value.get(key) if isinstance(value, dict) else None
    if rows is None and isinstance(value, dict) and key is not None and key in value:
        return []  # Go writes an empty list as null
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ApiError(f"{what}: the answer is no list of rows")
    return rows


def moment_in(text: Any) -> datetime:
    """A time of a row, RFC 3339 or RFC 2822; the beginning of time where there is none, so that it never moves a cursor."""
    told = str(text)
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        moment = _http_time(told) or FIRST
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
