"""Which finding goes to which channel, and how long a failed delivery rests.

Three reasons keep a stored finding from being told: it is below the channel's severity, it is history (it had ended
more than `max_age` ago when alerting first could have seen it), or it repeats one that was told within the cool-down.
None of them touches the finding, which stays in the store; it is simply not put into the outbox. Repeats are noted
beside it (`STATE`), so that the next message about the same thing can say how many there were. A finding that becomes
more severe after it was told is told once more: its delivery is then to `channel/severity`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from alerts.config import AlertsConfig, Channel
from alerts.message import channel_of
from store.contract import Delivery, Records
from store.event import iso
from store.finding import Finding, Severity

STATE = "alerts/state"
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of one finding on one channel. `reason` is empty if it is told; `into` is what a repeat repeats."""

    finding: Finding
    channel: str
    reason: str = ""
    into: str = ""


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
    client that attacks the same account is news; the first one carrying on is not.
    """
    return (
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
) -> list[Verdict]:
    """A verdict for each finding on each channel, the earliest detected first.

    `told`: channel → what it has heard or is about to hear; `given_up`: (finding, channel) that could not be told.
    Neither gets a verdict again.
    """
    verdicts = []
    for channel in channels:
        heard = list(told.get(channel.name, ()))
        done = {finding.id for finding in heard} | {id for id, name in given_up if name == channel.name}
        for finding in sorted(findings, key=lambda one: (one.detected_at, one.id)):
            if finding.id in done:
                continue
            reason, into = "", ""
            if finding.severity.rank < channel.min_severity.rank:
                reason = "low_severity"
            elif (first := next((other for other in heard if repeats(finding, other, cool_down)), None)) is not None:
                reason, into = "repeat", first.id
            else:
                heard.append(finding)
            verdicts.append(Verdict(finding=finding, channel=channel.name, reason=reason, into=into))
    return verdicts


def escalated(finding: Finding, channel: Channel, told_as: str | None) -> bool:
    """Whether a finding that was told as `told_as` is worse by now, so that the channel must hear of it again.

    Detectors keep one finding for one cause and day: refused logins that were told as high become critical under the
    same id when one of them succeeds. That is the message nobody may miss.
    """
    if told_as is None or finding.severity.rank < channel.min_severity.rank:
        return False
    return finding.severity.rank > Severity(told_as).rank


def enqueue_new(store: Records, config: AlertsConfig, now: datetime) -> int:
    """Put every stored finding that nobody was told of into the outbox, once per channel that wants it, and once more
    for each time that it became more severe behind the telling.

    Called on a timetable; running it again finds nothing new. After a crash the pass is simply made again: what is in
    the outbox already stays as it is. A repeat is judged anew each time, so that one that has become more severe is
    told after all.

    Returns:
        How many deliveries are new.
    """
    if not config.channels:
        return 0
    state = store.note(STATE) or {}
    last = datetime.fromisoformat(state["last_pass"]) if "last_pass" in state else None
    since = news_since(now, last, config.max_age)
    findings = {finding.id: finding for finding in store.findings(since=since) if finding.end >= since}
    outbox = store.deliveries()
    told = _told(store, outbox, findings, since - config.cool_down)
    given_up = {(one.finding_id, channel_of(one.channel)) for one in outbox if one.state == "failed"}
    verdicts = decide(list(findings.values()), told, config.channels, config.cool_down, given_up)

    told_as = {id: channels for id, channels in state.get("told_as", {}).items() if id in findings}
    first = [one for one in verdicts if not one.reason]
    for one in first:
        told_as.setdefault(one.finding.id, {})[one.channel] = str(one.finding.severity)
    if first:  # before the outbox: after a crash in between an escalation is still seen as one
        store.put_note(STATE, {**state, "told_as": told_as})
    new = sum(store.enqueue(one.finding.id, [one.channel], now) for one in first)
    new += _tell_again(store, findings.values(), config, outbox, told_as, now)
    spared: dict[str, dict[str, str]] = {}
    for one in verdicts:
        if one.into:
            spared.setdefault(one.finding.id, {})[one.channel] = one.into
    last_pass = max(now, last) if last else now
    store.put_note(STATE, {"last_pass": iso(last_pass), "folded": spared, "told_as": told_as})
    return new


def _tell_again(
    store: Records,
    findings: Iterable[Finding],
    config: AlertsConfig,
    outbox: Sequence[Delivery],
    told_as: dict[str, dict[str, str]],
    now: datetime,
) -> int:
    waiting = {(one.finding_id, channel_of(one.channel)) for one in outbox if one.state == "pending"}
    new = 0
    for finding in findings:
        for channel in config.channels:
            if escalated(finding, channel, told_as.get(finding.id, {}).get(channel.name)):
                # What still waits is composed when it is sent, and says the new severity by itself.
                if (finding.id, channel.name) not in waiting:
                    new += store.enqueue(finding.id, [f"{channel.name}/{finding.severity}"], now)
                told_as[finding.id][channel.name] = str(finding.severity)
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


def retry_pause(attempts: int, key: str, asked_seconds: float | None = None) -> timedelta:
    """How long a delivery rests after its `attempts`-th failure: 30 s, doubled each time up to an hour, ± 20 %.

    The jitter comes from the delivery's own key, so that a hundred messages that failed together do not come back
    together, and the pause is still the same when it is worked out again. Never shorter than what the channel
    asked for.
    """
    pause = min(_FIRST_PAUSE * 2.0 ** min(attempts - 1, 20), _LONGEST_PAUSE)
    byte = blake2b(f"{key}\x1f{attempts}".encode(), digest_size=2).digest()
    pause *= 0.8 + 0.4 * int.from_bytes(byte) / 65535
    return max(pause, timedelta(seconds=min(asked_seconds or 0.0, 86400.0)))


def repair_pause(key: str) -> timedelta:
    """How long a delivery rests when the channel's settings are wrong: a person has to act first."""
    return retry_pause(20, key)


def within_rate(waiting: int, outbox: Sequence[Delivery], channel: Channel, now: datetime) -> int:
    """How many of `waiting` deliveries may go out now under the channel's limit per hour."""
    hour_ago = now - timedelta(hours=1)
    lately = sum(
        1
        for one in outbox
        if channel_of(one.channel) == channel.name and one.sent_at is not None and one.sent_at > hour_ago
    )
    return max(0, min(waiting, channel.max_per_hour - lately))
