"""Rows as several logs tell of one pull, for the tests of joining."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from store.event import FIELDS, schema

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
READ = START + timedelta(days=1)


def row(stream: str, second: float, offset: int = 0, **fields: Any) -> dict[str, Any]:
    """A pull of `team/app:1` as an access line tells it."""
    told: dict[str, Any] = dict.fromkeys(field.name for field in FIELDS)
    told |= {
        "event_id": f"l-{stream}-{offset}",
        "revision": 0,
        "channel": "access",
        "dataset": "distribution-access",
        "registry": "r",
        "registry_kind": "distribution",
        "timestamp": START + timedelta(seconds=second),
        "read_at": READ,
        "action": "pull",
        "outcome": "success",
        "method": "GET",
        "uri": "/v2/team/app/manifests/1",
        "status": 200,
        "repository": "team/app",
        "reference": "1",
        "tag": "1",
        "stream": stream,
        "offset": offset,
        "parts": [f"{stream}:{offset}"],
        "client_via": "peer",
    }
    return told | fields


def application(second: float, offset: int = 0, request: str = "q", **fields: Any) -> dict[str, Any]:
    told = {"channel": "application", "dataset": "distribution-json", "request_id": request, "event_id": f"r-{request}"}
    return row("app", second, offset, **(told | fields))


def nginx(second: float, offset: int = 0, **fields: Any) -> dict[str, Any]:
    return row("nginx", second, offset, **({"dataset": "nginx-combined", "registry_kind": "proxy"} | fields))


def audit(second: float, offset: int = 0, **fields: Any) -> dict[str, Any]:
    told = {"channel": "audit", "dataset": "harbor-audit", "event_id": f"a-{offset}"}
    return row("audit", second, offset, **(told | dict.fromkeys(("method", "uri", "status", "client_via")) | fields))


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema())
