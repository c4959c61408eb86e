"""What the tests of attacks compare with: who and what there is, and two days without any attack."""

from __future__ import annotations

from typing import Any

import pytest
from played_attacks import MONDAY, SEED, answers, short

from regsight.traffic.population import PRESETS, Population, populate


@pytest.fixture(scope="session")
def world() -> Population:
    return populate(PRESETS["small"], SEED, int(MONDAY.timestamp()) * 10**9)


@pytest.fixture(scope="session")
def answered(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the registry answered in two days without any attack."""
    out = tmp_path_factory.mktemp("plain")
    short(out, days=2.2)
    return answers(out)
