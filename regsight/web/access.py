"""Who somebody is and what they may do: three roles, known by a token or by the name that a trusted proxy puts in."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regsight.config import WebConfig

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LONGEST_NAME = 80


class Role(StrEnum):
    """What somebody may do besides reading what happened."""

    VIEWER = "viewer"
    OPERATOR = "operator"  # acts on incidents; sees the settings
    AUDITOR = "auditor"  # reads the auditor's report and the settings; changes nothing


MAY_ACT = frozenset({Role.OPERATOR})
MAY_AUDIT = frozenset({Role.OPERATOR, Role.AUDITOR})


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever sent a request. `name` is empty where nothing tells it: then forms ask for it, and it is only a claim."""

    role: Role
    name: str = ""
    session: str = ""  # what a form's token is bound to

    @property
    def may_act(self) -> bool:
        return self.role in MAY_ACT

    @property
    def may_audit(self) -> bool:
        return self.role in MAY_AUDIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The settings of `[web]` that say who may do what.

    `tokens` maps a role to its token. With `user_header` a request from an address in `trusted_proxies` is whoever that
    header names: an operator or auditor if listed, else a viewer; from any other address the header is not looked at.
    """

    tokens: dict[Role, str] = field(default_factory=dict, repr=False)
    user_header: str | None = None
    trusted_proxies: Sequence[Network] = ()
    operators: frozenset[str] = frozenset()
    auditors: frozenset[str] = frozenset()

    @property
    def is_open(self) -> bool:
        """Nobody is asked who they are: only on the machine itself."""
        return not self.tokens and self.user_header is None

    def trusts(self, peer: str | None) -> bool:
        """Whether the header of a request from this address is believed."""
        try:
            address = ipaddress.ip_address((peer or "").partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.trusted_proxies)

    def named(self, name: str) -> Visitor | None:
        """Whom a proxy vouches for; None for a name that is none."""
        name = name.strip()
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            return None
        role = Role.OPERATOR if name in self.operators else Role.AUDITOR if name in self.auditors else Role.VIEWER
        return Visitor(role, name, f"proxy:{name}")

    def role_of(self, token: str) -> Role | None:
        """The role that a token opens; every token is compared, so that the time tells nothing."""
        found = None
        for role, wanted in self.tokens.items():
            if wanted and same(token, wanted):
                found = role
        return found


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks of the settings.

    Raises:
        ValueError: one is neither.
    """
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def web_access(config: WebConfig) -> Access:
    """What the settings say, but for the operators' token, which `WebState.token` holds.

    Raises:
        ValueError: a token's file is empty, which would let everybody in.
        OSError: it cannot be read.
    """
    files = {Role.VIEWER: config.viewer_token_file, Role.AUDITOR: config.auditor_token_file}
    tokens = {role: file.read_text(encoding="utf-8").strip() for role, file in files.items() if file is not None}
    if empty := [str(files[role]) for role, token in tokens.items() if not token]:
        raise ValueError(f"[web] {empty[0]} is empty: it should hold a token")
    return Access(
        tokens=tokens,
        user_header=config.user_header,
        trusted_proxies=networks(config.trusted_proxies),
        operators=frozenset(config.operators),
        auditors=frozenset(config.auditors),
    )


def same(given: str, wanted: str) -> bool:
    """Equal, in a time that does not tell how far they agree."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


def seal(key: str, text: str) -> str:
    """A MAC over a text."""
    return hmac.new(key.encode("utf-8", "replace"), text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
