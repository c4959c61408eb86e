"""Written traffic held against figures counted in real registries' traffic: the acceptance table."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import log
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

ACCESS = re.compile(r'^(\S+) - - \[([^\]]+)\] "(\S+) (\S+) \S+" (\d+) (\d+) "[^"]*" "(.*)"$')
ARRIVAL = re.compile(r'(?:"time":"|^time=")(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z"')
HOURS = 3600


@dataclass(frozen=True, slots=True)
class Row:
    """One figure with its bounds. `binding` is False where it is that of far larger installations: shown, not asked."""

    name: str
    value: float
    low: float
    high: float
    binding: bool = True

    @property
    def within(self) -> bool:
        return self.low <= self.value <= self.high


@dataclass(slots=True)
class _Seen:
    """What the lines say, gathered in one pass."""

    methods: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    handshakes: int = 0
    pulls: list[tuple[int, str, str, str]] = field(default_factory=list)  # second, address, repository, agent
    pushes: list[int] = field(default_factory=list)
    blobs: list[int] = field(default_factory=list)
    fetched: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    arrivals: list[float] = field(default_factory=list)
    first: int = 0


def describe(out: Path) -> dict[str, Row]:
    """The acceptance table of the traffic in `out`, by name of the figure. Needs a file with access lines."""
    import numpy as np

    seen = _read(next(path for name in ("registry.log", "access.log") if (path := out / name).exists()))
    total = seen.methods.total()
    arrivals = np.sort(np.array(seen.arrivals))
    gaps = np.diff(arrivals)
    minutes = np.bincount(((arrivals - arrivals[0]) // 60).astype(int))
    sizes = np.array(seen.blobs)
    rows = [
        *(
            Row(f"{method} share", seen.methods[method] / total, share * 0.8, share * 1.2)
            for method, share in SHARES.items()
        ),
        Row("handshakes among GETs", seen.handshakes / seen.methods["GET"], 0.46 * 0.8, 0.46 * 1.2),
        Row("401 share", seen.statuses[401] / total, 0.10, 0.45),
        Row("5xx share", sum(n for status, n in seen.statuses.items() if status >= 500) / total, 0, 0.01),
        Row("pulls per push", len(seen.pulls) / max(len(seen.pushes), 1), 3.5, 6),
        Row("blobs per manifest GET", len(seen.blobs) / len(seen.pulls), 1.96 * 0.8, 1.96 * 1.2),
        Row("blob size p50 (bytes)", float(np.percentile(sizes, 50)), 11_000 / 1.5, 11_000 * 1.5, binding=False),
        Row("blob size p90 (bytes)", float(np.percentile(sizes, 90)), 33e6 / 1.5, 33e6 * 1.5),
        Row("blob size p99 (bytes)", float(np.percentile(sizes, 99)), 118e6 / 1.5, 118e6 * 1.5),
        Row("CV of inter-arrivals", float(gaps.std() / gaps.mean()), 1.8, 3.0),
        Row("variance/mean in a minute", float(minutes.var() / minutes.mean()), 15, 40),
        Row("day ratio of pulls", _day_ratio([pull[0] for pull in seen.pulls], seen.first), 1.2, 1.6),
        Row("day ratio of pushes", _day_ratio(seen.pushes, seen.first), 1.8, 2.5),
        Row("re-pull share of nodes", _repulls(seen), 0.75, 0.95),
        Row("Zipf exponent of pulls", _zipf(seen), 1.15, 1.45, binding=False),
        Row("pulled at most once in 3 days", _once(seen), 0.6, 0.8, binding=False),
        Row("novelty per half day", _novelty(seen), 0, 0.05),
    ]
    return {row.name: row for row in rows}


SHARES = {"GET": 0.79, "HEAD": 0.11, "PUT": 0.052, "POST": 0.029, "PATCH": 0.019}


def table(rows: dict[str, Row]) -> str:
    """The rows for a terminal. Figures of larger installations are in brackets."""
    lines = [f"{'figure':<36}{'value':>14}{'low':>14}{'high':>14}"]
    for row in rows.values():
        mark = "ok" if row.within else "OUT" if row.binding else "(out)"
        lines.append(f"{row.name:<36}{row.value:>14.4g}{row.low:>14.4g}{row.high:>14.4g}  {mark}")
    return "\n".join(lines)


def _read(path: Path) -> _Seen:
    seen = _Seen()
    with path.open(encoding="utf-8") as file:
        for line in file:
            matched = ACCESS.match(line)
            if matched is not None:
                _access(seen, *matched.groups())
            elif "authorized request" in line or "error authorizing context" in line:
                time = ARRIVAL.search(line)
                if time is not None:
                    whole = datetime.fromisoformat(time[1]).replace(tzinfo=UTC).timestamp()
                    seen.arrivals.append(whole + float(time[2] or 0))
    if not seen.arrivals:
        raise ValueError(f"{path} has access lines alone: they tell the time of arrival to the second only")
    return seen


def _access(seen: _Seen, address: str, time: str, method: str, uri: str, status: str, size: str, agent: str) -> None:
    second = _second(time)
    seen.first = seen.first or second
    seen.methods[method] += 1
    seen.statuses[int(status)] += 1
    if method == "GET" and uri == "/v2/":
        seen.handshakes += 1
    if not status.startswith("2"):
        return
    repository, _, rest = uri.removeprefix("/v2/").partition("/manifests/")
    if rest and method == "GET":
        seen.pulls.append((second, address, repository, agent))
    elif rest and method == "PUT":
        seen.pushes.append(second)
    elif "/blobs/sha256:" in uri and method == "GET":
        seen.blobs.append(int(size))
        seen.fetched.setdefault((address, uri.removeprefix("/v2/").partition("/blobs/")[0]), []).append(second)


def _second(time: str) -> int:
    return int(datetime.strptime(time, "%d/%b/%Y:%H:%M:%S %z").timestamp())


def _day_ratio(seconds: list[int], first: int) -> float:
    """Busiest to quietest of the spans 0-6, 6-12 and 12-24 h UTC, in events an hour."""
    hours = Counter(second // HOURS % 24 for second in seconds)
    spans = ((0, 6), (6, 12), (12, 24))
    rates = [sum(hours[hour] for hour in range(*span)) / (span[1] - span[0]) for span in spans]
    return max(rates) / max(min(rates), 1e-9)


def _repulls(seen: _Seen) -> float:
    """Share of the runtimes' manifest GETs after which the node fetches no blob of that repository within a minute."""
    mine = [
        (second, address, name)
        for second, address, name, agent in seen.pulls
        if agent.startswith(("containerd", "cri-o"))
    ]
    idle = sum(
        not any(second - 1 <= fetched <= second + 60 for fetched in seen.fetched.get((address, name), ()))
        for second, address, name in mine
    )
    return idle / max(len(mine), 1)


def _zipf(seen: _Seen) -> float:
    """Slope of log count over log rank, over the head: the upper third of the repositories."""
    import numpy as np

    counts = [count for _, count in Counter(pull[2] for pull in seen.pulls).most_common()]
    head: np.ndarray = np.array(counts[: max(len(counts) // 3, 3)], dtype=float)
    ranks = [log(rank) for rank in range(1, len(head) + 1)]
    return -float(np.polyfit(ranks, np.log(head), 1)[0])


def _once(seen: _Seen) -> float:
    """Share of the repositories that get one pull or none in the first three days, but for scanners and mirrors."""
    known = {name for _, _, name, _ in seen.pulls}
    counts = Counter(
        name
        for second, _, name, agent in seen.pulls
        if second < seen.first + 72 * HOURS and not agent.startswith(("trivy", "harbor-registry-client", "regclient"))
    )
    return sum(counts[name] <= 1 for name in known) / max(len(known), 1)


def _novelty(seen: _Seen) -> float:
    """Share of pulls, from the second day on, of repositories that no earlier half day has seen."""
    known: set[str] = set()
    fresh: set[str] = set()
    new = total = half = 0
    for second, _, name, _ in sorted(seen.pulls):
        if (second - seen.first) // (12 * HOURS) != half:
            half = (second - seen.first) // (12 * HOURS)
            known |= fresh
        if half >= 2:
            total += 1
            new += name not in known
        fresh.add(name)
    return new / max(total, 1)
