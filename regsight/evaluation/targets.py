"""What is aimed at, beside what was reached. The targets were set before anything was measured, and do not move."""

from __future__ import annotations

from collections.abc import Mapping
from math import isinf
from statistics import mean, median

from regsight.evaluation.measures import (
    delay,
    done_before,
    explained,
    false_rate,
    found,
    merging,
    precision_at,
    quantile,
)
from regsight.evaluation.table import Table, percent, span
from regsight.evaluation.tables import AFTERWARDS, Judged
from regsight.evaluation.yardsticks import WORDS, cut, cut_for

_Line = tuple[str, str, str, str]


def targets(judged: Judged, unseen: Mapping[str, Judged] | None = None) -> Table:
    """Each target with what was reached, and whether it is met. `unseen` are the runs with kinds that were
    written after the detectors, by family.
    """
    rows = [
        *_recall(judged),
        *_unseen(unseen or {}),
        *_false(judged),
        *_delay(judged),
        *_said(judged),
        *_margin(judged),
    ]
    return Table("Targets", ("measure", "target", "reached", "met"), rows)


def _line(name: str, target: str, reached: str, met: bool) -> _Line:
    return name, target, reached, "yes" if met else "no"


def _recall(judged: Judged) -> list[_Line]:
    wanted = (
        ("blatant incidents found", 0.98, "", "blatant"),
        ("moderate found", 0.90, "", "moderate"),
        ("stealthy found", 0.65, "", "stealthy"),
        ("stealthy, bookkeeping", 0.90, "S", "stealthy"),
        ("stealthy, novelty", 0.65, "N", "stealthy"),
        ("stealthy, volume", 0.35, "V", "stealthy"),
    )
    rows = []
    for name, least, code, difficulty in wanted:
        mine = [
            one
            for one in judged.attacks
            if one.incident.difficulty == difficulty and code in ("", one.incident.evidence_class)
        ]
        share = found(mine)
        if share.total:
            rows.append(_line(name, f"≥ {least * 100:.0f} %", percent(share), share.value >= least))
    return rows


def _unseen(unseen: Mapping[str, Judged]) -> list[_Line]:
    shares = [found(judged.attacks) for family, judged in unseen.items() if not AFTERWARDS[family].in_view]
    return [
        _line("kinds not developed on", "≥ 60 %", percent(share), share.value >= 0.60)
        for share in shares
        if share.total
    ]


def _false(judged: Judged) -> list[_Line]:
    rows = []
    for name, most, scores, least in (
        ("false alerts medium+, quiet weeks", 1.0, judged.quiet, 2),
        ("false alerts medium+, with surprises", 3.0, judged.busy, 2),
        ("false alerts high+", 0.2, judged.scores, 3),
    ):
        if scores:
            rate = false_rate(scores, least)
            rows.append(_line(name, f"≤ {most:g} a week per 1,000 repositories", f"{rate:.1f}", rate <= most))
    if judged.surprises:
        share = found(judged.surprises)
        rows.append(_line("surprises that alert", "≤ 10 %", percent(share), share.value <= 0.10))
    return rows


def _delay(judged: Judged) -> list[_Line]:
    rows = []
    for name, most, choice in (
        ("delay, blatant, median", 120.0, [a for a in judged.attacks if a.incident.difficulty == "blatant"]),
        ("delay, S and N, median", 300.0, [a for a in judged.attacks if a.incident.evidence_class in "SN"]),
        ("delay, V, median", 65 * 60.0, [a for a in judged.attacks if a.incident.evidence_class == "V"]),
        ("delay, stealthy, median", 86_400.0, [a for a in judged.attacks if a.incident.difficulty == "stealthy"]),
    ):
        if choice:
            middle = quantile([delay(one) for one in choice], 0.5)
            rows.append(_line(name, f"≤ {span(most)}", span(middle), not isinf(middle) and middle <= most))
    done = [
        value
        for one in judged.attacks
        if one.incident.difficulty == "moderate"
        and one.incident.kind in ("A06", "A07", "A18", "A31")
        and (value := done_before(one)) is not None
    ]
    if done:
        reached = median(done)
        rows.append(
            _line("done before found, moderate theft and delete", "≤ 30 %", f"{reached * 100:.0f} %", reached <= 0.3)
        )
    return rows


def _said(judged: Judged) -> list[_Line]:
    told = explained(judged.attacks)
    rows = []
    for name, least, values in (
        ("precision@10", 0.90, [precision_at(score, 10) for score in judged.busy]),
        ("R-precision", 0.75, [precision_at(score, 0) for score in judged.busy]),
    ):
        known = [value for value in values if value is not None]
        if known:
            rows.append(_line(name, f"≥ {least:.2f}", f"{mean(known):.2f}", mean(known) >= least))
    for name, least, share in (
        ("right account", 0.95, told.actor),
        ("right repository", 0.90, told.repository),
        ("right address", 0.90, told.address),
        ("right technique in the first two", 0.75, told.technique),
        ("listed evidence that is true", 0.90, told.evidence),
    ):
        if share.total:
            rows.append(_line(name, f"≥ {least * 100:.0f} %", percent(share), share.value >= least))
    many = merging(judged.attacks)
    return [*rows, _line("findings per found incident", "≤ 1.5", f"{many:.1f}", many <= 1.5)]


def _margin(judged: Judged) -> list[_Line]:
    own = found(judged.attacks, lambda incident: incident.difficulty != "blatant").value
    budget = false_rate(judged.scores)
    best = max(cut(judged.outcomes, name, cut_for(judged.outcomes, name, budget)).hard.value for name in WORDS)
    margin = (own - best) * 100
    return [_line("margin over the best simple way", "≥ +25 points", f"{margin:+.0f} points", margin >= 25)]
