"""Whom the address of an event belongs to: the client, or a proxy that stands in front of the registry.

Anybody can send X-Forwarded-For. A chain is believed only where the same line names the TCP peer and the peer is one of
the `trusted_proxies` of the settings; then the client is the last address of the chain that is no such proxy, which
nobody in front of the proxy can forge. Without a peer in the line (Distribution's and Harbor core's application logs) an
address out of the header stays `forwarded`, whatever is set: nobody can say who sent it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collector.distinct import filled, grouped
from collector.enriching import EnrichSettings, Network, inside, read_address
from store.event import Via

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = ("registry", "client_ip", "client_via", "peer_ip", "forwarded_for")
_LONGEST_CHAIN = 64


@dataclass(frozen=True, slots=True)
class Addresses:
    """Fills client_ip, client_via and peer_ip anew where trusted proxies are set, once for each combination."""

    settings: EnrichSettings = field(default_factory=EnrichSettings)

    def configured(self, settings: EnrichSettings) -> Addresses:
        return Addresses(settings)

    def __call__(self, events: pa.Table) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.settings.trusted_proxies and not self.settings.proxies_of:
            return events
        said = grouped(events, _COLUMNS, self._address)
        moved = pc.fill_null(pc.not_equal(said.column(lambda one: one[0]), events.column("client_ip")), False)
        place = events.schema.get_field_index("client_port")
        ports = pc.if_else(moved, pa.scalar(None, pa.int64()), events.column("client_port"))  # it was another's port
        return filled(
            events.set_column(place, events.schema.field(place), ports),
            client_ip=said.column(lambda one: one[0]),
            client_via=said.column(lambda one: one[1]),
            peer_ip=said.column(lambda one: one[2]),
        )

    def _address(
        self, registry: str | None, address: str | None, via: str | None, peer: str | None, chain: str | None
    ) -> tuple[str | None, str | None, str | None]:
        trusted = self.settings.proxies(registry)
        if address is None or not trusted or via not in (Via.PEER, Via.FORWARDED):
            return address, via, peer
        named = last_untrusted(chain, trusted) if chain else None
        if via == Via.FORWARDED and peer is None:
            # Nobody can check, but what stands at the end of the chain was added behind the last one who could forge it.
            return named or address, via, None
        if via == Via.FORWARDED:
            if not inside(peer or "", trusted):
                return peer, Via.PEER.value, None  # whoever sent the header is the client, and no proxy
            return named or address, Via.PROXIED.value, peer
        if not inside(address, trusted):
            return address, via, peer
        return (address, Via.PROXY.value, None) if named is None else (named, Via.PROXIED.value, address)


def last_untrusted(chain: str, trusted: tuple[Network, ...]) -> str | None:
    """The last address of an X-Forwarded-For chain that is no trusted proxy; None if the chain breaks off before."""
    for part in reversed(chain.split(",")[-_LONGEST_CHAIN:]):
        address = read_address(_without_port(part.strip()))
        if address is None:
            return None
        if not any(address in network for network in trusted):
            return str(address)
    return None


def _without_port(text: str) -> str:
    """Some proxies write `203.0.113.7:4711` or `[2001:db8::7]:4711`."""
    host, colon, port = text.rpartition(":")
    return host if colon and port.isdigit() and (host.endswith("]") or ":" not in host) else text


ENRICH = Addresses()
