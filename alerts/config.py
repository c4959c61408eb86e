"""The `[alerts]` part of the settings: who is told, from which severity on, how often."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from alerts.errors import ChannelUnusable
from store.durations import Span
from store.finding import Severity

_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("apprise", ("apprise", "apprise_file", "apprise_env")),
    ("alertmanager", ("alertmanager",)),
    ("webhook", ("webhook", "webhook_file", "webhook_env")),
)
# Which keys belong to which kind of channel only.
_OWN_KEYS: dict[str, tuple[str, ...]] = {
    "alertmanager": ("username", "password_file", "password_env", "bearer_file", "bearer_env"),
    "webhook": ("secret_file", "secret_env"),
}


class _Strict(BaseModel):
    # hide_input_in_errors: a misplaced key must not carry a token into a log by way of pydantic's error text.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Channel(_Strict):
    """One place that findings are sent to: exactly one of Apprise, Alertmanager or a signed webhook."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    min_severity: Severity = Severity.MEDIUM
    max_per_hour: int = Field(default=60, ge=1)

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

    ca_file: Path | None = None  # extra certificate authority, for Alertmanager and webhooks

    @property
    def kind(self) -> str:
        """apprise, alertmanager or webhook."""
        return next(kind for kind, keys in _KINDS if any(getattr(self, key) is not None for key in keys))

    @field_validator("alertmanager")
    @classmethod
    def _no_password_in_the_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be a base address such as http://alertmanager:9093")
        if "@" in parts.netloc:
            raise ValueError("must not hold a user or password: use `username` with `password_file` or `password_env`")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _one_kind(self) -> Channel:
        given = [key for _, keys in _KINDS for key in keys if getattr(self, key) is not None]
        if len(given) != 1:
            what = f"has {' and '.join(given)}" if given else "has none"
            raise ValueError(
                f'channel "{self.name}" {what}: give exactly one of apprise (or apprise_file, apprise_env), '
                "alertmanager, webhook (or webhook_file, webhook_env)"
            )
        for kind, keys in _OWN_KEYS.items():
            stray = [key for key in keys if getattr(self, key) is not None]
            if stray and kind != self.kind:
                raise ValueError(f'channel "{self.name}": {", ".join(stray)} belongs to a channel of kind {kind}')
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
        file: Path | None = getattr(self, f"{what}_file")
        variable: str | None = getattr(self, f"{what}_env")
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


class AlertsConfig(_Strict):
    """`[alerts]`. Without channels nothing is sent, and nothing is put aside to be sent later."""

    channels: list[Channel] = Field(default_factory=list)
    cool_down: Span = timedelta(hours=6)  # a repeat with no new name and no higher severity is not told again within it
    max_age: Span = timedelta(hours=24)  # what had ended longer ago when first seen is history, not news
    max_attempts: int = Field(default=30, ge=1)  # with the pauses of `policy.retry_pause`: about a day
    link_base: str | None = None  # address of the web page, for links
    runbook_base: str = "docs/runbooks"

    @field_validator("channels")
    @classmethod
    def _names_once(cls, channels: list[Channel]) -> list[Channel]:
        names = [channel.name for channel in channels]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"channel names must differ; used twice: {', '.join(twice)}")
        return channels

    @field_validator("link_base")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value is not None else None

    def channel(self, name: str) -> Channel | None:
        """The channel of that name, or None when the settings no longer have it."""
        return next((channel for channel in self.channels if channel.name == name), None)
