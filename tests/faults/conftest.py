"""Which faults are run, and where their figures go.

The ordinary tests run those that are marked `quick`, with little data. All of them, at full size: `make faults`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from faults.bench import ALL, Bench

NUMBERS = count()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(id): which fault of the catalogue this is")
    config.addinivalue_line("markers", "quick: also among the ordinary tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        # Each wait has a deadline of its own; at full size there are many.
        if here in item.path.parents and item.get_closest_marker("fault") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(2400))
    left_out = [
        item
        for item in items
        if here in item.path.parents and item.get_closest_marker("fault") and not item.get_closest_marker("quick")
    ]
    if ALL or not left_out:
        return
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def record() -> Callable[[dict[str, Any]], None]:
    """Adds one line of JSON to the file of results, if one is wanted."""
    path = os.environ.get("REGSIGHT_FAULTS_RESULTS")

    def add(figures: dict[str, Any]) -> None:
        if path:
            with Path(path).open("a") as out:
                out.write(json.dumps(figures) + "\n")

    return add


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest, record: Callable[[dict[str, Any]], None]) -> Iterator[Bench]:
    """On the embedded store."""
    marker = request.node.get_closest_marker("fault")
    made = Bench(tmp_path, f"delta:{tmp_path / 'data'}", str(marker.args[0]), record)
    yield made
    made.close()


@pytest.fixture
def elastic_bench(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record: Callable[[dict[str, Any]], None],
    elasticsearch_url: str,
) -> Iterator[Bench]:
    """On a real Elasticsearch, in a namespace that no other test, and no other case of this one, writes to."""
    fault = str(request.node.get_closest_marker("fault").args[0])
    namespace = f"{fault.lower()}_{os.getpid()}_{next(NUMBERS)}"
    made = Bench(tmp_path, f"{elasticsearch_url}?namespace={namespace}", fault, record)
    yield made
    made.close()
