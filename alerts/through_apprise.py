"""Sending through Apprise, which knows a hundred services. The only file that knows Apprise."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Any

from alerts.config import Channel
from alerts.errors import ChannelUnusable, NotSent
from alerts.inert import inert
from alerts.message import Message
from alerts.scrub import scrub
from store.finding import Finding, Severity


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


def open_apprise(channel: Channel) -> Callable[[Finding, Message, datetime], None]:
    """A function that sends one message.

    Raises:
        ChannelUnusable: a secret is missing, or Apprise does not know the address.
    """
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
