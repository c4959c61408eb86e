"""What a user may set under `[analytics]`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from analytics.budget import DEFAULT, EXAMPLE, Words
from analytics.expectation import Expectation
from analytics.limits import Limit
from store.durations import Span


class AnalyticsConfig(BaseModel):
    """Which detectors run, how often, and how often they may be wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    detectors: tuple[str, ...] | None = Field(None, description="names of the detectors to run; without it: all")
    detect_every: Span = Field(
        timedelta(minutes=1),
        gt=timedelta(0),
        description="how often rules, refused logins and moved tags are judged; what takes a window to see, every fifth time",
    )
    alerts_per_week: float = Field(
        3.0, gt=0, le=1000, description="how many false alarms a week each statistical detector may cost, registry-wide"
    )
    budget: Words = Field(
        DEFAULT,
        description=f"how many alerts you want at most from what only statistics suspect, in words: {EXAMPLE}; "
        "what rules and ledgers know exactly is never held back",
    )
    expect: tuple[Expectation, ...] = Field(
        (), description="what should happen regularly, and is missed if it does not"
    )
    overlap: Span = Field(
        timedelta(minutes=10),
        ge=timedelta(0),
        description="how much of the time judged before is judged again, for events that were stored late",
    )
    late: Span = Field(
        timedelta(days=7),
        ge=timedelta(0),
        description="events stored later than the overlap re-open the time from them on, so far back at most",
    )
    limits: tuple[Limit, ...] = Field((), description="what can run out, and where its limit is")
    rules_folder: Path | None = Field(None, description="a folder with rules of your own, one TOML file each")
    rules_off: tuple[str, ...] = Field((), description="ids of rules that are not to run")
