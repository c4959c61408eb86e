"""Suspicions become findings: an id from the cause, what is the same merged, evidence cut to what a person can read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from analytics.detector import Detector, Suspicion
from analytics.explain import causes_of, query_of, similar_to
from analytics.marks import Mark, marked
from store.finding import Finding, finding_id

MOST_EVIDENCE = 50


def judge(
    detector: Detector,
    suspicions: Iterable[Suspicion],
    now: datetime,
    known: Callable[[str], Finding | None],
    marks: Sequence[Mark] = (),
    past: Callable[[], Iterable[Finding]] = tuple,
) -> list[Finding]:
    """The findings that are new or have changed by these suspicions, in the order of their first suspicion.

    `known` gives the finding stored under an id. A finding that goes on keeps its id and its first `detected_at`, grows
    in span, subjects and evidence, and takes severity, score and sentences from the stronger of the two. What people said
    of others like it (`marks`) is applied first; `past` gives the findings among which similar ones are looked for.
    """
    changed: dict[str, Finding] = {}
    for suspicion in suspicions:
        fresh = marked(_finding(detector, suspicion, now), marks, now)
        before = changed.get(fresh.id) or known(fresh.id)
        merged = fresh if before is None else merge(before, fresh)
        similar = similar_to(merged, past(), marks) if before is None else before.similar
        merged = replace(merged, query=query_of(merged), causes=causes_of(merged, similar), similar=similar)
        if merged != before:
            changed[merged.id] = merged
    return list(changed.values())


def merge(before: Finding, after: Finding) -> Finding:
    """One finding out of two with the same id; the earlier one's id and time of detection."""
    # Equal ones leave things as they are: judging the same span again must change nothing.
    stronger = after if (after.severity.rank, after.score) > (before.severity.rank, before.score) else before
    other = before if stronger is after else after
    return replace(
        stronger,
        id=before.id,
        detected_at=min(before.detected_at, after.detected_at),
        start=min(before.start, after.start),
        end=max(before.end, after.end),
        subjects=_united(before.subjects, after.subjects),
        evidence=list(dict.fromkeys([*stronger.evidence, *other.evidence]))[:MOST_EVIDENCE],
    )


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
        subjects=_united(suspicion.subjects, {}),
        score=float(suspicion.score),
        expected=suspicion.expected,
        observed=suspicion.observed,
        evidence=list(dict.fromkeys(suspicion.evidence))[:MOST_EVIDENCE],
        explanation=suspicion.explanation,
        next_step=suspicion.next_step or detector.next_step,
    )


def _united(one: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {name: sorted({*one.get(name, ()), *other.get(name, ())}) for name in ("actor", "client", "repository")}
