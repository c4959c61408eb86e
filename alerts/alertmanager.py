"""Findings as alerts of Prometheus Alertmanager, by its v2 API.

An alert is firing until its `endsAt`. A finding tells of something past, and an alert that begins ended is never
shown to anybody; so it fires from its own start until `resolve_after` behind the delivery, and Alertmanager resolves
it then by itself; when the incident is closed, `resolve` ends it at once.

Alertmanager keeps alerts in memory only and expects its clients to say them again: `keep_firing`. That amends them, too:
what late data added to a finding is in the annotations from then on, and nobody is notified a second time.

The severity is a label, as routing wants it, so a finding that became more severe is a second alert; the first one is
not said again and ends by itself.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from alerts.config import Channel
from alerts.inert import inert
from alerts.message import Message, subjects
from alerts.post import post
from store.event import iso
from store.finding import Finding, Severity


def send(channel: Channel, finding: Finding, message: Message, now: datetime) -> None:
    """POST one finding as a firing alert.

    Raises:
        AlertsError: see `alerts.post.post`; ChannelUnusable also where a secret cannot be read.
    """
    _post(channel, [alert(channel, finding, message, now)], now)


def resolve(channel: Channel, finding: Finding, message: Message, now: datetime) -> None:
    """End the finding's alerts, whatever severity they were told with. Harmless where there is none.

    Raises:
        AlertsError: as `send`.
    """
    ended = []
    for severity in Severity:
        if min(channel.min_severity.rank, finding.severity.rank) <= severity.rank <= finding.severity.rank:
            one = alert(channel, replace(finding, severity=severity), message, now)
            ended.append(one | {"endsAt": iso(now)})
    if ended:
        _post(channel, ended, now)


def keep_firing(channel: Channel, told: Sequence[tuple[Finding, Message, datetime]], now: datetime) -> int:
    """Say again what is still firing (finding, its message, when it was sent); how many that were.

    Harmless to repeat: an alert is known by its labels, and nobody is notified a second time.
    """
    firing = [
        alert(channel, finding, message, sent_at)
        for finding, message, sent_at in told
        if sent_at + channel.resolve_after > now
    ]
    if firing:
        _post(channel, firing, now)
    return len(firing)


def alert(channel: Channel, finding: Finding, message: Message, sent_at: datetime) -> dict[str, Any]:
    """The alert as the API takes it: labels name the finding and never change, annotations are what people read."""
    who = "; ".join(f"{label.lower()} {names}" for label, names in subjects(finding))
    shown = {
        "alertname": "RegsightFinding",
        "severity": str(finding.severity),
        "detector": inert(finding.detector, 100),
        "kind": inert(finding.kind, 100),
        "finding_id": finding.id,
    }
    content: dict[str, Any] = {
        "labels": shown,
        "annotations": {
            "summary": inert(finding.title, 200) + (f" ({who})" if who else ""),
            "description": message.text,
            "runbook_url": message.runbook,
        },
        "startsAt": iso(min(finding.start, sent_at)),
        "endsAt": iso(sent_at + channel.resolve_after),
    }
    if message.thread != finding.id:
        content["annotations"]["incident"] = message.thread
    if message.acknowledge:
        content["annotations"]["acknowledge_url"] = message.acknowledge
    if message.link:
        content["generatorURL"] = message.link
    return content


def _post(channel: Channel, alerts: Sequence[dict[str, Any]], now: datetime) -> None:
    headers = {}
    if (bearer := channel.secret("bearer")) is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    elif channel.username is not None:
        pair = f"{channel.username}:{channel.secret('password') or ''}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    post(f"{channel.alertmanager}/api/v2/alerts", json.dumps(list(alerts)).encode(), headers, now, channel.ca_file)
