"""Whether one channel is told of one finding, and if not, why. Pure: everything it depends on is handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from alerts.config import Channel
from store.finding import Finding, Severity
from store.incident import CLOSED, Incident, State


class Reason(StrEnum):
    """Why a channel is not told of a finding."""

    ESCALATIONS_ONLY = "escalations_only"  # the channel is for what nobody else answered
    LOW_SEVERITY = "low_severity"  # below the channel's
    SILENCED = "silenced"  # somebody did not want to hear of it for a while
    CLOSED = "closed"  # its incident is over, and it is no more severe
    INCIDENT = "incident"  # the channel knows of its incident, with that severity or a higher one
    REPEAT = "repeat"  # of one that was told within the cool-down


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of one finding on one channel. `reason` is empty if it is told; `into` is what a repeat repeats, the
    finding that told of the incident, the silence, or the incident that is closed."""

    finding: Finding
    channel: str
    reason: str = ""
    into: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What else a verdict depends on.

    `homes`: finding → its incident; `hushed`: finding → the silence that it falls under; `loudest`: (channel, incident) →
    the severity that the channel was told of it, and by which finding. `decide` adds to `loudest`.
    """

    homes: Mapping[str, Incident] = field(default_factory=dict)
    hushed: Mapping[str, str] = field(default_factory=dict)
    loudest: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    def heard(self, channel: str, finding: Finding, severity: Severity) -> None:
        """The channel was, or will be, told of the finding."""
        if home := self.homes.get(finding.id):
            before = self.loudest.get((channel, home.id), (-1, ""))
            if severity.rank > before[0]:
                self.loudest[channel, home.id] = severity.rank, finding.id

    def knows(self, channel: str, finding: Finding) -> str:
        """The finding by which the channel knows of the incident as severe as this one; empty if it does not."""
        home = self.homes.get(finding.id)
        rank, by = self.loudest.get((channel, home.id), (-1, "")) if home else (-1, "")
        return by if rank >= finding.severity.rank and by != finding.id else ""

    def over(self, told: Finding, finding: Finding) -> bool:
        """Whether what was told belongs to an incident that was resolved, and the new one does not."""
        home = self.homes.get(told.id)
        return home is not None and home.state is State.RESOLVED and finding.id not in home.findings


def news_since(now: datetime, last_pass: datetime | None, max_age: timedelta) -> datetime:
    """A finding that ended before this is history.

    Counted from the last pass, not from now: what happened while alerting was down for a week is still told, while a
    month of old logs that is read in afterwards wakes nobody up.
    """
    return min(now, last_pass or now) - max_age


def names(finding: Finding) -> frozenset[tuple[str, str]]:
    """Everybody and everything a finding is about, as (subject, name)."""
    return frozenset((subject, name) for subject, of_it in finding.subjects.items() for name in of_it)


def repeats(finding: Finding, told: Finding, cool_down: timedelta) -> bool:
    """Whether somebody who read `told` learns nothing new from `finding`.

    The same detector and kind, detected within the cool-down of one another, not more severe, and no new name. A second
    client that attacks the same account is news; the first one carrying on is not. What names nobody repeats nothing:
    whether two of them are about the same thing (a job, a log) nobody can tell.
    """
    return bool(names(finding)) and (
        (finding.detector, finding.kind) == (told.detector, told.kind)
        and abs(finding.detected_at - told.detected_at) < cool_down
        and finding.severity.rank <= told.severity.rank
        and names(finding) <= names(told)
    )


def decide(
    findings: Sequence[Finding],
    told: Mapping[str, Sequence[Finding]],
    channels: Sequence[Channel],
    cool_down: timedelta,
    given_up: Set[tuple[str, str]] = frozenset(),
    known: Known | None = None,
) -> list[Verdict]:
    """A verdict for each finding on each channel, the most severe first (it tells of its incident), then the earliest.

    `told`: channel → what it has heard or is about to hear; `given_up`: (finding, channel) that could not be told.
    Neither gets a verdict again.
    """
    known = known or Known()
    verdicts = []
    for channel in channels:
        heard = list(told.get(channel.name, ()))
        done = {finding.id for finding in heard} | {id for id, name in given_up if name == channel.name}
        for finding in sorted(findings, key=lambda one: (-one.severity.rank, one.detected_at, one.id)):
            if finding.id in done:
                continue
            reason, into = _hindrance(finding, channel, heard, cool_down, known)
            if not reason:
                heard.append(finding)
                known.heard(channel.name, finding, finding.severity)
            verdicts.append(Verdict(finding=finding, channel=channel.name, reason=reason, into=into))
    return verdicts


def _hindrance(
    finding: Finding, channel: Channel, heard: Sequence[Finding], cool_down: timedelta, known: Known
) -> tuple[str, str]:
    if channel.only_escalations:
        return Reason.ESCALATIONS_ONLY, ""
    if finding.severity.rank < channel.min_severity.rank:
        return Reason.LOW_SEVERITY, ""
    if silence := known.hushed.get(finding.id):
        return Reason.SILENCED, silence
    home = known.homes.get(finding.id)
    if home and home.state in CLOSED:
        return Reason.CLOSED, home.id
    if by := known.knows(channel.name, finding):
        return Reason.INCIDENT, by
    for other in heard:
        if repeats(finding, other, cool_down) and not known.over(other, finding):
            return Reason.REPEAT, other.id
    return "", ""


def escalated(finding: Finding, channel: Channel, told_as: str | None) -> bool:
    """Whether a finding that was told as `told_as` is worse by now, so that the channel must hear of it again.

    Detectors keep one finding for one cause and day: refused logins that were told as high become critical under the
    same id when one of them succeeds. That is the message nobody may miss.
    """
    if told_as is None or finding.severity.rank < channel.min_severity.rank:
        return False
    return finding.severity.rank > Severity(told_as).rank
