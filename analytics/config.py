"""What a user may set under `[analytics]`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}


def _span(value: Any) -> Any:
    """`"5 min"`, `"1 h"`, `"2d"` as people write them; anything else is left to pydantic (seconds, ISO 8601)."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+)\s*(s|min|m|h|d)\s*", value)):
        return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    return value


Span = Annotated[timedelta, BeforeValidator(_span)]


class AnalyticsConfig(BaseModel):
    """Which detectors run, how often, and how often they may be wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    detectors: tuple[str, ...] | None = Field(None, description="names of the detectors to run; without it: all")
    detect_every: Span = Field(timedelta(minutes=1), gt=timedelta(0), description="how often detection runs")
    alerts_per_week: float = Field(
        3.0, gt=0, le=1000, description="how many false alarms a week each statistical detector may cost, registry-wide"
    )
    overlap: Span = Field(
        timedelta(minutes=10),
        ge=timedelta(0),
        description="how much of the time judged before is judged again, for events that were stored late",
    )
