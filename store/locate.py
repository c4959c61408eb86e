"""URL → store. Only the chosen store's libraries are loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from store.contract import Damage, Store
from store.errors import Rejected

DEFAULT_URL = "delta:./regsight-data"
KNOWN = "known are delta:FOLDER and http(s)://HOST:9200 (Elasticsearch)"


def open_store(url: str = DEFAULT_URL, **options: Any) -> Store:
    """The store at `url`: `delta:./folder`, a bare folder, or `http(s)://[user@]host:port[?namespace=name]`.

    `options` go to Elasticsearch: `password`, `ca_file`, `namespace`, `timeout_seconds`.

    Raises:
        Rejected: no store can be at such an address, or what is there is not Regsight's.
    """
    if url.startswith(("http://", "https://")):
        from store.elastic import ElasticStore

        return ElasticStore(url, **options)
    path = url.removeprefix("delta:")
    if not path.strip():
        raise Rejected(f"the store's address {url!r} names no folder: {KNOWN}")
    if scheme := re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", path):
        raise Rejected(f"unknown store {scheme[1]}: in {url!r}: {KNOWN}")
    from store.embedded import EmbeddedStore

    return EmbeddedStore(path)


def mend_records(url: str) -> list[Damage]:
    """Mend the SQLite file of an embedded store, which cannot be opened before; nothing elsewhere."""
    folder = Path(url.removeprefix("delta:"))
    if url.startswith(("http://", "https://")) or not folder.is_dir():
        return []
    from store.record_repair import record_damage

    return record_damage(folder / "records.db", folder / "damaged", repair=True)
