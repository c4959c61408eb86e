"""Has a registry begun to write its log in another way? Judges the tallies that the collector leaves in the store.

A registry that was upgraded, or a proxy in front of it, may write lines that nobody can read, lines that are read and say
less, or names that were never there. All of them look like silence: fewer events, no alarm. Each slot of a source and format
is held against the slots before it; what traffic does by itself (nights, pings, refusals) stays below the bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from analytics.detector import Suspicion
from analytics.telemetry import AnalyticsTelemetry
from analytics.watch import Watch
from store.contract import Records
from store.finding import Finding, Severity

NOTES = "drift/"  # as the collector keeps them
ALL = "*"

LEAST_LINES = 50  # a slot with fewer says nothing
LEAST_UNREAD = 10
LEAST_SHARE = 0.02  # of lines, below which unread ones are the usual noise
TIMES_WORST = 3.0  # and so many times the worst share before
HIGH_SHARE = 0.2
LEAST_BEFORE = 3  # slots that must be known before a field can be missed
LEAST_EVENTS = 20  # of an action in a slot
ALWAYS = 0.99  # a field that full in every slot is always there …
NO_MORE = 0.90  # … and missed below this
VANISHED = 0.1  # a field that is there now and then is missed below this part of its least share
SILENT = 0.25  # lines that tell of events less often than this part of their least share say nothing any more
LEAST_EXPECTED = 20  # events that should have had it
NEW_SHARE = 0.2  # of JSON lines that have a new name: a new release, not a rare case
LEAST_JSON_LINES = 20


WATCH = Watch(
    name="format_drift",
    subject="registry",
    every=timedelta(minutes=1),
    history=timedelta(days=1),
    next_step=(
        "See whether the registry or the proxy in front of it was upgraded or set up anew at that time; then run "
        "`regsight parse --check` on its log, and after a fix `regsight dead-letters replay`."
    ),
)


def watch_formats(store: Records, now: datetime, telemetry: AnalyticsTelemetry | None = None) -> list[Finding]:
    """Judge all tallies as they stand; findings are stored. Returns those that are new or changed.

    Raises:
        Unavailable: the store did not answer; calling again judges the same again.
    """
    suspicions = suspect(store.notes(NOTES).values())
    return WATCH.tell(store, suspicions, now, telemetry)


def suspect(notes: Iterable[Mapping[str, Any]]) -> list[Suspicion]:
    """What has changed in each series; `notes` as `collector.drift` writes them."""
    return [suspicion for note in notes for suspicion in _Series(note).changes()]


class _Series:
    """One source and format, slot by slot."""

    def __init__(self, note: Mapping[str, Any]) -> None:
        self.format, self.slots = str(note["format"]), list(note["slots"])
        self.name = str(note.get("registry") or note["source"])
        self.fields: list[str] = list(note["fields"])

    def changes(self) -> Iterator[Suspicion]:
        yield from self._unread()
        yield from self._silent()
        yield from self._empty()
        yield from self._new()

    # Each goes through the slots in order; a slot that is as usual becomes one of those that the next are held against.

    def _unread(self) -> Iterator[Suspicion]:
        worst, bad = 0.0, []
        for slot in self.slots:
            if slot["lines"] < LEAST_LINES:
                continue
            share = slot["rejects"] / slot["lines"]
            if slot["rejects"] >= LEAST_UNREAD and share >= max(LEAST_SHARE, TIMES_WORST * worst):
                bad.append(slot)
            else:
                worst = max(worst, share)
        if not bad:
            return
        share = sum(slot["rejects"] for slot in bad) / sum(slot["lines"] for slot in bad)
        first = bad[0]["first_reject"] or {}
        since = first.get("at") or bad[0]["start"]
        reasons = ", ".join(f"{reason} ({count}×)" for reason, count in _summed(slot["reasons"] for slot in bad))
        yield self._suspicion(
            "unread_lines",
            Severity.HIGH if share >= HIGH_SHARE else Severity.MEDIUM,
            (since, bad[-1]["end"], share),
            f"since {_clock(since)}, {share:.0%} of {self.name} lines have an unknown shape",
            f"at most {max(worst * TIMES_WORST, LEAST_SHARE):.1%} of the lines of {self.format} unread",
            f"{share:.1%} unread: {reasons}",
            f"First example, {first.get('path')} at byte {first.get('offset')}: {first.get('line')}" if first else "",
        )

    def _silent(self) -> Iterator[Suspicion]:
        """Lines that are taken for the registry's own talk: read, and no event comes of them any more."""
        usual: list[float] = []
        bad = []
        for slot in self.slots:
            if slot["lines"] < 2 * LEAST_LINES:
                continue
            told = slot["events"] / slot["lines"]
            expected = min(usual, default=0.0) * slot["lines"]
            lost = expected >= LEAST_EXPECTED and slot["events"] <= SILENT * expected
            if len(usual) >= LEAST_BEFORE and lost and slot["ignored"] >= 0.5 * slot["lines"]:
                bad.append(slot)
            else:
                usual.append(told)
        if bad:
            ignored = sum(slot["ignored"] for slot in bad) / sum(slot["lines"] for slot in bad)
            yield self._suspicion(
                "silent_lines",
                Severity.HIGH,
                (bad[0]["start"], bad[-1]["end"], ignored),
                f"since {_clock(bad[0]['start'])}, hardly any line of {self.name} tells of an event",
                f"at least {min(usual):.0%} of the lines of {self.format} tell of an event",
                f"{ignored:.0%} of the lines are read and say nothing that Regsight knows",
                "",
            )

    def _empty(self) -> Iterator[Suspicion]:
        found: dict[str, tuple[float, float, Mapping[str, Any]]] = {}
        last_end = ""
        for index, name in enumerate(self.fields, start=1):
            shares: dict[str, list[float]] = {}
            for slot in self.slots:
                for action, counts in slot["filled"].items():
                    if counts[0] < LEAST_EVENTS:
                        continue
                    share, usual = counts[index] / counts[0], shares.setdefault(action, [])
                    if _missed(share, usual, counts[0], action == ALL):
                        found.setdefault(name, (share, min(usual), slot))
                        last_end = max(last_end, slot["end"])
                    else:
                        usual.append(share)
        if not found:
            return
        since = min(slot["start"] for _, _, slot in found.values())
        worst = max(before - share for share, before, _ in found.values())
        yield self._suspicion(
            "empty_fields",
            Severity.MEDIUM,
            (since, last_end, worst),
            f"since {_clock(since)}, {self.name} lines say less: {', '.join(found)}",
            "; ".join(f"{name} in at least {before:.0%} of events" for name, (_, before, _) in found.items()),
            "; ".join(f"{name} in {share:.0%}" for name, (share, _, _) in found.items()),
            "",
        )

    def _new(self) -> Iterator[Suspicion]:
        """In the very first slot there is nothing to compare with: what it has is how this registry writes."""
        bad = []
        for slot in self.slots[1:]:
            shares = {name: count / max(slot["json_lines"], 1) for name, count in slot["new"].items()}
            often = {name: share for name, share in shares.items() if share >= NEW_SHARE}
            if often and slot["json_lines"] >= LEAST_JSON_LINES:
                bad.append((slot, often))
        if not bad:
            return
        names = dict(item for _, often in bad for item in often.items())
        since = bad[0][0]["first_new"] or bad[0][0]["start"]
        yield self._suspicion(
            "new_fields",
            Severity.INFO,
            (since, bad[-1][0]["end"], max(names.values())),
            f"since {_clock(since)}, {self.name} lines have fields that were never there: {_listed(names)}",
            f"the fields that {self.format} lines had until then",
            "; ".join(f"{_ascii(name)} in {share:.0%} of the lines looked at" for name, share in names.items()),
            "",
        )

    def _suspicion(
        self,
        kind: str,
        severity: Severity,
        span: tuple[str, str, float],
        title: str,
        expected: str,
        observed: str,
        explanation: str,
    ) -> Suspicion:
        start, end, share = span
        return Suspicion(
            kind=kind,
            cause=(self.name, self.format, kind, start[:10]),
            severity=severity,
            title=title,
            start=datetime.fromisoformat(start),
            end=max(datetime.fromisoformat(end), datetime.fromisoformat(start)),
            subjects={},
            score=share,
            expected=expected,
            observed=observed,
            explanation=explanation,
        )


def _missed(share: float, usual: Sequence[float], events: int, of_all: bool) -> bool:
    if len(usual) < LEAST_BEFORE:
        return False
    least = min(usual)
    if least >= ALWAYS:
        return share < NO_MORE
    # Over all actions a share moves with what people do, so only what was in most events can be missed there.
    return (not of_all or least >= 0.5) and least * events >= LEAST_EXPECTED and share <= VANISHED * least


def _summed(counts: Iterable[Mapping[str, int]]) -> list[tuple[str, int]]:
    total: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            total[name] = total.get(name, 0) + count
    return sorted(total.items(), key=lambda item: -item[1])


def _listed(names: Iterable[str], most: int = 6) -> str:
    shown = [_ascii(name) for name in names]
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")


def _ascii(name: str) -> str:
    return name.encode("unicode_escape").decode("ascii")


def _clock(moment: str) -> str:
    """`10:02` of an ISO time, which is UTC."""
    return f"{moment[11:16]} UTC"
