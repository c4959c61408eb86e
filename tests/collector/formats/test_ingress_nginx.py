"""ingress-nginx with its own log format."""

from __future__ import annotations

from datetime import UTC, datetime

from format_samples import read_sample, rows, said

SAMPLE = "ingress-nginx/harbor-behind-ingress.log"
AGENT = (
    "docker/19.03.12 go/go1.13.10 git-commit/48a66213fe kernel/4.15.0-213-generic os/linux arch/amd64 "
    "UpstreamClient(Docker-Client/19.03.12 \\(linux\\))"
)


def test_a_push_in_full() -> None:
    """Tried at two upstreams: the answer to the client counts."""
    page, challenge, push = rows(read_sample("ingress-nginx", SAMPLE))
    assert said(push) == {
        "channel": "access",
        "timestamp": datetime(2020, 11, 27, 10, 5, 2, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "actor": "robot$payments+ci",
        "client_ip": "10.244.1.1",
        "client_via": "peer",
        "user_agent": AGENT,
        "method": "PUT",
        "uri": "/v2/payments/api/manifests/1.2.0",
        "status": 201,
        "response_bytes": 0,
        "request_bytes": 1921,
        "duration_ns": 117_000_000,
        "repository": "payments/api",
        "project": "payments",
        "reference": "1.2.0",
        "tag": "1.2.0",
    }
    assert (page["action"], page["duration_ns"], page["actor"]) == ("other", 1_279_000_000, None)
    assert (challenge["action"], challenge["outcome"], challenge["reason"]) == ("ping", "unknown", "challenge")
