"""Foreign text made harmless: names in log lines are written by whoever knocks at the registry.

An attacker may choose a user name, a repository or a user agent so that the message about the attack hides it, links
somewhere, mentions everybody or draws on a terminal. What is changed stays visible: that it was odd is worth seeing.
"""

from __future__ import annotations

import html
import re
import unicodedata

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#!|~$^&])")
# Chat services expand these wherever they stand, whatever the format of the message.
_MENTION = re.compile(r"@(?=everyone|here|channel|all\b|room\b)|(?<![\w.+-])@", re.IGNORECASE)


def inert(text: str, limit: int = 2000) -> str:
    """One line of plain text that no terminal, mail header, chat or Alertmanager template acts upon.

    White space is folded to one blank; control, bidirectional, zero-width and unassigned characters are written out
    (`\\u{1b}`); angle brackets (Slack's `<!channel>`), mentions, link targets and image or link syntax are broken up.
    """
    shown = "".join(_visible(character) for character in text[: limit * 2])
    shown = re.sub(r" {2,}", " ", shown).strip()
    shown = shown.replace("<", "‹").replace(">", "›").replace("://", "[:]//").replace("](", "] (")
    shown = _MENTION.sub("＠", shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _visible(character: str) -> str:
    if character in "\t\n\r\v\f\x85\u2028\u2029" or unicodedata.category(character) == "Zs":
        return " "
    if unicodedata.category(character).startswith("C"):
        return f"\\u{{{ord(character):x}}}"
    return character


def for_html(text: str, limit: int = 2000) -> str:
    """`inert`, and escaped for HTML text and attributes."""
    return html.escape(inert(text, limit), quote=True)


def for_markdown(text: str, limit: int = 2000) -> str:
    """`inert`, and with every character that Markdown dialects act upon behind a backslash."""
    return _MARKDOWN.sub(r"\\\1", inert(text, limit))
