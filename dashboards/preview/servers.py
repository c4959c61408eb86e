"""The two data sources as a preview asks them: Prometheus by its HTTP API, Elasticsearch through the store's client."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dashboards.connections import connections
from dashboards.preview.asked import Span
from store.elastic_client import PASSWORD, Client, split_url
from store.errors import Rejected, StoreError

PROMETHEUS_PASSWORD = "REGSIGHT_PROMETHEUS_PASSWORD"  # noqa: S105 (the variable's name)
_READ_SECONDS = 60.0
_SHOWN = 300


class AskError(Exception):
    """A data source did not answer, or refused; the message is for the panel."""


class Prometheus:
    """One server; its user is named in the URL, the password is in the environment."""

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        import urllib3

        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Rejected("the address of Prometheus is http(s)://[user@]host[:port][/path]")
        self.url = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": "regsight"}
        if parts.username:
            secret = unquote(parts.password or "") or os.environ.get(PROMETHEUS_PASSWORD, "")
            self._headers |= urllib3.make_headers(basic_auth=f"{unquote(parts.username)}:{secret}")
        self._http = connections(_READ_SECONDS, ca_file)

    def close(self) -> None:
        self._http.clear()

    def at(self, expr: str, span: Span) -> list[dict[str, Any]]:
        """Series of an expression at the end of the span.

        Raises:
            AskError: not reached, or refused; so for all that asks.
        """
        return self._series("query", query=expr, time=f"{span.end.timestamp():.3f}")

    def over(self, expr: str, span: Span, step: int) -> list[dict[str, Any]]:
        """Series of an expression at every step of the span; steps begin at round times, as Grafana's do."""
        first = span.start.timestamp() // step * step
        return self._series(
            "query_range", query=expr, start=f"{first:.3f}", end=f"{span.end.timestamp():.3f}", step=str(step)
        )

    def label_values(self, metric: str, label: str, span: Span) -> list[str]:
        found = self._get(
            f"label/{label}/values",
            **{"match[]": metric, "start": f"{span.start.timestamp():.3f}", "end": f"{span.end.timestamp():.3f}"},
        )
        return [str(value) for value in found] if isinstance(found, list) else []

    def _series(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        data = self._get(path, **parameters)
        found = data.get("result") if isinstance(data, dict) else None
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise AskError(f"{self.url} answers with something else than series")
        return found

    def _get(self, path: str, **parameters: str) -> Any:
        import urllib3

        try:
            answer = self._http.request(
                "GET",
                f"{self.url}/api/v1/{path}",
                fields=parameters,
                headers=self._headers,
                redirect=False,
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise AskError(f"Prometheus at {self.url} cannot be reached ({type(error).__name__})") from None
        try:
            body = json.loads(answer.data)
        except ValueError:
            body = None
        if not isinstance(body, dict) or body.get("status") != "success":
            said = body.get("error") if isinstance(body, dict) else None
            raise AskError(f"Prometheus answers {answer.status}: {str(said or 'not as Prometheus does')[:_SHOWN]}")
        return body.get("data")


class Elasticsearch:
    """The server that holds the event store, asked for the events of one namespace."""

    def __init__(self, url: str, namespace: str, ca_file: Path | None = None) -> None:
        self.url, user, secret, _ = split_url(url)
        password = secret or os.environ.get(PASSWORD)
        self._client = Client(self.url, user, password, str(ca_file) if ca_file else None, _READ_SECONDS)
        self._index = f"regsight-events-{namespace}"

    def close(self) -> None:
        self._client.close()

    def search(self, body: dict[str, Any]) -> dict[str, Any]:
        """What a search finds.

        Raises:
            AskError: not reached, refused, or only half answered.
        """
        try:
            _, found = self._client.call(
                "POST", f"/{self._index}/_search", body, allow_partial_search_results="false", expect=(404,)
            )
        except StoreError as error:
            raise AskError(f"Elasticsearch: {str(error)[:_SHOWN]}") from None
        if "hits" not in found:
            raise AskError(f"{self.url} has no index {self._index!r}: nothing was stored, or --namespace is another")
        return found

    def values(self, field: str, size: int, span: Span) -> list[str]:
        """The values of a field in the span, those with most events."""
        limits = {"gte": span.start.isoformat(), "lte": span.end.isoformat()}
        body = {"size": 0, "query": {"range": {"@timestamp": limits}}}
        found = self.search({**body, "aggs": {"1": {"terms": {"field": field, "size": size}}}})
        return [str(bucket["key"]) for bucket in found["aggregations"]["1"]["buckets"]]
