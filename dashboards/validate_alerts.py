"""Is a file of Grafana alert rules right? A bad one keeps Grafana from starting; a subtler one never fires.

What is checked here was seen to go wrong in Grafana 11.0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from dashboards import promql
from dashboards.references import KNOWN_UIDS

EXPRESSIONS = "__expr__"
_UID = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
_DURATION = re.compile(r"(?:\d+[smhdwy])+\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_NO_DATA = frozenset({"NoData", "OK", "Alerting", "KeepLast"})
_ON_ERROR = frozenset({"Error", "OK", "Alerting", "KeepLast"})
_REDUCERS = frozenset({"last", "mean", "min", "max", "sum", "count", "median"})
_TYPES = frozenset({"reduce", "threshold", "math", "resample", "classic_conditions"})
_KEYS = frozenset(
    {"uid", "title", "condition", "for", "noDataState", "execErrState", "labels", "annotations", "data", "isPaused"}
)
_BARE_DOLLAR = re.compile(r"(?<!\$)\$(?!\$)")


def validate(file: Mapping[str, Any], boards: Mapping[str, dict[str, Any]]) -> list[str]:
    """What is wrong, in words; nothing when it is right. `boards`: uid → dashboard, for links to panels."""
    groups = file.get("groups")
    if file.get("apiVersion") != 1 or not isinstance(groups, list):
        return ["apiVersion 1 and a list of groups"]
    found = [problem for group in groups for problem in _group(group)]
    rules = [(str(group.get("folder")), rule) for group in groups for rule in group.get("rules") or ()]
    found += _twice("uid", Counter(rule.get("uid") for _, rule in rules))
    found += _twice("title", Counter((folder, rule.get("title")) for folder, rule in rules))
    for _, rule in rules:
        found += [f"rule {rule.get('title')!r}: {problem}" for problem in _rule(rule, boards)]
    return found


def _twice(what: str, counts: Counter[Any]) -> list[str]:
    return [f"{what} {value!r} is used {count} times" for value, count in counts.items() if count > 1]


def _group(group: Mapping[str, Any]) -> Iterator[str]:
    for key in ("name", "folder"):
        if not str(group.get(key) or "").strip():
            yield f"group {group.get('name')!r}: no {key}"
        elif key == "folder" and _BARE_DOLLAR.search(group[key]):
            yield f"group {group.get('name')!r}: a single $ in folder is taken for an environment variable"
    interval = str(group.get("interval", ""))
    if not _DURATION.match(interval) or _seconds(interval) == 0 or _seconds(interval) % 10:
        yield f"group {group.get('name')!r}: interval {interval!r} is no multiple of 10s"
    if not group.get("rules"):
        yield f"group {group.get('name')!r}: no rules"


def _seconds(duration: str) -> int:
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)([smhdwy])", duration))


def _rule(rule: Mapping[str, Any], boards: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    if not isinstance(rule.get("uid"), str) or not _UID.match(rule["uid"]):
        yield f"uid {rule.get('uid')!r} is not 1 to 40 of A-Z a-z 0-9 _ -"
    if not str(rule.get("title") or "").strip():
        yield "no title"
    if not _DURATION.match(str(rule.get("for", ""))):
        yield f"for {rule.get('for')!r} is no duration"
    yield from (f"key {key!r} would be ignored" for key in sorted(set(rule) - _KEYS))
    if rule.get("noDataState") not in _NO_DATA:
        yield f"noDataState {rule.get('noDataState')!r}"
    if rule.get("execErrState") not in _ON_ERROR:
        yield f"execErrState {rule.get('execErrState')!r}"
    texts = [str(rule.get("title", "")), *map(str, (rule.get("labels") or {}).values())]
    if any(_BARE_DOLLAR.search(text) for text in texts):
        yield "a single $ in title or labels is taken for an environment variable: write $$"
    yield from _linked_panel(rule.get("annotations") or {}, boards)
    yield from _data(rule)


def _linked_panel(annotations: Mapping[str, str], boards: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    uid, panel = annotations.get("__dashboardUid__"), annotations.get("__panelId__")
    if (uid is None) != (panel is None):
        yield "__dashboardUid__ and __panelId__ go together"
    elif uid is not None:
        ids = {str(each.get("id")) for each in boards.get(uid, {}).get("panels", ()) if each.get("type") != "row"}
        if panel not in ids:
            yield f"no panel {panel!r} on board {uid!r}"


def _data(rule: Mapping[str, Any]) -> Iterator[str]:
    data = rule.get("data")
    if not isinstance(data, list) or not data:
        yield "no data"
        return
    ids = [part.get("refId") for part in data]
    if not all(ids) or len(set(ids)) != len(ids):
        yield f"refIds are empty or not unique: {ids}"
    if rule.get("condition") not in ids:
        yield f"condition {rule.get('condition')!r} is no refId"
    by_id = {part.get("refId"): part for part in data}
    for part in data:
        check = _expression if part.get("datasourceUid") == EXPRESSIONS else _query
        yield from (f"{part.get('refId')}: {problem}" for problem in check(part, by_id))


def _query(part: Mapping[str, Any], _: Mapping[Any, Mapping[str, Any]]) -> Iterator[str]:
    uid, model = part.get("datasourceUid"), part.get("model") or {}
    if uid not in KNOWN_UIDS:
        yield f"datasourceUid {uid!r} is unknown"
    if not isinstance(model.get("datasource", {}), dict):
        yield "model.datasource is absent or {type, uid}"
    if model.get("refId") != part.get("refId"):
        yield "its model has another refId"
    span = part.get("relativeTimeRange") or {}
    start, end = span.get("from"), span.get("to")
    if type(start) is not int or type(end) is not int or start <= end:
        yield "relativeTimeRange: numbers, from > to"
    if KNOWN_UIDS.get(str(uid)) == "elasticsearch":
        yield from _stored(model)
        return
    expr = str(model.get("expr") or "")
    if not expr.strip():
        yield "no expr"
    yield from promql.problems(expr)
    if names := promql.variables(expr):
        yield f"dashboard variables {sorted(names)} are not filled in: it would never fire"
    if bool(model.get("instant")) == bool(model.get("range")):
        yield "instant or range: exactly one"


def _stored(model: Mapping[str, Any]) -> Iterator[str]:
    if any(metric.get("type") in {"logs", "raw_data", "raw_document"} for metric in model.get("metrics") or ()):
        yield "single documents cannot be judged: count them"
    if promql.variables(str(model.get("query", ""))):
        yield "dashboard variables are not filled in: it would never fire"


def _expression(part: Mapping[str, Any], by_id: Mapping[Any, Mapping[str, Any]]) -> Iterator[str]:
    model = part.get("model") or {}
    kind = model.get("type")
    if kind not in _TYPES:
        yield f"expression of type {kind!r}"
    if model.get("refId") != part.get("refId"):
        yield "its model has another refId"
    if kind in {"reduce", "threshold", "resample"}:
        asked = by_id.get(model.get("expression"))
        if asked is None or model.get("expression") == part.get("refId"):
            yield f"expression {model.get('expression')!r} is no other refId"
        elif kind == "threshold" and _is_range(asked):
            yield "a range goes through reduce before a threshold"
        elif kind == "reduce" and model.get("reducer") == "last" and _ends_open(asked):
            yield "the last bucket over time is still empty: sum or max, or terms alone"
    if kind == "math":
        named = set(re.findall(r"\$\{?(\w+)", str(model.get("expression", ""))))
        yield from (f"${name} is no refId" for name in sorted(named - set(by_id)))
    if kind == "reduce" and model.get("reducer") not in _REDUCERS:
        yield f"reducer {model.get('reducer')!r}"
    if (model.get("settings") or {}).get("mode", "dropNN") not in {"dropNN", "replaceNN"}:
        yield f"reducer mode {model['settings']['mode']!r}: dropNN, replaceNN, or no settings"
    if kind == "threshold" and not model.get("conditions"):
        yield "no conditions"


def _is_range(part: Mapping[str, Any]) -> bool:
    model = part.get("model") or {}
    return part.get("datasourceUid") != EXPRESSIONS and (bool(model.get("range")) or _ends_open(part))


def _ends_open(part: Mapping[str, Any]) -> bool:
    buckets = (part.get("model") or {}).get("bucketAggs") or [{}]
    return bool(buckets[-1].get("type") == "date_histogram")
