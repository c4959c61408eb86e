"""CNCF Distribution 2.x and 3.x with `log.formatter: json` (or logstash), access lines in between.

Fields: registry/handlers/app.go and internal/dcontext/http.go of distribution/distribution.
"""

from __future__ import annotations

from collector.distribution_claims import application_share
from collector.distribution_log import APPLICATION_NEVER, DistributionFormat
from collector.stages import Facts


def claims(head: bytes) -> float:
    return application_share(head, b"{")


FORMAT = DistributionFormat(
    name="distribution-json",
    title="Distribution application log, JSON",
    claim=claims,
    facts=Facts(
        versions="2.x, 3.x; captures of 2.8.2 and 3.1.2",
        tested=True,
        never=APPLICATION_NEVER,
    ),
)
