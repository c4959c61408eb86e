"""The rules of Distribution's mixed stream, one by one. The captures are in test_distribution_truth.py."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson
import pytest
from format_samples import block, formats, read, rows, samples
from three_paths import check_equal

REQUEST = {
    "go.version": "go1.26",
    "http.request.host": "h:5000",
    "http.request.id": "q1",
    "http.request.method": "GET",
    "http.request.remoteaddr": "127.1.0.10:36077",
    "http.request.uri": "/v2/a/b/manifests/latest",
    "http.request.useragent": "skopeo/1.9.3",
    "level": "info",
    "time": "2026-11-24T02:17:24.130889796Z",
}
ANSWER = {"msg": "response completed", "http.response.status": 200, "http.response.written": 744}
ACCESS = '127.1.0.10 - - [24/Nov/2026:02:17:24 +0000] "{} HTTP/1.1" {} {} "" "skopeo/1.9.3"'


def line(**fields: Any) -> bytes:
    return json.dumps(REQUEST | {name.replace("__", "."): value for name, value in fields.items()}).encode() + b"\n"


def access(request: str, status: int, size: int = 0) -> bytes:
    return (ACCESS.format(request, status, size) + "\n").encode()


def answered(**fields: Any) -> bytes:
    return line(**(ANSWER | fields))


def one(data: bytes, name: str = "distribution-json") -> dict[str, Any]:
    parsed = read(name, data)
    assert parsed.rejects == []
    (row,) = rows(parsed)
    return row


def test_an_answer_in_full() -> None:
    """Every field that the line says, in the units of the event table."""
    row = one(answered(http__response__duration="1m51.9s", auth__user__name="u"))
    assert {
        name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "application",
        "timestamp": row["timestamp"],
        "action": "pull",
        "outcome": "success",
        "dataset": "distribution-json",
        "registry": "r1",
        "registry_kind": "distribution",
        "actor": "u",
        "client_ip": "127.1.0.10",
        "client_port": 36077,
        "client_via": "peer",
        "user_agent": "skopeo/1.9.3",
        "method": "GET",
        "uri": "/v2/a/b/manifests/latest",
        "host": "h:5000",
        "request_id": "q1",
        "status": 200,
        "response_bytes": 744,
        "duration_ns": 111_900_000_000,
        "repository": "a/b",
        "project": "a",
        "reference": "latest",
        "tag": "latest",
        "stream": "s",
        "offset": 0,
        "path": "x.log",
        "parts": ["s:0"],
    }
    assert row["timestamp"].isoformat() == "2026-11-24T02:17:24.130889+00:00"


@pytest.mark.parametrize(
    ("sent", "address", "port", "via"),
    [
        ("[2001:db8::1]:33432", "2001:db8::1", 33432, "peer"),
        ("2001:db8::1", "2001:db8::1", None, "forwarded"),
        ("198.51.100.23", "198.51.100.23", None, "forwarded"),
        ("unknown", None, None, None),
        ("<script>", None, None, None),
    ],
)
def test_where_the_request_came_from(sent: str, address: str | None, port: int | None, via: str | None) -> None:
    """With a port it is the peer, without one the header of a proxy; a forged header is no address."""
    row = one(answered(http__request__remoteaddr=sent))
    assert (row["client_ip"], row["client_port"], row["client_via"]) == (address, port, via)


CHALLENGE = 'error authorizing context: basic authentication challenge for realm "a \\"b\\": authentication failure": '


@pytest.mark.parametrize(
    ("uri", "why", "told"),
    [
        ("/v2/", "invalid authorization credential", ("ping", "unknown", "challenge")),
        ("/v2/", "authentication failure", ("login", "denied", "bad_credentials")),
        ("/v2/a/b/manifests/1", "invalid authorization credential", ("pull", "denied", "no_credentials")),
        ("/v2/a/b/manifests/1", "authentication failure", ("pull", "denied", "bad_credentials")),
        ("/v2/a/b/manifests/1", "insufficient scope", ("pull", "denied", "forbidden")),
    ],
)
def test_refusals(uri: str, why: str, told: tuple[str, str, str]) -> None:
    """What was refused and why, whatever the realm is called."""
    row = one(line(msg=CHALLENGE + why, level="warning", http__request__uri=uri))
    assert (row["action"], row["outcome"], row["reason"]) == told
    assert row["status"] is None and row["error_message"] is None


def test_a_forged_token_is_told_apart_from_a_wrong_password() -> None:
    row = one(
        line(msg="error authorizing context: invalid token", level="warning", http__request__uri="/v2/a/manifests/1")
    )
    assert (row["action"], row["outcome"], row["reason"]) == ("pull", "denied", "bad_credentials")
    assert row["error_message"] == "invalid token"


def test_the_refused_name_is_joined_to_its_request() -> None:
    """2.8 names the user in a line of its own, quoted; both lines are one event with both as parts."""
    named = line(msg='error authenticating user "admin\\"\'<x>\\\\": authentication failure', level="error")
    refused = line(msg=CHALLENGE + "authentication failure", level="warning")
    row = one(named + refused)
    assert row["actor"] == "admin\"'<x>\\"
    assert row["parts"] == ["s:0", f"s:{len(named)}"]
    assert row["join_confidence"] == "certain"


def test_several_errors_of_one_answer_are_one_event() -> None:
    """One line comes for each error of the answer; the first gives the code."""
    lines = [
        answered(msg="response completed with error", level="error", http__response__status=400, err__code=code)
        for code in ("manifest blob unknown", "manifest invalid")
    ]
    row = one(b"".join(lines))
    assert (row["outcome"], row["reason"], row["error_code"]) == ("failure", "invalid", "manifest blob unknown")
    assert len(row["parts"]) == 2


def test_a_client_that_left_is_no_server_error() -> None:
    """The registry answers 500 to nobody; the line says that the client had disconnected."""
    fields = {"level": "error", "http__response__status": 500, "err__detail": "client disconnected"}
    row = one(answered(**fields, err__code="unknown", err__message="unknown error"))
    assert (row["outcome"], row["reason"]) == ("failure", "aborted")
    assert row["error_message"] == "unknown error: client disconnected"


def test_lines_that_are_no_events() -> None:
    """Start-up lines, lines on the way, Go's own output and stack traces are ignored, not rejected."""
    data = b"".join(
        [
            b'{"level":"info","msg":"listening on 127.0.0.1:16200","time":"2026-11-24T02:17:23Z"}\n',
            line(msg="authorized request", auth__user__name="u"),
            line(msg="client disconnected during blob PATCH", level="error"),
            b"2026/11/24 02:17:31 http: superfluous response.WriteHeader call from x (handlers.go:61)\n",
            b"2026/11/24 02:17:31 http: panic serving 127.0.0.1:1: boom\n",
            b"goroutine 34 [running]:\nnet/http.(*conn).serve.func1(0xc0001)\n",
            b"\t/usr/local/go/src/net/http/server.go:1850 +0xbf\npanic({0x1, 0x2})\n",
            b"created by net/http.(*Server).Serve in goroutine 1\n\n",
        ]
    )
    parsed = read("distribution-json", data)
    assert (parsed.events.num_rows, parsed.rejects, parsed.ignored) == (0, [], 11)


def test_what_only_the_access_line_tells() -> None:
    """The application never hears of what its router refuses: those access lines are events, the others are not."""
    data = b"".join(
        [
            answered(),
            access("GET /v2/a/b/manifests/latest", 200),
            access("GET /", 200),
            access("GET /v2", 301),
            access("GET /v2/UPPER/Case/manifests/latest", 404, 19),
            access("GET /v2/../etc/passwd", 301),
            access("POST /v2/a/b/manifests/latest", 405, 19),
            access("PUT /v2/a/b/manifests/latest", 405, 19),
            access("PUT /v2/a/b/manifests/latest", 405, 78),  # the application's own refusal, in JSON, and in its log
            access("GET /v2/a/b/tags/list", 200),
        ]
    )
    parsed = read("distribution-json", data)
    told = [(row["action"], row["status"]) for row in rows(parsed) if row["channel"] == "access"]
    assert told == [("ping", 200), ("ping", 301), ("pull", 404), ("other", 301), ("other", 405), ("push", 405)]
    assert parsed.ignored == 3


def test_with_the_log_level_at_warning_access_lines_speak() -> None:
    """Without info lines only the access line tells of what went well; what failed is still in the application log."""
    warned = (
        b'{"level":"warning","msg":"No HTTP secret provided","time":"2026-11-24T02:17:23Z","go.version":"go1.19"}\n'
    )
    data = warned + access("GET /v2/a/b/manifests/latest", 200) + access("GET /v2/a/b/manifests/no", 404)
    refused = access("GET /v2/a/b/manifests/1", 401)
    told = rows(read("distribution-json", data + refused))
    assert [(row["channel"], row["action"], row["status"]) for row in told] == [("access", "pull", 200)]
    # The same in the next block, where nothing but what stands before it shows the level.
    later = formats()["distribution-json"].parse(block(refused + data[len(warned) :], offset=999, before=warned))
    assert [row["status"] for row in rows(later)] == [200]


def test_a_stream_that_begins_with_an_access_line_waits_for_the_application() -> None:
    """The two outputs are not ordered: an access line may come first, also in a block of its own."""
    first, then = access("GET /v2/a/b/manifests/latest", 200), answered()
    assert [row["channel"] for row in rows(read("distribution-json", first + then))] == ["application"]
    assert rows(formats()["distribution-json"].parse(block(first))) == []
    assert len(rows(formats()["distribution-access"].parse(block(first)))) == 1


@pytest.mark.parametrize(
    ("method", "uri", "status", "told"),
    [
        ("POST", "/v2/a/b/blobs/uploads/?mount=sha256%3A" + "a" * 64 + "&from=c/d", 201, ("mount", "c/d")),
        ("POST", "/v2/a/b/blobs/uploads/?mount=sha256%3A" + "a" * 64 + "&from=c/d", 202, ("layer_upload", "c/d")),
        ("GET", "/v2/", 200, ("ping", None)),
        ("DELETE", "/v2/a/b/manifests/v1", 202, ("untag", None)),
        ("DELETE", "/v2/a/b/manifests/sha256:" + "a" * 64, 202, ("delete", None)),
    ],
)
def test_what_the_answer_decides(method: str, uri: str, status: int, told: tuple[str, str | None]) -> None:
    """A mount is one only when it was answered 201; who deletes by tag removes a tag."""
    row = one(answered(http__request__method=method, http__request__uri=uri, http__response__status=status))
    assert (row["action"], row["from_repository"]) == told


def test_the_text_formatter_says_the_same() -> None:
    """One request in both formatters is one event with one id; quotes in a user agent change nothing."""
    agent = 'evil" status=200 level=info msg="x\t\\n'
    text = (
        b'time="2026-11-24T02:17:24.130889796Z" level=info msg="response completed" go.version=go1.26 '
        b'http.request.host="h:5000" http.request.id=q1 http.request.method=GET http.request.remoteaddr="127.1.0.10:36077" '
        b"http.request.uri=/v2/a/b/manifests/latest "
        b'http.request.useragent="evil\\" status=200 level=info msg=\\"x\\t\\\\n" '
        b'http.response.duration="941.512\xc2\xb5s" http.response.status=404 http.response.written=744 \n'
    )
    spoken = one(text, "distribution-text")
    written = one(
        answered(http__request__useragent=agent, http__response__duration="941.512µs", http__response__status=404)
    )
    assert spoken["user_agent"] == agent
    assert spoken["duration_ns"] == 941_512
    assert spoken | {"read_at": None, "dataset": ""} == written | {"read_at": None, "dataset": ""}


AUTHORIZED = line(msg="authorized request", auth__user__name="ann")


@pytest.mark.parametrize(("uri", "action"), [("/v2/a/b/manifests/latest", "pull"), ("/v2/", "login")])
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_account_stands_on_the_authorization_alone(uri: str, action: str, wrapped: bool) -> None:
    """In the block, or before it; with a name `/v2/` is a login, and has the id that it would have had with the name beside."""
    told = [
        line(msg="authorized request", auth__user__name="ann", http__request__uri=uri),
        answered(http__request__id="q2", http__request__uri=uri),  # another request, of which nobody says whose it is
        answered(http__request__uri=uri),
    ]
    if wrapped:
        told = [
            orjson.dumps({"log": one.decode(), "stream": "stdout", "time": REQUEST["time"]}) + b"\n" for one in told
        ]
    format_ = formats()["distribution-json"]
    other, own = rows(format_.parse(block(b"".join(told))))
    assert other["actor"] is None
    assert own["actor"] == "ann"
    named = one(answered(http__request__uri=uri, auth__user__name="ann"))
    assert (own["action"], own["event_id"]) == (action, named["event_id"])
    (later,) = rows(format_.parse(block(told[2], offset=9_000, before=b"".join(told[:2]))))
    assert later["actor"] == "ann" and later["event_id"] == own["event_id"]


@pytest.mark.parametrize("version", ["v3-json", "v3-text"])
def test_a_capture_whose_answers_name_nobody(version: str) -> None:
    """What Distribution 3 says twice, said once: all three paths give the rows that they gave before, name for name."""
    name = f"distribution-{version.partition('-')[2]}"
    data = next(sample.data for sample in samples() if sample.format_name == name and version in sample.id)
    ending = re.compile(rb'[^\n]*"?msg"?[=:]"response completed"[^\n]*')
    silent = ending.sub(lambda found: re.sub(rb'"auth.user.name":"[^"]*",|auth.user.name=\S+ ', b"", found[0]), data)
    assert silent != data
    check_equal(name, block(silent))
    whole, told = rows(read(name, data)), rows(read(name, silent))
    for row in whole + told:  # the bytes between have become fewer
        row |= {"read_at": None, "offset": None, "parts": None}
        if row["channel"] == "access":
            row["event_id"] = None
    assert told == whole
    assert {row["action"] for row in told if row["actor"]} >= {"push", "pull", "login"}


def test_a_client_that_calls_itself_an_authorization() -> None:
    agent = '","msg":"authorized request","auth.user.name":"root","http.request.id":"q1","x":"'
    data = line(msg="something else", http__request__useragent=agent) + answered() + AUTHORIZED.replace(b"q1", b"q3")
    (row,) = rows(read("distribution-json", data))
    assert row["actor"] is None


def test_old_releases_escape_what_needs_none() -> None:
    r"""2.7 prints `\(` inside quotes, which is no escape of Go: it stays."""
    agent = rb"UpstreamClient(Docker-Client/20.10.8 \(darwin\))"
    text = b'time="2022-03-20T06:54:33Z" level=info msg="response completed" http.request.id=q http.request.method=GET '
    row = one(
        text + b'http.request.uri="/v2/" http.request.useragent="' + agent + b'" http.response.written=2 \r\n',
        "distribution-text",
    )
    assert row["user_agent"] == agent.decode()


def test_logstash_form() -> None:
    """The logstash formatter of 2.x names time and message otherwise."""
    fields = {name: value for name, value in REQUEST.items() if name != "time"} | ANSWER
    fields["message"], fields["@timestamp"] = fields.pop("msg"), "2026-11-24T02:17:24Z"
    row = one(json.dumps(fields | {"@version": "1", "type": "registry"}).encode() + b"\n")
    assert (row["action"], row["timestamp"].isoformat()) == ("pull", "2026-11-24T02:17:24+00:00")


def test_wrapped_lines() -> None:
    """Syslog, compose and docker's json-file stand in front of the same line; the offset is that of the whole line."""
    plain = answered().rstrip(b"\n")
    wrapped = [
        b"Nov 24 02:17:24 127.18.0.1 registry[1065]: " + plain,
        b"registry_1  | " + plain,
        json.dumps({"log": plain.decode() + "\n", "stream": "stderr", "time": "2026-11-24T02:17:24.2Z"}).encode(),
    ]
    for text in wrapped:
        row = one(b"\n" + text + b"\n")
        assert (row["action"], row["offset"]) == ("pull", 1)


def test_a_torn_line_is_a_reject_with_its_offset() -> None:
    """A line cut in the middle is a reject with offset, length and reason, and nothing else changes."""
    torn = answered()[:200] + b"\n"
    parsed = read("distribution-json", answered() + torn + answered(http__request__id="q2"))
    (reject,) = parsed.rejects
    assert (reject.offset, reject.length, reject.reason) == (len(answered()), 200, "torn or mutated JSON")
    assert [row["request_id"] for row in rows(parsed)] == ["q1", "q2"]
