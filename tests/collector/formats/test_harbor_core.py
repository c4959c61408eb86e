"""Harbor's core log tells of refused logins."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from format_samples import read, read_sample, rows


def test_a_refused_login_in_full() -> None:
    """The client is the first address of the chain; the user agent and the name are the client's own."""
    first, *rest = rows(read_sample("harbor-core", "harbor-core/auth-failures-syslog-2023.log"))
    assert {
        name: value for name, value in first.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "application",
        "timestamp": datetime(2023, 5, 16, 12, 11, 39, tzinfo=UTC),
        "action": "login",
        "outcome": "denied",
        "reason": "bad_credentials",
        "dataset": "harbor-core",
        "registry": "r1",
        "registry_kind": "harbor",
        "actor": "test",
        "client_ip": "1.1.1.1",
        "client_via": "forwarded",
        "forwarded_for": "1.1.1.1, 192.168.32.1",
        "user_agent": "docker/23.0.6 go/go1.19.9 git-commit/9dbdbd4 kernel/5.15.90.1-microsoft-standard-WSL2 os/linux "
        "arch/amd64 UpstreamClient(Docker-Client/23.0.6 \\(linux\\))",
        "request_id": "dfdfecc8-f49b-48b1-b32f-85b640ffe85f",
        "stream": "s",
        "offset": 0,
        "path": "harbor-core/auth-failures-syslog-2023.log",
        "parts": ["s:0"],
    }
    assert len(rest) == 12


@pytest.mark.parametrize("version", ["v2.12.4", "v2.15.2-harbor-log"])
def test_the_brute_force_of_the_capture(version: str) -> None:
    """Every refused `docker login` and API call from the attacker's host is there, with the name that was tried."""
    told = rows(read_sample("harbor-core", f"harbor-live/{version}/core.log"))
    tried = [row["actor"] for row in told if row["client_ip"] == "127.66.6.6"]
    assert tried[:9] == ["irina.v"] * 6 + ["mallory", "irina.v", "ghost"]
    assert sum(row["actor"] is None for row in told) == 4  # on the web page: the line names nobody
    assert {row["reason"] for row in told} == {"bad_credentials"}


def test_other_accounts_that_were_refused() -> None:
    """Deleted users and robots whose secret was changed are refused too, each from its own host."""
    told = rows(read_sample("harbor-core", "harbor-live/v2.12.4/core.log"))
    others = [(row["actor"], row["client_ip"]) for row in told if row["client_ip"] not in (None, "127.66.6.6")]
    assert others == [
        ("temp_contractor", "127.60.8.88"),
        ("robot$payments+ci", "127.60.1.21"),
        ("robot$payments+old", "127.60.3.44"),
    ]


def test_a_user_agent_that_ends_the_line_itself() -> None:
    """Harbor escapes nothing: whoever writes another name into the user agent accuses nobody."""
    agent = b'x"]: failed to authenticate user:admin, error:y'
    data = (
        b'2026-11-24T02:45:08Z [ERROR] [/server/middleware/security/basic_auth.go:72][client IP="127.66.6.6" user agent="'
        + agent
        + b'"]: failed to authenticate user:mallory, error:Failed to authenticate user\n'
    )
    (row,) = rows(read("harbor-core", data))
    assert (row["outcome"], row["actor"], row["client_ip"]) == ("denied", None, "127.66.6.6")


def test_other_lines() -> None:
    """Harbor's other lines are ignored; a line of another form is a reject."""
    data = (
        b'2026-11-24T02:45:03Z [INFO] [/server/middleware/security/robot.go:71][requestID="a"]: a robot security context\n'
        b"2026/11/24 02:46:16 http: proxy error: dial tcp 127.0.0.1:18085: connect: connection refused\n"
        b"what is this\n"
    )
    parsed = read("harbor-core", data)
    assert (parsed.events.num_rows, parsed.ignored, [reject.offset for reject in parsed.rejects]) == (0, 2, [204])
