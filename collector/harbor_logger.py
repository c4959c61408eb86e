"""Harbor's own logger, which core, jobservice, registryctl and the exporter share.

`<time> [LEVEL] [<file>:<line>][k="v" k2="v2"]: message`, the fields sorted by name and not escaped. A message may go on over
further lines, which have no beginning of their own. src/lib/log/textformatter.go of goharbor/harbor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from collector.lines import moment

_LINE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) \[(DEBUG|INFO|WARNING|ERROR|FATAL)\] "
    r"\[(/?[\w./@+-]{1,200}\.go):\d{1,6}\](?:\[(.*?)\])?: ?(.*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class LoggerLine:
    """One line taken apart. `file` is the source file that wrote it; `fields` is what stands between the brackets."""

    time: str
    level: str
    file: str
    fields: str
    message: str

    @property
    def when(self) -> datetime:
        """Raises: Unreadable."""
        return moment(self.time)


def read_logger_line(text: str) -> LoggerLine | None:
    found = _LINE.fullmatch(text)
    return LoggerLine(found[1], found[2], found[3], found[4] or "", found[5]) if found is not None else None
