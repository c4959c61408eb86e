"""What the settings of several sources share."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"  # names become metric labels
HEADER = r"^[A-Za-z0-9-]{1,100}$"
URL = r"^https?://[^@\s]+$"  # without user or password


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def host_and_port(listen: str) -> str:
    """Raises: ValueError: it is not `address:port`."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})", listen)
    if found is None or int(found[2]) > 65535:
        raise ValueError("listen is address:port, for example 127.0.0.1:5080")
    return listen


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("not a time zone, for example Europe/Berlin") from None
    return name


def zone_of(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ip_network(value)
    except ValueError as error:
        raise ValueError(f"no network, such as 10.0.0.0/8: {error}") from None


Zone = Annotated[str, AfterValidator(_known_zone)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
TrustedProxies = Annotated[
    list[Network] | None,
    Field(
        description="networks of proxies whose X-Forwarded-For is believed where the line names the peer; as for the whole "
        "collector when left out"
    ),
]


def exactly_one(*fields_then_names: object) -> None:
    """The fields, and last their names. Raises: ValueError, if none or several are set."""
    *fields, names = fields_then_names
    if sum(field is not None for field in fields) != 1:
        raise ValueError(f"exactly one of {names} is needed")
