"""Docker Hub's report of pulls, a CSV file: one row for each hour, user, image and token, with the number of pulls.

`datehour,user_name,repository,access_token_name,ips,repository_privacy,tag,digest,version_checks,pulls`. A row of five pulls and
two version checks is five events `pull` and two `check`, all at the beginning of the hour (the documentation names no zone: UTC).
`ips` are all addresses of that hour: where there are several, nobody knows which pulled what, and none is told. A row that
counts more than 10,000 is a dead letter: what stands for that many single events must be looked at by somebody.

Docker documentation, "Docker Hub pull usage and limits".
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import is_digest
from collector.lines import address, as_text, moment, whole
from collector.one_by_one import share_of_lines
from collector.sheet import Sheet, now_utc, numbered_event_id
from collector.stages import Block, Facts, Parsed
from collector.wrappers import Unwrapped, unwrapped
from store.event import Action, Channel, Event, Outcome

_COLUMNS = 10
_MOST_OF_A_ROW = 10_000
_MOST_OF_A_BLOCK = 200_000  # a few bytes must not become millions of events
_HOUR = re.compile(r"(\d{4})[/-](\d\d)[/-](\d\d)[/ T](\d\d)")
_HEADER = "datehour"


def claims(head: bytes) -> float:
    return 0.9 * share_of_lines(head, _is_usage)


def _is_usage(line: bytes) -> bool:
    try:
        columns = _columns(line)
    except LineError:
        return False
    return columns[0] == _HEADER or _HOUR.fullmatch(columns[0]) is not None


def _columns(line: bytes) -> list[str]:
    """The ten columns of a row; no value of these holds a line end."""
    try:
        (columns,) = csv.reader([as_text(line).lstrip("\ufeff")], strict=True)
    except (csv.Error, ValueError):
        raise NotMine("no row of Docker Hub's report of pulls") from None
    if len(columns) != _COLUMNS:
        raise NotMine("no row of Docker Hub's report of pulls")
    return columns


def read_row(line: bytes, registry: str | None) -> list[Event]:
    """The events of one row: none for the header, and for a row that counts nothing.

    Raises:
        NotMine, Unreadable.
    """
    columns = _columns(line)
    if columns[0] == _HEADER:
        return []
    hour, user, repository, token, ips, _privacy, tag, digest, checks, pulls = columns
    checked, pulled = whole(checks), whole(pulls)
    if checked is None or pulled is None or not repository:
        raise Unreadable("a row without numbers or a repository")
    if checked + pulled > _MOST_OF_A_ROW:
        raise Unreadable("more pulls in a row than can be told one by one")
    event = _common(hour, user, repository, _only(ips), tag, digest)
    # A later report may count more of the same hour: what was told of it before is the same events again.
    key = (registry or "", hour, user, repository, token, tag, digest)
    return [
        {
            **event,
            "action": action.value,
            "event_id": numbered_event_id("dockerhub-usage", *key, action.value, str(number)),
        }
        for action, count in ((Action.PULL, pulled), (Action.CHECK, checked))
        for number in range(count)
    ]


def _common(hour: str, user: str, repository: str, client: str | None, tag: str, digest: str) -> Event:
    return {
        "channel": Channel.AUDIT.value,
        "timestamp": _hour(hour),
        "outcome": Outcome.SUCCESS.value,
        "actor": user or None,
        "client_ip": client,
        "client_via": "log" if client else None,
        "repository": repository,
        "reference": tag or digest or None,
        "tag": tag or None,
        "digest": digest if is_digest(digest) else None,
    }


def _only(ips: str) -> str | None:
    """The address of a row that names no other."""
    parts = {part for part in re.split(r"[\s,;|\[\]\"']+", ips) if part}
    return address(parts.pop()) if len(parts) == 1 else None


def _hour(told: str) -> datetime:
    found = _HOUR.fullmatch(told)
    if found is None:
        raise Unreadable("no time that can be read")
    return moment("{}-{}-{}T{}:00:00Z".format(*found.groups()))


_FACTS = Facts(
    versions="CSV of 2024 to 2026", tested=False, never=("minute", "user agent", "denied requests", "bytes", "duration")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """A format of which a line may be many events."""

    name: str = "dockerhub-usage"
    title: str = "Docker Hub report of pulls (CSV)"
    registry_kind: str = "dockerhub"
    facts: Facts | None = _FACTS
    clock: Callable[[], datetime] = now_utc

    def claims(self, head: bytes) -> float:
        return claims(head)

    def parse(self, block: Block) -> Parsed:
        now = self.clock()
        sheet = Sheet(block, dataset=self.name, registry_kind=self.registry_kind, now=now)
        for line in unwrapped(block, now):
            if line.problem:
                sheet.reject_unwrapped(line, line.problem)
            elif not line.data.strip():
                sheet.ignored += 1
            else:
                self._take(sheet, line)
        return sheet.finish()

    def _take(self, sheet: Sheet, line: Unwrapped) -> None:
        try:
            events = read_row(line.data, sheet.block.registry)
            if len(sheet.rows) + len(events) > _MOST_OF_A_BLOCK:
                raise Unreadable("more pulls in a block than can be told one by one")
        except LineError as error:
            sheet.reject_unwrapped(line, str(error))
            return
        for event in events:
            sheet.add(line.offset, line.raw, event)
        if events:
            sheet.extra += len(events) - 1
        else:
            sheet.ignored += 1


FORMAT = UsageReport()
