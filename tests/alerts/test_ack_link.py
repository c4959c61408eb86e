"""A link that acknowledges, and nothing else."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.ack_link import BadLink, Claim, link, sign, verify
from alerts.ack_page import answer
from alerts.config import AlertsConfig
from alerts.errors import ChannelUnusable
from alerts.notify import deliver
from alerts.policy import enqueue_new
from store.incident import Incident, State, close
from store.records import SqliteRecords

from .conftest import NOW, Receiver, make_finding

SECRET = "correct horse battery staple"
HOUR = timedelta(hours=1)


def incident(**changed: object) -> Incident:
    finding = make_finding()
    return Incident(
        id="inc-12ab",
        title=str(changed.get("title", finding.title)),
        severity=finding.severity,
        start=finding.start,
        end=finding.end,
        detected_at=finding.detected_at,
        findings=[finding.id],
        subjects={},
    )


@pytest.fixture
def kept(store: SqliteRecords) -> SqliteRecords:
    store.change_incident("inc-12ab", lambda _: incident(title="refused logins of <script>alert(1)</script>"))
    return store


TOKEN = sign(SECRET, "inc-12ab", "on-call", NOW + HOUR)


def test_a_good_token_says_what_it_is_for() -> None:
    """The incident, and the channel whose message had it."""
    assert verify(SECRET, TOKEN, NOW) == Claim("inc-12ab", "on-call")


@settings(deadline=None)
@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="ascii"))
def test_a_changed_token_is_refused(place: int, character: str) -> None:
    """Wherever it was changed."""
    forged = TOKEN[:place] + character + TOKEN[place + 1 :]
    if forged != TOKEN:
        with pytest.raises(BadLink):
            verify(SECRET, forged, NOW)


@pytest.mark.parametrize("token", ["", "x", "inc-1.chat.99999999999.", TOKEN + "A", TOKEN + "\n", "é" * 60, "0" * 9999])
def test_what_is_no_token_is_refused(token: str) -> None:
    """With the status of a refusal, and nothing of the secret."""
    with pytest.raises(BadLink) as caught:
        verify(SECRET, token, NOW)
    assert caught.value.status == 403 and SECRET not in str(caught.value)


def test_a_token_ends_and_belongs_to_its_secret() -> None:
    """410 when its time is over; another secret is no good."""
    with pytest.raises(BadLink, match="run out") as caught:
        verify(SECRET, TOKEN, NOW + HOUR)
    assert caught.value.status == 410
    with pytest.raises(BadLink):
        verify(SECRET + "!", TOKEN, NOW)


def test_looking_changes_nothing_and_confirming_acknowledges(kept: SqliteRecords) -> None:
    """Mail scanners open every link; a person confirms. Once: the first one counts."""
    for method in ("GET", "HEAD"):
        shown = answer(kept, SECRET, method, TOKEN, "", NOW)
        assert shown.status == 200 and 'method="post"' in shown.html and TOKEN in shown.html
        assert "<script" not in shown.html and "‹script›" in shown.html
    stored = kept.incident("inc-12ab")
    assert stored is not None and stored.state is State.OPEN

    done = answer(kept, SECRET, "POST", TOKEN, " Ann <b> ", NOW)
    assert done.status == 200 and "Ann ‹b› looks after it" in done.html and "<form" not in done.html
    again = answer(kept, SECRET, "POST", TOKEN, "Bob", NOW + HOUR / 2)
    assert "Ann ‹b› looks after it" in again.html
    stored = kept.incident("inc-12ab")
    assert stored is not None and (stored.state, stored.owner) == (State.ACKNOWLEDGED, "Ann ‹b›")
    assert [(act.did, act.note) for act in stored.history] == [("acknowledged", "by the link sent to on-call")]


def test_a_closed_incident_stays_closed(kept: SqliteRecords) -> None:
    """An old link does not open anything again."""
    kept.change_incident("inc-12ab", lambda one: close(one, "bob", NOW) if one else None)
    assert "Closed as resolved by bob" in answer(kept, SECRET, "POST", TOKEN, "eve", NOW).html
    stored = kept.incident("inc-12ab")
    assert stored is not None and stored.state is State.RESOLVED and stored.owner == "bob"


@pytest.mark.parametrize(
    ("secret", "method", "token", "status"),
    [
        (None, "GET", TOKEN, 404),
        (SECRET, "DELETE", TOKEN, 405),
        (SECRET, "POST", "x", 403),
        (SECRET, "GET", sign(SECRET, "inc-gone", "c", NOW + HOUR), 404),
        (SECRET, "POST", sign(SECRET, "inc-12ab", "c", NOW), 410),
    ],
)
def test_what_is_not_answered(kept: SqliteRecords, secret: str | None, method: str, token: str, status: int) -> None:
    """Each refusal has its status, and changes nothing."""
    assert answer(kept, secret, method, token, "eve", NOW).status == status
    stored = kept.incident("inc-12ab")
    assert stored is not None and stored.history == []


def test_links_need_an_address_and_a_secret(tmp_path: Path) -> None:
    """One without the other makes none; a secret that cannot be used says so."""
    file = tmp_path / "secret"
    file.write_text(SECRET)
    assert link(AlertsConfig(link_base="https://r.example.org"), "inc-1", "c", NOW) is None
    assert link(AlertsConfig(ack_secret_file=file), "inc-1", "c", NOW) is None
    file.write_text("short")
    with pytest.raises(ChannelUnusable, match="too short"):
        link(AlertsConfig(link_base="https://r.example.org", ack_secret_file=file), "inc-1", "c", NOW)


def test_the_message_holds_a_link_that_works(
    kept: SqliteRecords, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the settings through a real receiver to the acknowledged incident; afterwards messages hold none."""
    monkeypatch.setenv("REGSIGHT_TEST_ACK", SECRET)
    monkeypatch.setenv("REGSIGHT_TEST_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    config = AlertsConfig.model_validate(
        {
            "channels": [{"name": "soar", "webhook": receiver.url, "secret_env": "REGSIGHT_TEST_SECRET"}],
            "link_base": "https://regsight.example.org",
            "ack_secret_env": "REGSIGHT_TEST_ACK",
            "ack_valid": "1h",
        }
    )
    kept.put_finding(make_finding())
    enqueue_new(kept, config, NOW)
    deliver(kept, config, NOW)
    data = json.loads(receiver.requests[0][2])["data"]
    parts = urlsplit(data["acknowledge"])
    assert (parts.netloc, parts.path, data["incident"]) == ("regsight.example.org", "/ack", "inc-12ab")
    (token,) = parse_qs(parts.query)["token"]
    assert SECRET not in data["acknowledge"]
    assert answer(kept, config.ack_secret(), "POST", token, "ann", NOW + HOUR / 2).status == 200
    assert answer(kept, config.ack_secret(), "GET", token, "", NOW + HOUR).status == 410
    stored = kept.incident("inc-12ab")
    assert stored is not None and stored.owner == "ann"
