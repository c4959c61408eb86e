"""Mail to a real SMTP server."""

from __future__ import annotations

import email
import email.policy
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from servers.alertmanager import free_port

from alerts.chart import Bar, Chart, chart_of
from alerts.config import AlertsConfig
from alerts.notify import Delivered, deliver, send_test
from alerts.policy import enqueue_new
from store.contract import EventReader
from store.errors import Unavailable
from store.finding import Finding
from store.incident import Incident
from store.records import SqliteRecords

from .conftest import NOW, make_finding

MINUTE = timedelta(minutes=1)


@dataclass
class Inbox:
    """What the server took; `answer` is what it says to the next message, if anything else than 250."""

    mails: list[EmailMessage] = field(default_factory=list)
    answer: str = ""
    refused: set[str] = field(default_factory=set)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer:
            said, self.answer = self.answer, ""
            return said
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*request, *names, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def _tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@dataclass
class Server:
    inbox: Inbox
    port: int


def _serve(inbox: Inbox, **options: Any) -> Iterator[Server]:
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    yield Server(inbox, controller.port)
    controller.stop()


@pytest.fixture
def smtp() -> Iterator[Server]:
    """Without TLS and login, as on a trusted network."""
    yield from _serve(Inbox())


@pytest.fixture
def safe_smtp(certificate: tuple[Path, Path]) -> Iterator[Server]:
    """STARTTLS and a login are required."""

    def known(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password == b"open sesame"
        return AuthResult(success=good, handled=False)  # the server answers a wrong one

    yield from _serve(
        Inbox(), tls_context=_tls(certificate), require_starttls=True, authenticator=known, auth_required=True
    )


def config(port: int, **changed: Any) -> AlertsConfig:
    channel = {
        "name": "mail",
        "smtp": f"smtp://127.0.0.1:{port}",
        "mail_from": "regsight@example.org",
        "mail_to": ["ops@example.org", "lead@example.org"],
        **changed,
    }
    return AlertsConfig.model_validate({"channels": [channel], "remind_after": "1h"})


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def chart(finding: Finding) -> Chart:
    return Chart("198.51.100.7", MINUTE, [Bar(NOW - MINUTE, 10, 0), Bar(NOW, 100, 75)])


def test_a_finding_arrives_with_text_html_and_chart(store: SqliteRecords, smtp: Server) -> None:
    """Both parts say the same, the hostile name is text, and no header can be smuggled in by it."""
    settings = config(smtp.port)
    store.put_finding(make_finding(title="refused logins of <b>eve</b>\r\nBcc: all@example.org"))
    enqueue_new(store, settings, NOW)
    done = deliver(store, settings, NOW, charts=chart)
    assert done == Delivered(sent=1), store.deliveries()[0].error
    (mail,) = smtp.inbox.mails
    assert mail["Subject"] == "[HIGH] refused logins of ‹b›eve‹/b› Bcc: all@example.org"
    assert mail["Bcc"] is None and mail["To"] == "ops@example.org, lead@example.org"
    assert mail["Message-ID"] == f"<{make_finding().id}-mail@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated" and mail["Date"].datetime == NOW
    text, html = body(mail, "plain"), body(mail, "html")
    for part in (text, html):
        assert "312 refused logins in 30 minutes" in part and "Requests of 198.51.100.7 per 1 min" in part
    assert "<b>eve" not in html and 'bgcolor="#c0392b" width=240' in html
    assert f"11-24 12:00 {'x' * 30}{'=' * 10} 100" in text


def test_what_belongs_to_one_incident_is_one_thread(store: SqliteRecords, smtp: Server) -> None:
    """The reminder stands below the first mail."""
    finding = make_finding()
    store.put_finding(finding)
    incident = Incident(
        id="inc-1",
        title=finding.title,
        severity=finding.severity,
        start=finding.start,
        end=finding.end,
        detected_at=finding.detected_at,
        findings=[finding.id],
        subjects={},
    )
    store.change_incident("inc-1", lambda _: incident)
    for moment in (NOW, NOW + timedelta(hours=1)):
        enqueue_new(store, config(smtp.port), moment)
        deliver(store, config(smtp.port), moment)
    first, second = smtp.inbox.mails
    assert first["References"] == second["References"] == "<inc-1@example.org>"
    assert first["Message-ID"] != second["Message-ID"] and second["Subject"].startswith("[HIGH] Reminder: ")


@pytest.mark.parametrize(
    ("answer", "result", "said"),
    [
        ("451 come back later", Delivered(retried=1), "answered 451: come back later"),
        ("554 no such talk here", Delivered(failed=1), "answered 554: no such talk here"),
    ],
)
def test_what_the_server_says_decides(
    store: SqliteRecords, smtp: Server, answer: str, result: Delivered, said: str
) -> None:
    """4xx is tried again, 5xx is given up; the reason is kept."""
    smtp.inbox.answer = answer
    store.put_finding(make_finding())
    enqueue_new(store, config(smtp.port), NOW)
    assert deliver(store, config(smtp.port), NOW) == result
    (delivery,) = store.deliveries()
    assert said in delivery.error
    assert deliver(store, config(smtp.port), delivery.due_at).sent == result.retried


def test_one_good_address_is_enough(smtp: Server) -> None:
    """Who is not there does not keep the others from hearing; if nobody is there, the settings are wrong."""
    smtp.inbox.refused = {"lead@example.org"}
    assert send_test(config(smtp.port), NOW) == {"mail": None} and len(smtp.inbox.mails) == 1
    smtp.inbox.refused.add("ops@example.org")
    error = send_test(config(smtp.port), NOW)["mail"]
    assert error is not None and "is mail_to right?" in error


def test_login_and_encryption(
    safe_smtp: Server, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, smtp: Server
) -> None:
    """STARTTLS with our own authority; a password never goes over an open line, nor into an error."""
    monkeypatch.setenv("REGSIGHT_TEST_MAIL", "open sesame")
    login = {"username": "regsight", "password_env": "REGSIGHT_TEST_MAIL"}
    trusted = {"ca_file": str(certificate[0])}
    assert send_test(config(safe_smtp.port, **login, **trusted), NOW) == {"mail": None}
    assert len(safe_smtp.inbox.mails) == 1

    def error(port: int, **changed: Any) -> str:
        said = send_test(config(port, **changed), NOW)["mail"]
        assert said is not None and "sesame" not in said
        return said

    assert "certificate is not trusted" in error(safe_smtp.port, **login)
    assert "no STARTTLS" in error(smtp.port, **login) and smtp.inbox.mails == []
    assert "cannot be used" in error(smtp.port, ca_file="/nowhere.pem")
    monkeypatch.setenv("REGSIGHT_TEST_MAIL", "close sesame")
    assert "are username and password right?" in error(safe_smtp.port, **login, **trusted)
    assert "cannot be reached" in error(1)


class _Windows:
    """The store's answer to one question."""

    def __init__(self, rows: dict[tuple[str, datetime], tuple[int, int, int]]) -> None:
        index = pd.MultiIndex.from_tuples(list(rows), names=["subject", "window_start"])
        self.frame = pd.DataFrame(list(rows.values()), index=index, columns=["requests", "denied", "failures"])
        self.asked: tuple[datetime, datetime, timedelta, str] | None = None

    def windows(self, since: datetime, until: datetime, width: timedelta, subject: str) -> pd.DataFrame:
        self.asked = since, until, width, subject
        return self.frame


def drawn(rows: dict[tuple[str, datetime], tuple[int, int, int]], finding: Finding) -> tuple[Chart | None, Any]:
    store = _Windows(rows)
    reader: Any = store
    asked: EventReader = reader
    return chart_of(asked, finding), store.asked


def test_a_chart_shows_before_and_during() -> None:
    """Half an hour of attack in an hour and a half, in bars of five minutes, of the client alone."""
    mine, other = "198.51.100.7", "192.0.2.1"
    rows = {(mine, NOW - 5 * MINUTE): (100, 70, 10), (other, NOW - 5 * MINUTE): (9, 0, 0), (mine, NOW): (7, 0, 0)}
    found, asked = drawn(rows, make_finding())
    assert found is not None and found.whose == mine
    assert asked == (NOW - 90 * MINUTE, NOW + 5 * MINUTE, 5 * MINUTE, "client")
    assert len(found.bars) == 19 and found.bars[-2:] == [Bar(NOW - 5 * MINUTE, 100, 80), Bar(NOW, 7, 0)]


def test_no_chart_of_nobody() -> None:
    """Nor of many, nor of those that did nothing."""
    many = [f"192.0.2.{number}" for number in range(9)]
    assert drawn({("x", NOW): (1, 0, 0)}, make_finding(subjects={})) == (None, None)
    assert drawn({("x", NOW): (1, 0, 0)}, make_finding(subjects={"client": many})) == (None, None)
    assert drawn({("x", NOW): (1, 0, 0)}, make_finding())[0] is None


def test_a_store_that_cannot_draw_does_not_keep_the_mail_back(store: SqliteRecords, smtp: Server) -> None:
    """The chart is left out."""

    def away(finding: Finding) -> Chart:
        raise Unavailable("no answer")

    store.put_finding(make_finding())
    enqueue_new(store, config(smtp.port), NOW)
    assert deliver(store, config(smtp.port), NOW, charts=away) == Delivered(sent=1)
    assert "Requests of" not in body(smtp.inbox.mails[0], "plain")


def test_only_mails_wait_for_a_chart(smtp: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing one takes a question to the store, which chats do not need."""
    monkeypatch.delenv("REGSIGHT_TEST_NOT_SET", raising=False)
    assert config(smtp.port).channels[0].is_mail()
    apprise = [
        {"apprise": "mailtos://u:p@example.org"},
        {"apprise": "json://h"},
        {"apprise_env": "REGSIGHT_TEST_NOT_SET"},
    ]
    channels = [AlertsConfig.model_validate({"channels": [{"name": "x", **one}]}).channels[0] for one in apprise]
    assert [channel.is_mail() for channel in channels] == [True, False, False]
