"""`docs/runbooks/rules/<id>.md` and their index, made from the rule files.

`python -m regsight.rule_pages` in the project's root rewrites them; a test fails when they lag.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics.rules.model import Rule

INDEX = """\
# Rules (`rules`)

Each rule is one file of `analytics/rules/pack/`: what it asks of events, and samples that it is tested with. A finding's kind is
the rule's id, and its message leads to the page of that rule. Made by `python -m regsight.rule_pages` from the rules: change
those, not these pages. Rules of your own go into the folder `[analytics] rules_folder`; one with the id of a rule below takes its
place, and `rules_off = ["id"]` switches one off. `regsight rules test FOLDER` tries them, `regsight rules export` gives them to
other tools as Sigma.

"""
_EXAMPLES = {
    "actor": ("--actor", "ci-bot", "user.name"),
    "client": ("--client", "198.51.100.7", "source.ip"),
    "client_ip": ("--client", "198.51.100.7", "source.ip"),
    "repository": ("--repository", "team/app", "oci.repository"),
}
_ACCOUNT = (
    "Take the account's right away first, ask afterwards. **Harbor**: *Robot Accounts → Disable*, or reset the password and end "
    "the sessions. **Distribution**: `htpasswd -D FILE NAME`, or lock the account at the token server. **ECR**: deactivate the "
    "access key; for a role, *Revoke active sessions*."
)
_ADDRESS = "Block the address in the proxy in front (`deny 198.51.100.7;` in nginx) or in the firewall, for a day to begin with."
_BY_TOPIC: dict[str, tuple[str, ...]] = {
    "push": (
        "Keep the image from running: set the tag back to the digest before (`skopeo copy --preserve-digests`), and have clusters "
        "pull by digest until it is clear.",
        "`regsight blast --digest sha256:…` names whoever pulled it: stop it there.",
        _ACCOUNT,
    ),
    "delete": (
        "Stop garbage collection: until it runs, the layers are there and a manifest can be pushed again. Do not push new images.",
        _ACCOUNT,
        "Find copies: nodes still hold what they run (`regsight blast --repository team/app` names who pulled it).",
    ),
    "pull": (
        _ACCOUNT,
        _ADDRESS,
        "If images left the house: rotate every secret that was ever built into one of them.",
    ),
    "rights": (
        "Set the right or the setting back to what it was; see in the registry's audit log what else was changed in that hour.",
        _ACCOUNT,
    ),
    "door": (_ADDRESS, "See that what was asked for is closed: try it yourself, without an account."),
    "running": (
        "Nobody has to be stopped: look at the registry's own log, the storage behind it and the proxy in front.",
        "If one client is the cause, slow it down in the proxy (`limit_req` in nginx).",
    ),
}
_TOPICS: tuple[tuple[str, frozenset[str]], ...] = (
    ("delete", frozenset(("delete", "untag", "gc", "retain"))),
    ("push", frozenset(("push", "tag", "mount", "layer_upload", "sign"))),
    ("rights", frozenset(("permission", "config", "replicate"))),
    ("pull", frozenset(("pull", "layer_download", "check"))),
    ("door", frozenset(("catalog", "list_tags", "other", "ping", "login", "token"))),
)


def page(rule: Rule) -> str:
    """The runbook of one rule."""
    from analytics.rules.write import as_toml, data_of

    data = data_of(rule)
    asked: dict[str, Any] = {name: data[name] for name in ("kind", "match", "when", "raise_to") if name in data}
    techniques = ", ".join(f"[{id}](https://attack.mitre.org/techniques/{id.replace('.', '/')}/)" for id in rule.attack)
    needs = f"\nNeeds: {'; '.join(rule.needs)}.\n" if rule.needs else ""
    left_out = _left_out(rule.match)
    more = f"\nThey find more than the rule: {', '.join(left_out)} cannot be asked for there.\n" if left_out else ""
    parts = [
        f"# {rule.id.replace('_', ' ').capitalize()} (`{rule.id}`)\n",
        f"{rule.description}\n\nSeverity: {rule.severity}. ATT&CK: {techniques}.\n{needs}",
        f"```toml\n{as_toml(asked)}```\n",
        f"## Check\n{rule.next_step}\nPut in names and times from `regsight findings show ID`, which lists the events.\n",
        f"```sh\n{command(rule)}\n```\n",
        f"Elasticsearch (index `regsight-events-*`):\n\n```json\n{_json(elasticsearch(rule))}\n```\n",
        f"Grafana, *Explore*, with Elasticsearch as the source:\n\n```lucene\n{lucene(rule)}\n```\n{more}",
        f"Grafana, with Prometheus as the source:\n\n```promql\n{promql(rule)}\n```\n",
        "## Contain\n" + "\n".join(f"- {line}" for line in _BY_TOPIC[topic(rule)]) + "\n",
        "## When it is harmless\n"
        + "\n".join(f"- {line[:1].upper()}{line[1:]}." for line in rule.false_positives)
        + "\n",
        "Mark it, so that the next one only informs: `regsight findings ack ID --expected --for 30d` (for this actor, or with "
        f"`--subject client`). A rule that does not fit your house: a copy of\n`analytics/rules/pack/{rule.id}.toml` with other "
        f'figures in your `rules_folder`, or `rules_off = ["{rule.id}"]`.\n',
    ]
    return "\n".join(parts)


def _json(query: Mapping[str, Any]) -> str:
    """One clause a line."""
    parts = []
    for name, clauses in query["query"]["bool"].items():
        inner = ",\n".join(f"  {json.dumps(clause, ensure_ascii=False)}" for clause in clauses)
        parts.append(f'"{name}": [\n{inner}]')
    return '{"size": 50, "sort": [{"@timestamp": "desc"}], "query": {"bool": {\n ' + ",\n ".join(parts) + "}}}"


def topic(rule: Rule) -> str:
    """What sort of thing has to be contained: the first that one of the rule's actions belongs to."""
    actions = set(_actions(rule))
    if set(rule.attack) <= {"T1499"} or not actions:
        return "running"
    return next((name for name, of_it in _TOPICS if actions & of_it), "running")


def _actions(rule: Rule) -> tuple[str, ...]:
    from analytics.rules.model import actions_of

    of_steps = [action for step in rule.when.steps for action in actions_of(step)]
    return tuple(dict.fromkeys([*actions_of(rule.match), *of_steps]))


def _subjects(rule: Rule) -> list[str]:
    """Whom the rule is about: what its title names, at most two."""
    named = [name for name in ("actor", "client", "repository") if f"{{{name}}}" in rule.title]
    return named or [name for name in rule.when.by if name in _EXAMPLES][:1]


def command(rule: Rule) -> str:
    """`regsight events …` for what the rule looks at."""
    words = ["regsight events --since 24h"]
    words += [f"--action {action}" for action in _actions(rule)]
    words += [f"--outcome {outcome}" for outcome in _plain(rule.match.get("outcome"))]
    words += [f"{_EXAMPLES[name][0]} {_EXAMPLES[name][1]}" for name in _subjects(rule)]
    return " ".join(words)


def _plain(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        value = value.get("in", ())
    return [value] if isinstance(value, str) else [str(one) for one in value or ()]


def elasticsearch(rule: Rule) -> dict[str, Any]:
    """A search for the rule's events; what Elasticsearch's patterns cannot say is left out, so that it finds more."""
    filters, must_not = _clauses(rule.match)
    filters += [{"term": {_EXAMPLES[name][2]: _EXAMPLES[name][1]}} for name in _subjects(rule)]
    filters.append({"range": {"@timestamp": {"gte": "now-24h"}}})
    query: dict[str, Any] = {"filter": filters}
    if must_not:
        query["must_not"] = must_not
    return {"size": 50, "sort": [{"@timestamp": "desc"}], "query": {"bool": query}}


def _clauses(match: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    from analytics.rules.condition import field_name
    from store.event import BY_NAME

    filters: list[dict[str, Any]] = []
    must_not: list[dict[str, Any]] = []
    for name, value in match.items():
        if name in ("any", "none") or not BY_NAME[field_name(name)].index:
            continue
        ecs = BY_NAME[field_name(name)].ecs
        for word, argument in (value if isinstance(value, Mapping) else {"in": value}).items():
            listed = list(argument) if isinstance(argument, list | tuple) else [argument]
            if word == "in":
                filters.append(_one_of(ecs, listed))
            elif word == "not":
                must_not.append(_one_of(ecs, listed))
                filters.append({"exists": {"field": ecs}})
            elif word in ("above", "below"):
                filters.append({"range": {ecs: {"gt" if word == "above" else "lt": argument}}})
            elif word == "present":
                (filters if argument else must_not).append({"exists": {"field": ecs}})
    return filters, must_not


def _left_out(match: Mapping[str, Any]) -> list[str]:
    """The fields of conditions that `_clauses` cannot write."""
    from analytics.rules.condition import field_name, fields_of
    from store.event import BY_NAME

    said = ("in", "not", "above", "below", "present")
    fields: set[str] = set()
    for name, value in match.items():
        words = value if isinstance(value, Mapping) else {"in": value}
        if name in ("any", "none") or not BY_NAME[field_name(name)].index or not set(words) <= set(said):
            fields |= fields_of({name: value})
    return [f"`{BY_NAME[name].ecs}`" for name in sorted(fields)]


def _one_of(ecs: str, values: list[Any]) -> dict[str, Any]:
    globs = [one for one in values if isinstance(one, str) and ("*" in one or "?" in one)]
    if not globs:
        return {"terms": {ecs: values}} if len(values) > 1 else {"term": {ecs: values[0]}}
    plain = [one for one in values if one not in globs]
    clauses: list[dict[str, Any]] = [{"wildcard": {ecs: {"value": one}}} for one in globs]
    if plain:
        clauses.append({"terms": {ecs: plain}})
    return clauses[0] if len(clauses) == 1 else {"bool": {"should": clauses, "minimum_should_match": 1}}


def lucene(rule: Rule) -> str:
    """The same in the words of Lucene."""
    filters, must_not = _clauses(rule.match)
    said = [_said(clause) for clause in filters if "exists" not in clause or len(filters) == 1]
    return " AND ".join([*said, *(f"NOT {_said(clause)}" for clause in must_not)]) or "*"


def _said(clause: Mapping[str, Any]) -> str:
    ((how, what),) = clause.items()
    if how == "bool":
        return "(" + " OR ".join(_said(one) for one in what["should"]) + ")"
    ((ecs, value),) = what.items()
    if how == "exists":
        return f"_exists_:{value}"
    if how == "range":
        return f"{ecs}:>{value['gt']}" if "gt" in value else f"{ecs}:<{value['lt']}"
    if how == "wildcard":
        return f"{ecs}:{_lucene_word(value['value'], keep='*?')}"
    values = value if isinstance(value, list) else [value]
    words = [_lucene_word(one) for one in values]
    return f"{ecs}:{words[0]}" if len(words) == 1 else f"{ecs}:({' OR '.join(words)})"


def _lucene_word(value: Any, keep: str = "") -> str:
    special = '+-=&|><!(){}[]^"~*?:\\/$ '
    return "".join(f"\\{char}" if char in special and char not in keep else char for char in str(value))


def promql(rule: Rule) -> str:
    """How many such events there were, as far as the metrics tell them apart."""
    labels = [
        f'{name}=~"{"|".join(values)}"' if len(values) > 1 else f'{name}="{values[0]}"'
        for name, values in (("action", list(_actions(rule))), ("outcome", _plain(rule.match.get("outcome"))))
        if values
    ]
    return f"sum by (registry) (increase(regsight_collector_events_total{{{', '.join(labels)}}}[1h]))"


def index(rules: Iterable[Rule]) -> str:
    """The page of the detector `rules`."""
    lines = ["| rule | severity | ATT&CK | what it notices |", "| --- | --- | --- | --- |"]
    for rule in rules:
        link = f"[`{rule.id}`](rules/{rule.id}.md)"
        lines.append(f"| {link} | {rule.severity} | {', '.join(rule.attack)} | {rule.description} |")
    return INDEX + "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """File below `docs/runbooks/` → its text."""
    from analytics.rules.load import pack

    return {"rules.md": index(pack())} | {f"rules/{rule.id}.md": page(rule) for rule in pack()}


def main(root: Path) -> None:
    """Write them, and take away those of rules that are gone."""
    folder = root / "docs" / "runbooks"
    (folder / "rules").mkdir(exist_ok=True)
    written = pages()
    for path in (folder / "rules").glob("*.md"):
        if f"rules/{path.name}" not in written:
            path.unlink()
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path.cwd())
