"""CNCF Distribution 2.x and 3.x with `log.formatter: text` (the default), access lines in between.

The registry inside Harbor writes the same; through Harbor's log container each line has a syslog prefix.
"""

from __future__ import annotations

from collector.distribution_claims import application_share
from collector.distribution_log import DistributionFormat


def claims(head: bytes) -> float:
    return application_share(head, b"time=")


FORMAT = DistributionFormat(name="distribution-text", title="Distribution application log, text", claim=claims)
