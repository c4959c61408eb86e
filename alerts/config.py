"""The `[alerts]` part of the settings: who is told, from which severity on, how often."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from alerts.errors import ChannelUnusable
from alerts.quiet import read_hours
from store.durations import Span
from store.finding import Severity

_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("apprise", ("apprise", "apprise_file", "apprise_env")),
    ("alertmanager", ("alertmanager",)),
    ("webhook", ("webhook", "webhook_file", "webhook_env")),
    ("smtp", ("smtp",)),
)
# Which keys belong to which kinds of channel only.
_OWN_KEYS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("alertmanager",), ("bearer_file", "bearer_env")),
    (("alertmanager", "smtp"), ("username", "password_file", "password_env")),
    (("webhook",), ("secret_file", "secret_env")),
    (("smtp",), ("mail_from",)),
)

_MAIL_ADDRESS = re.compile(r"[^@\s<>,;:\"\\()\[\]]+@[^@\s<>,;:\"\\()\[\]]+")
SHORTEST_SECRET = 16  # characters of what links are signed with


class _Strict(BaseModel):
    # hide_input_in_errors: a misplaced key must not carry a token into a log by way of pydantic's error text.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Channel(_Strict):
    """One place that findings are sent to: exactly one of Apprise, Alertmanager, a signed webhook or a mail server."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    min_severity: Severity = Severity.MEDIUM
    max_per_hour: int = Field(default=60, ge=1)
    quiet_hours: str | None = None  # such as 22:00-07:00: what is not critical waits until they are over
    zone: str = "UTC"  # whose clock the quiet hours are of, such as Europe/Berlin
    escalate_to: str | None = None  # the channel that is told when nobody acknowledges …
    escalate_after: Span = timedelta(minutes=30)  # … within this
    only_escalations: bool = False  # told nothing but what others escalate to it

    # Addresses of chat services and webhooks hold their tokens, so they are secrets themselves.
    apprise: SecretStr | None = None
    apprise_file: Path | None = None
    apprise_env: str | None = None

    alertmanager: str | None = None  # base URL
    username: str | None = None
    password_file: Path | None = None
    password_env: str | None = None
    bearer_file: Path | None = None
    bearer_env: str | None = None
    resolve_after: Span = timedelta(hours=4)  # how long a finding counts as firing in Alertmanager

    webhook: SecretStr | None = None
    webhook_file: Path | None = None
    webhook_env: str | None = None
    secret_file: Path | None = None  # `whsec_` and base64, as Standard Webhooks writes it
    secret_env: str | None = None

    smtp: str | None = None  # smtp://host:587 (STARTTLS where the server offers it) or smtps://host:465
    mail_from: str | None = None
    mail_to: tuple[str, ...] = ()

    ca_file: Path | None = None  # extra certificate authority, for Alertmanager, webhooks and mail servers

    @property
    def kind(self) -> str:
        """apprise, alertmanager, webhook or smtp."""
        return next(kind for kind, keys in _KINDS if any(getattr(self, key) is not None for key in keys))

    def is_mail(self) -> bool:
        """Whether its messages are mails, which show charts. False where the address cannot be read."""
        try:
            return self.kind == "smtp" or (
                self.kind == "apprise" and (self.secret("apprise") or "").startswith("mailto")
            )
        except ChannelUnusable:
            return False

    @field_validator("alertmanager")
    @classmethod
    def _a_web_address(cls, value: str | None) -> str | None:
        return value and _without_password(value, ("http", "https"), "a base address such as http://alertmanager:9093")

    @field_validator("smtp")
    @classmethod
    def _a_mail_server(cls, value: str | None) -> str | None:
        return value and _without_password(value, ("smtp", "smtps"), "an address such as smtp://mail.example.org:587")

    @field_validator("quiet_hours")
    @classmethod
    def _two_times(cls, value: str | None) -> str | None:
        if value is not None:
            read_hours(value)
        return value

    @field_validator("zone")
    @classmethod
    def _a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone: write it like Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Channel:
        given = [key for _, keys in _KINDS for key in keys if getattr(self, key) is not None]
        if len(given) != 1:
            what = f"has {' and '.join(given)}" if given else "has none"
            raise ValueError(
                f'channel "{self.name}" {what}: give exactly one of apprise (or apprise_file, apprise_env), '
                "alertmanager, webhook (or webhook_file, webhook_env), smtp"
            )
        for kinds, keys in _OWN_KEYS:
            stray = [key for key in keys if getattr(self, key) is not None]
            if stray and self.kind not in kinds:
                raise ValueError(
                    f'channel "{self.name}": {", ".join(stray)} belongs to a channel of kind {" or ".join(kinds)}'
                )
        return self

    @model_validator(mode="after")
    def _complete(self) -> Channel:
        if self.kind == "smtp" and not (self.mail_from and self.mail_to):
            raise ValueError(f'channel "{self.name}": mail needs mail_from and mail_to = ["…"]')
        if self.mail_to and self.kind != "smtp":
            raise ValueError(f'channel "{self.name}": mail_to belongs to a channel of kind smtp')
        if any(not _MAIL_ADDRESS.fullmatch(address) for address in (*self.mail_to, self.mail_from or "a@b")):
            raise ValueError(
                f'channel "{self.name}": mail_from and mail_to hold plain addresses such as ops@example.org'
            )
        if self.kind == "webhook" and self.secret_file is None and self.secret_env is None:
            raise ValueError(f'channel "{self.name}": a webhook is signed; give secret_file or secret_env')
        return self

    def secret(self, what: str) -> str | None:
        """The secret `what` (apprise, webhook, password, bearer, secret): from the settings, its file or its variable.

        Read anew each time, so that a rotated secret is picked up without a restart.

        Raises:
            ChannelUnusable: the file cannot be read, the variable is not set, or it is empty.
        """
        plain = getattr(self, what, None)
        if isinstance(plain, SecretStr):
            return plain.get_secret_value().strip()
        return _read_secret(what, getattr(self, f"{what}_file"), getattr(self, f"{what}_env"))


def _read_secret(what: str, file: Path | None, variable: str | None) -> str | None:
    if file is not None:
        try:
            value = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ChannelUnusable(f"{what}_file {file} cannot be read: {why}") from None
        if not value:
            raise ChannelUnusable(f"{what}_file {file} is empty")
        return value
    if variable is not None:
        value = os.environ.get(variable, "").strip()
        if not value:
            raise ChannelUnusable(f"{what}_env: the environment variable {variable} is not set or empty")
        return value
    return None


def _without_password(value: str, schemes: tuple[str, ...], like: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"must be {like}")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password: use `username` with `password_file` or `password_env`")
    return value.rstrip("/")


class AlertsConfig(_Strict):
    """`[alerts]`. Without channels nothing is sent, and nothing is put aside to be sent later."""

    # "incident": of the findings of one incident the first is told, later ones only if they are more severe.
    group_by: Literal["incident", "finding"] = "incident"
    remind_after: Span | None = None  # an incident that nobody acknowledged is told again after this; null: never

    channels: list[Channel] = Field(default_factory=list)
    cool_down: Span = timedelta(hours=6)  # a repeat with no new name and no higher severity is not told again within it
    max_age: Span = timedelta(hours=24)  # what had ended longer ago when first seen is history, not news
    max_attempts: int = Field(default=30, ge=1)  # with the pauses of `policy.retry_pause`: about a day
    link_base: str | None = None  # address of the web page, for links
    runbook_base: str = "docs/runbooks"
    # With one of these and `link_base`, messages hold a signed link that acknowledges.
    ack_secret_file: Path | None = None
    ack_secret_env: str | None = None
    ack_valid: Span = timedelta(days=7)  # how long such a link works

    @field_validator("channels")
    @classmethod
    def _names_once(cls, channels: list[Channel]) -> list[Channel]:
        names = [channel.name for channel in channels]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"channel names must differ; used twice: {', '.join(twice)}")
        next_of = {channel.name: channel.escalate_to for channel in channels if channel.escalate_to}
        for name, to in next_of.items():
            if to not in names:
                raise ValueError(f'channel "{name}" escalates to "{to}", which is no channel')
            seen: set[str] = {name}
            at: str | None = to
            while at is not None:
                if at in seen:
                    raise ValueError(f'the escalation of channel "{name}" goes round in a circle')
                seen.add(at)
                at = next_of.get(at)
        return channels

    @field_validator("link_base")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value is not None else None

    def ack_secret(self) -> str | None:
        """What acknowledge links are signed with; None where none is set.

        Raises:
            ChannelUnusable: it cannot be read, or has less than 16 characters.
        """
        value = _read_secret("ack_secret", self.ack_secret_file, self.ack_secret_env)
        if value is not None and len(value) < SHORTEST_SECRET:
            raise ChannelUnusable(f"ack_secret is too short: at least {SHORTEST_SECRET} characters")
        return value

    def channel(self, name: str) -> Channel | None:
        """The channel of that name, or None when the settings no longer have it."""
        return next((channel for channel in self.channels if channel.name == name), None)
