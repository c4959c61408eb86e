"""What waits in the outbox → the channels → marked as sent.

A delivery is marked after it was sent. A crash between the two repeats that one delivery after the restart, with the
same key, and loses nothing. A channel that fails is left alone for the rest of the pass, so that the others
need not wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from alerts import alertmanager, mail, pacing, policy, webhook
from alerts.chart import Chart
from alerts.config import AlertsConfig, Channel
from alerts.errors import AlertsError, NotSent, Refused
from alerts.homes import Homes, not_needed
from alerts.inert import inert
from alerts.message import Message, channel_of, compose, delivery_key
from alerts.quiet import quiet_until
from alerts.silence import silences, silencing
from alerts.target import Purpose, Target
from alerts.through_apprise import open_apprise
from store.contract import Delivery, Records
from store.errors import StoreError
from store.finding import Finding, Severity, finding_id
from store.incident import CLOSED

if TYPE_CHECKING:
    from alerts.telemetry import AlertsTelemetry

logger = logging.getLogger(__name__)

Send = Callable[[Finding, Message, datetime], None]
Charts = Callable[[Finding], Chart | None]
_Waiting = tuple[Delivery, Finding]
NOT_NEEDED = "not needed: "  # how the error of a delivery begins that was taken back

# All that is due is looked at, so that a heap of a broken channel's deliveries cannot hide another channel's only one.
_LOOKED_AT = 100_000
_SENT_IN_A_PASS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What one pass did: deliveries sent, put off to be tried again, given up, and taken back as not needed any more."""

    sent: int = 0
    retried: int = 0
    failed: int = 0
    withdrawn: int = 0


def deliver(
    store: Records,
    config: AlertsConfig,
    now: datetime,
    telemetry: AlertsTelemetry | None = None,
    charts: Charts | None = None,
) -> Delivered:
    """Send what is due. Called on a timetable by one process at a time (two would both send the same).

    `charts` draws what a finding's names did, for mails.

    Raises:
        StoreError: the outbox could not be read or marked. What was sent and not marked is sent once more next time.
    """
    one_pass = _Pass(store, config, now, telemetry, charts)
    one_pass.run()
    results = one_pass.results
    return Delivered(
        sent=results.count("sent"),
        retried=results.count("retry"),
        failed=results.count("failed"),
        withdrawn=results.count("withdrawn"),
    )


class _Pass:
    """One look through the outbox."""

    def __init__(
        self,
        store: Records,
        config: AlertsConfig,
        now: datetime,
        telemetry: AlertsTelemetry | None,
        charts: Charts | None,
    ) -> None:
        self._store, self._config, self._now, self._telemetry = store, config, now, telemetry
        self._charts = charts
        self._before = store.deliveries()
        self._spared = policy.folded(store)
        self._silences = silences(store)
        self._homes = Homes(store)
        self.results: list[str] = []

    def run(self) -> None:
        if self._telemetry is not None:
            self._telemetry.known([channel.name for channel in self._config.channels])
        waiting = self._waiting()
        # A channel in trouble comes last: its time-outs must not hold up the healthy ones.
        for channel in sorted(self._config.channels, key=lambda one: _troubles(waiting.get(one.name, []))):
            if channel.name in waiting:
                self._serve(channel, waiting[channel.name])
            if channel.kind == "alertmanager":
                self._keep_firing(channel)
        if self._telemetry is not None:
            self._telemetry.pending(sum(1 for one in self._store.deliveries() if one.state == "pending"))

    def _waiting(self) -> dict[str, list[_Waiting]]:
        waiting: dict[str, list[_Waiting]] = {}
        for delivery in self._store.due(self._now, limit=_LOOKED_AT):
            finding = self._store.finding(delivery.finding_id)
            if finding is None:
                self._give_up(delivery, "the finding is no longer stored")
            elif self._config.channel(channel_of(delivery.channel)) is None:
                self._give_up(delivery, "the settings have no channel of this name any more")
            else:
                waiting.setdefault(channel_of(delivery.channel), []).append((delivery, finding))
        return waiting

    def _serve(self, channel: Channel, waiting: list[_Waiting]) -> None:
        waiting = [pair for pair in waiting if not self._held(channel, *pair) and not self._withdrawn(*pair)]
        # The worst first, where the limit per hour does not let everything through.
        waiting = sorted(waiting, key=lambda pair: (-pair[1].severity.rank, pair[0].created_at, pair[1].id))
        allowed = min(pacing.within_rate(len(waiting), self._before, channel, self._now), _SENT_IN_A_PASS)
        if allowed < len(waiting):
            logger.info("more findings than the channel may take now; the rest waits", extra={"channel": channel.name})
        send: Send | None = None
        for delivery, finding in waiting[:allowed]:
            try:
                send = send or open_channel(channel)
                send(finding, self._compose(channel, delivery, finding), self._now)
            except Refused as error:
                self._give_up(delivery, str(error))
            except AlertsError as error:
                self._put_off(delivery, error)
                break
            else:
                self._sent(delivery, finding)

    def _held(self, channel: Channel, delivery: Delivery, finding: Finding) -> bool:
        """Whether it waits for the end of the channel's quiet hours. Nothing critical does, and no end of an alert."""
        if finding.severity is Severity.CRITICAL or Target.read(delivery.channel).purpose is Purpose.RESOLVED:
            return False
        return quiet_until(channel.quiet_hours, channel.zone, self._now) is not None

    def _withdrawn(self, delivery: Delivery, finding: Finding) -> bool:
        """Take back what is not needed any more: it was looked after, closed or silenced while it waited."""
        reason = not_needed(Target.read(delivery.channel), self._homes.of(finding))
        silence = None if reason else silencing(finding, self._silences, self._now)
        if silence is not None and Target.read(delivery.channel).purpose is not Purpose.RESOLVED:
            reason = f"silenced until {silence.until:%Y-%m-%d %H:%M} UTC by {inert(silence.by, 80)} ({silence.id})"
        if not reason:
            return False
        self._store.mark_failed(delivery, self._now, NOT_NEEDED + reason, None)
        self.results.append("withdrawn")
        return True

    def _compose(self, channel: Channel, delivery: Delivery, finding: Finding) -> Message:
        repeats = policy.folded_before(finding, channel.name, self._spared)
        chart = None
        if self._charts is not None and channel.is_mail():
            try:
                chart = self._charts(finding)
            except StoreError:
                logger.warning("a mail goes out without its chart", extra={"finding": finding.id}, exc_info=True)
        story = self._homes.story(finding, Target.read(delivery.channel), self._config, self._now)
        return compose(finding, delivery.channel, self._config, repeats, story, chart)

    def _sent(self, delivery: Delivery, finding: Finding) -> None:
        self._store.mark_sent(delivery, self._now)
        self.results.append("sent")
        if self._telemetry is None:
            return
        channel = channel_of(delivery.channel)
        if Target.read(delivery.channel).purpose in (Purpose.FIRST, Purpose.WORSE):
            self._telemetry.sent(channel, self._now - finding.detected_at, self._now - finding.end)
        else:
            self._telemetry.sent(channel)

    def _put_off(self, delivery: Delivery, error: AlertsError) -> None:
        attempts, key = delivery.attempts + 1, delivery_key(delivery.finding_id, delivery.channel)
        if attempts >= self._config.max_attempts:
            self._give_up(delivery, f"given up after {attempts} attempts: {error}")
            return
        if isinstance(error, NotSent):
            pause = pacing.retry_pause(attempts, key, error.retry_after_seconds)
        else:
            pause = pacing.repair_pause(key)
        self._store.mark_failed(delivery, self._now, str(error), self._now + pause)
        self.results.append("retry")
        logger.warning(
            "a finding could not be sent; it will be tried again",
            extra={"channel": delivery.channel, "finding": delivery.finding_id, "error": str(error)},
        )
        if self._telemetry is not None:
            self._telemetry.retry(channel_of(delivery.channel))

    def _give_up(self, delivery: Delivery, reason: str) -> None:
        self._store.mark_failed(delivery, self._now, reason, None)
        self.results.append("failed")
        logger.error(
            "a finding was not sent and is given up; it stays in the store",
            extra={"channel": delivery.channel, "finding": delivery.finding_id, "error": reason},
        )
        if self._telemetry is not None:
            self._telemetry.failed(channel_of(delivery.channel))

    def _keep_firing(self, channel: Channel) -> None:
        latest: dict[str, tuple[datetime, str]] = {}
        for one in self._before:  # what was sent just now needs no second word
            resolved = Target.read(one.channel).purpose is Purpose.RESOLVED
            if channel_of(one.channel) == channel.name and one.sent_at is not None and not resolved:
                latest[one.finding_id] = max(latest.get(one.finding_id, (one.sent_at, "")), (one.sent_at, one.channel))
        told = []
        for id, (sent_at, target) in latest.items():
            if sent_at + channel.resolve_after <= self._now or (finding := self._store.finding(id)) is None:
                continue
            home = self._homes.of(finding)
            if home is None or home.state not in CLOSED:
                story = self._homes.story(finding, Target.read(target), self._config, self._now, again=True)
                told.append((finding, compose(finding, target, self._config, story=story), sent_at))
        try:
            alertmanager.keep_firing(channel, told, self._now)
        except AlertsError as error:
            logger.warning("could not renew firing alerts", extra={"channel": channel.name, "error": str(error)})


def _troubles(waiting: list[_Waiting]) -> int:
    return min((delivery.attempts for delivery, _ in waiting), default=0)


def open_channel(channel: Channel) -> Send:
    """A function that sends one message to the channel, for the length of one pass.

    Raises:
        ChannelUnusable: a secret is missing, or Apprise does not know the address.
    """
    if channel.kind == "alertmanager":
        return lambda finding, message, now: (
            alertmanager.resolve if message.purpose is Purpose.RESOLVED else alertmanager.send
        )(channel, finding, message, now)
    if channel.kind == "smtp":
        return lambda finding, message, now: mail.send(channel, message, now)
    if channel.kind == "webhook":
        return lambda finding, message, now: webhook.send(channel, finding, message, now)
    return open_apprise(channel)


def send_test(config: AlertsConfig, now: datetime) -> dict[str, str | None]:
    """Send a sample finding to every channel, whatever its severity and limit; nothing is stored.

    Returns:
        Channel → what went wrong and what to do about it; None where the message was taken.
    """
    sample = sample_finding(now)
    results: dict[str, str | None] = {}
    for channel in config.channels:
        try:
            open_channel(channel)(sample, compose(sample, channel.name, config), now)
        except AlertsError as error:
            results[channel.name] = str(error)
        else:
            results[channel.name] = None
    return results


def sample_finding(now: datetime) -> Finding:
    """What `regsight alerts test` sends; says of itself that it is a test."""
    names: Mapping[str, list[str]] = {"actor": ["alice"], "client": ["192.0.2.7"], "repository": ["team/app"]}
    return Finding(
        id=finding_id("test", now.isoformat()),
        detector="credential_probe",
        kind="test",
        severity=Severity.INFO,
        title="Test message from Regsight: nothing has happened",
        detected_at=now,
        start=now - timedelta(minutes=5),
        end=now,
        subjects=names,
        score=0.0,
        expected="this message arrives",
        observed="somebody ran regsight alerts test",
        explanation="names and address are invented; this finding is not stored",
        next_step="none: the channel works",
    )
