"""The auditor's report as Markdown."""

from __future__ import annotations

from typing import Any

from analytics.reports.markdown import inert, table
from analytics.reports.shown import moment, number, size
from analytics.reports.words_audit import audit_in_words, completeness_in_words


def render_audit_markdown(found: dict[str, Any]) -> str:
    """Everything the figures hold, uncut."""
    access = [
        (row["account"] or "not named", row["repository"], row["first_day"], row["last_day"],
         *(number(row[key]) for key in ("pulls", "pushes", "deletes", "tags", "other", "addresses")), size(row["bytes"]))
        for row in found["access"]
    ]  # fmt: skip
    denied = [
        (row["account"], row["address"], row["repository"], row["action"], row["reason"], number(row["times"]))
        for row in found["denied"]
    ]
    rights = [
        (moment(row["at"]), row["account"], row["address"], row["action"], row["outcome"], row["what"])
        for row in found["rights"]
    ]
    acts = [
        (row["id"], moment(act["at"]), act["by"], act["did"], act["note"])
        for row in found["incidents"]
        for act in row["history"]
    ]
    sources = [
        (row["source"], *(number(row[key]) for key in ("lines", "events", "dead_letters", "ignored", "difference")))
        for row in found["completeness"]["sources"]
    ]
    columns = (
        "account",
        "repository",
        "first day",
        "last day",
        "pulls",
        "pushes",
        "deletions",
        "tags",
        "other",
        "addresses",
    )
    parts = [
        "# Who had access to what",
        "",
        f"{moment(found['since'])} to {moment(found['until'])}, all times UTC",
        "",
        inert(audit_in_words(found)),
        "",
        "## Is it complete?",
        "",
        inert(completeness_in_words(found["completeness"])),
        "",
        *table(("source", "lines", "events", "dead letters", "ignored", "difference"), sources, 5),
        "## Access per account and repository",
        "",
        *(table((*columns, "bytes"), access, 7) or ["None.", ""]),
        "## Denied attempts",
        "",
        *(table(("account", "address", "repository", "action", "reason", "times"), denied, 1) or ["None.", ""]),
        "## Changes of rights and settings",
        "",
        *(table(("when", "account", "address", "action", "outcome", "what"), rights) or ["None.", ""]),
        "## What people did about incidents",
        "",
        *(table(("incident", "when", "who", "did", "note"), acts) or ["None.", ""]),
    ]
    return "\n".join(parts).rstrip() + "\n"
