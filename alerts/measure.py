"""How long incidents take, as figures: each step of each incident is counted once, over restarts too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from store.contract import Delivery, Records
from store.incident import CLOSED, Incident

if TYPE_CHECKING:
    from alerts.telemetry import AlertsTelemetry

NOTE = "alerts/measured"
LOOK_BACK = timedelta(days=14)  # an incident whose last event is longer ago takes no further step that is counted
_STEPS = ("detect", "notify", "acknowledge", "resolve")


class Times(Protocol):
    """Seconds of each step; None for what has not happened yet."""

    @property
    def detect(self) -> float: ...
    @property
    def notify(self) -> float | None: ...
    @property
    def acknowledge(self) -> float | None: ...
    @property
    def close(self) -> float | None: ...


def measure_incidents(
    store: Records,
    telemetry: AlertsTelemetry,
    now: datetime,
    times: Callable[[Incident, Iterable[Delivery]], Times],
) -> None:
    """Observe the steps that were reached since the last call, and how many incidents are open.

    A crash between counting and remembering counts a step twice in no process: the counters of the one that crashed are
    gone with it.
    """
    known: dict[str, list[str]] = (store.note(NOTE) or {}).get("steps", {})
    incidents = store.incidents(since=now - LOOK_BACK)
    measured: dict[str, list[str]] = {}
    for incident in incidents:
        done = known.get(incident.id, [])
        missing = [step for step in _STEPS if step not in done]
        reached = _reached(store, incident, times) if missing else {}
        for step in missing:
            seconds = reached.get(step)
            if seconds is not None:
                telemetry.incident(step, incident.severity, seconds)
                done = [*done, step]
        measured[incident.id] = done
    if measured != known:
        store.put_note(NOTE, {"steps": measured})
    telemetry.open_incidents(Counter(one.severity for one in incidents if one.state not in CLOSED))


def _reached(
    store: Records, incident: Incident, times: Callable[[Incident, Iterable[Delivery]], Times]
) -> dict[str, float | None]:
    took = times(incident, [one for id in incident.findings for one in store.deliveries(id)])
    steps = (took.detect, took.notify, took.acknowledge, took.close)
    return dict(zip(_STEPS, steps, strict=True))
