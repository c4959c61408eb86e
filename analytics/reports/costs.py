"""What distribution costs and could save: who pulls from where, and what share a pull-through cache would have served.

A cache is reckoned as follows. A download of a layer by a network that has had the same layer in the span would have come
from the cache of that network; the first one would not. That is too little for a cache that was warm before the span, and
too much for one that is small and forgets. The size of a repeated download is the mean of the network's downloads of that
layer, since a log tells only the bytes that went out.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from datetime import datetime
from functools import lru_cache
from typing import Any

from analytics.reports.plain_rows import plain_rows
from store.contract import EventReader
from store.event import Action, Outcome

IPV4_NETWORK, IPV6_NETWORK = 24, 64  # prefix of what counts as one network, as one cache would stand in it
UP = (Action.PUSH, Action.LAYER_UPLOAD)
DOWN = (Action.PULL, Action.LAYER_DOWNLOAD)
REDIRECTS = (302, 303, 307)
GIB = 1024**3


def costs(
    store: EventReader, since: datetime, until: datetime, top: int, price_per_gib: float | None = None
) -> dict[str, Any]:
    """Downloads of layers in [since, until) with what a cache would have saved, at the client and per network; traffic to
    public addresses; bytes per project. `price_per_gib` (any currency) of traffic to public addresses gives `outside_cost`.

    Bytes are those the logs tell. `unnamed_bytes` went to no known address or digest and is in no share; `redirects` counts
    downloads that were sent on to another server (an object store), of which a registry's log tells no bytes.
    """
    columns = ["client_ip", "project", "digest", "action", "outcome", "status"]
    rows = [row for row in plain_rows(store.counts(since, until, columns)) if row["outcome"] == Outcome.SUCCESS]
    layers = [row for row in rows if row["action"] == Action.LAYER_DOWNLOAD]
    named = [row for row in layers if row["client_ip"] and row["digest"]]
    outside = [row for row in rows if row["action"] in DOWN and row["client_ip"] and is_public(row["client_ip"])]
    outside_bytes = _bytes(outside)
    return {
        "layer_downloads": _events(layers),
        "layer_bytes": _bytes(layers),
        "unnamed_bytes": _bytes(layers) - _bytes(named),
        "redirects": _events([row for row in layers if row["status"] in REDIRECTS]),
        "at_the_client": _saved(named, str),
        "in_the_network": _saved(named, network_of),
        "outside_downloads": _events(outside),
        "outside_bytes": outside_bytes,
        "price_per_gib": price_per_gib,
        "outside_cost": None if price_per_gib is None else round(outside_bytes / GIB * price_per_gib, 2),
        "networks": _networks(named, top),
        "projects": _projects(rows, top),
    }


def _saved(rows: list[dict[str, Any]], place: Any) -> dict[str, Any]:
    """Repeats within each place: `downloads`, `repeated`, `bytes`, `saved_bytes`, and `share` of the bytes (None: no bytes)."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        group = groups[place(row["client_ip"]), row["digest"]]
        group[0] += row["events"]
        group[1] += row["bytes"]
    total = sum(size for _, size in groups.values())
    saved = sum(size * (times - 1) // times for times, size in groups.values())
    return {
        "downloads": sum(times for times, _ in groups.values()),
        "repeated": sum(times - 1 for times, _ in groups.values()),
        "bytes": total,
        "saved_bytes": saved,
        "share": saved / total if total else None,
    }


def _networks(rows: list[dict[str, Any]], top: int) -> dict[str, Any]:
    """Where a cache would save most."""
    by_network: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_network[network_of(row["client_ip"])].append(row)
    found = [
        {
            "network": network,
            "addresses": len({row["client_ip"] for row in inside}),
            "public": is_public(inside[0]["client_ip"]),
            **_saved(inside, network_of),
        }
        for network, inside in by_network.items()
    ]
    found.sort(key=lambda row: (-row["saved_bytes"], -row["bytes"], row["network"]))
    return {"in_all": len(found), "rows": found[:top]}


def _projects(rows: list[dict[str, Any]], top: int) -> dict[str, Any]:
    """Bytes per project, both ways."""
    sums: dict[str, dict[str, Any]] = {}
    for row in rows:
        if not row["project"] or row["action"] not in (*UP, *DOWN):
            continue
        project = sums.setdefault(
            row["project"], {"name": row["project"], "down_bytes": 0, "up_bytes": 0, "outside_bytes": 0}
        )
        size = row["bytes"]
        project["up_bytes" if row["action"] in UP else "down_bytes"] += size
        if row["action"] in DOWN and row["client_ip"] and is_public(row["client_ip"]):
            project["outside_bytes"] += size
    ordered = sorted(sums.values(), key=lambda row: (-row["down_bytes"] - row["up_bytes"], row["name"]))
    return {"in_all": len(ordered), "rows": ordered[:top]}


@lru_cache(maxsize=65536)
def network_of(address: str) -> str:
    """`10.0.3.0/24`, `2001:db8::/64`; what is no address stands for itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    prefix = IPV4_NETWORK if parsed.version == 4 else IPV6_NETWORK
    return str(ipaddress.ip_network(f"{address.partition('%')[0]}/{prefix}", strict=False))


@lru_cache(maxsize=65536)
def is_public(address: str) -> bool:
    """Whether it is an address of the internet, not of one's own networks."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _events(rows: list[dict[str, Any]]) -> int:
    return sum(row["events"] for row in rows)


def _bytes(rows: list[dict[str, Any]]) -> int:
    return sum(row["bytes"] for row in rows)
