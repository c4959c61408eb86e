"""The pages that messages point at."""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from alerts.config import AlertsConfig
from alerts.message import runbook_link
from analytics.explain import CAUSES
from analytics.rules.load import pack
from analytics.rules.model import Rule
from collector.telemetry import CollectorTelemetry
from regsight.detector_page import page as detector_page
from regsight.rule_pages import pages
from store.event import BY_ECS

from .conftest import make_finding

ROOT = Path(__file__).parents[2]
# Rules have a page each: see below.
DETECTORS = sorted(
    file for file in (ROOT / "analytics" / "detectors").glob("*.py") if file.stem not in ("__init__", "rules")
)
DETECTORS.append(ROOT / "analytics" / "absence.py")


def page(detector: Path) -> str:
    return (ROOT / runbook_link(make_finding(detector=detector.stem), AlertsConfig()).partition("#")[0]).read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def kinds(detector: Path) -> set[str]:
    """The kinds that a detector's source names, or those modules beside it that make findings for it."""
    source = detector.read_text()
    names = re.findall(r"^from analytics\.(\w+) import", source, re.MULTILINE)
    beside = [(ROOT / "analytics" / f"{name}.py").read_text() for name in names]
    makers = [text for text in beside if re.search(r"^ +(yield|return) Suspicion\(", text, re.MULTILINE)]
    return set().union(*map(_kinds, [source, *makers]))


def _kinds(source: str) -> set[str]:
    """`kind=…`, the first argument of its own `_suspicion`, and what a comment tells to be its kinds."""
    found = set(re.findall(r'"(\w+)"', " ".join(re.findall(r"^.*# the kinds of its findings$", source, re.MULTILINE))))
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        named = [keyword.value for keyword in call.keywords if keyword.arg == "kind"]
        if isinstance(call.func, ast.Name) and call.func.id == "_suspicion":
            named += call.args[:1]
        for value in named:
            branches = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
            found |= {
                branch.value
                for branch in branches
                if isinstance(branch, ast.Constant) and isinstance(branch.value, str) and "_" in branch.value
            }
    return found


def test_there_are_detectors() -> None:
    """A suite that finds nothing to check must fail."""
    assert len(DETECTORS) >= 3


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda file: file.stem)
def test_every_detector_has_a_page_with_a_heading_for_each_kind(detector: Path) -> None:
    """The link of a finding's message leads somewhere, and no heading is about a kind that no longer exists."""
    text = page(detector)
    assert len(text.splitlines()) <= 80
    named = kinds(detector)
    assert named, "no kind was found in the detector's source"
    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == named
    for heading in ("## Check", "## Contain", "## When it is harmless"):
        assert heading in text


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda file: file.stem)
def test_every_query_uses_names_that_exist(detector: Path) -> None:
    """Options of `regsight events`, fields of the event, and metrics of the collector."""
    check_queries(page(detector))


@pytest.mark.parametrize("rule", pack(), ids=lambda rule: rule.id)
def test_every_rule_has_a_page(rule: Rule) -> None:
    """The link of its findings leads there; the page has queries that can be asked, and says what to do."""
    link = runbook_link(make_finding(detector="rules", kind=rule.id), AlertsConfig())
    text = (ROOT / link.partition("#")[0]).read_text()
    assert len(text.splitlines()) <= 90
    for heading in ("## Check", "## Contain", "## When it is harmless"):
        assert heading in text
    assert rule.description in text and rule.next_step in text
    check_queries(text)


def test_the_pages_of_the_rules_are_up_to_date() -> None:
    """`python -m regsight.rule_pages` was run after the last change of a rule, and no page is left of one that is gone."""
    folder = ROOT / "docs" / "runbooks"
    written = pages()
    for name, text in written.items():
        assert (folder / name).read_text() == text, name
    assert {f"rules/{path.name}" for path in (folder / "rules").iterdir()} == written.keys() - {"rules.md"}


def test_the_page_of_the_detectors_is_up_to_date() -> None:
    """`python -m regsight.detector_page` was run after the last change of a detector or rule."""
    assert (ROOT / "docs" / "detectors.md").read_text() == detector_page()


def test_every_kind_has_causes() -> None:
    """What a finding says it may be; rules bring their own."""
    assert set().union(*map(kinds, DETECTORS)) <= set(CAUSES)


def check_queries(text: str) -> None:
    from regsight.commands.showing import events

    options = {f"--{name}" for name in inspect.signature(events).parameters}
    commands = [line for block in blocks(text, "sh") for line in block.splitlines()]
    assert commands and all(line.startswith("regsight events ") for line in commands)
    for line in commands:
        assert set(re.findall(r"--\w+", line)) <= options, line

    queries = [json.loads(block) for block in blocks(text, "json")]
    assert queries
    for query in queries:
        used = set(re.findall(r'"field": "([^"]+)"', json.dumps(query)))
        clauses = [one for of_it in query["query"]["bool"].values() for one in of_it]
        while clauses:
            ((how, what),) = clauses.pop().items()
            if how == "bool":
                clauses += what["should"]
            elif how != "exists":
                used |= set(what)
        assert used and used <= set(BY_ECS), used - set(BY_ECS)
    for block in blocks(text, "lucene"):
        named = set(re.findall(r"([@\w.]+):", block)) - {"_exists_"}
        assert named <= set(BY_ECS), named - set(BY_ECS)

    registry = CollectorRegistry()
    CollectorTelemetry(registry)
    emitted = {f"{family.name}_total" for family in registry.collect() if family.type == "counter"}
    metrics = set(re.findall(r"regsight_\w+", "".join(blocks(text, "promql"))))
    assert metrics and metrics <= emitted, metrics - emitted
