"""A small bar chart that every mail client shows: a table with coloured cells, no image and no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.inert import for_html, inert
from store.contract import SUBJECTS, EventReader
from store.finding import Finding

_WIDTHS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 360, 1440))
_MOST_BARS = 24
_SHORTEST, _LONGEST = timedelta(minutes=15), timedelta(days=14)
_PIXELS = 320
_MOST_NAMES = 5
_REFUSED, _OTHER = "#c0392b", "#8da2b8"


@dataclass(frozen=True, slots=True)
class Bar:
    """One span of time: its requests, and how many of them were refused or failed."""

    at: datetime
    requests: int
    refused: int


@dataclass(frozen=True, slots=True)
class Chart:
    """What the names of a finding did, before it and during it."""

    whose: str
    width: timedelta
    bars: Sequence[Bar]

    def html(self) -> str:
        """A table; inert in a mail."""
        most = max((bar.requests for bar in self.bars), default=0) or 1
        rows = "".join(
            f"<tr><td>{self._clock(bar.at)}</td><td width={_PIXELS}>{_cells(bar, most)}</td>"
            f"<td align=right>{bar.requests}</td></tr>"
            for bar in self.bars
        )
        head = f"Requests of {for_html(self.whose, 200)} per {_span(self.width)}, UTC (red: refused or failed)"
        return f"<p><b>{head}</b></p>\n<table cellspacing=2 cellpadding=0>\n{rows}\n</table>\n"

    def text(self) -> str:
        """The same for mail clients that show text only."""
        most = max((bar.requests for bar in self.bars), default=0) or 1
        lines = [f"Requests of {inert(self.whose, 200)} per {_span(self.width)}, UTC (x: refused or failed)"]
        for bar in self.bars:
            refused, other = (round(40 * part / most) for part in (bar.refused, bar.requests - bar.refused))
            lines.append(f"{self._clock(bar.at)} {'x' * refused}{'=' * other} {bar.requests}")
        return "\n".join(lines) + "\n"

    def _clock(self, at: datetime) -> str:
        return f"{at:%m-%d}" if self.width >= timedelta(days=1) else f"{at:%m-%d %H:%M}"


def chart_of(store: EventReader, finding: Finding) -> Chart | None:
    """The chart of a finding; None where it names nobody, or too many.

    Raises:
        StoreError: the store did not answer.
    """
    subject = next((name for name in ("client", "actor", "repository") if finding.subjects.get(name)), None)
    if subject is None or subject not in SUBJECTS or len(finding.subjects[subject]) > _MOST_NAMES:
        return None
    # Twice as long before it as it lasted: what is unusual is seen beside what is usual.
    total = min(max(3 * (finding.end - finding.start), _SHORTEST), _LONGEST)
    width = next((width for width in _WIDTHS if total / width <= _MOST_BARS - 1), _WIDTHS[-1])
    last = _floor(finding.end, width)
    starts = [last - width * back for back in reversed(range(int(total / width) + 1))]
    frame = store.windows(starts[0], last + width, width, subject)
    sums: dict[datetime, tuple[int, int]] = {}
    counted = zip(frame.index, frame["requests"], frame["denied"] + frame["failures"], strict=True)
    for (name, start), requests, refused in counted:
        if str(name) in finding.subjects[subject]:
            before = sums.get(start, (0, 0))
            sums[start] = before[0] + int(requests), before[1] + int(refused)
    if not sums:
        return None
    bars = [Bar(start, *sums.get(start, (0, 0))) for start in starts]
    return Chart(", ".join(finding.subjects[subject]), width, bars)


def _floor(moment: datetime, width: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // width * width


def _cells(bar: Bar, most: int) -> str:
    parts = ((bar.refused, _REFUSED), (bar.requests - bar.refused, _OTHER))
    cells = "".join(
        f'<td bgcolor="{colour}" width={max(1, round(_PIXELS * count / most))} height=12></td>'
        for count, colour in parts
        if count > 0
    )
    return f"<table cellspacing=0 cellpadding=0><tr>{cells}</tr></table>" if cells else ""


def _span(width: timedelta) -> str:
    minutes = int(width.total_seconds() // 60)
    return "day" if minutes >= 1440 else f"{minutes // 60} h" if minutes >= 60 else f"{minutes} min"
