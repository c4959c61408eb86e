"""Our rules as Sigma rules and correlations, for whoever searches the same events with another tool.

Field names are the flat ECS names of the events. What a rule needs of the past (never seen before, more than usual, less
than usual, a share, what did not follow) has no counterpart in Sigma: such rules are named, not bent into something that
fires on everything. Sigma Rules Specification 2.0, Sigma Correlation Rules Specification 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from analytics.rules.condition import field_name
from analytics.rules.model import Kind, Rule, asked_of_step
from analytics.rules.write import span_text
from store.event import BY_NAME
from store.finding import Severity

LOGSOURCE = {
    "product": "container_registry",
    "service": "regsight",
    "definition": "Events of Regsight under their flat ECS names, as `regsight events --json` and Elasticsearch have them.",
}
_LEVELS = {Severity.INFO: "informational"}
_KINDS_OF_ONE_EVENT = (Kind.ANY, Kind.BLACKLIST, Kind.WHITELIST)


class NotInSigma(Exception):
    """The rule says something that Sigma has no words for."""


def documents(rule: Rule) -> list[dict[str, Any]]:
    """The YAML documents of one file: the rule, or what it counts and the correlation over it.

    Raises:
        NotInSigma: with the reason.
    """
    if rule.when.fresh:
        raise NotInSigma("what the past did not have")
    metric = rule.when.metric
    if rule.kind is Kind.METRIC_AGGREGATION and metric and metric.how == "max" and rule.when.least == 1:
        detection = _detection(rule.match)  # a maximum is above a bound as soon as one event is
        detection["largest"] = {f"{_ecs(metric.field)}|gte": rule.when.above}
        detection["condition"] = f"({detection['condition']}) and largest"
        return [_head(rule) | {"logsource": LOGSOURCE, "detection": detection}]
    if rule.kind in _KINDS_OF_ONE_EVENT:
        return [_head(rule) | {"logsource": LOGSOURCE, "detection": _detection(_all_of(rule))}]
    correlation = _correlation(rule)
    if rule.kind is Kind.SEQUENCE:
        parts = [_part(rule, f"{rule.id}_{place}", asked_of_step(step) or rule.match) for place, step in _steps(rule)]
    else:
        parts = [_part(rule, f"{rule.id}_event", rule.match)]
    return [*parts, _head(rule) | {"correlation": correlation}]


def _head(rule: Rule) -> dict[str, Any]:
    tags = [f"attack.{id.lower()}" for id in rule.attack]
    return {
        "title": rule.id.replace("_", " ").capitalize(),
        "id": _uuid(rule.id),
        "name": rule.id,
        "status": "test",
        "description": rule.description,
        **({"tags": tags} if tags else {}),
        "falsepositives": list(rule.false_positives),
        "level": _LEVELS.get(rule.severity, str(rule.severity)),
    }


def _uuid(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"urn:regsight:rule:{name}"))


def _part(rule: Rule, name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": f"Events of {rule.id}",
        "id": _uuid(name),
        "name": name,
        "status": "test",
        "logsource": LOGSOURCE,
        "detection": _detection(wanted),
        "level": "informational",
    }


def _all_of(rule: Rule) -> dict[str, Any]:
    if rule.kind is Kind.ANY or rule.when.field is None:
        return dict(rule.match)
    listed = {"in" if rule.kind is Kind.BLACKLIST else "not": list(rule.when.values)}
    held = rule.match.get(rule.when.field)
    if held is not None:
        return {**rule.match, rule.when.field: {**(held if isinstance(held, Mapping) else {"in": held}), **listed}}
    return rule.match | {rule.when.field: listed}


def _steps(rule: Rule) -> list[tuple[int, dict[str, Any]]]:
    if any(int(step.get("count", 1)) > 1 for step in rule.when.steps) or rule.when.unless or rule.when.different:
        raise NotInSigma("a sequence with repeated steps, exceptions or fields that must differ")
    return list(enumerate(rule.when.steps, start=1))


def _correlation(rule: Rule) -> dict[str, Any]:
    when = rule.when
    if rule.kind in (Kind.FREQUENCY, Kind.CARDINALITY):
        counted = rule.kind is Kind.CARDINALITY
        condition: dict[str, Any] = {"gte": when.count}
        if counted and when.field:
            condition["field"] = _ecs(when.field)
        names = [f"{rule.id}_event"]
        return _correlated("value_count" if counted else "event_count", rule, names) | {"condition": condition}
    if rule.kind is Kind.METRIC_AGGREGATION and when.metric and when.metric.how in ("sum", "mean"):
        condition = {"gte": when.above, "field": _ecs(when.metric.field)}
        kind = "value_sum" if when.metric.how == "sum" else "value_avg"
        return _correlated(kind, rule, [f"{rule.id}_event"]) | {"condition": condition}
    if rule.kind is Kind.SEQUENCE:
        return _correlated("temporal_ordered", rule, [f"{rule.id}_{place}" for place, _ in _steps(rule)])
    why = "what did not follow" if rule.kind is Kind.ABSENCE else "the events are held against others, or the past"
    raise NotInSigma(f"kind {rule.kind}: {why}")


def _correlated(kind: str, rule: Rule, names: Sequence[str]) -> dict[str, Any]:
    grouped = {"group-by": [_ecs(name) for name in rule.when.by]} if rule.when.by else {}
    assert rule.when.within is not None
    return {"type": kind, "rules": list(names), **grouped, "timespan": span_text(rule.when.within)}


def _ecs(name: str) -> str:
    return BY_NAME[field_name(name)].ecs


def _detection(wanted: Mapping[str, Any]) -> dict[str, Any]:
    writer = _Selections()
    text = writer.table(wanted)
    return {**writer.selections, "condition": text}


@dataclass(slots=True)
class _Selections:
    """Writes a condition as named selections and the expression over them."""

    selections: dict[str, Any] = field(default_factory=dict)

    def table(self, wanted: Mapping[str, Any]) -> str:
        """One table: what is asked of fields goes into one selection, the rest is joined to it."""
        items: dict[str, Any] = {}
        joined: list[str] = []
        for name, value in wanted.items():
            if name in ("any", "none"):
                inner = " or ".join(f"({self.table(one)})" for one in value)
                joined.append(f"({inner})" if name == "any" else f"not ({inner})")
                continue
            words = value if isinstance(value, Mapping) else {"in": value}
            for word, argument in words.items():
                self._word(_ecs(name), word, argument, items, joined)
        if items:
            joined.insert(0, self._selection(items))
        return " and ".join(joined) if joined else self._selection({_ecs("event_id") + "|exists": True})

    def _selection(self, items: Mapping[str, Any]) -> str:
        name = f"selection_{len(self.selections) + 1}" if self.selections else "selection"
        self.selections[name] = dict(items)
        return name

    def _word(self, ecs: str, word: str, argument: Any, items: dict[str, Any], joined: list[str]) -> None:
        several = list(argument) if isinstance(argument, list | tuple) else [argument]
        positive = {"in": "", "matches": "|re", "above": "|gt", "below": "|lt", "network": "|cidr", "hour": "|hour"}
        negative = {"not": "", "not_matches": "|re", "not_network": "|cidr"}
        if word == "present":
            items[f"{ecs}|exists"] = bool(argument)
        elif word in positive:
            items[ecs + positive[word]] = several if len(several) > 1 else several[0]
        elif word in negative:
            # Ours are false where the field is missing; Sigma's negation is true there.
            items[f"{ecs}|exists"] = True
            joined.append("not " + self._selection({ecs + negative[word]: several}))
        else:
            raise NotInSigma(f"the condition {word!r}")
