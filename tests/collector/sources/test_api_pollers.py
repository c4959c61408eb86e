"""Docker Hub, Quay and Kubernetes, asked again and again: rows come once, whatever the pages do meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from collecting import collect, embedded, events
from format_samples import SAMPLES
from pydantic import SecretStr
from servers.json_api import Asked, JsonApi, json_api

from collector import api_poll
from collector.api_poll import retry_after
from collector.backoff import Backoff
from collector.sources import dockerhub, kubernetes
from collector.sources.dockerhub import DockerHubAudit
from collector.sources.kubernetes import KubernetesEvents
from collector.sources.quay import QuayLogs
from collector.stages import Source
from store.contract import Position

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OPTIONS: dict[str, Any] = {"registry": "r1", "once": True, "backoff": lambda: Backoff(first=0.01, ceiling=0.02)}


def rows_of(source: Source, positions: dict[str, Position], key: str = "logs") -> list[dict[str, Any]]:
    """What one round hands on; the positions are those of a store that has it all."""
    found = []
    for block in source.blocks(positions.get):
        positions[block.after.stream] = block.after
        assert block.data.endswith(b"\n") and block.data.count(b"\n") == 1 and len(block.data) < 1 << 20
        found += json.loads(block.data)[key]
    return found


def test_what_retry_after_may_say() -> None:
    """Seconds, or a moment by the server's own clock, however wrong that is; nonsense is nothing."""
    wrong = datetime(2001, 1, 1, tzinfo=UTC)
    date = format_datetime(wrong, usegmt=True)
    later = format_datetime(wrong + timedelta(seconds=90), usegmt=True)
    assert retry_after({"Retry-After": "7"}) == 7
    assert retry_after({"Retry-After": later, "Date": date}) == 90
    assert retry_after({"Retry-After": date, "Date": later}) == 0
    assert retry_after({"Retry-After": "soon"}) is retry_after({"Retry-After": later}) is retry_after({}) is None


# Docker Hub.


class Hub:
    """Rows, newest first, paged by number; a token is needed, and is good for a few requests."""

    def __init__(self) -> None:
        told = json.loads((SAMPLES / "dockerhub-audit" / "documented-page.json").read_bytes())["logs"]
        self.captured = told
        self.rows: list[dict[str, Any]] = list(told)
        self.uses = 0
        self.newer_while_paging = 0

    def __call__(self, asked: Asked) -> tuple[int, Any]:
        if asked.path == "/v2/auth/token":
            known = asked.body == {"identifier": "payments", "secret": "the-token"}
            self.uses = 3
            return (200, {"access_token": "short-lived"}) if known else (401, {})
        if asked.headers.get("Authorization") != "Bearer short-lived" or self.uses <= 0:
            return 401, {"message": "unauthorized"}
        self.uses -= 1
        assert asked.path == "/v2/auditlogs/payments"
        return 200, {"logs": self.page(asked.query)}

    def page(self, query: dict[str, str]) -> list[dict[str, Any]] | None:
        begin, end = (datetime.fromisoformat(query.get(name, "2000-01-01T00:00:00Z")) for name in ("from", "to"))
        chosen = [row for row in self.rows if begin <= datetime.fromisoformat(row["timestamp"]) <= end]
        chosen.sort(key=lambda row: row["timestamp"], reverse=True)
        page, size = int(query["page"]), int(query["page_size"])
        if "from" in query and self.newer_while_paging:
            self.newer_while_paging -= 1
            self.rows.append(self.row(10_000 + self.newer_while_paging, NOW))
        return chosen[(page - 1) * size : page * size] or None  # Go's empty list

    def row(self, number: int, moment: datetime) -> dict[str, Any]:
        stamp = moment.isoformat().replace("+00:00", "Z")
        return self.captured[0] | {"timestamp": stamp, "data": {"tag": str(number)}}


@contextmanager
def hub() -> Iterator[tuple[Hub, JsonApi]]:
    state = Hub()
    with json_api(state) as api:
        api.now = lambda: NOW
        yield state, api


def dockerhub_source(api: JsonApi, secret: str = "the-token", **options: Any) -> DockerHubAudit:
    settings = OPTIONS | {"url": api.url} | options
    return DockerHubAudit("hub", "payments", "payments", SecretStr(secret), **settings)


def test_docker_hubs_rows_become_events_once(tmp_path: Path) -> None:
    """The documented page by way of the API; the token is renewed when it is no longer good; a second round adds nothing."""
    with hub() as (state, api), embedded(tmp_path / "store") as store:
        summary = collect(store, dockerhub_source(api))
        assert summary.dead_letters == 0 and summary.events == len(events(store)) > 3
        assert collect(store, dockerhub_source(api)).events == 0
        assert sum(asked.path == "/v2/auth/token" for asked in api.asked) > 2
        assert {event["dataset"] for event in events(store)} == {"dockerhub-audit"}
        assert state.rows == state.captured


def test_docker_hubs_pages_may_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that come while a span is paged push others to later pages: all come, once each."""
    monkeypatch.setattr(dockerhub, "PAGE_SIZE", 7)
    with hub() as (state, api):
        state.rows = [state.row(number, NOW - timedelta(minutes=number)) for number in range(50)]
        state.newer_while_paging = 5
        positions: dict[str, Position] = {}
        first = rows_of(dockerhub_source(api), positions)
        second = rows_of(dockerhub_source(api), positions)
        tags = [row["data"]["tag"] for row in first + second]
        assert sorted(tags) == sorted(row["data"]["tag"] for row in state.rows) and len(tags) == 55


def test_docker_hubs_late_rows_and_days_without_any() -> None:
    """A row within the overlap is found after a restart; weeks without a row are stepped over once."""
    with hub() as (state, api):
        state.rows = [state.row(1, NOW - timedelta(days=20)), state.row(2, NOW - timedelta(minutes=3))]
        positions: dict[str, Position] = {}
        assert len(rows_of(dockerhub_source(api), positions)) == 2
        asked = len(api.asked)
        state.rows.append(state.row(3, NOW - timedelta(minutes=10)))
        assert [row["data"]["tag"] for row in rows_of(dockerhub_source(api), positions)] == ["3"]
        assert len(api.asked) - asked < 10 < asked


def test_refusals_are_waited_out(caplog: pytest.LogCaptureFixture) -> None:
    """429 with Retry-After, 5xx, and an answer that is no list; nothing is lost, no secret is logged."""
    with hub() as (state, api):
        api.refusals = [(429, {"Retry-After": "1"}), (500, {}), (503, {}), (200, {})]
        assert len(rows_of(dockerhub_source(api), {})) == len(state.rows)
        assert "the-token" not in caplog.text and "short-lived" not in caplog.text
        assert not any("the-token" in str(record.__dict__) for record in caplog.records)
        assert any("429" in str(record.__dict__.get("error")) for record in caplog.records)


# Quay.


class Quay:
    """Rows, newest first, by days and by page tokens that stand for the last row given."""

    SIZE = 5

    def __init__(self) -> None:
        told = json.loads((SAMPLES / "quay-logs" / "documented-page.json").read_bytes())["logs"]
        self.captured: list[dict[str, Any]] = told
        self.rows: list[dict[str, Any]] = list(told)
        self.between: Any = lambda: None

    def __call__(self, asked: Asked) -> tuple[int, Any]:
        if asked.headers.get("Authorization") != "Bearer the-token":
            return 401, {"error": "invalid_token"}
        assert asked.path == "/api/v1/organization/payments/logs"
        day = datetime.strptime(asked.query.get("starttime", f"{NOW:%m/%d/%Y}"), "%m/%d/%Y").replace(tzinfo=UTC)
        rows = [row for row in self.rows if day <= moment(row) < day + timedelta(days=1)]
        rows.sort(key=lambda row: (moment(row), self.rows.index(row)), reverse=True)
        if (token := asked.query.get("next_page")) is not None:
            last = next(number for number, row in enumerate(rows) if str(self.rows.index(row)) == token)
            rows = rows[last + 1 :]
        page, more = rows[: self.SIZE], rows[self.SIZE :]
        token = str(self.rows.index(page[-1])) if more else None
        self.between()
        return 200, {"logs": page} | ({"next_page": token} if token is not None else {})

    def row(self, number: int, when: datetime) -> dict[str, Any]:
        return self.captured[0] | {"datetime": when.strftime("%a, %d %b %Y %H:%M:%S -0000"), "ip": f"192.0.2.{number}"}


def moment(row: dict[str, Any]) -> datetime:
    return api_poll.moment_in(row["datetime"])


@contextmanager
def quay() -> Iterator[tuple[Quay, JsonApi]]:
    state = Quay()
    with json_api(state) as api:
        api.now = lambda: NOW
        yield state, api


def quay_source(api: JsonApi, **options: Any) -> QuayLogs:
    return QuayLogs("quay", api.url, "organization/payments", SecretStr("the-token"), **(OPTIONS | options))


def test_quays_rows_become_events_once(tmp_path: Path) -> None:
    """The documented page by way of the API, over several pages; a second round adds nothing."""
    with quay() as (state, api), embedded(tmp_path / "store") as store:
        summary = collect(store, quay_source(api))
        assert summary.dead_letters == 0 and summary.events == len(events(store)) == 9
        assert collect(store, quay_source(api)).events == 0
        assert {event["dataset"] for event in events(store)} == {"quay-logs"}
        assert len(state.rows) > Quay.SIZE


def test_quays_new_and_late_rows_over_days() -> None:
    """Rows that come while a day is paged, late ones, and the days that a stopped collector missed: each once."""
    with quay() as (state, api):
        state.rows = [state.row(number, NOW - timedelta(minutes=7 * number)) for number in range(40)]
        added = iter(range(100, 103))

        def between() -> None:
            if (number := next(added, None)) is not None:
                state.rows.append(state.row(number, NOW - timedelta(seconds=1)))

        state.between = between
        positions: dict[str, Position] = {}
        found = rows_of(quay_source(api, first_days=2), positions)
        found += rows_of(quay_source(api), positions)
        assert sorted(row["ip"] for row in found) == sorted(row["ip"] for row in state.rows) and len(found) == 43
        later = NOW + timedelta(days=3)
        api.now = lambda: later
        state.rows += [state.row(200 + day, NOW + timedelta(days=day)) for day in range(1, 4)]
        state.rows.append(state.row(210, NOW - timedelta(seconds=200)))
        assert sorted(row["ip"] for row in rows_of(quay_source(api), positions)) == [
            f"192.0.2.{number}" for number in (201, 202, 203, 210)
        ]


def test_quays_busy_day_is_not_read_to_its_beginning_each_time() -> None:
    """Only back to what is known: a day of many pages costs one or two requests a round."""
    with quay() as (state, api):
        state.rows = [state.row(number, NOW - timedelta(minutes=number)) for number in range(120)]
        positions: dict[str, Position] = {}
        rows_of(quay_source(api, first_days=0), positions)
        asked = len(api.asked)
        assert asked >= 24
        state.rows.append(state.row(200, NOW))
        assert len(rows_of(quay_source(api), positions)) == 1
        assert len(api.asked) - asked <= 3


# Kubernetes.


class Cluster:
    """Events in pieces; `gone` lists are asked for too late."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = json.loads((SAMPLES / "kubelet-events" / "list.json").read_bytes())["items"]
        for number, item in enumerate(self.items):
            item["metadata"] |= {"resourceVersion": str(number + 1), "managedFields": [{"manager": "kubelet"}] * 50}
        self.token, self.gone = "first-token", 0

    def __call__(self, asked: Asked) -> tuple[int, Any]:
        if asked.headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"kind": "Status", "code": 401}
        assert asked.path == "/api/v1/events" and asked.query["fieldSelector"] == "involvedObject.kind=Pod"
        begin, size = int(asked.query.get("continue", "0")), int(asked.query["limit"])
        if begin and self.gone:
            self.gone -= 1
            return 410, {"kind": "Status", "code": 410}
        more = {"continue": str(begin + size)} if begin + size < len(self.items) else {}
        items = self.items[begin : begin + size]
        return 200, {"kind": "EventList", "metadata": {"resourceVersion": "99"} | more, "items": items}


@contextmanager
def cluster() -> Iterator[tuple[Cluster, JsonApi]]:
    state = Cluster()
    with json_api(state) as api:
        yield state, api


def kubernetes_source(api: JsonApi, token: Any = lambda: SecretStr("first-token"), **options: Any) -> KubernetesEvents:
    selector = {"field_selector": "involvedObject.kind=Pod"}
    return KubernetesEvents("cluster", api.url, token, **(OPTIONS | selector | options))


def test_kubernetes_events_once_and_again_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces, without the record of who set what; an event that is repeated comes again with its new count."""
    monkeypatch.setattr(kubernetes, "PAGE_SIZE", 2)
    with cluster() as (state, api), embedded(tmp_path / "store") as store:
        summary = collect(store, kubernetes_source(api))
        assert summary.dead_letters == 0 and summary.events == len(events(store)) > 0
        assert collect(store, kubernetes_source(api)).lines == 0
        pulled = next(item for item in state.items if item["reason"] == "Pulled")
        pulled["count"] += 1
        pulled["metadata"]["resourceVersion"] = "1000"
        before = len(events(store))
        assert collect(store, kubernetes_source(api)).events == 1 and len(events(store)) == before + 1
    with cluster() as (_, api):
        found = rows_of(kubernetes_source(api), {}, "items")
        assert found and not any("managedFields" in row["metadata"] for row in found)


def test_a_list_that_is_gone_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """410 in the middle: asked from the beginning, and still each row once."""
    monkeypatch.setattr(kubernetes, "PAGE_SIZE", 2)
    monkeypatch.setattr(kubernetes, "AGAIN_SECONDS", 0.01)
    with cluster() as (state, api):
        state.gone = 2
        assert len(rows_of(kubernetes_source(api), {}, "items")) == len(state.items)


def test_a_token_that_is_renewed_is_read_again(tmp_path: Path) -> None:
    """As the kubelet does with the token of a pod: the file changes, and may be gone for a moment."""
    path = tmp_path / "token"
    asked: list[int] = []

    def token() -> SecretStr:
        asked.append(1)
        if len(asked) == 1:
            raise ValueError("the file is empty")
        if len(asked) == 3:
            path.write_text("first-token")
        return SecretStr(path.read_text() if path.exists() else "old-token")

    with cluster() as (state, api):
        assert len(rows_of(kubernetes_source(api, token), {}, "items")) == len(state.items)
        assert len(asked) >= 3


def test_large_rows_are_put_into_lines_that_fit() -> None:
    """A page of megabytes is several documents, none near the longest line."""
    with cluster() as (state, api):
        state.items = [
            item | {"message": "x" * 20_000, "metadata": item["metadata"] | {"uid": f"{n}-{m}"}}
            for n in range(30)
            for m, item in enumerate(state.items)
        ]
        assert len(rows_of(kubernetes_source(api), {}, "items")) == len(state.items)
