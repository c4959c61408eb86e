"""What follows from an incident that was told: a reminder, the next channel, and the end of its alert once it is closed.

Each is one more delivery of a finding that was told, so it is retried, limited and remembered like any other. The clock of
reminders and escalation starts anew when an incident is opened again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.config import AlertsConfig, Channel
from alerts.silence import Silence, silencing
from alerts.target import Purpose, Target
from store.contract import Delivery, Records
from store.finding import Finding
from store.incident import CLOSED, Incident, State

MOST_REMINDERS = 5  # of one incident on one channel: who has not come by then does not read them

LATEST = timedelta(days=2)  # after the moment at which it was due, an escalation is made good


@dataclass(frozen=True, slots=True)
class _Told:
    """What one channel was told of one incident: the deliveries that were not given up or taken back, and the others."""

    channel: Channel
    heard: list[Delivery]
    failed: list[Delivery]

    def moments(self) -> list[datetime]:
        """When it was told; for what could not be told, when it should have been."""
        return [one.sent_at for one in self.heard if one.sent_at] + [
            one.created_at for one in [*self.failed, *(one for one in self.heard if one.attempts and not one.sent_at)]
        ]


def follow_up(
    store: Records,
    config: AlertsConfig,
    now: datetime,
    incidents: Iterable[Incident],
    outbox: Sequence[Delivery],
    silent: Sequence[Silence],
) -> int:
    """Put what is due into the outbox; how many deliveries are new. Running it again finds nothing new."""
    unique = {incident.id: incident for incident in incidents}
    by_finding: dict[str, list[Delivery]] = {}
    for delivery in outbox:
        by_finding.setdefault(delivery.finding_id, []).append(delivery)
    new = 0
    for incident in unique.values():
        deliveries = [one for id in incident.findings for one in by_finding.get(id, ())]
        if not deliveries:
            continue
        told = [_told_to(channel, deliveries) for channel in config.channels]
        if incident.state in CLOSED:
            new += sum(_resolve(store, incident, one, now) for one in told if one.channel.kind == "alertmanager")
        elif incident.state is State.OPEN:
            finding = _worst(store, deliveries)
            if finding is not None and silencing(finding, silent, now) is None:
                new += sum(_remind(store, config, incident, one, finding, now) for one in told)
                new += sum(_escalate(store, incident, one, finding, deliveries, now) for one in told)
    return new


def round_of(incident: Incident) -> int:
    """1, and one more for each time that it was opened again."""
    return 1 + sum(1 for act in incident.history if act.did == "reopened")


def _told_to(channel: Channel, deliveries: Iterable[Delivery]) -> _Told:
    mine = [
        one
        for one in deliveries
        if (target := Target.read(one.channel)).channel == channel.name and target.purpose is not Purpose.RESOLVED
    ]
    return _Told(
        channel, [one for one in mine if one.state != "failed"], [one for one in mine if one.state == "failed"]
    )


def _worst(store: Records, deliveries: Sequence[Delivery]) -> Finding | None:
    """The finding to remind of: the most severe that anybody was told of."""
    found = (store.finding(id) for id in dict.fromkeys(one.finding_id for one in deliveries))
    return max((one for one in found if one is not None), key=lambda one: one.severity.rank, default=None)


def _reopened(incident: Incident) -> list[datetime]:
    return [act.at for act in incident.history if act.did == "reopened"][-1:]


def _remind(
    store: Records, config: AlertsConfig, incident: Incident, told: _Told, finding: Finding, now: datetime
) -> int:
    sent = [one.sent_at for one in told.heard if one.sent_at]
    # Alertmanager repeats by its own `repeat_interval`.
    if config.remind_after is None or told.channel.kind == "alertmanager" or not sent:
        return 0
    if any(one.state == "pending" for one in told.heard) or now - max(sent + _reopened(incident)) < config.remind_after:
        return 0
    number = 1 + sum(Target.read(one.channel).purpose is Purpose.REMINDER for one in (*told.heard, *told.failed))
    if number > MOST_REMINDERS:
        return 0
    return store.enqueue(finding.id, [str(Target(told.channel.name, Purpose.REMINDER, str(number)))], now)


def _escalate(
    store: Records,
    incident: Incident,
    told: _Told,
    finding: Finding,
    deliveries: Iterable[Delivery],
    now: datetime,
) -> int:
    moments, to = told.moments(), told.channel.escalate_to
    if to is None or not moments:
        return 0
    unanswered = now - max([min(moments), *_reopened(incident)])
    # What was left open long ago is not escalated all at once on the day on which escalation is set up.
    if not told.channel.escalate_after <= unanswered <= told.channel.escalate_after + LATEST:
        return 0
    number = round_of(incident)
    detail = told.channel.name if number == 1 else f"{told.channel.name}.{number}"
    target = str(Target(to, Purpose.ESCALATION, detail))
    if any(one.channel == target for one in deliveries):
        return 0
    return store.enqueue(finding.id, [target], now)


def _resolve(store: Records, incident: Incident, told: _Told, now: datetime) -> int:
    target = str(Target(told.channel.name, Purpose.RESOLVED, str(round_of(incident))))
    closed_at = incident.closed_at or now
    firing = {
        one.finding_id for one in told.heard if one.sent_at and one.sent_at + told.channel.resolve_after > closed_at
    }
    return sum(store.enqueue(id, [target], now) for id in sorted(firing))
