"""Which digest a tag pointed to, from when to when, and who set it: read from the events alone.

A push that names a digest, a tag set without a push, and a pull whose line names both tag and digest are evidence. A push
whose line names no digest moved the tag nobody knows where to; the deletion of a digest ends every tag that pointed to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from store.contract import EventQuery, EventReader
from store.event import Action, Outcome, iso

SET, SEEN, UNSAID = "set", "seen in a pull", "set, digest not said"
LEARNED = "set, digest from a later pull"
MOST_EVENTS = 100_000
ACTIONS = (Action.PUSH, Action.TAG, Action.UNTAG, Action.DELETE, Action.PULL)
_LISTS = ("events",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`digest` is None where no line says it; `last` is None while the tag still points there, as far as is known.

    `how` is `set`, `seen in a pull` (it pointed there at `first` at the latest; who set it is not known), `set, digest
    not said`, or `set, digest from a later pull`. `pulls` by this tag in the meantime. `events` are those that begin and end it.
    """

    repository: str
    tag: str
    digest: str | None
    first: datetime
    last: datetime | None
    how: str
    by: str | None
    client: str | None
    ended_by: str | None = None
    pulls: int = 0
    events: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Times as ISO 8601 UTC."""
        return {
            name: iso(value) if isinstance(value, datetime) else list(value) if name in _LISTS else value
            for name, value in asdict(self).items()
        }


def tag_ledger(
    store: EventReader,
    repository: str,
    tag: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Entry]:
    """The entries of one repository, newest first; with `tag` only those of that tag. Of what lies before the oldest of
    the newest `MOST_EVENTS` events, and of what is no longer stored, nothing is known.

    Raises:
        Unavailable: the store does not answer.
    """
    query = EventQuery(
        repository=repository,
        action=[str(action) for action in ACTIONS],
        outcome=[str(Outcome.SUCCESS)],
        since=since,
        until=until,
        limit=MOST_EVENTS,
        newest_first=True,
    )
    events = list(store.events(query))[::-1]
    entries = ledger_of(events)
    return [one for one in entries if tag is None or one.tag == tag][::-1]


def ledger_of(events: Sequence[dict[str, Any]]) -> list[Entry]:
    """The same from events in order of time that all succeeded; entries by `first`."""
    done: list[Entry] = []
    open_: dict[tuple[str, str], Entry] = {}
    for event in events:
        if event["action"] in (Action.UNTAG, Action.DELETE):
            done += _ended(open_, event)
        elif event["tag"] and event["repository"]:
            done += _pointed(open_, event)
    return sorted([*done, *open_.values()], key=lambda one: (one.first, one.repository, one.tag))


def _pointed(open_: dict[tuple[str, str], Entry], event: dict[str, Any]) -> Iterable[Entry]:
    """A push or a pull by tag: the same digest goes on, another one ends what was before."""
    key = event["repository"], event["tag"]
    before = open_.get(key)
    pulled = event["action"] == Action.PULL
    if pulled and before is not None and event["digest"] in (None, before.digest):
        open_[key] = replace(before, pulls=before.pulls + 1)
        return []
    if pulled and event["digest"] is None:
        return []
    if before is not None and event["digest"] is not None and event["digest"] == before.digest:
        return []
    if pulled and before is not None and before.how == UNSAID:
        # The push that did not say its digest is taken for what is pulled by the tag next.
        open_[key] = replace(before, digest=event["digest"], how=LEARNED, pulls=before.pulls + 1)
        return []
    open_[key] = Entry(
        repository=event["repository"],
        tag=event["tag"],
        digest=event["digest"],
        first=event["timestamp"],
        last=None,
        how=SEEN if pulled else SET if event["digest"] else UNSAID,
        by=None if pulled else event["actor"],
        client=None if pulled else event["client_ip"],
        pulls=int(pulled),
        events=(event["event_id"],),
    )
    return [] if before is None else [_closed(before, event, None)]


def _ended(open_: dict[tuple[str, str], Entry], event: dict[str, Any]) -> list[Entry]:
    """A tag that was removed, or all tags of a digest that was deleted."""
    gone = [
        key
        for key, entry in open_.items()
        if key[0] == event["repository"]
        and (
            entry.tag == event["tag"]
            or (event["action"] == Action.DELETE and event["digest"] is not None and entry.digest == event["digest"])
        )
    ]
    return [_closed(open_.pop(key), event, event["actor"] or event["client_ip"]) for key in gone]


def _closed(entry: Entry, event: dict[str, Any], by: str | None) -> Entry:
    return replace(entry, last=event["timestamp"], ended_by=by, events=(*entry.events, event["event_id"]))
