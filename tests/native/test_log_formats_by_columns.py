"""nginx' own log formats, whatever a site wrote: by columns they say the same as line by line."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from format_samples import block, formats
from three_paths import check_equal

from collector.nginx_directives import LogFormat
from collector.nginx_log_format import OWN, nginx_format
from collector.one_by_one import OneByOne

DIGEST = "sha256:" + "ab" * 32
DIRECTIVES = {
    "longer": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    'rt=$request_time uct="$upstream_connect_time" xff="$http_x_forwarded_for" $host $upstream_http_x_request_id '
    "d=$upstream_http_docker_content_digest",
    "json": '{"t":"$time_iso8601","ip":"$remote_addr","user":"$remote_user","r":"$request","status":$status,'
    '"size":$bytes_sent,"agent":"$http_user_agent","took":"$request_time","xff":"$http_x_forwarded_for"}',
    "parts": '[$msec] $remote_addr;$remote_port "$request_method $request_uri $server_protocol" $status, $request_length, '
    '"$http_user_agent" $http_host via $upstream_addr ($upstream_status) "$sent_http_docker_content_digest" $pipe',
    "proxied": '$remote_addr ($proxy_protocol_addr) "$remote_user" $time_iso8601 "$request" $status '
    '$body_bytes_sent $bytes_sent "$http_user_agent"',
}
# Taken line by line: a line could begin like a wrapped one; an address may hold what ends it; a value stands there twice.
LINE_BY_LINE = {
    "begins with a time": '$time_iso8601 $remote_addr "$request" $status',
    "like docker compose": '$remote_addr | $time_local | "$request" $status',
    "colon behind an address": '$remote_addr:$remote_port [$time_local] "$request" $status',
    "twice": '$remote_addr [$time_local] "$request" $status $remote_addr',
    "very long": '$remote_addr [$time_local] "$request" $status "$http_x_forwarded_for" '
    + "$upstream_addr " * 3000
    + "$pipe",
    "no time": '$remote_addr "$request" $status',
}
_VARIABLE = re.compile(r"\$([a-z0-9_]+)")


def made_format(text: str) -> OneByOne:
    escape = "json" if text.startswith("{") else "default"
    return nginx_format(OWN, LogFormat("test", text, escape), title="test")


def pick(*said: str) -> Callable[[random.Random], str]:
    return lambda chance: chance.choice(said)


def number(most: int) -> Callable[[random.Random], str]:
    return lambda chance: str(chance.randrange(most))


USUAL: dict[str, Callable[[random.Random], str]] = {
    "remote_addr": pick("10.1.2.3", "2001:db8::1", "192.0.2.77"),
    "remote_user": pick("-", "ann", "robot$payments+ci"),
    "remote_port": number(65_000),
    "time_local": lambda chance: f"{chance.randrange(10, 28)}/Nov/2026:10:{chance.randrange(10, 60)}:01 +0200",
    "time_iso8601": lambda chance: f"2026-11-{chance.randrange(10, 28)}T10:{chance.randrange(10, 60)}:01+01:00",
    "msec": lambda chance: f"17800{chance.randrange(10_000, 99_999)}.{chance.randrange(100, 999)}",
    "request": pick(
        "GET /v2/team/app/manifests/1.0 HTTP/1.1", f"HEAD /v2/a/b/c/blobs/{DIGEST} HTTP/2.0", "GET /v2/ HTTP/1.1",
        f"PUT /v2/team/app/manifests/{DIGEST} HTTP/1.1", "GET /v2/team/app/manifests/sha256-" + "ab" * 32 + ".sig HTTP/1.1",
        "POST /v2/team/app/blobs/uploads/?mount=" + DIGEST + "&from=a/b HTTP/1.1", "GET /api/v2.0/projects HTTP/1.1",
    ),
    "request_method": pick("GET", "HEAD", "PUT"),
    "request_uri": pick("/v2/team/app/manifests/latest", "/v2/", f"/v2/a/b/blobs/{DIGEST}", "/v2/a/tags/list?n=5"),
    "server_protocol": pick("HTTP/1.1", "HTTP/2.0"),
    "status": pick("200", "201", "307", "401", "404", "502"),
    "body_bytes_sent": number(10**9),
    "bytes_sent": number(10**9),
    "request_length": number(5000),
    "request_time": pick("0.000", "1.279", "123456.5"),
    "http_user_agent": pick("containerd/v2.0.1", r"docker/27.3.1 UpstreamClient(Docker-Client/27.3.1 \x5C(linux\x5C))", "-"),
    "http_referer": pick("-", "https://harbor.example.com/[x]?a b"),
    "http_x_forwarded_for": pick("-", "203.0.113.9", "203.0.113.9, 10.0.0.1"),
    "http_host": pick("registry.example.com", "-", "r:5000"),
    "host": pick("registry.example.com", "-"),
    "upstream_addr": pick("10.0.0.5:5000", "-"),
    "upstream_status": pick("200", "-"),
    "upstream_connect_time": pick("0.001", "-"),
    "upstream_http_x_request_id": pick("-", "0f2b7c9a55d1e6f3"),
    "upstream_http_docker_content_digest": pick("-", DIGEST),
    "sent_http_docker_content_digest": pick("-", DIGEST, "sha256:short"),
    "proxy_protocol_addr": pick("-"),
    "pipe": pick(".", "p"),
}  # fmt: skip
ODD = (
    "", "-", "--", "é", "a b", "a, b", "10.0.0.1, 10.0.0.2 : 10.0.0.3", "x] [y", "x|y", '"', "\\x22", "\\", "\\\\", "\\u00e9",
    "::1", "007", "0.5", "99", "600", "unix:", "10.0.0.1 - admin [24/Nov/2026:02:17:24 +0000]",
    "\u00a0", "a/b", "70000", " ", "999.1.1.1",
    "2026-02-30T10:00:00Z", "message repeated 2 times: [ x]", "\x7f", "\\xC3\\xA9", "GET /v2/a b/manifests/x HTTP/1.1", ",", ")",
)  # fmt: skip


def line(text: str, chance: random.Random, odd: float) -> bytes:
    """One line that nginx writes with this directive, or (with an odd value) somebody else does."""

    def value(found: re.Match[str]) -> str:
        if chance.random() < odd:
            return chance.choice(ODD)
        said = USUAL[found[1]](chance)
        return said.replace("\\x5C", "\\\\") if text.startswith("{") else said

    return _VARIABLE.sub(value, text).encode() + b"\n"


def lines(text: str, count: int, odd: float = 0.0) -> bytes:
    chance = random.Random(text)
    return b"".join(line(text, chance, odd) for _ in range(count))


def mutated(data: bytes, share: int, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(max(1, len(changed) // share)):
        changed[chance.randrange(len(changed))] = chance.choice(b'\x00\xff\xc3\n"{}[]\\ =-0e\r:/%+.,|()')
    return bytes(changed)


@pytest.mark.parametrize("name", DIRECTIVES)
def test_usual_lines_are_read_by_columns(name: str) -> None:
    text = DIRECTIVES[name]
    for path, tally in check_equal(made_format(text), block(lines(text, 400))).items():
        assert (tally.scanned, tally.left) == (400, 0), path


@pytest.mark.parametrize("name", DIRECTIVES)
@pytest.mark.parametrize("odd", [0.01, 0.1])
def test_odd_values(name: str, odd: float) -> None:
    text = DIRECTIVES[name]
    tallies = check_equal(made_format(text), block(lines(text, 1500, odd)))
    assert all(tally.scanned > 150 and tally.left > 50 for tally in tallies.values())


@pytest.mark.parametrize("name", DIRECTIVES)
def test_bytes_changed_at_random(name: str) -> None:
    text = DIRECTIVES[name]
    chance, data = random.Random(name), lines(text, 150)
    for share in (40, 200, 1000, 5000):
        check_equal(made_format(text), block(mutated(data, share, chance)))


@pytest.mark.parametrize("name", LINE_BY_LINE)
def test_what_only_a_single_line_can_tell(name: str) -> None:
    text = LINE_BY_LINE[name]
    assert all(not tally.scanned for tally in check_equal(made_format(text), block(lines(text, 150))).values())


def test_ingress_nginx() -> None:
    """The format that ships, with every other line from a controller that tried two upstreams."""
    one = b'10.244.1.1 - ann [27/Nov/2020:10:05:0%d +0000] "PUT /v2/pay/api/manifests/1.2 HTTP/1.1" 201 0 "-" "docker/19" 1921 '
    one += b"0.117 [harbor-core-80] [] 10.244.4.100:8080%s 0%s 0.012%s %s 1f2b7c9a55d1e6f3a8b4c2d1e0f9a8b8\n"
    usual, tried_two = (b"", b"", b"", b"201"), (b", 10.244.4.101:8080", b", 0", b", 0.105", b"502, 201")
    data = b"".join(one % (number % 10, *(tried_two if number % 2 else usual)) for number in range(400))
    for tally in check_equal(formats()["ingress-nginx"], block(data)).values():  # type: ignore[arg-type]
        assert (tally.scanned, tally.left) == (200, 200)
