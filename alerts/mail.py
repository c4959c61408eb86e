"""Findings as mail: text and HTML, the chart in it, and what belongs to one incident in one thread."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import urlsplit

from alerts.config import Channel
from alerts.errors import AlertsError, ChannelUnusable, NotSent, Refused
from alerts.inert import inert
from alerts.message import Message

_SECONDS = 20.0
_PORTS = {"smtp": 587, "smtps": 465}


def send(channel: Channel, message: Message, now: datetime) -> None:
    """Hand one mail to the server. It is sent if the server took it for at least one of the addressees.

    Raises:
        NotSent: the server is away or says "later" (4xx).
        ChannelUnusable: certificate, login or every addressee is refused.
        Refused: the server will not have this message.
    """
    mail = mail_of(channel, message, now)
    where = urlsplit(channel.smtp or "").netloc
    try:
        with _connected(channel) as server:
            server.send_message(mail, from_addr=channel.mail_from, to_addrs=list(channel.mail_to))
    except (smtplib.SMTPException, OSError) as error:
        raise _told(error, where) from None


def mail_of(channel: Channel, message: Message, now: datetime) -> EmailMessage:
    """The mail itself. `Message-ID` is made of the message's key, so that a repeat can be told from a second one."""
    sender = channel.mail_from or ""
    domain = sender.rpartition("@")[2]
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(channel.mail_to), message.title
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{message.key}@{domain}>"
    if message.thread:
        mail["References"] = f"<{message.thread}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    mail["X-Regsight-Key"] = message.key
    mail.set_content(message.text + (f"\n{message.chart.text()}" if message.chart else ""))
    mail.add_alternative(f"<!doctype html><html><body>{message.html}</body></html>", subtype="html")
    return mail


@contextmanager
def _connected(channel: Channel) -> Iterator[smtplib.SMTP]:
    parts = urlsplit(channel.smtp or "")
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        trust = ssl.create_default_context(cafile=str(channel.ca_file) if channel.ca_file else None)
    except OSError as error:
        raise ChannelUnusable(f"ca_file {channel.ca_file} cannot be used: {error.strerror or error}") from None
    password = channel.secret("password")
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=trust)
    else:
        server = smtplib.SMTP(host, port, timeout=_SECONDS)
    with server:
        server.ehlo()
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=trust)
            server.ehlo()
        elif parts.scheme == "smtp" and password is not None:
            raise ChannelUnusable(f"{parts.netloc} offers no STARTTLS: a password is not sent in the clear")
        if channel.username is not None:
            server.login(channel.username, password or "")
        yield server


def _told(error: smtplib.SMTPException | OSError, where: str) -> AlertsError:
    if isinstance(error, ssl.SSLError):
        return ChannelUnusable(f"{where}: the certificate is not trusted; set ca_file if it is your own authority's")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return ChannelUnusable(f"{where} refused the login ({error.smtp_code}); are username and password right?")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return ChannelUnusable(f"{where} offers no login: leave username and password out")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        said = f"{where} refused every addressee ({', '.join(map(str, codes))})"
        return NotSent(said) if any(code < 500 for code in codes) else ChannelUnusable(f"{said}; is mail_to right?")
    if isinstance(error, smtplib.SMTPSenderRefused) and error.smtp_code >= 500:
        return ChannelUnusable(f"{where} refused the sender ({error.smtp_code}); is mail_from right?")
    if isinstance(error, smtplib.SMTPResponseException):
        words = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        said = f"{where} answered {error.smtp_code}: {inert(str(words), 200)}"
        return NotSent(said) if error.smtp_code < 500 else Refused(said)
    if isinstance(error, smtplib.SMTPException):
        return NotSent(f"{where} broke the conversation off ({type(error).__name__})")
    if isinstance(error, TimeoutError):
        return NotSent(f"{where} did not answer in time")
    return NotSent(f"{where} cannot be reached; is it running, and are host and port right?")
