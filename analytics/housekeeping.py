"""Whether deletes are somebody's work: an account that does nothing but clean up, and takes nothing that is in use.

An account whose credentials are stolen has pulled and pushed before; a new one has no past; what is deleted out of spite
is also what others use. An account that never did anything but look and delete, at its usual addresses, and takes what
nobody pulled or pushed for weeks, is a retention job: its first run is large, and harmless.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address

from analytics.replay import floor
from analytics.rules.load import pack
from analytics.rules.model import actions_of
from analytics.windows import DAY
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome, Traffic
from store.finding import Finding

HISTORY = timedelta(days=28)
UNUSED = timedelta(days=7)  # nobody pulled or pushed it for so long
YOUNG = timedelta(days=8)  # a registry known for less has not shown its weekly jobs yet
_DELETES = frozenset((Action.DELETE, Action.UNTAG))
_HOUSEWORK = _DELETES | {
    Action.LIST_TAGS, Action.CATALOG, Action.CHECK, Action.LOGIN, Action.TOKEN, Action.PING, Action.LOGOUT, Action.GC,
    Action.RETAIN, Action.REFERRERS,
}  # fmt: skip
_NOT_USE = frozenset((Traffic.SCANNER, Traffic.MIRROR, Traffic.PROBE))  # they pull whatever there is
_SAMPLE = 12  # deleted images of which the use is looked up


def housekeeping(store: EventReader, finding: Finding) -> str:
    """Why the deletes of a finding are ordinary work, as half a sentence; empty if they are not, or it has none."""
    actors = finding.subjects.get("actor", [])
    if len(actors) != 1 or not _of_deletes(finding):
        return ""
    day = floor(finding.start, DAY)
    span = store.span()
    since = day - HISTORY if span is None else max(day - HISTORY, floor(span[0], DAY))
    past = _acts(store, since, day, actors[0])
    today = _acts(store, day, day + DAY, actors[0], finding.end)
    if not all(act in _HOUSEWORK for act, _ in past | today):
        return ""
    homes = {client for _, client in past if client}
    here = set(finding.subjects.get("client", ()))
    if past and not here <= homes:
        return ""
    if not past and (day - since >= YOUNG or not here or not all(map(_inside, here))):
        return ""
    if _in_use(store, finding):
        return ""
    known = "has never done anything else, from the same address" if past else "does nothing else, inside the network"
    return f"{actors[0]} {known}, and nobody pulled or pushed these images for {UNUSED.days} days"


def _of_deletes(finding: Finding) -> bool:
    rule = next((rule for rule in pack() if finding.detector == "rules" and rule.id == finding.kind), None)
    acts = actions_of(rule.match) if rule is not None else ()
    return bool(acts) and _DELETES.issuperset(acts)


def _acts(
    store: EventReader, since: datetime, until: datetime, actor: str, end: datetime | None = None
) -> set[tuple[str, str | None]]:
    """What the account did, and from where."""
    query = EventQuery(since=since, until=min(end + timedelta(seconds=1), until) if end else until, actor=actor)
    return {(str(event["action"]), event["client_ip"]) for event in store.events(query)}


def _in_use(store: EventReader, finding: Finding) -> bool:
    """Whether any of the deleted images was pulled or pushed in the days before."""
    step = max(len(finding.evidence) // _SAMPLE, 1)
    gone = list(store.events(EventQuery(ids=finding.evidence[::step])))
    for event in gone:
        used = EventQuery(
            since=event["timestamp"] - UNUSED,
            until=event["timestamp"],
            action=(Action.PULL, Action.PUSH),
            outcome=(Outcome.SUCCESS,),
            repository=event["repository"],
            digest=event["digest"],
            reference=None if event["digest"] else event["reference"],
        )
        if any(one["traffic_class"] not in _NOT_USE for one in store.events(used)):
            return True
    return False


def _inside(client: str) -> bool:
    try:
        return ip_address(client).is_private
    except ValueError:
        return False
