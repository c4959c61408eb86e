"""CNCF Distribution 2.x and 3.x with `log.formatter: text` (the default), access lines in between.

The registry inside Harbor writes the same; through Harbor's log container each line has a syslog prefix.
"""

from __future__ import annotations

from collector.distribution_claims import application_share
from collector.distribution_log import APPLICATION_NEVER, DistributionFormat
from collector.stages import Facts


def claims(head: bytes) -> float:
    return application_share(head, b"time=")


FORMAT = DistributionFormat(
    name="distribution-text",
    title="Distribution application log, text",
    claim=claims,
    facts=Facts(
        versions="2.x, 3.x; captures of 2.8.2 and 3.1.2",
        tested=True,
        never=APPLICATION_NEVER,
    ),
)
