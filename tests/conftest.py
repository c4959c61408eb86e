"""Fixtures that every test may use. Real servers live in `servers/`, one file each."""

from __future__ import annotations

from servers.elasticsearch import elasticsearch_url

__all__ = ["elasticsearch_url"]
