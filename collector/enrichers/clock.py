"""Whether the clock behind a line can be believed: times that lie ahead of the reader's, or before there were registries.

The event keeps the time that its line gives. An old time alone proves nothing, since archives are read years later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from collector.distinct import filled, one_array

if TYPE_CHECKING:
    import pyarrow as pa

AHEAD = timedelta(minutes=5)  # two clocks that are kept right agree within far less
# The first release of Docker's registry; a machine whose clock was never set tells of 1970.
FIRST_REGISTRY = datetime(2013, 6, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ClockSkew:
    """Fills clock_skew: `ahead` of when it was read, or `unset`; null where nothing is wrong."""

    def __call__(self, events: pa.Table) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        times, read = one_array(events.column("timestamp")), one_array(events.column("read_at"))
        ahead = pc.greater(times, pc.add(read, pa.scalar(AHEAD, pa.duration("us"))))
        unset = pc.less(times, pa.scalar(FIRST_REGISTRY, times.type))
        if not (pc.any(ahead).as_py() or pc.any(unset).as_py()):
            return events
        words = pc.case_when(pc.make_struct(ahead, unset), pa.scalar("ahead"), pa.scalar("unset"))
        return filled(events, clock_skew=words)


ENRICH = ClockSkew()
