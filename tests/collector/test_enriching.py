"""From the settings to what enrichers ask: networks of registries, runners, kinds."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from collector.config import CollectorConfig
from collector.enriching import inside, read_address, settings_of


def test_trusted_proxies_of_sources_and_of_all() -> None:
    """A source's own stand for its registry; two sources of one registry share; the rest have those of the collector."""
    config = CollectorConfig.model_validate(
        {
            "trusted_proxies": ["10.0.0.0/8"],
            "sources": [
                {"type": "file", "name": "plain", "paths": ["a"]},
                {"type": "file", "name": "edge", "paths": ["b"], "trusted_proxies": ["192.0.2.0/28"]},
                {
                    "type": "file",
                    "name": "access",
                    "paths": ["c"],
                    "registry": "main",
                    "trusted_proxies": ["198.51.100.1"],
                },
                {
                    "type": "file",
                    "name": "log",
                    "paths": ["d"],
                    "registry": "main",
                    "trusted_proxies": ["2001:db8::/32"],
                },
                {"type": "file", "name": "bare", "paths": ["e"], "trusted_proxies": []},
            ],
        }
    )
    settings = settings_of(config)
    assert settings.proxies("plain") == settings.proxies(None) == (ip_network("10.0.0.0/8"),)
    assert settings.proxies("edge") == (ip_network("192.0.2.0/28"),)
    assert settings.proxies("main") == (ip_network("198.51.100.1/32"), ip_network("2001:db8::/32"))
    assert settings.proxies("bare") == ()


@pytest.mark.parametrize(
    "settings",
    [
        {"trusted_proxies": ["10.0.0.1/8"]},  # bits behind the mask: which network is meant?
        {"trusted_proxies": ["proxy.corp.test"]},
        {"identity": {"kinds": {"svc": "bot"}}},
        {"identity": {"runners": {"gitlab": ["everywhere"]}}},
        {"identity": {"runner": {}}},
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CollectorConfig.model_validate(settings)


def test_addresses() -> None:
    """IPv4 inside IPv6 is IPv4; what is no address is nowhere."""
    networks = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert inside("10.1.2.3", networks) and inside("::ffff:10.1.2.3", networks) and inside("[2001:db8::1]", networks)
    assert not inside("11.1.2.3", networks) and not inside("10.1.2", networks) and not inside("", networks)
    assert read_address("fe80::1%eth0") is not None and read_address("10.0.0.1, 10.0.0.2") is None
