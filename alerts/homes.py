"""The incident behind a delivery: what its message tells of it, and whether anybody needs the message any more."""

from __future__ import annotations

import logging
from datetime import datetime

from alerts import ack_link
from alerts.config import AlertsConfig
from alerts.errors import ChannelUnusable
from alerts.inert import inert
from alerts.message import Story, channel_of
from alerts.target import Purpose, Target
from store.contract import Records
from store.finding import Finding
from store.incident import CLOSED, Incident, State

logger = logging.getLogger(__name__)


class Homes:
    """Finding → the incident that it is in, read once, at the first question."""

    def __init__(self, store: Records) -> None:
        self._store = store
        self._of: dict[str, Incident] | None = None

    def of(self, finding: Finding) -> Incident | None:
        if self._of is None:
            self._of = {id: one for one in self._store.incidents() for id in one.findings}
        return self._of.get(finding.id)

    def story(
        self, finding: Finding, target: Target, config: AlertsConfig, now: datetime, *, again: bool = False
    ) -> Story | None:
        """What the message to `target` tells of the incident; None for a finding that is in none. `again`: the same
        message once more, which is no update."""
        incident = self.of(finding)
        if incident is None:
            return None
        others = (self._store.finding(id) for id in incident.findings if id != finding.id)
        return Story(
            incident=incident,
            others=[one.title for one in others if one is not None],
            told_at=None if again else self._told_at(incident, target),
            acknowledge=_acknowledge(incident, target.channel, config, now),
        )

    def _told_at(self, incident: Incident, target: Target) -> datetime | None:
        """When the channel heard of the incident first; for an escalation, the one that did not answer."""
        told = [one for id in incident.findings for one in self._store.deliveries(id) if one.sent_at]
        return min(
            (one.sent_at for one in told if one.sent_at and channel_of(one.channel) == target.teller), default=None
        )


def _acknowledge(incident: Incident, channel: str, config: AlertsConfig, now: datetime) -> str | None:
    if incident.state is not State.OPEN:
        return None
    try:
        return ack_link.link(config, incident.id, channel, now)
    except ChannelUnusable as error:
        logger.warning("messages go out without a link that acknowledges", extra={"error": str(error)})
        return None


def not_needed(target: Target, incident: Incident | None) -> str:
    """Why nobody needs this delivery any more; empty if somebody does."""
    if incident is None or target.purpose is Purpose.RESOLVED:
        return ""
    if incident.state in CLOSED:
        return f"the incident was closed as {incident.state} before"
    if incident.state is State.ACKNOWLEDGED and target.purpose in (Purpose.REMINDER, Purpose.ESCALATION):
        return f"{inert(incident.owner, 80) or 'somebody'} has acknowledged the incident"
    return ""
