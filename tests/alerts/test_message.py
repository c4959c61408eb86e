"""What people read."""

from __future__ import annotations

import os
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from alerts.config import AlertsConfig
from alerts.inert import for_html, inert
from alerts.message import compose
from store.finding import Finding

from .conftest import make_finding

GOLDEN = Path(__file__).parent.parent / "golden"
CONFIG = AlertsConfig(link_base="https://regsight.example.org")
HOSTILE = (
    "<!channel> <script>alert(1)</script> [click](http://evil.example/x) ![p](https://evil.example) "
    "**bold** `code` @everyone \x1b[31mred\x1b[0m \u202eevil\u202c zero\u200bwidth\n"
    "Subject: x\r\nBcc: y {{ .Labels }} &amp;"
)


def hostile_finding() -> Finding:
    return make_finding(
        title=f"refused logins of {HOSTILE}",
        subjects={"actor": [HOSTILE, "x" * 500], "client": [f"10.0.0.{n}" for n in range(9)], "repository": []},
        observed=f"user {HOSTILE}",
        expected="at most 5",
        explanation=HOSTILE,
    )


@pytest.mark.parametrize("name", ["plain", "hostile"])
@pytest.mark.parametrize("form", ["text", "html", "markdown"])
def test_messages_read_as_they_were_approved(name: str, form: str) -> None:
    """The three bodies equal the files in tests/golden (REGSIGHT_GOLDEN=write writes them anew)."""
    finding = make_finding() if name == "plain" else hostile_finding()
    body = getattr(compose(finding, "mail", CONFIG, repeats=3 if name == "plain" else 0), form)
    file = GOLDEN / f"alert-{name}.{ {'text': 'txt', 'html': 'html', 'markdown': 'md'}[form] }"
    if os.environ.get("REGSIGHT_GOLDEN") == "write":
        file.write_text(body, encoding="utf-8")
    assert body == file.read_text(encoding="utf-8")


def test_a_message_says_everything_a_person_needs() -> None:
    """Seen, expected, who, from where, which repository, when, what to check, where to look."""
    text = compose(make_finding(), "mail", CONFIG).text
    for part in (
        "[HIGH] 312 refused logins from 198.51.100.7",
        "Seen: 312 refused logins in 30 minutes",
        "Expected: at most 5",
        "Who: alice",
        "From: 198.51.100.7",
        "Repository: team/app",
        "When: 2026-11-24 11:30 to 2026-11-24 12:00 UTC",
        "Check first: Ask alice",
        f"https://regsight.example.org/findings/{make_finding().id}",
        "docs/runbooks/credential_probe.md",
        f"regsight findings show {make_finding().id}",
        f"Key: {make_finding().id}-mail",
    ):
        assert part in text


def test_hostile_names_do_nothing_in_plain_text() -> None:
    """No escape sequence, invisible or turning character, mention, or link that a chat or terminal would act upon."""
    message = compose(hostile_finding(), "mail", AlertsConfig())
    for text in (message.title, message.text):
        assert all(character == "\n" or character.isprintable() for character in text)
        assert "<" not in text and "@everyone" not in text and "://" not in text and "](" not in text
    assert "\n" not in message.title and len(message.title) < 200
    assert not any(line.startswith(("Subject", "Bcc")) for line in message.text.splitlines())


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_hostile_names_do_nothing_in_html() -> None:
    """A browser sees no other tag than ours, and no link but to our page."""
    tags = _Tags()
    tags.feed(compose(hostile_finding(), "mail", CONFIG).html)
    assert {tag for tag, _ in tags.seen} <= {"p", "b", "table", "tr", "th", "td", "a", "code"}
    assert {attrs["href"] for tag, attrs in tags.seen if tag == "a"} == {
        f"https://regsight.example.org/findings/{make_finding().id}"
    }


@given(st.text(max_size=200))
def test_no_name_can_draw_anything_in_markdown(name: str) -> None:
    """A CommonMark reader finds the same links, images and emphasis whatever the name."""
    finding = replace(make_finding(), observed=name, title=name, subjects={"actor": [name]})
    tokens = [
        child.type
        for token in MarkdownIt("commonmark").parse(compose(finding, "mail", CONFIG).markdown)
        for child in (token.children or [token])
    ]
    assert tokens.count("link_open") == 1
    assert not {"image", "html_inline", "html_block", "em_open", "heading_open", "fence"} & set(tokens)
    assert tokens.count("bullet_list_open") == 1


@given(st.text(max_size=300))
def test_foreign_text_is_one_printable_line(text: str) -> None:
    """Making inert leaves only printable characters, is done once for all, and keeps to the limit."""
    once = inert(text, 100)
    assert once.isprintable() and len(once) <= 100
    assert inert(once, 100) == once
    assert "<" not in for_html(text)


def test_ordinary_names_stay_as_they_are() -> None:
    """Names, addresses and mail addresses that occur in real registries are not touched."""
    for name in (
        "team/app_x",
        "robot$proj+ci",
        "alice@example.org",
        "2001:db8::1",
        "sha256:ab12",
        "registry.local:5000/a",
    ):
        assert inert(name) == name


@pytest.mark.parametrize(
    ("runbook", "shown"),
    [
        (None, "docs/runbooks/rules/our_own.md"),
        ("", None),
        ("https://wiki.example.org/registry?page=7", "https://wiki.example.org/registry?page=7"),
        ("call the <b>platform</b> team", "call the <b>platform</b> team"),
    ],
)
def test_a_rule_of_ones_own_has_its_own_runbook(runbook: str | None, shown: str | None) -> None:
    """Its address or its words, as text in every medium; no link to a page that is not there."""
    finding = make_finding(detector="rules", kind="our_own", runbook=runbook)
    message = compose(finding, "mail", AlertsConfig())
    assert message.runbook == (shown or "")
    assert ("Runbook" in message.text) == ("Runbook" in message.html) == (shown is not None)
    assert "<b>platform" not in message.html and "<b>platform" not in message.markdown
    if shown is not None and shown.startswith("https"):
        assert f'<a href="{shown}">' in message.html and f"<{shown}>" in message.markdown
