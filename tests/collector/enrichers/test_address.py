"""Whose address an event has: the client's, or a proxy's; and what a forged header can do."""

from __future__ import annotations

from ipaddress import ip_network

import pyarrow as pa
import pytest
from format_samples import block, formats, read_sample

from collector.enrichers.address import ENRICH, last_untrusted
from collector.enriching import EnrichSettings
from store.event import schema

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"))
TRUSTING = ENRICH.configured(EnrichSettings(trusted_proxies=PROXIES))
FORGED = "198.51.100.23"  # sent by the client itself in the capture's `pull-xff`


def told(enrich, **fields):
    filled = enrich(pa.Table.from_pylist([fields], schema=schema()))
    assert filled.schema.equals(schema())
    return tuple(filled[name][0].as_py() for name in ("client_ip", "client_via", "peer_ip"))


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),  # the first one was sent by the client
        ("6.6.6.6, 203.0.113.7, 10.1.1.1", "203.0.113.7"),
        ("203.0.113.7:4711, [2001:db8:1::5]:80", "203.0.113.7"),
        ("2001:db8:2::9, 2001:db8:1::5", "2001:db8:2::9"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("10.1.1.1, 10.1.1.2", None),  # proxies only
        ("203.0.113.7, unknown", None),  # breaks off: what stands before may be anything
        ("", None),
        (", ,", None),
        ("203.0.113.7, \\x22<script>", None),
        ("1.1.1.1, " * 5_000 + "10.0.0.1", "1.1.1.1"),
    ],
)
def test_the_last_address_that_is_no_proxy_is_the_client(chain: str, client: str | None) -> None:
    assert last_untrusted(chain, PROXIES) == client


def test_a_header_is_believed_only_from_a_trusted_peer() -> None:
    """The line names the peer: that decides."""
    line = {"client_via": "peer", "forwarded_for": "203.0.113.7"}
    assert told(TRUSTING, client_ip="10.0.0.9", **line) == ("203.0.113.7", "proxied", "10.0.0.9")
    assert told(TRUSTING, client_ip="192.0.2.6", **line) == ("192.0.2.6", "peer", None)  # forged
    assert told(ENRICH, client_ip="10.0.0.9", **line) == ("10.0.0.9", "peer", None)  # nothing is set


def test_the_port_goes_with_its_address() -> None:
    """The port beside the proxy's address is none of the client's."""
    rows = [
        {"client_ip": "10.0.0.9", "client_port": 5, "client_via": "peer", "forwarded_for": "203.0.113.7"},
        {"client_ip": "192.0.2.6", "client_port": 6, "client_via": "peer", "forwarded_for": "203.0.113.7"},
        {"client_ip": None, "client_port": None},
    ]
    filled = TRUSTING(pa.Table.from_pylist(rows, schema=schema()))
    assert filled["client_port"].to_pylist() == [None, 6, None]
    assert TRUSTING(schema().empty_table()).equals(schema().empty_table())


def test_a_proxy_that_names_nobody_is_called_one() -> None:
    assert told(TRUSTING, client_ip="10.0.0.9", client_via="peer") == ("10.0.0.9", "proxy", None)


def test_a_line_with_both_addresses_is_decided() -> None:
    """GitLab's registry and nginx behind the PROXY protocol name the peer beside the address that it told of."""
    line = {"client_ip": "203.0.113.7", "client_via": "forwarded"}
    assert told(TRUSTING, **line, peer_ip="10.0.0.9") == ("203.0.113.7", "proxied", "10.0.0.9")
    assert told(TRUSTING, **line, peer_ip="192.0.2.6") == ("192.0.2.6", "peer", None)  # forged
    assert told(ENRICH, **line, peer_ip="192.0.2.6") == ("203.0.113.7", "forwarded", "192.0.2.6")  # nothing is set
    chain = {"forwarded_for": f"{FORGED}, 203.0.113.7"}
    assert told(TRUSTING, client_ip=FORGED, client_via="forwarded", peer_ip="10.0.0.9", **chain)[0] == "203.0.113.7"


def test_without_a_peer_it_stays_somebodys_word() -> None:
    """Distribution's application log takes the first address of the header, from anybody; no setting changes that."""
    assert told(TRUSTING, client_ip=FORGED, client_via="forwarded") == (FORGED, "forwarded", None)
    assert told(TRUSTING, client_ip=FORGED, client_via="log") == (FORGED, "log", None)
    # Harbor's core logs the whole chain: what a client put in front is passed over, and still nobody can check.
    chain = {"client_via": "forwarded", "forwarded_for": f"{FORGED}, 203.0.113.7, 10.0.0.2"}
    assert told(TRUSTING, client_ip=FORGED, **chain) == ("203.0.113.7", "forwarded", None)


def test_a_registry_may_trust_its_own_proxies() -> None:
    """What a source sets holds for its registry alone; an empty list trusts nobody."""
    settings = EnrichSettings(trusted_proxies=PROXIES, proxies_of={"edge": (ip_network("192.0.2.0/24"),), "bare": ()})
    enrich = ENRICH.configured(settings)
    line = {"client_ip": "10.0.0.9", "client_via": "peer", "forwarded_for": "203.0.113.7"}
    assert told(enrich, registry="main", **line)[1] == "proxied"
    assert told(enrich, registry="edge", **line)[1] == "peer"
    assert told(enrich, registry="bare", **line)[1] == "peer"


@pytest.mark.parametrize("capture", ["v2.8.2-json", "v2.8.2-text", "v3-json", "v3-text"])
@pytest.mark.parametrize("enrich", [ENRICH, TRUSTING], ids=["as-is", "trusting"])
def test_the_forged_header_of_the_captures(capture: str, enrich) -> None:
    """The client that claimed an address of its own is nowhere called the peer, in no log and under no setting."""
    log = "registry.stderr.log" if capture == "v3-text" else "registry.log"
    files = {
        f"distribution-{capture.partition('-')[2]}": f"distribution-live/{capture}/{log}",
        "distribution-notifications": f"distribution-live/{capture}/notifications.jsonl",
    }
    for name, path in files.items():
        events = enrich(read_sample(name, path).events).to_pylist()
        forged = [one["client_via"] for one in events if one["client_ip"] == FORGED]
        assert forged and set(forged) == {"forwarded"}, name


def test_access_lines_behind_a_proxy() -> None:
    """Distribution's own access lines name its proxy; once that is set, nobody takes it for a client."""
    enrich = ENRICH.configured(EnrichSettings(trusted_proxies=(ip_network("127.0.0.1/32"),)))
    events = enrich(read_sample("distribution-access", "distribution-live/v3-text/registry.stdout.log").events)
    vias = {one["client_ip"]: one["client_via"] for one in events.to_pylist()}
    assert vias.pop("127.0.0.1") == "proxy"
    assert set(vias.values()) == {"peer"}


def test_nginx_main_format_carries_the_header() -> None:
    """The format `main` that nginx is packaged with ends with `"$http_x_forwarded_for"`."""
    lines = (
        b'10.0.0.9 - - [24/Nov/2026:02:17:24 +0000] "GET /v2/ HTTP/1.1" 200 7 "-" "docker/27.3" "6.6.6.6, 203.0.113.7"\n'
        b'192.0.2.6 - - [24/Nov/2026:02:17:25 +0000] "GET /v2/a/manifests/1 HTTP/1.1" 200 7 "-" "docker/27.3" "203.0.113.8"\n'
        b'10.0.0.9 - - [24/Nov/2026:02:17:26 +0000] "GET /v2/a/manifests/1 HTTP/1.1" 200 7 "-" "docker/27.3" "-"\n'
    )
    events = TRUSTING(formats()["nginx-combined"].parse(block(lines)).events).to_pylist()
    assert [(one["client_ip"], one["client_via"], one["peer_ip"]) for one in events] == [
        ("203.0.113.7", "proxied", "10.0.0.9"),
        ("192.0.2.6", "peer", None),
        ("10.0.0.9", "proxy", None),
    ]
    assert [one["forwarded_for"] for one in events] == ["6.6.6.6, 203.0.113.7", "203.0.113.8", None]
