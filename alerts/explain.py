"""Why a finding was told or not told: to whom, when, and what is still to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.config import AlertsConfig, Channel
from alerts.notify import NOT_NEEDED
from alerts.pacing import within_rate
from alerts.policy import STATE, WHY
from alerts.quiet import quiet_until
from alerts.silence import NOTES, Silence
from alerts.target import Purpose, Target
from alerts.verdict import Reason, news_since
from store.contract import Delivery, Records
from store.event import iso
from store.finding import Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was, or was not, said to one channel. `state`: told, waiting, failed, not told."""

    channel: str
    about: str  # the finding's id
    what: str  # message, update, reminder 1, escalation from …, end of the alert
    state: str
    why: str
    at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """The field names of the command line's JSON."""
        return {
            "channel": self.channel,
            "finding": self.about,
            "what": self.what,
            "state": self.state,
            "why": self.why,
            "at": iso(self.at) if self.at else None,
        }


def explain(store: Records, config: AlertsConfig, findings: Sequence[Finding], now: datetime) -> list[Line]:
    """What became of each finding on each channel, in order of finding, channel and time.

    Raises:
        StoreError: the store did not answer.
    """
    outbox = store.deliveries()
    return [line for finding in findings for line in _Case(store, config, finding, outbox, now).lines()]


class _Case:
    """One finding."""

    def __init__(
        self, store: Records, config: AlertsConfig, finding: Finding, outbox: Sequence[Delivery], now: datetime
    ) -> None:
        self._store, self._config, self._finding, self._outbox, self._now = store, config, finding, outbox, now
        self._mine = [one for one in outbox if one.finding_id == finding.id]
        self._why: Mapping[str, Mapping[str, str]] = store.note(WHY + finding.id) or {}

    def lines(self) -> list[Line]:
        names = [channel.name for channel in self._config.channels]
        gone = [Target.read(one.channel).channel for one in self._mine]
        lines: list[Line] = []
        for name in dict.fromkeys([*names, *gone]):
            mine = [one for one in self._mine if Target.read(one.channel).channel == name]
            if not any(Target.read(one.channel).purpose is Purpose.FIRST for one in mine):
                lines.append(self._not_told(name, bool(mine)))
            lines += [self._delivery(one) for one in mine]
        return lines or [self._line("", "message", "not told", "the settings have no channel: nobody is told anything")]

    def _line(self, channel: str, what: str, state: str, why: str, at: datetime | None = None) -> Line:
        return Line(channel=channel, about=self._finding.id, what=what, state=state, why=why, at=at)

    def _delivery(self, one: Delivery) -> Line:
        target = Target.read(one.channel)
        what = {
            Purpose.FIRST: "message",
            Purpose.WORSE: f"update: became {target.detail}",
            Purpose.REMINDER: f"reminder {target.detail}",
            Purpose.ESCALATION: f"escalation: {target.teller} did not answer",
            Purpose.RESOLVED: "end of the alert",
        }[target.purpose]
        if one.state == "sent":
            tries = f"at attempt {one.attempts}" if one.attempts > 1 else "at once"
            return self._line(target.channel, what, "told", tries, one.sent_at)
        if one.state == "failed":
            if one.error.startswith(NOT_NEEDED):
                return self._line(target.channel, what, "not told", one.error.removeprefix(NOT_NEEDED), one.due_at)
            return self._line(target.channel, what, "failed", one.error, one.due_at)
        return self._line(target.channel, what, "waiting", self._waits(one, target), one.due_at)

    def _waits(self, one: Delivery, target: Target) -> str:
        channel = self._config.channel(target.channel)
        if channel is None:
            return "the settings have no channel of this name any more; the next pass gives it up"
        if one.attempts:
            return f"attempt {one.attempts} failed: {one.error}; tried again at {_minute(one.due_at)} UTC"
        until = quiet_until(channel.quiet_hours, channel.zone, self._now)
        if until is not None and self._finding.severity is not Severity.CRITICAL:
            return f"quiet hours {channel.quiet_hours} {channel.zone}: held until {_minute(until)} UTC"
        if within_rate(1, self._outbox, channel, self._now) == 0:
            return f"{channel.max_per_hour} messages went out within the last hour, which is the channel's limit"
        return "goes out in the next pass, some seconds from now"

    def _not_told(self, name: str, told_otherwise: bool) -> Line:
        channel, kept = self._config.channel(name), self._why.get(name)
        if kept is not None:
            reason, _, into = kept["why"].partition(" ")
            why = self._reason(Reason(reason), into, channel)
            return self._line(name, "message", "not told", why, datetime.fromisoformat(kept["at"]))
        if told_otherwise:
            return self._line(name, "message", "not told", "it only heard of it as below")
        state = self._store.note(STATE) or {}
        last = datetime.fromisoformat(state["last_pass"]) if "last_pass" in state else None
        if self._finding.end < news_since(self._now, last, self._config.max_age):
            why = f"it had ended more than {self._config.max_age} before it could first have been told: history"
        else:
            why = "no pass has looked at it yet: is `regsight run` running?"
        return self._line(name, "message", "not told", why)

    def _reason(self, reason: Reason, into: str, channel: Channel | None) -> str:
        if reason is Reason.SILENCED:
            note = self._store.note(NOTES + into)
            if note is None:
                return f"silenced ({into})"
            silence = Silence.from_json(note)
            ended = f", removed by {silence.removed_by}" if silence.removed_at else ""
            return f"silenced until {_minute(silence.until)} UTC by {silence.by}: {silence.why} ({into}{ended})"
        least = f" ({channel.min_severity})" if channel else ""
        return {
            Reason.ESCALATIONS_ONLY: "the channel is told only what nobody else answered",
            Reason.LOW_SEVERITY: f"{self._finding.severity} is below the channel's min_severity{least}",
            Reason.CLOSED: f"its incident {into} is closed, and it is no more severe",
            Reason.INCIDENT: f"the channel knows of its incident by {into}, which is no less severe",
            Reason.REPEAT: f"it repeats {into}, told within {self._config.cool_down}, and names nobody new",
        }[reason]


def _minute(moment: datetime) -> str:
    return iso(moment)[:16].replace("T", " ")
