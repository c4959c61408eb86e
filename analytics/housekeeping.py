"""Whether deletes are somebody's work: an account that does nothing but clean up, and takes nothing that is in use.

An account whose credentials are stolen has pulled and pushed before; a new one has no past; what is deleted out of spite
is also what others use. An account that never did anything but look and delete, at its usual addresses, and takes what
nobody pulled for a week, or for days in which newer images have come, is a retention job: its first run is large, and harmless.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

from analytics.newly_read import known_for
from analytics.replay import floor
from analytics.rules.load import pack
from analytics.rules.model import actions_of
from analytics.windows import DAY
from analytics.wording import several
from store.contract import EventQuery, EventReader
from store.event import NOT_USE, Action, Outcome
from store.finding import Finding

HISTORY = timedelta(days=28)
UNUSED = timedelta(days=7)  # nobody pulled it for so long
OUTDATED = timedelta(days=3)  # or so long, where newer ones have come since
KEPT = 3  # newer images of the repository, at least, that a retention job leaves
YOUNG = timedelta(days=8)  # a registry known for less has not shown its weekly jobs yet
_DELETES = frozenset((Action.DELETE, Action.UNTAG))
_HOUSEWORK = _DELETES | {
    Action.LIST_TAGS, Action.CATALOG, Action.CHECK, Action.LOGIN, Action.TOKEN, Action.PING, Action.LOGOUT, Action.GC,
    Action.RETAIN, Action.REFERRERS,
}  # fmt: skip
# RFC 1918, RFC 6598 and RFC 4193. `is_private` would count the networks of documentation too, which are anywhere.
_INSIDE = [ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")]
_LOOKED_AT = ("timestamp", "action", "repository", "digest", "reference", "traffic_class")
_SAMPLE = 12  # deleted images of which the use is looked up


def housekeeping(store: EventReader, finding: Finding) -> str:
    """Why the deletes of a finding are ordinary work, as half a sentence; empty if they are not, or it has none."""
    actors = finding.subjects.get("actor", [])
    if len(actors) != 1 or not _of_deletes(finding):
        return ""
    day = floor(finding.start, DAY)
    span = store.span()
    if span is None:
        return ""
    known = finding.start - span[0]
    if known < DAY or not (whole_days := known_for(store, finding, finding.end)):
        return ""  # nobody can say yet what is used here
    known = min(known, whole_days + DAY)
    since = max(day - HISTORY, floor(span[0], DAY))
    past = _acts(store, since, day, actors[0])
    today = _acts(store, day, day + DAY, actors[0], finding.end)
    if not all(act in _HOUSEWORK for act, _ in past | today):
        return ""
    homes = {client for _, client in past if client}
    here = set(finding.subjects.get("client", ()))
    if past and not here <= homes:
        return ""
    if not past and (known >= YOUNG or not here or not all(map(_inside, here))):
        return ""
    if _in_use(store, finding):
        return ""
    habit = "has never done anything else, from the same address" if past else "does nothing else, inside the network"
    unused = f"not pulled for {several(min(UNUSED, known).days, 'day')}, or outdated for {OUTDATED.days}"
    return f"{actors[0]} {habit}, and these images are out of use: {unused}"


def _of_deletes(finding: Finding) -> bool:
    rule = next((rule for rule in pack() if finding.detector == "rules" and rule.id == finding.kind), None)
    acts = actions_of(rule.match) if rule is not None else ()
    return bool(acts) and _DELETES.issuperset(acts)


def _acts(
    store: EventReader, since: datetime, until: datetime, actor: str, end: datetime | None = None
) -> set[tuple[str, str | None]]:
    """What the account did, and from where."""
    until = min(end + timedelta(seconds=1), until) if end else until
    query = EventQuery(since=since, until=until, actor=actor, columns=("action", "client_ip"))
    return {(str(event["action"]), event["client_ip"]) for event in store.events(query)}


def _in_use(store: EventReader, finding: Finding) -> bool:
    """Whether any of the deleted images was pulled lately, or was the last thing that came to its repository."""
    step = max(len(finding.evidence) // _SAMPLE, 1)
    within = EventQuery(since=finding.start, until=finding.end + timedelta(seconds=1), columns=_LOOKED_AT)
    gone = list(store.events(replace(within, ids=finding.evidence[::step])))
    for event in gone:
        used = EventQuery(
            since=event["timestamp"] - UNUSED,
            until=event["timestamp"],
            action=(Action.PULL, Action.PUSH),
            outcome=(Outcome.SUCCESS,),
            repository=event["repository"],
            digest=event["digest"],
            reference=None if event["digest"] else event["reference"],
            columns=_LOOKED_AT,
        )
        seen = [one for one in store.events(used) if one["traffic_class"] not in NOT_USE]
        pulled = [
            one for one in seen if one["action"] == Action.PULL and event["timestamp"] - one["timestamp"] < OUTDATED
        ]
        if pulled or (seen and not _followed(store, seen[-1], event)):
            return True
    return False


def _followed(store: EventReader, last: dict[str, Any], delete: dict[str, Any]) -> bool:
    """Whether newer images came to the repository between an image's last push or pull and its deletion."""
    after = EventQuery(
        since=last["timestamp"] + timedelta(seconds=1),
        until=delete["timestamp"],
        action=(Action.PUSH,),
        outcome=(Outcome.SUCCESS,),
        repository=last["repository"],
        columns=_LOOKED_AT,
    )
    newer = {one["digest"] or one["reference"] for one in store.events(after)} - {last["digest"], last["reference"]}
    return len(newer) >= KEPT


def _inside(client: str) -> bool:
    try:
        address = ip_address(client)
    except ValueError:
        return False
    return any(address in network for network in _INSIDE if network.version == address.version)
