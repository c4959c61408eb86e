"""Apprise's mail to a real SMTP conversation."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator

import pytest

from alerts.config import AlertsConfig
from alerts.notify import Delivered, deliver
from alerts.policy import enqueue_new
from store.records import SqliteRecords

from .conftest import NOW, make_finding


class _Smtp(socketserver.ThreadingTCPServer):
    """Speaks enough SMTP to take a message; keeps what it took."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Conversation)


class _Conversation(socketserver.StreamRequestHandler):
    server: _Smtp

    def handle(self) -> None:
        self._say(b"220 sink")
        while line := self.rfile.readline():
            word = line.split(b" ")[0].strip().upper()
            if word == b"DATA":
                self._say(b"354 go on")
                lines = []
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(part)
                self.server.taken.append(b"".join(lines))
            self._say(b"221 bye" if word == b"QUIT" else b"250 ok")
            if word == b"QUIT":
                return

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


@pytest.fixture
def smtp() -> Iterator[_Smtp]:
    server = _Smtp()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_finding_arrives_as_mail(store: SqliteRecords, smtp: _Smtp) -> None:
    """Subject, and a body in which the hostile name is text; no header can be smuggled in by a name."""
    port = smtp.server_address[1]
    settings = AlertsConfig.model_validate(
        {
            "channels": [
                {"name": "mail", "apprise": f"mailto://127.0.0.1:{port}?from=regsight@example.org&to=ops@example.org"}
            ]
        }
    )
    store.put_finding(make_finding(title="refused logins of <b>eve</b>\r\nBcc: all@example.org"))
    enqueue_new(store, settings, NOW)
    done = deliver(store, settings, NOW)
    assert done == Delivered(sent=1), store.deliveries()[0].error
    (raw,) = smtp.taken
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["Subject"] == "[HIGH] refused logins of ‹b›eve‹/b› Bcc: all@example.org"
    assert mail["Bcc"] is None and "ops@example.org" in mail["To"]
    html = mail.get_body(("html",))
    assert html is not None
    content = html.get_content()
    assert "‹b›eve‹/b›" in content and "<b>eve" not in content
    assert f"{make_finding().id}-mail" in content
