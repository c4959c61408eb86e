"""Secrets out of foreign error texts."""

from __future__ import annotations

from alerts.scrub import scrub


def test_every_secret_piece_of_the_address_is_hidden() -> None:
    """User, password, path, query and their decoded forms go; the host stays."""
    address = "jsons://bob1:p%40ss%20word@hooks.example.org:8443/T0KEN/abc?key=V4LUE"
    text = "failed to reach hooks.example.org:8443/T0KEN/abc as bob1 with p@ss word (p%40ss%20word), key V4LUE"
    hidden = scrub(text, address)
    assert "hooks.example.org" in hidden
    for secret in ("T0KEN", "bob1", "p@ss word", "p%40ss", "V4LUE"):
        assert secret not in hidden


def test_a_token_in_the_place_of_the_host_is_hidden() -> None:
    """In slack://token/… the host is a secret."""
    assert "T1JJ3T3L2" not in scrub("invalid token T1JJ3T3L2", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")
