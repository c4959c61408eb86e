"""What the tests of the boards share: the boards as JSON, the fields of an event, promtool."""

from __future__ import annotations

import json
from typing import Any

import pytest
from servers.prometheus import promtool

from dashboards.board import Source
from dashboards.build import board_texts
from store.event import BY_ECS

__all__ = ["promtool"]


@pytest.fixture(scope="session")
def fields() -> set[str]:
    """Fields of the Elasticsearch mapping: those of the event, and the alias of the seed's query."""
    return {*BY_ECS, "action"}


@pytest.fixture(scope="session")
def boards() -> dict[str, dict[str, Any]]:
    """uid → dashboard, with both data sources."""
    return {uid: json.loads(text) for uid, text in board_texts(list(Source)).items()}
