"""nginx (or Apache) in front of a registry, log format `combined`, with or without a field of X-Forwarded-For behind.

The user column holds the name that came with the request, also when it was refused. The address is that of whoever
connected to the proxy. Requests for other things than images are told too, as `other`.
"""

from __future__ import annotations

from collector.access_line import read_combined
from collector.distribution_claims import access_share, application_share, written_by_distribution
from collector.lines import as_text
from collector.one_by_one import Line, one_by_one
from collector.stages import Facts
from store.event import Event


def claims(head: bytes) -> float:
    if application_share(head, b"{") or application_share(head, b"time="):
        return 0.0
    return access_share(head) * (0.94 - 0.44 * written_by_distribution(head))


def parse_line(line: Line) -> Event | None:
    return read_combined(as_text(line.data)).event()


FORMAT = one_by_one(
    "nginx-combined",
    claims,
    parse_line,
    title="nginx in front, combined",
    registry_kind="proxy",
    facts=Facts(
        versions="any; user as sent, also when refused",
        tested=True,
        never=("duration", "digest of a pull by tag", "address behind another proxy"),
    ),
)
