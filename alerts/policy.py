"""Which findings go into the outbox, for which channel.

What keeps a stored finding from being told is in `alerts.verdict.Reason`. None of it touches the finding, which stays in
the store; it is simply not put into the outbox. Repeats are noted beside it (`STATE`), so that the next message about the
same thing can say how many there were; why a channel was not told is kept for good (`WHY`). A finding that becomes more
severe after it was told is told once more: its delivery is then to `channel/severity`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.config import AlertsConfig
from alerts.follow_up import follow_up
from alerts.message import channel_of
from alerts.silence import Silence, silences, silencing
from alerts.target import Purpose, Target
from alerts.verdict import Known, Reason, Verdict, decide, escalated, names, news_since
from store.contract import Delivery, Records
from store.event import iso
from store.finding import Finding, Severity
from store.incident import Incident

STATE = "alerts/state"
WHY = "alerts/why/"  # and the finding's id: channel → reason, what it is folded into, since when
FOLLOWED = timedelta(days=14)  # so long after its last event an incident is still reminded of


def enqueue_new(store: Records, config: AlertsConfig, now: datetime, gather: Callable[[], object] | None = None) -> int:
    """Put every stored finding that nobody was told of into the outbox, once per channel that wants it, once more for
    each time that it became more severe behind the telling, and what follows for incidents: reminders, escalation, and
    the end of alerts.

    Called on a timetable; running it again finds nothing new. After a crash the pass is simply made again: what is in
    the outbox already stays as it is. A repeat is judged anew each time, so that one that has become more severe is
    told after all. `gather` puts findings into incidents; it is called when one is in none yet.

    Returns:
        How many deliveries are new.
    """
    if not config.channels:
        return 0
    state = store.note(STATE) or {}
    last = datetime.fromisoformat(state["last_pass"]) if "last_pass" in state else None
    since = news_since(now, last, config.max_age)
    findings = {finding.id: finding for finding in store.findings(since=since) if finding.end >= since}
    homes = _homes(store, min(since, now - FOLLOWED), findings.values(), gather)
    outbox, silent = store.deliveries(), silences(store)
    told = _told(store, outbox, findings, since - config.cool_down)
    told_as = {id: channels for id, channels in state.get("told_as", {}).items() if id in findings}
    hushed, remembered = _hushed(findings.values(), silent, state.get("silenced", {}), now)
    for put in outbox:  # what was escalated to a channel is told there again, too, when it becomes more severe
        if put.state != "failed" and put.finding_id in findings:
            as_now = str(findings[put.finding_id].severity)
            told_as.setdefault(put.finding_id, {}).setdefault(channel_of(put.channel), as_now)
    known = Known(homes=homes if config.group_by == "incident" else {}, hushed=hushed)
    _what_was_heard(store, known, outbox, findings, told_as)
    given_up = {(one.finding_id, channel_of(one.channel)) for one in outbox if one.state == "failed"}
    verdicts = decide(list(findings.values()), told, config.channels, config.cool_down, given_up, known)

    first = [one for one in verdicts if not one.reason]
    for one in first:
        told_as.setdefault(one.finding.id, {})[one.channel] = str(one.finding.severity)
    if first:  # before the outbox: after a crash in between an escalation is still seen as one
        store.put_note(STATE, {**state, "told_as": told_as})
    new = sum(store.enqueue(one.finding.id, [one.channel], now) for one in first)
    new += _tell_again(store, findings.values(), config, outbox, told_as, now, known)
    new += follow_up(store, config, now, homes.values(), outbox, silent)
    spared: dict[str, dict[str, str]] = {}
    for one in verdicts:
        if one.reason in (Reason.REPEAT, Reason.INCIDENT):
            spared.setdefault(one.finding.id, {})[one.channel] = one.into
    whys = _keep_why(store, verdicts, state.get("why", {}), now)
    last_pass = max(now, last) if last else now
    kept = {"folded": spared, "told_as": told_as, "silenced": remembered, "why": whys}
    store.put_note(STATE, {"last_pass": iso(last_pass), **kept})
    return new


def _homes(
    store: Records, since: datetime, findings: Iterable[Finding], gather: Callable[[], object] | None
) -> dict[str, Incident]:
    """Finding → incident, of all incidents that may still need somebody."""

    def read() -> dict[str, Incident]:
        return {id: one for one in store.incidents(since=since) for id in one.findings}

    homes = read()
    if gather and any(one.severity.rank >= Severity.MEDIUM.rank and one.id not in homes for one in findings):
        gather()
        homes = read()
    return homes


def _hushed(
    findings: Iterable[Finding], silent: Sequence[Silence], before: Mapping[str, Any], now: datetime
) -> tuple[dict[str, str], dict[str, Any]]:
    """Finding → silence, and the same with the severity, to be remembered: what was silenced stays so when the silence is
    over, unless it becomes more severe."""
    hushed, remembered = {}, {}
    for finding in findings:
        silence, old = silencing(finding, silent, now), before.get(finding.id)
        if silence is not None:
            remembered[finding.id] = {"by": silence.id, "as": str(finding.severity)}
        elif old is not None and finding.severity.rank <= Severity(old["as"]).rank:
            remembered[finding.id] = old
        else:
            continue
        hushed[finding.id] = remembered[finding.id]["by"]
    return hushed, remembered


def _what_was_heard(
    store: Records,
    known: Known,
    outbox: Sequence[Delivery],
    findings: Mapping[str, Finding],
    told_as: Mapping[str, Mapping[str, str]],
) -> None:
    for delivery in outbox:
        if delivery.state == "failed" or delivery.finding_id not in known.homes:
            continue
        target = Target.read(delivery.channel)
        finding = findings.get(delivery.finding_id) or store.finding(delivery.finding_id)
        if finding is not None and target.purpose is not Purpose.RESOLVED:
            severity = told_as.get(finding.id, {}).get(target.channel, str(finding.severity))
            known.heard(target.channel, finding, Severity(severity))


def _keep_why(
    store: Records, verdicts: Iterable[Verdict], before: Mapping[str, Mapping[str, str]], now: datetime
) -> dict[str, dict[str, str]]:
    """Write down why a channel is not told, where that is new; returns what is known of it for the next pass."""
    whys: dict[str, dict[str, str]] = {}
    for one in verdicts:
        if one.reason:
            whys.setdefault(one.finding.id, {})[one.channel] = f"{one.reason} {one.into}".strip()
    for id, channels in whys.items():
        if channels != before.get(id):
            kept = store.note(WHY + id) or {}
            changed = {name: why for name, why in channels.items() if kept.get(name, {}).get("why") != why}
            if changed:
                store.put_note(WHY + id, {**kept, **{n: {"why": w, "at": iso(now)} for n, w in changed.items()}})
    return whys


def _tell_again(
    store: Records,
    findings: Iterable[Finding],
    config: AlertsConfig,
    outbox: Sequence[Delivery],
    told_as: dict[str, dict[str, str]],
    now: datetime,
    known: Known,
) -> int:
    waiting = {(one.finding_id, channel_of(one.channel)) for one in outbox if one.state == "pending"}
    new = 0
    for finding in findings:
        for channel in config.channels:
            if finding.id in known.hushed or known.knows(channel.name, finding):
                continue
            if escalated(finding, channel, told_as.get(finding.id, {}).get(channel.name)):
                # What still waits is composed when it is sent, and says the new severity by itself.
                if (finding.id, channel.name) not in waiting:
                    new += store.enqueue(finding.id, [f"{channel.name}/{finding.severity}"], now)
                told_as[finding.id][channel.name] = str(finding.severity)
                known.heard(channel.name, finding, finding.severity)
    return new


def _told(
    store: Records, outbox: Sequence[Delivery], known: Mapping[str, Finding], since: datetime
) -> dict[str, list[Finding]]:
    told: dict[str, list[Finding]] = {}
    for delivery in outbox:
        # A delivery is never older than its finding, so what was put aside earlier cannot be within the cool-down.
        # What was given up was heard by nobody: nothing may be folded into it.
        if delivery.state == "failed" or (delivery.created_at < since and delivery.finding_id not in known):
            continue
        finding = known.get(delivery.finding_id) or store.finding(delivery.finding_id)
        if finding is not None:
            told.setdefault(channel_of(delivery.channel), []).append(finding)
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A repeat that a channel was spared."""

    finding: Finding
    channel: str
    into: str


def folded(store: Records) -> list[Folded]:
    """The repeats that are still remembered: those of the last `max_age`."""
    noted: Mapping[str, Mapping[str, str]] = (store.note(STATE) or {}).get("folded", {})
    return [
        Folded(finding=finding, channel=channel, into=into)
        for id, channels in noted.items()
        if (finding := store.finding(id)) is not None
        for channel, into in channels.items()
    ]


def folded_before(finding: Finding, channel: str, spared: Sequence[Folded]) -> int:
    """How many repeats of the same thing `channel` was spared before `finding`, which is the next to tell of it."""
    mine = names(finding)
    return sum(
        1
        for one in spared
        if one.channel == channel
        and one.into != finding.id
        and one.finding.detected_at <= finding.detected_at
        and (one.finding.detector, one.finding.kind) == (finding.detector, finding.kind)
        and (not mine or names(one.finding) & mine)
    )
