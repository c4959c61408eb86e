"""The seeded store, the page over it, and the browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from seeded_store import seeded
from servers.browser import browser
from web_server import seeded_state, serving

from store.contract import Store

__all__ = ["browser", "seeded"]


@pytest.fixture(scope="session")
def site(seeded: Store) -> Iterator[str]:
    """Address of the page over the seeded store."""
    with serving(seeded_state(seeded)) as address:
        yield address
