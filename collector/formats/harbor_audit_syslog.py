"""Harbor's audit log as it is forwarded by syslog, and the files that a syslog daemon makes of it.

It says who did what to which image, at the nanosecond, but neither from where nor (from 2.13 on, for anything but images, tags
and repositories) whether it succeeded. The rows of the REST API have a number that these lines lack, and their time has
milliseconds, in which one user may pull one image twice: the two cannot be given one id without losing events.
"""

from __future__ import annotations

from collector.errors import NotMine
from collector.harbor_audit_line import audit_event, is_audit_line
from collector.harbor_logger import read_logger_line
from collector.lines import as_text
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.stages import Facts
from store.event import Event


def _is_mine(data: bytes) -> bool:
    line = read_logger_line(as_text(data))
    return line is not None and is_audit_line(line)


def claims(head: bytes) -> float:
    return 0.97 * share_of_lines(head, _is_mine) if b'[operator="' in head else 0.0


def parse_line(line: Line) -> Event | None:
    text = as_text(line.data)
    read = read_logger_line(text)
    if read is None or not is_audit_line(read):
        raise NotMine("not a line of Harbor's forwarded audit log")
    return audit_event(text, read)


FORMAT = one_by_one(
    "harbor-audit-syslog",
    claims,
    parse_line,
    title="Harbor audit log, forwarded by syslog",
    registry_kind="harbor",
    facts=Facts(
        versions="2.6 and later",
        tested=True,
        never=("address", "user agent", "bytes", "duration", "denied requests", "digest of a pull by tag"),
    ),
)
