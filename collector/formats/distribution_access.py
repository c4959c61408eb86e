"""Distribution's access lines alone: its standard output where standard error goes elsewhere.

Apache's combined form. No duration, no request id, and the user column is always `-`; the address is that of the TCP peer,
which behind a proxy is the proxy.
"""

from __future__ import annotations

from collector.distribution_claims import access_share, application_share, written_by_distribution
from collector.distribution_log import DistributionFormat
from collector.stages import Facts


def claims(head: bytes) -> float:
    if application_share(head, b"{") or application_share(head, b"time="):
        return 0.0
    return access_share(head) * (0.5 + 0.45 * written_by_distribution(head))


FORMAT = DistributionFormat(
    name="distribution-access",
    title="Distribution access lines (combined)",
    claim=claims,
    access_speaks_first=True,
    facts=Facts(
        versions="2.x, 3.x; a capture of 3.1.2", tested=True, never=("user", "duration", "digest of a pull by tag")
    ),
)
