"""Sigma rules as ours, through pySigma: those about our own events, and those about a web server's access lines.

Texts of Sigma are compared without regard to case, ours with: names become patterns that ignore it; what comes from a closed
set of ours (action, outcome …) stays as it is. Read are event rules, and the correlations event_count, value_count and
temporal_ordered. Sigma rules have no samples: whoever imports one adds them, and `regsight rules test` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from analytics.errors import AnalyticsError
from analytics.rules.condition import field_name
from analytics.rules.write import span_text
from store.event import BY_NAME
from store.finding import Severity

if TYPE_CHECKING:
    from sigma.rule import SigmaRule

# The taxonomy of Sigma for web servers and proxies, as far as an access line of a registry has it.
WEB_FIELDS: Mapping[str, str] = {
    "cs-method": "method",
    "cs-uri": "uri",
    "cs-uri-stem": "uri",
    "cs-uri-query": "uri",
    "c-uri": "uri",
    "c-uri-query": "uri",
    "sc-status": "status",
    "cs-user-agent": "user_agent",
    "c-useragent": "user_agent",
    "c-ip": "client_ip",
    "src_ip": "client_ip",
    "cs-username": "actor",
    "cs-host": "host",
    "sc-bytes": "response_bytes",
}
_CLOSED = frozenset(
    ("action", "outcome", "reason", "channel", "actor_kind", "client_class", "traffic_class", "dataset")
)
_SEVERITIES = {"informational": Severity.INFO}


class NotOurs(AnalyticsError):
    """A Sigma rule that cannot become one of ours; the message says why."""


def rules_of(text: str) -> list[dict[str, Any]]:
    """The rules in a Sigma file, as the data of our rule files (`analytics.rules.model.Rule`, no samples).

    Raises:
        NotOurs: it is no Sigma, about other logs, or says what our rules cannot.
    """
    from sigma.collection import SigmaCollection
    from sigma.correlations import SigmaCorrelationRule
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaRule
    from yaml import YAMLError

    try:
        collection = SigmaCollection.from_yaml(text)
        collection.resolve_rule_references()
        correlations = [one for one in collection.rules if isinstance(one, SigmaCorrelationRule)]
        used = {id(reference.rule) for one in correlations for reference in one.rules or ()}
        found = [_of_event(one) for one in collection.rules if isinstance(one, SigmaRule) and id(one) not in used]
        return found + [_correlated(one) for one in correlations]
    except SigmaError as error:
        raise NotOurs(str(error)) from None
    except (
        AttributeError,
        TypeError,
        ValueError,
        YAMLError,
    ) as error:  # what pySigma and YAML give for texts that are no rules
        raise NotOurs(f"no Sigma rule: {error}") from None


def _of_event(rule: SigmaRule) -> dict[str, Any]:
    return _head(rule) | {"kind": "any", "match": _match(rule)}


def _head(rule: Any) -> dict[str, Any]:
    title = str(rule.title or rule.name or "rule")
    level = str(rule.level).lower() if rule.level else "low"
    description = " ".join(str(rule.description or "").split())
    attack = [str(tag)[7:].upper() for tag in rule.tags if re.fullmatch(r"attack\.t\d{4}(\.\d{3})?", str(tag).lower())]
    author = f" Author: {rule.author}." if rule.author else ""
    return {
        "id": _id(str(rule.name or title)),
        "title": title.replace("{", "(").replace("}", ")"),
        "severity": str(_SEVERITIES.get(level, level)),
        "attack": attack,
        "description": f"{(description or title).rstrip('.')}. Imported from Sigma rule {rule.id or 'without id'}.{author}",
        "false_positives": [str(one) for one in rule.falsepositives or ()] or ["not said by the rule's author"],
        "next_step": "Look at the events behind it, and ask the actor or the owner of the address whether it was them.",
    }


def _id(name: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return words if words[:1].isalpha() else f"sigma_{words}"


def _correlated(rule: Any) -> dict[str, Any]:
    kind = str(rule.type.name).lower()
    parts = [_match(reference.rule) for reference in rule.rules or ()]
    when: dict[str, Any] = {"within": span_text(timedelta(seconds=rule.timespan.seconds))}
    if rule.group_by:
        when["by"] = [_field(name) for name in rule.group_by]
    if kind == "temporal_ordered" and "by" in when:
        steps = {"steps": parts}
        return _head(rule) | {"kind": "sequence", "match": {"event_id": {"present": True}}, "when": when | steps}
    if kind not in ("event_count", "value_count") or len(parts) != 1:
        raise NotOurs(f"a correlation of type {kind} over {len(parts)} rules")
    operator = str(rule.condition.op.name).lower()
    if operator not in ("gte", "gt"):
        raise NotOurs(f"a correlation with {operator}")
    when["count"] = int(rule.condition.count) + (operator == "gt")
    if kind == "event_count":
        return _head(rule) | {"kind": "frequency", "match": parts[0], "when": when}
    named = rule.condition.fieldref
    names = [named] if isinstance(named, str) else list(named or ())
    if len(names) != 1:
        raise NotOurs("a count of values of more than one field")
    return _head(rule) | {"kind": "cardinality", "match": parts[0], "when": when | {"field": _field(names[0])}}


def _match(rule: Any) -> dict[str, Any]:
    source = rule.logsource
    ours = source.service == "regsight" or source.product == "container_registry"
    if not ours and source.category not in ("webserver", "proxy"):
        about = ", ".join(str(one) for one in (source.category, source.product, source.service) if one)
        raise NotOurs(
            f"it is about other logs ({about}); ours are service regsight, and categories webserver and proxy"
        )
    trees = [_tree(condition.parsed) for condition in rule.detection.parsed_condition]
    return _any(trees)


def _tree(node: Any) -> dict[str, Any]:
    from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR

    if isinstance(node, ConditionAND):
        return _all([_tree(one) for one in node.args])
    if isinstance(node, ConditionOR):
        return _any([_tree(one) for one in node.args])
    if isinstance(node, ConditionNOT):
        return {"none": [_tree(one) for one in node.args]}
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return _asked(_field(node.field), node.value)
    raise NotOurs("keywords that may stand anywhere in a line: our events are fields")


def _all(tables: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All of them: one table where no field is asked twice, else the long way round."""
    names = [name for table in tables for name in table]
    if len(set(names)) == len(names):
        return {name: value for table in tables for name, value in table.items()}
    return {"none": [{"none": [table]} for table in tables]}


def _any(tables: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if len(tables) == 1:
        return tables[0]
    names = {name for table in tables for name in table}
    if len(names) == 1 and all(len(table) == 1 for table in tables):
        name = names.pop()
        merged = _same_word([table[name] for table in tables])
        if merged is not None and name not in ("any", "none"):
            return {name: merged}
    return {"any": list(tables)}


def _same_word(values: Iterable[Any]) -> Any:
    """Values of one field as one list, where they ask in the same way."""
    listed = list(values)
    if all(not isinstance(one, dict) for one in listed):
        return listed
    words = {word for one in listed for word in (one if isinstance(one, dict) else {"": 0})}
    if len(words) == 1 and (word := words.pop()) in ("matches", "network"):
        return {word: [argument for one in listed for argument in _several(one[word])]}
    return None


def _several(argument: Any) -> list[Any]:
    return argument if isinstance(argument, list) else [argument]


def _field(name: str | None) -> str:
    if name is None:
        raise NotOurs("keywords that may stand anywhere in a line: our events are fields")
    if name in WEB_FIELDS:
        return WEB_FIELDS[name]
    try:
        return field_name(name)
    except ValueError as error:
        raise NotOurs(str(error)) from None


def _asked(name: str, value: Any) -> dict[str, Any]:
    from sigma import types

    if isinstance(value, types.SigmaString):
        return {name: _text(name, value)}
    if isinstance(value, types.SigmaNumber):
        return {name: value.number if BY_NAME[name].kind in ("int", "float") else str(value.number)}
    if isinstance(value, types.SigmaRegularExpression):
        flags = "".join(sorted(flag.name.lower()[0] for flag in value.flags))
        return {name: {"matches": (f"(?{flags})" if flags else "") + str(value.regexp)}}
    if isinstance(value, types.SigmaCIDRExpression):
        return {name: {"network": str(value.cidr)}}
    if isinstance(value, types.SigmaExists):
        return {name: {"present": bool(value)}}
    if isinstance(value, types.SigmaNull):
        return {name: {"present": False}}
    if isinstance(value, types.SigmaTimestampPart) and value.timestamp_part.name.lower() == "hour":
        return {name: {"hour": int(value.number.number if hasattr(value.number, "number") else value.number)}}
    if isinstance(value, types.SigmaCompareExpression):
        return _compared(name, value.op.name.lower(), value.number.number)
    raise NotOurs(f"a condition of type {type(value).__name__}")


def _compared(name: str, operator: str, number: Any) -> dict[str, Any]:
    if operator in ("gt", "lt"):
        return {name: {"above" if operator == "gt" else "below": number}}
    if operator not in ("gte", "lte"):
        raise NotOurs(f"a comparison with {operator}")
    return {name: {"present": True}, "none": [{name: {"below" if operator == "gte" else "above": number}}]}


def _text(name: str, value: Any) -> Any:
    from sigma.types import SigmaCasedString, SpecialChars

    parts = list(value)
    special = any(isinstance(part, SpecialChars) for part in parts)
    if name in _CLOSED and not special:
        return str(value)
    expression = "".join(_pattern(part) for part in parts)
    case = "" if isinstance(value, SigmaCasedString) else "(?i)"
    return {"matches": f"{case}^{expression}$".replace("^.*", "").replace(".*$", "") or "."}


def _pattern(part: Any) -> str:
    if isinstance(part, str):
        return re.escape(part)
    name = getattr(part, "name", "")
    if name == "WILDCARD_MULTI":
        return ".*"
    if name == "WILDCARD_SINGLE":
        return "."
    raise NotOurs(f"a placeholder {part}")
