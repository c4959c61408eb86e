"""What the tests of the boards share: the boards as JSON, the fields of an event, promtool."""

from __future__ import annotations

import json
from typing import Any

import pytest
from servers.prometheus import promtool

from dashboards.board import Source
from dashboards.build import board_texts
from dashboards.metrics import series_names
from dashboards.rules import RECORDINGS
from store.event import BY_ECS

__all__ = ["promtool"]


@pytest.fixture(scope="session")
def fields() -> set[str]:
    """Fields of the Elasticsearch mapping: those of the event, and the alias of the seed's query."""
    return {*BY_ECS, "action"}


@pytest.fixture(scope="session")
def series() -> set[str]:
    """Names that a panel may ask for: what is exported, and what our rules record."""
    return series_names() | {rule.record for rule in RECORDINGS}


@pytest.fixture(scope="session")
def boards() -> dict[str, dict[str, Any]]:
    """uid → dashboard, with both data sources."""
    return {uid: json.loads(text) for uid, text in board_texts(list(Source)).items()}
