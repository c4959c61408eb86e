"""What people have set about traffic: network or account → class of its traffic.

`[traffic] "10.1.2.0/24" = "ci"` in the settings. The collector and the analytics both obey it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from store.event import Traffic


@dataclass(frozen=True, slots=True)
class TrafficRules:
    """The rules as written, accounts before networks, narrow networks before wide ones."""

    accounts: tuple[tuple[str, Traffic], ...] = ()
    networks: tuple[tuple[IPv4Network | IPv6Network, Traffic], ...] = ()

    @staticmethod
    def read(rules: Mapping[str, str]) -> TrafficRules:
        """Raises: ValueError: a class that there is not, or a network with bits behind its mask."""
        accounts: list[tuple[str, Traffic]] = []
        networks: list[tuple[IPv4Network | IPv6Network, Traffic]] = []
        for subject, name in rules.items():
            if name not in list(Traffic):
                raise ValueError(f"{subject}: {name!r} is none of {', '.join(Traffic)}")
            network = _network(subject)
            if network is None:
                accounts.append((subject, Traffic(name)))
            else:
                networks.append((network, Traffic(name)))
        accounts.sort(key=lambda rule: "*" in rule[0] or "?" in rule[0])
        networks.sort(key=lambda rule: -rule[0].prefixlen)
        return TrafficRules(tuple(accounts), tuple(networks))

    def rule_for(self, actor: str | None, address: str | None) -> tuple[Traffic, str] | None:
        """The class that was set for an account or an address, and the rule as written; None without a rule."""
        if actor is not None:
            for pattern, traffic in self.accounts:
                if fnmatchcase(actor, pattern):
                    return traffic, pattern
        if address is not None and self.networks:
            try:
                parsed = ip_address(address)
            except ValueError:
                return None
            for network, traffic in self.networks:
                if parsed in network:
                    return traffic, str(network)
        return None


def _network(subject: str) -> IPv4Network | IPv6Network | None:
    """An address or a network; None for the name of an account."""
    try:
        return ip_network(subject)
    except ValueError as error:
        if "host bits" in str(error):
            raise ValueError(f"{subject}: {error}") from None
        return None
