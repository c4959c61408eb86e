"""Settings of `[alerts]`."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.config import AlertsConfig, Channel
from alerts.errors import ChannelUnusable
from store.finding import Severity

TOKEN = "T0PSECRETTOKEN"


def test_a_whole_section_is_read() -> None:
    """Spans are written like 6h, and each kind of channel is told from its keys."""
    config = AlertsConfig.model_validate(
        tomllib.loads(
            """
            cool_down = "90m"
            max_age = "14d"
            remind_after = "4h"
            link_base = "https://regsight.example.org/"
            [[channels]]
            name = "mail"
            apprise = "mailto://user:pw@example.org"
            [[channels]]
            name = "on-call"
            alertmanager = "http://alertmanager:9093/"
            min_severity = "high"
            escalate_to = "boss"
            escalate_after = "15m"
            [[channels]]
            name = "soar"
            webhook = "https://soar.example.org/hook"
            secret_env = "SOAR_SECRET"
            [[channels]]
            name = "boss"
            smtp = "smtp://mail.example.org:587"
            mail_from = "regsight@example.org"
            mail_to = ["boss@example.org"]
            only_escalations = true
            quiet_hours = "22:00-07:00"
            zone = "Europe/Berlin"
            """
        )
    )
    assert config.cool_down == timedelta(minutes=90) and config.max_age == timedelta(days=14)
    assert [channel.kind for channel in config.channels] == ["apprise", "alertmanager", "webhook", "smtp"]
    severities = [channel.min_severity for channel in config.channels]
    assert severities == [Severity.MEDIUM, Severity.HIGH, Severity.MEDIUM, Severity.MEDIUM]
    assert config.group_by == "incident" and config.remind_after == timedelta(hours=4)
    on_call, boss = config.channels[1], config.channels[3]
    assert (on_call.escalate_to, on_call.escalate_after) == ("boss", timedelta(minutes=15))
    assert boss.only_escalations and (boss.quiet_hours, boss.zone) == ("22:00-07:00", "Europe/Berlin")
    assert config.link_base == "https://regsight.example.org"


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ({"name": "x"}, "exactly one of"),
        ({"name": "x", "apprise": "json://h", "alertmanager": "http://h"}, "apprise and alertmanager"),
        ({"name": "x", "webhook": "https://h/" + TOKEN}, "secret_file or secret_env"),
        ({"name": "x", "apprise": "json://h/" + TOKEN, "bearer_env": "B"}, "kind alertmanager"),
        ({"name": "x", "alertmanager": f"http://u:{TOKEN}@h"}, "password_file"),
        ({"name": "x", "alertmanager": "alertmanager:9093"}, "base address"),
        ({"name": "x", "apprise": f"json://h/{TOKEN}", "min_sevrity": "low"}, "min_sevrity"),
        ({"name": "No Spaces", "apprise": f"json://h/{TOKEN}"}, "name"),
        ({"name": "x", "apprise": f"json://h/{TOKEN}", "max_per_hour": 0}, "max_per_hour"),
        ({"name": "x", "apprise": f"json://h/{TOKEN}", "quiet_hours": "22-7"}, "22:00-07:00"),
        ({"name": "x", "apprise": f"json://h/{TOKEN}", "zone": "Europe/Nowhere"}, "no time zone"),
        ({"name": "x", "apprise": f"json://h/{TOKEN}", "zone": "../../etc/passwd"}, "no time zone"),
        ({"name": "x", "apprise": f"json://h/{TOKEN}", "mail_to": ["a@b.c"]}, "kind smtp"),
        ({"name": "x", "apprise": f"json://h/{TOKEN}", "username": "u"}, "kind alertmanager or smtp"),
        ({"name": "x", "smtp": "smtp://h", "mail_from": "a@b.c"}, "mail_to"),
        ({"name": "x", "smtp": f"smtp://u:{TOKEN}@h", "mail_from": "a@b.c", "mail_to": ["a@b.c"]}, "password_file"),
        ({"name": "x", "smtp": "http://h", "mail_from": "a@b.c", "mail_to": ["a@b.c"]}, "smtp://"),
        (
            {"name": "x", "smtp": "smtp://h", "mail_from": "a@b.c\r\nBcc: x@y.z", "mail_to": ["a@b.c"]},
            "plain addresses",
        ),
    ],
)
def test_a_wrong_channel_is_named_without_its_secret(channel: dict[str, Any], said: str) -> None:
    """The error says what is wrong, and no token, password or address that holds one."""
    with pytest.raises(ValidationError) as caught:
        AlertsConfig(channels=[channel])  # type: ignore[list-item]
    assert said in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_channel_names_are_used_once() -> None:
    """Two channels of one name would share their deliveries."""
    with pytest.raises(ValidationError, match="used twice: x"):
        AlertsConfig(channels=[Channel(name="x", apprise="json://a"), Channel(name="x", apprise="json://b")])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("to", "said"),
    [({"a": "c"}, "no channel"), ({"a": "a"}, "in a circle"), ({"a": "b", "b": "a"}, "in a circle")],
)
def test_escalation_leads_somewhere(to: dict[str, str], said: str) -> None:
    """To a channel that there is, and not back."""
    channels = [{"name": name, "apprise": "json://h", "escalate_to": to.get(name)} for name in "ab"]
    with pytest.raises(ValidationError, match=said):
        AlertsConfig.model_validate({"channels": channels})


def test_secrets_do_not_show(tmp_path: Path) -> None:
    """Neither repr nor a dump of the settings shows an address that holds a token."""
    channel = Channel(name="x", apprise=f"slack://{TOKEN}")  # type: ignore[arg-type]
    assert TOKEN not in repr(channel) + str(channel) + str(channel.model_dump()) + channel.model_dump_json()
    assert channel.secret("apprise") == f"slack://{TOKEN}"


def test_secrets_come_from_files_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or variable is read when it is needed, and what is missing is named."""
    file = tmp_path / "address"
    channel = Channel(name="x", apprise_file=file)
    with pytest.raises(ChannelUnusable, match="No such file"):
        channel.secret("apprise")
    file.write_text(" \n")
    with pytest.raises(ChannelUnusable, match="is empty"):
        channel.secret("apprise")
    file.write_text("json://host\n")
    assert channel.secret("apprise") == "json://host"

    channel = Channel(name="y", alertmanager="http://h", bearer_env="REGSIGHT_TEST_BEARER")
    with pytest.raises(ChannelUnusable, match="REGSIGHT_TEST_BEARER is not set"):
        channel.secret("bearer")
    monkeypatch.setenv("REGSIGHT_TEST_BEARER", "b")
    assert channel.secret("bearer") == "b"
    assert channel.secret("password") is None
