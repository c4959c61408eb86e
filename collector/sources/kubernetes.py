"""Events of a Kubernetes cluster, for what its kubelets say about images: pulled, failed, backing off.

The whole list is asked each time, in pieces: the cluster keeps events for an hour or so, and a repeated event is the same
object with a higher count and another resource version. A row is told apart by both. Between two questions an event that
changed more than once is seen once, with its last count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from collector.api_poll import Answer, Api, ApiError, Patience, Row, Track, moment_in, rows_in
from collector.backoff import Backoff
from collector.documents import as_object
from collector.stages import Block
from store.contract import Position

PAGE_SIZE = 500
AGAIN_SECONDS = 1.0
GONE = 410  # the pieces of this list are no longer kept: it begins anew


class KubernetesEvents:
    """Source of a cluster's events, or of one namespace's, as documents `{"kind": "EventList", "items": […]}`. `token` is
    called for each request: the kubelet renews the file of a pod's token.
    """

    follow = True

    def __init__(
        self,
        name: str,
        url: str,
        token: Callable[[], SecretStr],
        *,
        namespace: str | None = None,
        field_selector: str = "",
        registry: str | None = None,
        interval_seconds: float = 30.0,
        ca_file: Path | None = None,
        backoff: Callable[[], Backoff] = Backoff,
        once: bool = False,
    ) -> None:
        self.name, self.registry = name, registry
        self._path = f"/api/v1/namespaces/{namespace}/events" if namespace else "/api/v1/events"
        self._selector, self._interval, self._once = field_selector, interval_seconds, once
        self._token, self._patience = token, Patience(name, backoff)
        self._api = Api(url, self._authorise, ca_file)

    def format_of(self, block: Block) -> str:
        return "kubelet-events"

    def stop(self) -> None:
        self._patience.stop()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """Asks every `interval_seconds`; ends at `stop`, or after one round with `once`."""
        stream = f"kubernetes:{self.name}"
        track = Track(stream, self._api.url + self._path, committed(stream))
        yield from self._patience.rounds(lambda: self._round(track), self._interval, self._once)

    def _round(self, track: Track) -> Iterator[Block]:
        more, oldest = "", None
        while not self._patience.stopped:
            answer = self._ask(more)
            if answer is None:  # stopped, or the list begins anew
                more = ""
                self._patience.sleep(AGAIN_SECONDS)
                continue
            rows = [_slim(row) for row in rows_in(answer.value, "items", self._path)]
            oldest = min([*map(_moment, rows), *([oldest] if oldest is not None else [])], default=None)
            fresh = track.fresh(rows, _name)
            yield from track.blocks(fresh, wrap=_document, name_of=_name, moment_of=_moment, registry=self.registry)
            more = str(as_object(answer.value.get("metadata")).get("continue") or "")
            if not more:
                if oldest is not None:
                    track.forget_before(oldest)
                return

    def _ask(self, more: str) -> Answer | None:
        fields = {"limit": str(PAGE_SIZE)}
        if self._selector:
            fields["fieldSelector"] = self._selector
        if more:
            fields["continue"] = more

        def question() -> Answer:
            answer = self._api.get(self._path, fields)
            rows_in(answer.value, "items", self._path)
            return answer

        return self._patience.ask(question, but=(GONE,) if more else ())

    def _authorise(self) -> Mapping[str, str]:
        try:
            return {"Authorization": f"Bearer {self._token().get_secret_value()}"}
        except ValueError as error:  # the file is being renewed
            raise ApiError(str(error)) from None


def _slim(row: Row) -> Row:
    """Without the record of who set which field, which is most of an event."""
    metadata = {key: value for key, value in as_object(row.get("metadata")).items() if key != "managedFields"}
    return row | {"metadata": metadata}


def _document(rows: list[Row]) -> dict[str, Any]:
    return {"kind": "EventList", "apiVersion": "v1", "items": rows}


def _name(row: Row) -> str:
    metadata = as_object(row.get("metadata"))
    return f"{metadata.get('uid')}/{metadata.get('resourceVersion')}"


def _moment(row: Row) -> datetime:
    series, metadata = as_object(row.get("series")), as_object(row.get("metadata"))
    told = row.get("lastTimestamp") or series.get("lastObservedTime") or row.get("eventTime")
    return moment_in(told or metadata.get("creationTimestamp"))
