"""What can go wrong in this folder.

CollectorError
├── LineError         one line; the line behind it is not touched by it
│   ├── NotMine       the line is not of this format at all
│   ├── Unreadable    it is, but it is torn, mutated or lacks what an event needs
│   └── Ambiguous     it can be read in two ways that name different users, addresses or images
├── LogFormatError    an nginx log_format that cannot be read without guessing
└── UnknownFormat     no format knows the first lines of a stream: name one, or leave the stream out
"""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 120  # characters of a foreign line that an error message shows


class CollectorError(Exception):
    """Root of all errors of this folder."""


class LineError(CollectorError):
    """A line that gives no event; its text is the reason in the dead letters, from a closed set, without the line's own words."""


class NotMine(LineError):
    """The line is not of this format."""


class Unreadable(LineError):
    """The line is of this format, but cannot be read."""


class Ambiguous(LineError):
    """What its writer did not escape makes the line readable in two ways: it is kept, and nobody is named."""

    def __init__(self) -> None:
        super().__init__("ambiguous")


class LogFormatError(CollectorError):
    """A `log_format` that cannot be read without guessing. Permanent: the text says what to change."""


class UnknownFormat(CollectorError):
    """No format claims the first lines of `name`. Permanent: the same bytes will never be known."""

    def __init__(self, tried: Sequence[str], first_line: bytes, name: str = "") -> None:
        self.tried, self.first_line, self.name = tuple(tried), first_line, name
        super().__init__(
            f"{name + ': ' if name else ''}no known format: tried {', '.join(tried) or 'none'}; the first line is "
            f"{shown(first_line)}. Name the format with --format if it is one of these"
        )


def shown(line: bytes, limit: int = SHOWN) -> str:
    """A foreign line made harmless for a terminal: ASCII, control bytes escaped, cut."""
    text = line[:limit].decode("utf-8", "backslashreplace").encode("unicode_escape").decode("ascii")
    more = len(line) > limit or len(text) > limit
    return f'"{text[:limit]}{"…" if more else ""}"'
