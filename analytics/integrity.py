"""Can the record be trusted: is something missing, changed afterwards, or silent?

The collector states facts as notes: gaps that it noticed, when it last read a line of a source. Here they become findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from analytics import reconcile
from analytics.detector import Suspicion
from analytics.telemetry import AnalyticsTelemetry
from analytics.watch import Watch
from store.contract import Store
from store.event import iso
from store.finding import Finding, Severity

GAPS, READ, TALLIES = "gap/", "read/", "drift/"  # as the collector keeps them
LOOK_BACK = timedelta(days=7)  # older gaps were told of
LEAST_SILENCE = timedelta(minutes=30)
SHORT_HISTORY_SILENCE = timedelta(hours=3)  # while not a whole day is known
WHOLE_DAY = timedelta(hours=20)
TIMES_LONGEST = 3.0
LEAST_SLOTS = 4
LEAST_LINES = 200  # of all slots: whoever hardly writes may be silent

# Kind of a gap → kind of the finding, severity, title.
OF_GAPS = {
    "truncated": ("log_cut", Severity.MEDIUM, "{path} was cut in place, without a copy beside it"),
    "rewritten": ("log_rewritten", Severity.HIGH, "{path} is not what was read from it"),
    "rows_missing": ("rows_missing", Severity.HIGH, "events that were stored are not in the store any more"),
    "file_gone": ("lines_missing", Severity.LOW, "{path} went away before it was known to be read to its end"),
    "missing_generation": ("lines_missing", Severity.MEDIUM, "{path} is not there, and nobody has read it"),
    "damaged_archive": ("lines_missing", Severity.MEDIUM, "{path} cannot be decompressed to its end"),
    "syslog_lost": ("lines_missing", Severity.MEDIUM, "the syslog receiver of {source} lost messages"),
}


WATCH = Watch(
    name="log_integrity",
    subject="registry",
    every=timedelta(minutes=1),
    history=timedelta(days=7),
    next_step=(
        "Run `regsight gaps` for the place and the time, and `regsight verify` on the machine with the logs; ask who could "
        "write there at that time."
    ),
)


def watch_integrity(store: Store, now: datetime, telemetry: AnalyticsTelemetry | None = None) -> list[Finding]:
    """Judge all notes as they stand; findings are stored. Returns those that are new or changed.

    Raises:
        Unavailable: the store did not answer; calling again judges the same again.
    """
    reconcile.count_slots(store, now)
    suspicions = [
        *gaps(store.notes(GAPS).values(), now),
        *silent(store.notes(READ).values(), list(store.notes(TALLIES).values()), now),
        *disagreeing(reconcile.unusual(store.notes(f"{reconcile.NOTES}of/").values())),
    ]
    return WATCH.tell(store, suspicions, now, telemetry)


def open_gaps(store: Store) -> list[dict[str, Any]]:
    """What the collector noted to be missing, without what was found after all."""
    return [note for note in store.notes(GAPS).values() if not note.get("resolved_at")]


def gaps(notes: Iterable[Mapping[str, Any]], now: datetime) -> Iterator[Suspicion]:
    """What the collector, or `regsight verify`, found missing or changed."""
    for note in notes:
        if note["kind"] not in OF_GAPS or note["resolved_at"] is not None or note["noticed_at"] < iso(now - LOOK_BACK):
            continue
        kind, severity, title = OF_GAPS[note["kind"]]
        shown = {"path": _ascii(note["path"]), "source": _ascii(note["source"])}
        lines = "" if note["lines"] is None else f", about {note['lines']:,} lines at most"
        size = "" if note["bytes"] is None else f", {note['bytes']:,} bytes"
        yield Suspicion(
            kind=kind,
            cause=(note["kind"], note["source"], note["path"], note["stream"], note["noticed_at"][:10]),
            severity=severity,
            title=title.format(**shown),
            start=datetime.fromisoformat(note["start"]),
            end=max(datetime.fromisoformat(note["end"]), datetime.fromisoformat(note["start"])),
            subjects={},
            score=float(note["lines"] or note["bytes"] or 1),
            expected="every line that was written is read once, and stays as it was",
            observed=f"from byte {note['offset']:,}{size}{lines}",
            explanation=f"{note['text']} ({note['id']})",
        )


def silent(
    read: Iterable[Mapping[str, Any]], tallies: Sequence[Mapping[str, Any]], now: datetime
) -> Iterator[Suspicion]:
    """Sources that usually have lines and have none for much longer than ever before."""
    for note in read:
        slots = sorted(
            (slot for tally in tallies if tally["source"] == note["source"] for slot in tally["slots"]),
            key=lambda slot: slot["start"],
        )
        if len(slots) < LEAST_SLOTS or sum(slot["lines"] for slot in slots) < LEAST_LINES or not note["last_line"]:
            continue
        starts = [datetime.fromisoformat(slot["start"]) for slot in slots]
        ends = [datetime.fromisoformat(slot["end"]) for slot in slots]
        pauses = [later - earlier for earlier, later in zip(ends, starts[1:], strict=False)]
        longest = max([pause for pause in pauses if pause > timedelta(0)], default=timedelta(0))
        whole_day = ends[-1] - starts[0] >= WHOLE_DAY
        bound = max(LEAST_SILENCE if whole_day else SHORT_HISTORY_SILENCE, TIMES_LONGEST * longest)
        # Only as long as the collector has looked: a time in which it was down says nothing of the source.
        last = max(datetime.fromisoformat(note["last_line"]), datetime.fromisoformat(note["since"]))
        looked = datetime.fromisoformat(note["looked_at"])
        if looked - last < bound:
            continue
        yield Suspicion(
            kind="source_silent",
            cause=("silent", str(note["source"]), note["last_line"]),
            severity=Severity.MEDIUM,
            title=f"{_ascii(str(note['registry'] or note['source']))} has written nothing since {iso(last)[11:16]} UTC",
            start=last,
            end=looked,
            subjects={},
            score=(looked - last) / bound,
            expected=f"never more than {_minutes(longest)} without a line",
            observed=f"{_minutes(looked - last)} without a line",
        )


def disagreeing(found: Iterable[reconcile.Compared]) -> Iterator[Suspicion]:
    """Requests of which one log tells and the other does not, more than usual."""
    for each in found:
        start = datetime.fromisoformat(each.start)
        yield Suspicion(
            kind="channels_disagree",
            cause=("channels", each.registry, each.here, each.there, each.action, each.start[:10]),
            severity=Severity.MEDIUM,
            title=f"{_ascii(each.registry)}: {each.missing:,} {each.action} events of the {each.here} log are not in the "
            f"{each.there} log",
            start=start,
            end=start + reconcile.SLOT,
            subjects={},
            score=each.share,
            expected=f"at most {max(reconcile.LEAST_SHARE, reconcile.TIMES_WORST * (each.usual or 0)):.1%} missing",
            observed=f"{each.share:.1%} of {each.events:,} missing",
        )


def _minutes(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _ascii(name: str) -> str:
    return name.encode("unicode_escape").decode("ascii")
