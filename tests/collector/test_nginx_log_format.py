"""Formats made from nginx' own log_format, on lines that a real nginx wrote with it."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from format_samples import block, rows
from typer.testing import CliRunner

from collector.build import feeds
from collector.config import CollectorConfig
from collector.errors import LogFormatError
from collector.nginx_directives import LogFormat, read_log_formats
from collector.nginx_log_format import own_formats
from collector.recognise import recognise
from regsight.cli import app
from regsight.commands.options import UsageError
from regsight.parsing import parsed_files

DIGEST = "sha256:" + "ab" * 32
CONFIGURATION = r"""
# log_format commented '$status $request';
daemon off; error_log stderr; pid nginx.pid;
events {}
http {
    client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    log_format own  '$http_x_forwarded_for|$remote_addr|$remote_port|$msec|'
                    '"$request_method" "$request_uri" $status|$bytes_sent|'
                    "\"$http_user_agent\" ${request_time} $http_host \"$sent_http_docker_content_digest\" $remote_user";
    log_format asjson escape=json '{"t":"$time_iso8601","ip":"$remote_addr","user":"$remote_user","r":"$request",'
        '"status":$status,"size":$body_bytes_sent,"agent":"$http_user_agent","took":"$request_time","xff":"$http_x_forwarded_for"}';
    log_format guess '$remote_addr$status $request';
    access_log own.log own;
    access_log json.log asjson;
    server {
        listen 127.0.0.1:PORT;
        location /v2/denied { return 403; }
        location /v2/ { add_header Docker-Content-Digest DIGEST; return 200 "{}"; }
    }
}
"""
HOSTILE = 'x" 200|1|"docker" 0.000 h "-" admin {"ip":"6.6.6.6"} \\" é'


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an nginx that answered four requests, with its configuration and its access logs."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    written = CONFIGURATION.replace("PORT", str(port)).replace("DIGEST", DIGEST, 1)
    (folder / "nginx.conf").write_text(written)
    nginx = subprocess.Popen(["nginx", "-p", str(folder), "-c", "nginx.conf"], stderr=subprocess.PIPE)
    try:
        for method, uri, headers in requests():
            ask(port, method, uri, headers)
        wait_for(lambda: all(written_lines(folder / name) == 4 for name in ("own.log", "json.log")))
        yield folder
    finally:
        nginx.terminate()
        nginx.communicate(timeout=20)


def requests() -> Iterator[tuple[str, str, dict[str, str]]]:
    user = base64.b64encode(b"robot$payments+ci:secret").decode()
    yield (
        "GET",
        "/v2/payments/api/manifests/1.0",
        {"User-Agent": "docker/24.0", "X-Forwarded-For": "203.0.113.9, 10.0.0.1"},
    )
    yield "PUT", "/v2/denied/manifests/2", {"User-Agent": "containers/5.30.1", "Authorization": f"Basic {user}"}
    yield "GET", "/v2/payments/api/manifests/1.0", {"User-Agent": HOSTILE}
    yield "GET", "/v2/", {"X-Forwarded-For": '6.6.6.6|127.9.9.9|1|1.000|"GET" "/v2/x/manifests/1" 200|1|"'}


def ask(port: int, method: str, uri: str, headers: dict[str, str]) -> None:
    """One request, as soon as the server answers."""
    deadline = time.monotonic() + 20
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            encoded = {name: value.encode("utf-8") for name, value in headers.items()}
            connection.request(method, uri, headers=encoded)
            connection.getresponse().read()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        finally:
            connection.close()


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def written_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def read_log(site: Path, log: str, name: str) -> tuple[list[dict[str, Any]], list[str]]:
    (own,) = own_formats(name, (site / "nginx.conf").read_text())
    parsed = own.parse(block((site / log).read_bytes()))
    return rows(parsed), [reject.reason for reject in parsed.rejects]


def test_a_format_with_bars_in_full(site: Path) -> None:
    """Every variable that an event has a field for is in it."""
    (first, second, third), rejects = read_log(site, "own.log", "own")
    told = {name: value for name, value in first.items() if value is not None}
    assert told.pop("timestamp").year >= 2024
    assert 0 <= told.pop("duration_ns") < 10**10
    assert 1024 <= told.pop("client_port") < 65536
    assert told.pop("host").startswith("127.0.0.1:")
    assert told.pop("response_bytes") > 100  # $bytes_sent: the header too
    assert {name: told[name] for name in sorted(told) if name not in ("event_id", "read_at", "registry", "path")} == {
        "action": "pull",
        "channel": "access",
        "client_ip": "127.0.0.1",
        "client_via": "peer",
        "dataset": "nginx-log-format",
        "digest": DIGEST,
        "forwarded_for": "203.0.113.9, 10.0.0.1",
        "method": "GET",
        "offset": 0,
        "outcome": "success",
        "parts": ["s:0"],
        "project": "payments",
        "reference": "1.0",
        "registry_kind": "proxy",
        "repository": "payments/api",
        "revision": 0,
        "status": 200,
        "stream": "s",
        "tag": "1.0",
        "uri": "/v2/payments/api/manifests/1.0",
        "user_agent": "docker/24.0",
    }
    assert (second["action"], second["outcome"], second["reason"]) == ("push", "denied", "forbidden")
    assert (second["actor"], second["repository"], second["tag"]) == ("robot$payments+ci", "denied", "2")
    assert (third["actor"], third["client_ip"]) == (None, "127.0.0.1")
    # The header that imitates the rest of a line does not have the form of addresses.
    assert rejects == ["not a line of this log_format"]


def test_a_json_format(site: Path) -> None:
    """`escape=json` is undone, and what a client sends stays where it belongs."""
    events, rejects = read_log(site, "json.log", "asjson")
    assert [(one["action"], one["outcome"]) for one in events] == [
        ("pull", "success"),
        ("push", "denied"),
        ("pull", "success"),
    ]
    assert rejects == ["not a line of this log_format"]
    assert [one["actor"] for one in events] == [None, "robot$payments+ci", None]
    assert events[2]["user_agent"] == HOSTILE
    assert {one["client_ip"] for one in events} == {"127.0.0.1"}
    assert events[0]["forwarded_for"] == "203.0.113.9, 10.0.0.1"


def test_which_of_several_formats(site: Path) -> None:
    """Without a name the one that fits the lines is taken; those that cannot be read without guessing are left out."""
    known = own_formats(None, (site / "nginx.conf").read_text())
    assert [one.title for one in known] == ["nginx log_format own", "nginx log_format asjson"]
    assert recognise((site / "json.log").read_bytes(), known).title == "nginx log_format asjson"
    assert recognise((site / "own.log").read_bytes(), known).title == "nginx log_format own"
    looks = list(parsed_files([str(site / "json.log")], None, "r1", own=known))
    assert [(look.format, look.parsed.events.num_rows) for look in looks] == [("nginx-log-format", 3)]


def test_a_file_source_with_a_format_of_its_own(site: Path) -> None:
    """The settings name the configuration, or hold the directive's text."""
    source = {
        "type": "file",
        "name": "front",
        "paths": [str(site / "own.log")],
        "nginx_config": str(site / "nginx.conf"),
    }
    (feed,) = feeds(CollectorConfig.model_validate({"sources": [source | {"log_format": "own"}]}), lambda: [], None)  # type: ignore[arg-type] # no receiver
    assert [one.title for one in feed.own] == ["nginx log_format own"]
    text = '$remote_addr - [$time_local] "$request" $status'
    (feed,) = feeds(
        CollectorConfig.model_validate(
            {"sources": [{"type": "file", "name": "front", "paths": ["x"], "log_format": text}]}
        ),
        lambda: [],
        None,  # type: ignore[arg-type]
    )
    line = b'192.0.2.7 - [24/Nov/2026:02:17:24 +0000] "GET /v2/a/manifests/1 HTTP/1.1" 404\n'
    (event,) = rows(feed.own[0].parse(block(line)))
    assert (event["action"], event["reason"], event["client_ip"]) == ("pull", "not_found", "192.0.2.7")
    with pytest.raises(ValueError, match="describe one of your own"):
        CollectorConfig.model_validate({"sources": [source | {"format": "nginx-combined"}]})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("$remote_addr$remote_user $request $status", "nothing between"),
        ("$remote_addr $request", "lacks \\$status"),
        ("$remote_addr $status", "lacks \\$request"),
    ],
)
def test_formats_that_would_have_to_be_guessed(text: str, says: str) -> None:
    with pytest.raises(LogFormatError, match=says):
        own_formats(text, None)


def test_other_refusals() -> None:
    with pytest.raises(LogFormatError, match="escape=none"):
        own_formats("free", "log_format free escape=none '$request $status';")
    with pytest.raises(LogFormatError, match="no log_format 'main'"):
        own_formats("main", "log_format other '$request $status';")


def test_reading_directives() -> None:
    """Strings of both quotes are joined, comments are left out, escapes are undone."""
    text = """
    http { # log_format no 'x';
      log_format a '$status ' "\\"$request\\"" ; log_format b escape=json $status;
      log_format unfinished '$status
    """
    assert read_log_formats(text) == [LogFormat("a", '$status "$request"'), LogFormat("b", "$status", "json")]
    assert read_log_formats("\x00{{{;;; '") == []


@pytest.mark.parametrize("client", ["203.0.113.9", "2001:db8::9"])
def test_the_proxy_protocol_names_the_client(client: str) -> None:
    """Quay's own format: the peer is the load balancer."""
    text = '$remote_addr ($proxy_protocol_addr) - $remote_user [$time_local] "$request" $status $body_bytes_sent'
    line = f'10.0.0.5 ({client}) - - [24/Nov/2026:02:17:24 +0000] "GET /v2/a/manifests/1 HTTP/1.1" 200 12\n'
    (event,) = rows(own_formats(text, None)[0].parse(block(line.encode())))
    assert (event["client_ip"], event["peer_ip"], event["client_via"]) == (client, "10.0.0.5", "forwarded")


def test_a_value_never_passes_for_its_neighbours() -> None:
    """Without quotes a name with blanks could write the rest of the line: such a line names nobody."""
    own = own_formats(
        "$remote_addr $remote_user $time_iso8601 $request_method $request_uri $status $http_user_agent", None
    )[0]
    rest = b"2026-11-24T02:17:24Z GET /v2/a/manifests/1 200 curl"
    (event,) = rows(own.parse(block(b"192.0.2.7 mallory " + rest + b"\n")))
    assert (event["actor"], event["action"], event["user_agent"]) == ("mallory", "pull", "curl")
    forged = own.parse(block(b"192.0.2.7 admin " + rest + b" " + rest + b"\n"))
    assert (forged.events.num_rows, len(forged.rejects)) == (0, 1)


def test_a_line_of_a_million_characters_is_read_in_no_time() -> None:
    own = own_formats(
        '$http_x_forwarded_for - $remote_user [$time_local] "$request" $status $http_referer $upstream_addr', None
    )[0]
    began = time.monotonic()
    for filler in (b"1, ", b"a", b" : ", b'" ', b"\\x", b" - "):
        own.parse(block(filler * (1_000_000 // len(filler)) + b"\n"))
    assert time.monotonic() - began < 5


def test_the_commands(site: Path, tmp_path: Path) -> None:
    """`parse` and `collect` take a configuration, or the text itself; what cannot be used is said in one sentence."""
    log, written = str(site / "own.log"), str(site / "nginx.conf")
    shown = CliRunner().invoke(app, ["parse", log, "--nginx-config", written, "--log-format", "own"])
    assert shown.exit_code == 0
    assert [json.loads(line)["event.dataset"] for line in shown.output.splitlines()] == ["nginx-log-format"] * 3
    store = f"delta:{tmp_path}/store"
    done = CliRunner().invoke(app, ["collect", log, "--nginx-config", written, "--store", store, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["lines"], told["events"], told["dead_letters"]) == (4, 3, 1)
    both = CliRunner().invoke(app, ["parse", log, "--format", "zot", "--log-format", "x"])
    assert isinstance(both.exception, UsageError)
    unusable = CliRunner().invoke(app, ["parse", log, "--log-format", "$request"])
    assert isinstance(unusable.exception, LogFormatError)


def test_the_format_that_the_documentation_recommends() -> None:
    page = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text(encoding="utf-8")
    (own,) = own_formats("registry", page.partition("```nginx\n")[2].partition("```")[0])
    line = (
        b'{"t":"2026-11-24T02:17:24+00:00","ms":"1795486644.123","ip":"192.0.2.1","xff":"","user":"a b",'
        b'"r":"GET /v2/a/manifests/1 HTTP/1.1","s":200,"in":"12","out":"5","took":"0.001","agent":"x \\" y","host":"h",'
        b'"digest":"' + DIGEST.encode() + b'","id":"q"}\n'
    )
    (event,) = rows(own.parse(block(line)))
    assert (event["actor"], event["user_agent"], event["digest"], event["request_id"]) == ("a b", 'x " y', DIGEST, "q")
    assert event["timestamp"].microsecond == 123_000
