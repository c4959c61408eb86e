"""The figures as tables of words: what the command prints and the page holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import mean, median
from typing import NamedTuple

from regsight.evaluation.budgets import ablation, recall_within
from regsight.evaluation.match import Matched, Score
from regsight.evaluation.measures import (
    delay,
    done_before,
    explained,
    false_rate,
    found,
    merging,
    opened,
    precision_at,
    quantile,
    scored,
)
from regsight.evaluation.outcome import Incident, Outcome
from regsight.evaluation.table import Table, percent, span
from regsight.evaluation.yardsticks import BUDGETS, WORDS, cut, cut_for
from regsight.traffic.scenes import DIFFICULTIES


@dataclass(slots=True)
class Judged:
    """All runs of an evaluation, scored."""

    outcomes: list[Outcome]
    scores: list[Score]
    attacks: list[Matched] = field(init=False)
    surprises: list[Matched] = field(init=False)

    def __post_init__(self) -> None:
        self.attacks = scored(self.scores)
        self.surprises = [one for score in self.scores for one in score.surprises if one.incident.scored]

    @property
    def quiet(self) -> list[Score]:
        return [score for score in self.scores if score.outcome.quiet]

    @property
    def busy(self) -> list[Score]:
        return [score for score in self.scores if not score.outcome.quiet]


def recall(judged: Judged) -> Table:
    """By difficulty and by class of evidence."""
    classes = {"S": "bookkeeping (S)", "N": "novelty, sequence (N)", "V": "volume (V)"}
    choices: list[tuple[str, Callable[[Incident], bool]]] = [("all", lambda incident: True)]
    choices += [(one, lambda incident, one=one: incident.difficulty == one) for one in DIFFICULTIES]  # type: ignore[misc]
    choices += [
        (
            f"{word}{', ' + hard if hard else ''}",
            lambda incident, code=code, hard=hard: (  # type: ignore[misc]
                incident.evidence_class == code and hard in ("", incident.difficulty)
            ),
        )
        for code, word in classes.items()
        for hard in ("", "stealthy")
    ]
    rows = []
    for name, of in choices:
        mine = [one for one in judged.attacks if of(one.incident)]
        delays = [delay(one) for one in mine]
        rows.append((name, percent(found(mine)), span(quantile(delays, 0.5)), span(quantile(delays, 0.9))))
    note = "Share with Wilson's 95 % interval. Delay from the moment at which the logs suffice; what is missed counts as never."
    return Table("Incidents found", ("incidents", "found", "median delay", "90 % within"), rows, note)


def by_kind(judged: Judged) -> Table:
    """Each attack at each difficulty, and what found it."""
    rows = []
    for kind in sorted({one.incident.kind for one in judged.attacks}):
        mine = [one for one in judged.attacks if one.incident.kind == kind]
        cells = []
        for difficulty in DIFFICULTIES:
            share = found(mine, lambda incident, difficulty=difficulty: incident.difficulty == difficulty)  # type: ignore[misc]
            cells.append(f"{share.hits}/{share.total}" if share.total else "–")
        finders = Counter(kind for one in mine for kind in {said.kind for said in one.said})
        told = ", ".join(f"{name} {count}" for name, count in _often(finders, 4)) or "nothing"
        rows.append((kind, f"{mine[0].incident.name} ({mine[0].incident.evidence_class})", *cells, told))
    return Table("By kind of attack", ("kind", "attack", *DIFFICULTIES, "found by"), rows)


def missed(judged: Judged) -> Table:
    """Every miss."""
    rows = [
        (
            str(score.outcome.seed),
            score.outcome.scenario,
            one.incident.kind,
            one.incident.name,
            one.incident.difficulty,
            _lesser(score, one),
        )
        for score in judged.scores
        for one in score.attacks
        if one.incident.scored and not one.found
    ]
    return Table("Missed", ("seed", "scenario", "kind", "attack", "difficulty", "said below medium"), rows)


def _lesser(score: Score, one: Matched) -> str:
    from regsight.evaluation.match import names, overlaps

    told = {
        f"{said.kind} ({said.severity})"
        for said in score.outcome.said
        if said.rank < 2 and overlaps(said, one.incident) and names(said, one.incident)
    }
    return ", ".join(sorted(told)[:4]) or "nothing"


def false_alerts(judged: Judged) -> Table:
    """How many, by severity, in quiet weeks and in weeks with surprises."""
    rows = []
    for name, scores in (("quiet weeks", judged.quiet), ("weeks with surprises", judged.busy)):
        weeks = sum(score.outcome.thousand_weeks for score in scores)
        if not scores:
            continue
        surprised = sum(len(one.said) for score in scores for one in score.surprises)
        rows.append(
            (
                name,
                f"{weeks:.2f}",
                f"{false_rate(scores):.1f}",
                f"{false_rate(scores, 3):.1f}",
                str(sum(len(score.false) for score in scores)),
                str(surprised),
            )
        )
    note = "A week and per 1,000 repositories; repeats of one cause within 24 h count once. Findings on surprises stand apart."
    columns = ("", "thousand-repository-weeks", "medium+", "high+", "count", "findings on surprises")
    return Table("False alerts", columns, rows, note)


def false_kinds(judged: Judged) -> Table:
    """Which kinds of findings are false, and which surprises they fire on."""
    false = Counter((said.detector, said.kind, said.severity) for score in judged.scores for said in score.false)
    fooled: dict[tuple[str, str, str], set[str]] = {}
    for one in judged.surprises:
        for said in one.said:
            fooled.setdefault((said.detector, said.kind, said.severity), set()).add(one.incident.kind)
    rows = [
        (
            detector,
            kind,
            severity,
            str(false[detector, kind, severity]),
            " ".join(sorted(fooled.get((detector, kind, severity), ()))),
        )
        for detector, kind, severity in sorted(
            {*false, *fooled}, key=lambda key: (-false[key] - len(fooled.get(key, ())), key)
        )
    ]
    return Table("What is false", ("detector", "kind", "severity", "false", "on surprises"), rows)


def surprises(judged: Judged) -> Table:
    """Share of surprises that alerted, by kind."""
    rows = []
    for kind in sorted({one.incident.kind for one in judged.surprises}):
        mine = [one for one in judged.surprises if one.incident.kind == kind]
        told = Counter(f"{said.kind} ({said.severity})" for one in mine for said in one.said)
        words = ", ".join(name for name, _ in _often(told, 3)) or "–"
        rows.append((kind, mine[0].incident.name, f"{sum(one.found for one in mine)}/{len(mine)}", words))
    share = found(judged.surprises)
    return Table("Surprises that alerted", ("kind", "surprise", "alerted", "as"), rows, f"Over all: {percent(share)}.")


def quality(judged: Judged) -> Table:
    """Ranked lists, explanations, merging, what had been done."""
    told = explained(judged.attacks)
    at_ten = [value for score in judged.busy if (value := precision_at(score, 10)) is not None]
    at_all = [value for score in judged.busy if (value := precision_at(score, 0)) is not None]
    done = [value for one in judged.attacks if (value := done_before(one)) is not None]
    rows = [
        ("precision@10 of a run's ranked list", f"{mean(at_ten):.2f}" if at_ten else "–"),
        ("R-precision", f"{mean(at_all):.2f}" if at_all else "–"),
        ("right account named", percent(told.actor)),
        ("right address named", percent(told.address)),
        ("right repository named", percent(told.repository)),
        ("right technique, in the first two findings", percent(told.technique)),
        ("listed evidence that is true", percent(told.evidence)),
        (
            "false alerts at an attack's time and place that accuse somebody else",
            str(sum(map(len, (s.astray for s in judged.scores)))),
        ),
        ("findings per found incident", f"{merging(judged.attacks):.1f}"),
        ("incidents opened per found incident", "–" if (many := opened(judged.scores)) is None else f"{many:.1f}"),
        ("done before found, median", f"{median(done):.0%}".replace("%", " %") if done else "–"),
    ]
    return Table("Quality of what is said", ("measure", "figure"), rows)


def renamed(judged: Judged, other: Judged) -> Table:
    """The same runs under other names, some days and hours later: nothing may depend on either."""

    def figures(one: Judged) -> list[tuple[str, str]]:
        told = explained(one.attacks)
        shares = [("found", found(one.attacks))]
        shares += [
            (f"found, {word}", found(one.attacks, lambda incident, word=word: incident.difficulty == word))  # type: ignore[misc]
            for word in DIFFICULTIES
        ]
        shares += [("surprises that alert", found(one.surprises)), ("right account", told.actor)]
        rates = [("false alerts medium+, a week per 1,000 repositories", f"{false_rate(one.scores):.1f}")]
        return [(name, percent(share)) for name, share in shares] + rates

    rows = [
        (name, mine, its, "yes" if mine == its else "no")
        for (name, mine), (_, its) in zip(figures(judged), figures(other), strict=True)
    ]
    note = "Accounts, projects, hosts renamed, all times 11 days and 5 hours later (another weekday and hour)."
    return Table("Other names, other times", ("measure", "as planted", "renamed", "equal"), rows, note)


class Family(NamedTuple):
    """Attacks that were written after the detectors: title and note of their table, what the page says of them, and whether
    detectors were changed for their sake since.
    """

    title: str
    note: str
    told: str
    in_view: bool


AFTERWARDS = {
    "later": Family(
        "Kinds of attack that came later (A36 to A42), in view since",
        "written after the detectors. When nobody had them in view, 38 of 85 were found (seeds 3007-3019 and 3022); detectors were "
        "changed for them since.",
        """A36 to A42 were written afterwards, by an author who had read neither detectors nor rules; they have a
  table of their own. Found then: 45 % (38 of 85, seeds 3007-3019 and 3022); detectors were changed for their sake since.""",
        in_view=True,
    ),
    "newest": Family(
        "Kinds of attack that came after those (A43 to A50), in view since",
        "written when those had been measured. When nobody had them in view, 33 of 101 were found (seeds 4001-4013 and 4021); "
        "detectors were changed for them since.",
        """A43 to A50 were written when that was done, by an author who knew neither the detectors nor what had been
  found. Seeds 4001-4013 and 4021 say what was found then (33 %, 33 of 101); detectors were changed for their sake since.""",
        in_view=True,
    ),
    "fresh": Family(
        "Kinds of attack that came after all those (A51 to A60), in view since",
        "written when those had been measured. When nobody had them in view, 23 of 86 were found (seeds 6001-6013 and 6021); "
        "detectors were changed for them since.",
        """A51 to A60 were written after those, by an author who knew neither the detectors nor what had been found. Seeds
  6001-6013 and 6021 say what was found then (27 %, 23 of 86); detectors were changed for their sake since.""",
        in_view=True,
    ),
    "unheard": Family(
        "Kinds of attack that nobody had heard of (A61 to A70), in view since",
        "written when those had been measured. When nobody had them in view, 50 of 95 were found (seeds 7001-7013 and 7021); "
        "a detector was written for them since.",
        """A61 to A70 were written after those, by an author who knew neither the detectors nor what had been found. Seeds
  7001-7013 and 7021 say what was found then (53 %, 50 of 95); a detector was written for their sake since.""",
        in_view=True,
    ),
    "unforeseen": Family(
        "Kinds of attack that nobody had foreseen (A71 to A80), in view since",
        "written when those had been measured. When nobody had them in view, 44 of 78 were found (seeds 8001-8013 and 8021); "
        "a detector and rules were changed for them since.",
        """A71 to A80 were written after those, by an author who knew neither the detectors nor what had been found. Seeds
  8001-8013 and 8021 say what was found then (56 %, 44 of 78); a detector and rules were changed for their sake since.""",
        in_view=True,
    ),
    "uncharted": Family(
        "Kinds of attack on nobody's map (A81 to A90), in view since",
        "written when those had been measured. When nobody had them in view, 29 of 73 were found (seeds 9001-9013 and 9021); "
        "a detector was changed for them since.",
        """A81 to A90 were written after those, by an author who knew neither the detectors nor what had been found. Seeds
  9001-9013 and 9021 say what was found then (40 %, 29 of 73); a detector was changed for their sake since.""",
        in_view=True,
    ),
    "unimagined": Family(
        "Kinds of attack that nobody had imagined (A91 to A100), in view since",
        "written when those had been measured. When nobody had them in view, 32 of 100 were found (seeds 12001-12013 and 12021); "
        "a detector and two rules were written for them since.",
        """A91 to A100 were written last, by an author who knew neither the detectors nor what had been found. Seeds
  12001-12013 and 12021 say what was found then (32 %, 32 of 100); a detector and two rules were written for their sake since.""",
        in_view=True,
    ),
}


def afterwards(judged: Judged, family: str) -> Table:
    """What is found of a family of `AFTERWARDS`, by kind and difficulty."""
    rows = list(by_kind(judged).rows)
    for words, mine in (
        ("all", judged.attacks),
        *((f"all {one}", [a for a in judged.attacks if a.incident.difficulty == one]) for one in DIFFICULTIES),
    ):
        share = found(mine)
        rows.append((words, percent(share), "", "", "", ""))
    columns = ("kind", "attack", *DIFFICULTIES, "found by")
    of_family = AFTERWARDS[family]
    note = f"The same seeds and surprises with other attacks, {of_family.note}"
    note += f" False alerts there: {false_rate(judged.scores):.1f} a week per 1,000 repositories."
    return Table(of_family.title, columns, rows, note)


def cost(judged: Judged) -> Table:
    """CPU seconds per million lines and memory."""
    lines = sum(one.lines for one in judged.outcomes)
    stages = sorted({stage for one in judged.outcomes for stage in one.seconds})
    rows = [
        (
            stage,
            f"{sum(one.seconds.get(stage, 0) for one in judged.outcomes):.0f}",
            f"{sum(one.seconds.get(stage, 0) for one in judged.outcomes) / max(lines, 1) * 1e6:.0f}",
        )
        for stage in stages
    ]
    peak = max((one.peak_mib for one in judged.outcomes), default=0)
    events = sum(one.events for one in judged.outcomes)
    dead = sum(one.dead_letters for one in judged.outcomes)
    note = f"{lines:,} lines became {events:,} events and {dead:,} dead letters. Largest process: {peak:,.0f} MiB."
    return Table("Cost", ("stage", "CPU s", "CPU s per million lines"), rows, note)


def yardsticks(judged: Judged, dev: Sequence[Outcome] | None = None) -> Table:
    """The detectors beside the yardsticks at the same false alerts, and the yardsticks' curve."""
    own = false_rate(judged.scores)
    hard = found(judged.attacks, lambda incident: incident.difficulty != "blatant")
    at = [_whole(recall_within(judged.outcomes, budget)) for budget in BUDGETS]
    rows = [("Regsight", f"{own:.1f}", percent(found(judged.attacks)), percent(hard), "", *at)]
    tuned = list(dev or judged.outcomes)
    for name, words in WORDS.items():
        mine = cut(judged.outcomes, name, cut_for(tuned, name, own))
        curve = [_whole(cut(judged.outcomes, name, cut_for(tuned, name, budget)).found.value) for budget in BUDGETS]
        threshold = "none low enough" if mine.threshold == inf else f"{mine.threshold:.3g}"
        rows.append((words, f"{mine.false_alerts:.1f}", percent(mine.found), percent(mine.hard), threshold, *curve))
    where = "on the development seeds" if dev else "on the very runs they are judged on, which favours them"
    note = (
        f"Thresholds of the yardsticks were set to Regsight's number of false alerts {where}. Then: recall at other budgets; "
        "Regsight's by severity, then by how rarely chance gives as strange."
    )
    columns = ("", "false alerts", "found", "moderate and stealthy", "threshold", *(f"at {b:g}" for b in BUDGETS))
    return Table("Beside simple ways, at equal false alerts", columns, rows, note)


def _whole(share: float) -> str:
    return f"{share * 100:.0f} %"


def all_tables(judged: Judged, dev: Sequence[Outcome] | None = None) -> list[Table]:
    return [
        recall(judged),
        false_alerts(judged),
        yardsticks(judged, dev),
        quality(judged),
        by_kind(judged),
        missed(judged),
        false_kinds(judged),
        surprises(judged),
        ablation(judged.outcomes),
        cost(judged),
    ]


def _often(counted: Counter[str], most: int) -> list[tuple[str, int]]:
    """The most frequent; of equally frequent ones by name, so that the page is the same twice."""
    return sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:most]
