"""The seeded store and the browser."""

from __future__ import annotations

from seeded_store import seeded
from servers.browser import browser

__all__ = ["browser", "seeded"]
