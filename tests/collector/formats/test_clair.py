"""Clair's reports and notifications."""

from __future__ import annotations

import json
from datetime import timedelta

from format_samples import read, read_sample, rows, said

DIGEST = "sha256:35c102085707f703de2d9eaad8752d6fe1b8f02b5d2149f1d8357c9cc7fb7d0a"


def test_a_notification_in_full() -> None:
    """It says what was found in which manifest, and not when."""
    (found,) = rows(read_sample("clair", "clair/notification_page.json"))
    assert found["timestamp"] == found["read_at"]
    assert said(found | {"timestamp": None}) == {
        "channel": "application",
        "action": "scan",
        "outcome": "success",
        "reference": DIGEST,
        "digest": DIGEST,
        "error_message": "added: CVE-2009-5155 (Unknown) in libapt-pkg5.0 1.6.11",
    }
    (again,) = rows(read_sample("clair", "clair/notification_page.json"))
    assert again["event_id"] == found["event_id"]
    assert timedelta(0) <= again["timestamp"] - found["timestamp"] < timedelta(minutes=1)


def test_a_report() -> None:
    """Counts are of the vulnerabilities that a package of the image has, by the normalised severity."""
    report = {
        "manifest_hash": DIGEST,
        "packages": {"1": {}},
        "vulnerabilities": {
            "7": {"severity": "whatever", "normalized_severity": "Critical", "fixed_in_version": "2"},
            "8": {"normalized_severity": "Negligible", "fixed_in_version": ""},
            "9": {"normalized_severity": "High"},
        },
        "package_vulnerabilities": {"1": ["7", "8"], "2": ["7"]},
    }
    (scan,) = rows(read("clair", json.dumps(report).encode() + b"\n"))
    assert scan["error_message"] == "2 vulnerabilities: critical 1, negligible 1; 1 fixable"


def test_documents_about_no_image() -> None:
    """A vulnerability by itself, and the webhook that only says where to fetch the page."""
    assert read_sample("clair", "clair/vulnerability_summary.json").events.num_rows == 0
    hook = read(
        "clair", b'{"notification_id":"1b4d0db2","callback":"http://clair/notifier/api/v1/notification/1b4d0db2"}\n'
    )
    assert (hook.events.num_rows, hook.ignored, hook.rejects) == (0, 1, [])


def test_what_cannot_be_read() -> None:
    data = b'{"notifications":[{"id":"1"},7,{"id":"1","reason":"added","manifest":"x","vulnerability":{"name":"CVE"}}]}\n{"a":1}\n'
    parsed = read("clair", data)
    assert (parsed.events.num_rows, len(parsed.rejects), parsed.lines) == (0, 4, 2)
