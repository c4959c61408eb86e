"""How the sorts of lines in a Distribution stream are told apart before anything is parsed."""

from __future__ import annotations

from collector.access_line import empty_fields, looks_combined
from collector.distribution_log import application_entry
from collector.errors import LineError
from collector.lines import as_text
from collector.one_by_one import share_of_lines

_OWN_FIELDS = ("go.version", "http.request.id", "instance.id")


def application_share(head: bytes, first: bytes) -> float:
    """How surely this is Distribution's application log in the formatter whose lines begin with `first`.

    logrus is used by many programs: without a field of the registry's own it is a mere likelihood. Access lines and Go's
    own output may stand between; one application line among them decides.
    """
    own = False

    def mine(line: bytes) -> bool:
        nonlocal own
        if not line.startswith(first):
            return False
        try:
            entry = application_entry(line) or {}
        except LineError:
            return False
        own = own or any(name in entry for name in _OWN_FIELDS)
        return isinstance(entry.get("level"), str)

    share = share_of_lines(head, mine)
    if share == 0.0:
        return 0.0
    return 0.79 + 0.2 * share if own else 0.4 * share  # never 1: garbage-collect writes with the same logger


def access_share(head: bytes) -> float:
    """Share of combined access lines."""
    return share_of_lines(head, lambda line: looks_combined(as_text(line)))


def written_by_distribution(head: bytes) -> float:
    """1 if empty fields are written as Distribution does, 0 if as nginx does, between where nothing tells."""
    ours = theirs = 0

    def weigh(line: bytes) -> bool:
        nonlocal ours, theirs
        distribution, nginx = empty_fields(as_text(line))
        ours, theirs = ours + distribution, theirs + nginx
        return True

    share_of_lines(head, weigh)
    return 0.5 if ours == theirs else ours / (ours + theirs)
