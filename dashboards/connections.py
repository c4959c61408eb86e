"""Connections to the servers that boards are about: asked once, without following where an answer points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import urllib3

CONNECT_SECONDS = 5.0


def connections(read_seconds: float, ca_file: Path | None) -> urllib3.PoolManager:
    """Neither retries nor redirects: both would send credentials again, the second perhaps elsewhere."""
    import urllib3

    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
        retries=False,
        ca_certs=str(ca_file) if ca_file else None,
    )
