"""What waits in the outbox → the channels → marked as sent. The only file that knows Apprise.

A delivery is marked after it was sent. A crash between the two repeats that one delivery after the restart, with the
same key, and loses nothing. A channel that fails is left alone for the rest of the pass, so that the others
need not wait.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from alerts import alertmanager, policy, webhook
from alerts.config import AlertsConfig, Channel
from alerts.errors import AlertsError, ChannelUnusable, NotSent, Refused
from alerts.inert import inert
from alerts.message import Message, channel_of, compose, delivery_key
from alerts.scrub import scrub
from store.contract import Delivery, Records
from store.finding import Finding, Severity, finding_id

if TYPE_CHECKING:
    from alerts.telemetry import AlertsTelemetry

logger = logging.getLogger(__name__)

Send = Callable[[Finding, Message, datetime], None]
_Waiting = tuple[Delivery, Finding]

# All that is due is looked at, so that a heap of a broken channel's deliveries cannot hide another channel's only one.
_LOOKED_AT = 100_000
_SENT_IN_A_PASS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What one pass did: deliveries sent, put off to be tried again, and given up."""

    sent: int = 0
    retried: int = 0
    failed: int = 0


def deliver(store: Records, config: AlertsConfig, now: datetime, telemetry: AlertsTelemetry | None = None) -> Delivered:
    """Send what is due. Called on a timetable by one process at a time (two would both send the same).

    Raises:
        StoreError: the outbox could not be read or marked. What was sent and not marked is sent once more next time.
    """
    one_pass = _Pass(store, config, now, telemetry)
    one_pass.run()
    results = one_pass.results
    return Delivered(sent=results.count("sent"), retried=results.count("retry"), failed=results.count("failed"))


class _Pass:
    """One look through the outbox."""

    def __init__(self, store: Records, config: AlertsConfig, now: datetime, telemetry: AlertsTelemetry | None) -> None:
        self._store, self._config, self._now, self._telemetry = store, config, now, telemetry
        self._before = store.deliveries()
        self._spared = policy.folded(store)
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
        # The worst first, where the limit per hour does not let everything through.
        waiting = sorted(waiting, key=lambda pair: (-pair[1].severity.rank, pair[0].created_at, pair[1].id))
        allowed = min(policy.within_rate(len(waiting), self._before, channel, self._now), _SENT_IN_A_PASS)
        if allowed < len(waiting):
            logger.info("more findings than the channel may take now; the rest waits", extra={"channel": channel.name})
        send: Send | None = None
        for delivery, finding in waiting[:allowed]:
            repeats = policy.folded_before(finding, channel.name, self._spared)
            try:
                send = send or open_channel(channel)
                send(finding, compose(finding, delivery.channel, self._config, repeats), self._now)
            except Refused as error:
                self._give_up(delivery, str(error))
            except AlertsError as error:
                self._put_off(delivery, error)
                break
            else:
                self._sent(delivery, finding)

    def _sent(self, delivery: Delivery, finding: Finding) -> None:
        self._store.mark_sent(delivery, self._now)
        self.results.append("sent")
        if self._telemetry is not None:
            self._telemetry.sent(channel_of(delivery.channel), self._now - finding.detected_at, self._now - finding.end)

    def _put_off(self, delivery: Delivery, error: AlertsError) -> None:
        attempts, key = delivery.attempts + 1, delivery_key(delivery.finding_id, delivery.channel)
        if attempts >= self._config.max_attempts:
            self._give_up(delivery, f"given up after {attempts} attempts: {error}")
            return
        if isinstance(error, NotSent):
            pause = policy.retry_pause(attempts, key, error.retry_after_seconds)
        else:
            pause = policy.repair_pause(key)
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
            if channel_of(one.channel) == channel.name and one.sent_at is not None:
                latest[one.finding_id] = max(latest.get(one.finding_id, (one.sent_at, "")), (one.sent_at, one.channel))
        told = []
        for id, (sent_at, target) in latest.items():
            if sent_at + channel.resolve_after > self._now and (finding := self._store.finding(id)) is not None:
                told.append((finding, compose(finding, target, self._config), sent_at))
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
        return lambda finding, message, now: alertmanager.send(channel, finding, message, now)
    if channel.kind == "webhook":
        return lambda finding, message, now: webhook.send(channel, finding, message, now)
    return _open_apprise(channel)


def _load_apprise() -> Any:
    # Its plugins are loaded at first use, and some import modules that Python has deprecated: no concern of our users.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        manager: Any = apprise.NotificationManager
        manager().load_modules()
    # Apprise's log quotes addresses with the tokens in them. What it has to say is taken from `_listen`, scrubbed.
    log = logging.getLogger("apprise")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    return apprise


def _open_apprise(channel: Channel) -> Send:
    apprise = _load_apprise()
    address = channel.secret("apprise")
    assert address is not None
    # Retries are ours, with a memory in the outbox; nothing is kept on disk; our text is no template and no emoji code.
    asset = apprise.AppriseAsset(
        app_id="Regsight",
        app_desc="Regsight",
        app_url="",
        async_mode=False,
        interpret_escapes=False,
        interpret_emojis=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    with _listen(apprise) as said:
        service = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    if service is None:
        scheme = address.partition("://")[0].lower() if "://" in address else ""
        known = scheme in set(apprise.NotificationManager().schemas())
        raise ChannelUnusable(
            f"the Apprise address is not complete for {scheme}://: {_reasons(said, address) or 'see its Apprise page'}"
            if known
            else "the Apprise address begins with no service that Apprise knows (mailto://, slack://, json:// …)"
        )
    one = apprise.Apprise(asset=asset)
    one.add(service)

    def send(finding: Finding, message: Message, now: datetime) -> None:
        _send_apprise(one, service, address, finding, message)

    return send


def _send_apprise(one: Any, service: Any, address: str, finding: Finding, message: Message) -> None:
    apprise = _load_apprise()
    formats = service.notify_format if isinstance(service.notify_format, tuple) else (service.notify_format,)
    body, body_format = {
        "html": (message.html, apprise.NotifyFormat.HTML),
        "markdown": (message.markdown, apprise.NotifyFormat.MARKDOWN),
    }.get(str(getattr(formats[0], "value", formats[0])), (message.text, apprise.NotifyFormat.TEXT))
    severe = finding.severity.rank >= Severity.HIGH.rank
    kind = apprise.NotifyType.FAILURE if severe else apprise.NotifyType.WARNING
    with _listen(apprise) as said:
        try:
            taken = bool(one.notify(title=message.title, body=body, body_format=body_format, notify_type=kind))
        except Exception as error:  # a plugin of a foreign service: whatever it raises, the other channels go on
            raise NotSent(f"Apprise failed with {type(error).__name__}") from None
    if not taken:
        raise NotSent(_reasons(said, address) or "the service did not take the message and gave no reason")


def _listen(apprise: Any) -> Any:
    return apprise.LogCapture(level=logging.WARNING, fmt="%(message)s")


def _reasons(said: Any, address: str) -> str:
    lines = [line for line in said.getvalue().splitlines() if "://" not in line]  # those quote the address
    return inert(scrub(" ".join(lines), address), 300)


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
