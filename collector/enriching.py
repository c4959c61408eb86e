"""What a user may tell the enrichers, and the networks that it speaks of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Protocol, Self

from store.traffic import TrafficRules

if TYPE_CHECKING:
    import pyarrow as pa

    from collector.config import CollectorConfig

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichSettings:
    """The settings of all enrichers together; the defaults say nothing.

    `proxies_of` holds the trusted proxies of registries whose sources name their own, by `service.name`.
    """

    trusted_proxies: tuple[Network, ...] = ()
    proxies_of: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)
    runners: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    traffic: TrafficRules = field(default_factory=TrafficRules)

    def proxies(self, registry: str | None) -> tuple[Network, ...]:
        """The proxies that are believed in lines of a registry."""
        return self.proxies_of.get(registry or "", self.trusted_proxies)

    def kind(self, actor: str) -> str | None:
        """What the settings say that an account is: its own name first, then the first pattern that fits."""
        if actor in self.kinds:
            return self.kinds[actor]
        return next((kind for pattern, kind in self.kinds.items() if fnmatchcase(actor, pattern)), None)

    def runner(self, address: str) -> str | None:
        """The CI system whose runners have this address."""
        return next((system for system, networks in self.runners.items() if inside(address, networks)), None)


class Configurable(Protocol):
    """An enricher that the settings have a say in."""

    def __call__(self, events: pa.Table) -> pa.Table: ...

    def configured(self, settings: EnrichSettings) -> Self:
        """The same enricher under these settings."""
        ...


def settings_of(config: CollectorConfig, traffic: Mapping[str, str] | None = None) -> EnrichSettings:
    """The settings of the enrichers, from those of the collector and of `[traffic]`.

    Lines carry the name of their registry, not of their source: where several sources feed one registry, what any of
    them trusts is trusted in all its lines.
    """
    of: dict[str, tuple[Network, ...]] = {}
    endpoints = config.receiver.endpoints if config.receiver else []
    for source in (*config.sources, *endpoints):
        own: Sequence[Network] | None = getattr(source, "trusted_proxies", None)
        registry = str(source.registry or getattr(source, "name", ""))
        if own is not None:
            of[registry] = tuple(dict.fromkeys((*of.get(registry, ()), *own)))
    return EnrichSettings(
        trusted_proxies=tuple(config.trusted_proxies),
        proxies_of=of,
        runners={system: tuple(networks) for system, networks in config.identity.runners.items()},
        kinds=dict(config.identity.kinds),
        traffic=TrafficRules.read(traffic or {}),
    )


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, IPv4 where IPv6 only wraps it (`::ffff:10.0.0.1`); None for whatever else a header holds."""
    try:
        address = ip_address(text.strip().strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def inside(text: str, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    address = read_address(text)
    return address is not None and any(address in network for network in networks)
