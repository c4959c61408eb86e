"""One TOML file → the settings of all stages. Unknown keys are refused with file, line and the nearest valid key.

Precedence: command line, then environment (`REGSIGHT__STORE__URL=…`), then the file, then the defaults. The defaults do
something useful: an embedded store in `./regsight-data`, a page on loopback, detection every minute.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from alerts.config import AlertsConfig
from analytics.config import AnalyticsConfig
from collector.config import CollectorConfig
from store.durations import duration
from store.event import Traffic
from store.traffic import TrafficRules

PREFIX = "REGSIGHT__"
DEFAULT_FILE = "regsight.toml"


class ConfigError(Exception):
    """The settings cannot be used; the message says where and how to mend it. Ends the start with exit code 2."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreConfig(_Section):
    """Where events and findings are kept."""

    url: str = "delta:./regsight-data"
    keep: timedelta | None = Field(default=None, description="whole days older than this are dropped; null keeps all")
    keep_rollups: timedelta | None = Field(
        default=None, description="hourly counts of dropped days are kept so long; null keeps them for ever"
    )
    password_file: Path | None = Field(default=None, description="Elasticsearch password")
    ca_file: Path | None = Field(default=None, description="certificate authority of the Elasticsearch server")

    @field_validator("keep", "keep_rollups", mode="before")
    @classmethod
    def _keep(cls, value: object) -> timedelta | None:
        return None if value is None else duration(value)


class WebConfig(_Section):
    """The page, with /metrics, /healthz and /readyz."""

    listen: str = "127.0.0.1:8080"
    token_file: Path | None = Field(default=None, description="required when listening beyond loopback")
    viewer_token_file: Path | None = Field(default=None, description="opens the page to look, not to act")
    auditor_token_file: Path | None = Field(
        default=None, description="opens the auditor's report and the settings as well"
    )
    user_header: str | None = Field(default=None, description="header in which a trusted proxy names the user")
    trusted_proxies: list[str] = Field([], description="addresses and networks whose user_header is believed")
    operators: list[str] = Field([], description="users of user_header who may act on incidents")
    auditors: list[str] = Field([], description="users of user_header who may read the auditor's report")
    hosts: list[str] = Field([], description="names under which people open the page, besides the machine's own")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, texts: list[str]) -> list[str]:
        for text in texts:
            ipaddress.ip_network(text, strict=False)
        return texts

    @model_validator(mode="after")
    def _complete(self) -> WebConfig:
        if self.user_header is not None and not (self.trusted_proxies and self.hosts):
            raise ValueError(
                "user_header needs trusted_proxies (whose header is believed) and hosts (the page's names)"
            )
        return self


Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class ReportsConfig(_Section):
    """Reports by schedule."""

    folder: Path | None = Field(default=None, description="where daily reports are written; null writes none")
    daily_at: str = Field(default="06:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="UTC")
    span: timedelta = timedelta(days=1)
    weekly_on: Weekday | None = Field(
        default=None, description="day on which the report of the last seven days is added"
    )
    monthly_audit: bool = Field(default=False, description="on the first, the auditor's report of the month before")
    formats: list[Literal["html", "json", "md", "pdf"]] = Field(["html", "json"], description="files of each report")

    @field_validator("span", mode="before")
    @classmethod
    def _span(cls, value: object) -> timedelta:
        return duration(value)


class Settings(_Section):
    """Everything a user may set, one section per stage."""

    store: StoreConfig = StoreConfig()
    collector: CollectorConfig = CollectorConfig()
    analytics: AnalyticsConfig = AnalyticsConfig()
    alerts: AlertsConfig = AlertsConfig()
    reports: ReportsConfig = ReportsConfig()
    web: WebConfig = WebConfig()
    traffic: dict[str, Traffic] = Field({}, description="network or account to the class of its traffic")

    @field_validator("traffic")
    @classmethod
    def _rules(cls, rules: dict[str, Traffic]) -> dict[str, Traffic]:
        TrafficRules.read(rules)
        return rules


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ, store_url: str | None = None) -> Settings:
    """The settings from a file (by default `regsight.toml` here, if there is one), the environment and `--store`.

    Raises:
        ConfigError: the file is missing, is no TOML, or holds what no stage knows.
    """
    if path is None and Path(DEFAULT_FILE).exists():
        path = Path(DEFAULT_FILE)
    text = _read(path) if path else ""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error
    for name, value in environ.items():
        if name.startswith(PREFIX):
            _put(data, name.removeprefix(PREFIX).lower().split("__"), _toml_value(value), name)
    if store_url is not None:
        _put(data, ["store", "url"], store_url, "--store")
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(path, text, problem) for problem in error.errors())) from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the settings file {path}: {error}") from error


def _put(data: dict[str, Any], keys: list[str], value: object, origin: str) -> None:
    for key in keys[:-1]:
        data = data.setdefault(key, {})
        if not isinstance(data, dict):
            raise ConfigError(f"{origin}: {key} is a value, not a section")
    data[keys[-1]] = value


def _toml_value(text: str) -> object:
    """An environment value as TOML would read it (numbers, true, lists), else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(path: Path | None, text: str, problem: Any) -> str:
    """One problem in words: where (file and line, or the section), what, and the nearest valid key."""
    keys = [str(part) for part in problem["loc"]]
    line = _line_of(text, keys)
    where = f"{path}:{line}: " if path and line else ""
    section = ".".join(keys[:-1])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(keys[-1], _valid_keys(keys[:-1]), n=1)
        hint = f", did you mean {near[0]!r}?" if near else f"; valid keys: {', '.join(_valid_keys(keys[:-1]))}"
        place = f"in [{section}]" if section else "at the top level"
        return f"{where}unknown key {keys[-1]!r} {place}{hint}"
    return f"{where}{'.'.join(keys)}: {problem['msg'].removeprefix('Value error, ')}"


def _valid_keys(section: list[str]) -> list[str]:
    """The keys that a section knows; for a list of tables those of all its kinds together."""
    models: list[Any] = [Settings]
    for part in section:
        inner: list[Any] = []
        for model in models:
            if part in model.model_fields:
                inner.extend(_models_in(model.model_fields[part].annotation))
        if inner:
            models = inner  # a list index or the tag of a union names no field: stay with the models we have
    return sorted({name for model in models for name in model.model_fields})


def _models_in(annotation: Any) -> list[Any]:
    """The pydantic models that an annotation such as `list[A | B] | None` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _line_of(text: str, keys: list[str]) -> int | None:
    """The line of a key, by reading section headers in order; None where it is not found (it came from elsewhere)."""
    names = [key for key in keys if not key.isdigit()]
    index = next((int(key) for key in keys if key.isdigit()), None)
    header, seen = "", 0
    candidates: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if match := re.match(r"^\[{1,2}\s*([^\]]+?)\s*\]{1,2}", stripped):
            header = match[1].replace(" ", "")
            if stripped.startswith("[[") and header in {".".join(names[:depth]) for depth in range(1, len(names) + 1)}:
                seen += 1
            if header.split(".")[-1] == names[-1]:
                candidates.append(number)
        elif re.match(rf'^"?{re.escape(names[-1])}"?\s*[=.]', stripped) and (
            not header or header.split(".")[0] == names[0] or len(names) == 1
        ):
            if index is None or seen == index + 1:
                return number
            candidates.append(number)
    return candidates[0] if candidates else None
