"""The filters of the events page and its JSON: the same as on the command line, out of a query string."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from store.contract import EventQuery
from store.event import Action, Outcome

NAMES = ("actor", "client", "repository", "reference", "digest")
TIMES = ("since", "until")
# What a free text is looked for in: names as they were sent, and our words for what happened.
SEARCHED = (
    "actor", "client_ip", "repository", "reference", "digest", "user_agent", "client_class", "action", "outcome", "reason",
    "registry",
)  # fmt: skip
PAGE, MOST, DEEPEST = 100, 1000, 100_000
AGO = re.compile(r"(\d{1,6})\s*(s|min|m|h|d|w)", re.ASCII)
UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class BadFilter(ValueError):
    """A filter that cannot be understood; the message says which and how to write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What was asked for, as typed (to show it again), and as a query."""

    given: dict[str, str]
    actions: tuple[str, ...]
    outcomes: tuple[str, ...]
    since: datetime | None
    until: datetime | None
    limit: int
    page: int
    text: str = ""  # anywhere in an event: see `names_text`

    def query(self) -> EventQuery:
        """One event more than a page, from the newest: so that one knows whether there is another page."""
        return EventQuery(
            since=self.since,
            until=self.until,
            action=self.actions,
            outcome=self.outcomes,
            **{name: self.given[name] or None for name in NAMES},  # type: ignore[arg-type]  # names of text fields only
            limit=self.page * self.limit + 1,
            newest_first=True,
        )

    def link(self, page: int) -> str:
        """The address of another page of the same events."""
        pairs = [(name, value) for name, value in self.given.items() if value]
        pairs += [("action", action) for action in self.actions] + [("outcome", outcome) for outcome in self.outcomes]
        pairs += [("limit", str(self.limit))] if self.limit != PAGE else []
        return "/events?" + urlencode([*pairs, ("page", str(page))])


def read_filters(params: QueryParams, now: datetime) -> Filters:
    """Filters of a request; fields that are not ours are ignored, empty ones are no filter.

    Raises:
        BadFilter: a time, action, outcome or number that is none.
    """
    limit = _whole(params, "limit", PAGE, MOST)
    page = _whole(params, "page", 1, max(1, DEEPEST // limit))
    return Filters(
        given={name: params.get(name, "").strip() for name in (*TIMES, *NAMES)},
        actions=_closed(params, "action", [str(action) for action in Action]),
        outcomes=_closed(params, "outcome", [str(outcome) for outcome in Outcome]),
        since=read_time("since", params.get("since", ""), now),
        until=read_time("until", params.get("until", ""), now),
        limit=limit,
        page=page,
        text=params.get("text", "").strip(),
    )


def names_text(event: Mapping[str, Any], text: str) -> bool:
    """Whether a free text stands in one of the event's names; case does not matter, and nothing stands in every event."""
    wanted = text.casefold()
    return not wanted or any(wanted in str(event[name] or "").casefold() for name in SEARCHED)


def as_typed(params: QueryParams) -> dict[str, Any]:
    """What stands in the form when the filters could not be read."""
    given: dict[str, Any] = {name: params.get(name, "") for name in (*TIMES, *NAMES, "text")}
    return given | {"action": params.getlist("action"), "outcome": params.getlist("outcome")}


def read_time(name: str, text: str, now: datetime) -> datetime | None:
    """`2026-11-24`, `2026-11-24T02:17:24Z` (UTC where no zone is given), or `90m`, `24h`, `7d` before `now`."""
    text = text.strip()
    if not text:
        return None
    ago = AGO.fullmatch(text.lower().removesuffix("ago").strip())
    try:
        if ago:
            return now - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadFilter(f"{name}: {text!r} is no time; write 2026-11-24, 2026-11-24T02:17 or 24h") from error


def _closed(params: QueryParams, name: str, known: list[str]) -> tuple[str, ...]:
    values = tuple(value for value in params.getlist(name) if value)
    for value in values:
        if value not in known:
            raise BadFilter(f"{name}: {value!r} is none of {', '.join(known)}")
    return values


def _whole(params: QueryParams, name: str, usual: int, most: int) -> int:
    text = params.get(name, "") or str(usual)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise BadFilter(f"{name}: {text!r} is no number from 1 to {most}")
    return int(text)
