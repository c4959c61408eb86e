"""Suspicions become findings: an id from the cause, a severity with its reasons, part of another one where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from analytics.detector import Detector, Suspicion
from analytics.explain import causes_of, query_of, similar_to
from analytics.holding import Holding
from analytics.marks import Mark, marked
from analytics.merging import MOST_EVIDENCE, absorbed, host_of, merge, united
from store.finding import Finding, finding_id


def judge(
    detector: Detector,
    suspicions: Iterable[Suspicion],
    now: datetime,
    known: Callable[[str], Finding | None],
    marks: Sequence[Mark] = (),
    past: Callable[[], Iterable[Finding]] = tuple,
    holding: Callable[[], Holding | None] = lambda: None,
) -> list[Finding]:
    """The findings that are new or have changed by these suspicions, in the order of their first suspicion.

    `known` gives the finding stored under an id. A finding that goes on keeps its id and its first `detected_at`, grows
    in span, subjects and evidence, and takes severity, score and sentences from the stronger of the two; one that is more
    of the same by the same account within a day becomes part of it. What people said
    of others like it (`marks`) is applied first; `past` gives the findings among which similar ones are looked for, and
    those that have spent the budget; `holding` is that budget.
    """
    changed: dict[str, Finding] = {}
    for suspicion in suspicions:
        fresh = _weighed(_finding(detector, suspicion, now), marks, now, past, holding, suspicion.without_past)
        own = changed.get(fresh.id) or known(fresh.id)
        host = host_of(fresh, [*past(), *changed.values()], own) if fresh.chance is None else None
        before = host or own
        merged = fresh if before is None else absorbed(host, fresh) if host else merge(before, fresh)
        similar = similar_to(merged, past(), marks) if before is None else before.similar
        merged = replace(merged, query=query_of(merged), causes=causes_of(merged, similar), similar=similar)
        if merged != before:
            changed[merged.id] = merged
    return list(changed.values())


def _weighed(
    finding: Finding,
    marks: Sequence[Mark],
    now: datetime,
    past: Callable[[], Iterable[Finding]],
    holding: Callable[[], Holding | None],
    without_past: bool,
) -> Finding:
    """At the severity that the budget and what people said of its like leave it, with the reasons."""
    budget = holding()
    held = finding if budget is None else budget.held(finding, past(), now, without_past=without_past)
    heard = marked(held, marks, now)
    if heard.severity is held.severity:
        return heard
    return replace(heard, reasons=[f"{heard.severity}: one like it was marked by a person", *held.reasons])


def _finding(detector: Detector, suspicion: Suspicion, now: datetime) -> Finding:
    return Finding(
        id=finding_id(detector.name, *suspicion.cause),
        detector=detector.name,
        kind=suspicion.kind,
        severity=suspicion.severity,
        title=suspicion.title,
        detected_at=now,
        start=suspicion.start,
        end=suspicion.end,
        subjects=united(suspicion.subjects, {}),
        score=float(suspicion.score),
        expected=suspicion.expected,
        observed=suspicion.observed,
        evidence=list(dict.fromkeys(suspicion.evidence))[:MOST_EVIDENCE],
        explanation=suspicion.explanation,
        next_step=suspicion.next_step or detector.next_step,
        runbook=suspicion.runbook,
        chance=suspicion.chance,
    )
