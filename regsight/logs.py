"""How the log looks: the sentence, then its particulars as `name=value`. Control characters of foreign words are escaped."""

from __future__ import annotations

import json
import logging

from regsight.terminal import printable

OURS = ("alerts", "analytics", "collector", "dashboards", "regsight", "store")
_USUAL = vars(logging.makeLogRecord({})).keys() | {"message", "asctime", "taskName"}
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+%,")


class Formatter(logging.Formatter):
    """As logfmt: `sentence path=/var/log/a.log error="no such file"`. Of other libraries' records only the sentence."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        words = [printable(super().formatMessage(record))]
        if record.name.partition(".")[0] in OURS:
            words += [f"{name}={_quoted(value)}" for name, value in vars(record).items() if name not in _USUAL]
        return " ".join(words)


def log_warnings() -> None:
    """Of a command that says itself what it does: warnings and errors, on stderr."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(Formatter())


def log_all(level: str) -> None:
    """Of a program that stays: from this level on (a name as `info`), with times, on stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    # Two lines for each run of a job, of which one runs every five seconds.
    if logging.getLogger().level > logging.DEBUG:
        logging.getLogger("apscheduler").setLevel(logging.WARNING)


def _quoted(value: object) -> str:
    text = printable(value)
    return text if text and _BARE.issuperset(text) else json.dumps(text, ensure_ascii=False)
