"""`python -m benchmarks [--quick] [--out FOLDER]`: everything, as a table and a plot. Under 15 minutes."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.lines import MAKERS, made
from benchmarks.measure import python, run
from collector import native
from store.compiled import SWITCH

OFF = {SWITCH: "off"}
BY_LINE = OFF | {native.COLUMNS_SWITCH: "off"}
SAMPLES = Path(__file__).parent.parent / "tests" / "samples"
# The target: (unit, bound, whether more is better); PERFORMANCE figures of the docs come from here.
TARGETS: dict[str, tuple[float, bool]] = {
    "parse distribution-json, native": (2.0, False),
    "parse distribution-json, Python": (7.6, False),
    "parse nginx-combined, Python": (4.2, False),
    "parse nginx-timed-combined, Python": (4.2, False),
    "parse harbor-audit, Python": (4.2, False),
    "parse harbor-audit-syslog, Python": (4.2, False),
    "parse distribution-text, native": (2.0, False),
    "parse nginx-combined, native": (1.0, False),
    "parse nginx-timed-combined, native": (1.0, False),
    "parse harbor-audit, native": (1.0, False),
    "parse harbor-audit-syslog, native": (1.0, False),
    "store: ready rows": (400_000, True),
    "store: one commit of 20,000 rows": (30, False),
    "file to store, distribution-json": (250_000, True),
    "line written to normalised, p95": (2, False),
    "line written to queryable, p95": (1_500, False),
    "10 M events: last hour by action": (20, False),
    "10 M events: who pulled a rare digest": (50, False),
    "10 M events: blast radius of that digest": (2000, False),
    "10 M events: 14 days by hour for every actor": (350, False),
    "collector's memory, busy": (80, False),
    "collector's memory, at rest": (25, False),
    "regsight --help": (150, False),
}


@dataclass
class Figure:
    name: str
    value: float | None
    unit: str
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.value is None or self.name not in TARGETS:
            return ""
        bound, more = TARGETS[self.name]
        return "reached" if (self.value >= bound) == more or self.value == bound else "missed"


class Bench:
    """Runs one part after the other; a part that fails is named and does not stop the others."""

    def __init__(self, folder: Path, lines: int, events: int) -> None:
        self.folder, self.lines, self.events = folder, lines, events
        self.figures: list[Figure] = []

    def add(self, name: str, value: float | None, unit: str, note: str = "") -> None:
        figure = Figure(name, value, unit, note)
        self.figures.append(figure)
        shown = "-" if value is None else f"{value:,.2f}"
        print(f"{name:58} {shown:>14} {unit:22} {figure.verdict:8} {note}", flush=True)

    def part(self, what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever it is, the other figures are worth having
            self.add(what, None, "", f"failed: {str(error)[-200:]}")

    def file(self, name: str) -> Path:
        path = self.folder / f"{name}.log"
        if not path.exists():
            path.write_bytes(made(name, self.lines))
        return path

    def run(self) -> None:
        for name in MAKERS:
            self.part(f"parse {name}", lambda name=name: self.parse_hot(name))
        for name in ("distribution-json", "nginx-combined"):
            self.part(f"peers on {name}", lambda name=name: self.peers_on(name))
        self.part("parse the other formats", self.parse_others)
        self.part("store", self.store)
        self.part("latency", self.latency)
        self.part("queries", self.queries)
        self.part("memory", self.memory)
        self.part("start", self.start)

    def parse_hot(self, name: str) -> None:
        path = str(self.file(name))
        if native.path_in_use().startswith("native"):
            got = python("benchmarks.parse", name, path).answer
            note = f"{got['left']} lines left to Python" if got["left"] else ""
            self.add(f"parse {name}, native", got["cpu_s_per_million"], "CPU s/M lines", note)
        got = python("benchmarks.parse", name, path, env=OFF).answer
        note = f"{got['left']} lines left to the way line by line" if got["left"] else ""
        self.add(f"parse {name}, Python", got["cpu_s_per_million"], "CPU s/M lines", note)
        got = python("benchmarks.parse", name, path, env=BY_LINE).answer
        self.add(f"parse {name}, Python line by line", got["cpu_s_per_million"], "CPU s/M lines")

    def peers_on(self, name: str) -> None:
        path = self.file(name)
        got = python("benchmarks.parse", name, str(path), "baseline").answer
        self.add(
            f"plain Python on {name}", got["cpu_s_per_million"], "CPU s/M lines", "json or re, URI split, json.dumps"
        )
        for peer in peers.PEERS:
            value = peers.cpu_per_million(peer, name, path, self.lines)
            self.add(f"{peer} on {name}", value, "CPU s/M lines", "writes a file" if value else "not installed")

    def parse_others(self) -> None:
        """Every other format on its own samples, repeated; through Python."""
        from regsight.discover import formats

        for format_ in formats():
            if format_.name in MAKERS:
                continue
            files = [
                path
                for path in sorted((SAMPLES / format_.name).glob("*"))
                if path.name != "SOURCES.md" and path.is_file()
            ]
            data = b"".join(path.read_bytes().rstrip(b"\n") + b"\n" for path in files[:1])
            if not data:
                continue
            path = self.folder / "other.log"
            path.write_bytes(data * max(1, 2_000_000 // len(data)))
            got = python("benchmarks.parse", format_.name, str(path)).answer
            self.add(
                f"parse {format_.name}, Python", got["cpu_s_per_million"], "CPU s/M lines", "its first sample, repeated"
            )

    def store(self) -> None:
        ceiling = python("benchmarks.store", "commit").answer
        self.add("store: ready rows", ceiling["rows_per_second"], "rows/s")
        self.add("store: one commit of 20,000 rows", ceiling["commit_ms"], "ms")
        for name in ("distribution-json", "nginx-combined"):
            got = python("benchmarks.store", "collect", str(self.file(name))).answer
            share = got["lines_per_second"] / ceiling["rows_per_second"]
            self.add(f"file to store, {name}", got["lines_per_second"], "lines/s", f"{share:.2f} of ready rows")
            self.add(f"file to store, {name}, CPU", got["cpu_s_per_million"], "CPU s/M lines")
            self.add(f"file to store, {name}, memory", got["peak_mb"], "MB", "with the store's libraries")

    def latency(self) -> None:
        got = python("benchmarks.store", "latency").answer
        self.add("line written to normalised, p95", got["normalised_p95_ms"], "ms")
        self.add("line written to queryable, p95", got["queryable_p95_ms"], "ms")

    def queries(self) -> None:
        got = python("benchmarks.store", "queries", str(self.events)).answer
        self.add("10 M events: last hour by action", got["last_hour_by_action_ms"], "ms", f"{got['rows']:,} events")
        self.add("10 M events: who pulled a rare digest", got["rare_digest_ms"], "ms")
        self.add("10 M events: blast radius of that digest", got["rare_digest_blast_ms"], "ms")
        self.add("10 M events: 14 days by hour for every actor", got["fourteen_days_by_hour_by_actor_ms"], "ms")
        self.add("10 M events: made and stored", got["built_seconds"], "s")

    def memory(self) -> None:
        got = python("benchmarks.store", "memory", str(self.file("distribution-json"))).answer
        self.add("collector's memory, busy", got["busy_mb"], "MB")
        self.add("collector's memory, at rest", got["resting_mb"], "MB")

    def start(self) -> None:
        bare = min(run([sys.executable, "-c", "pass"]).cpu for _ in range(5))
        cost = min(python("regsight", "--help").cpu for _ in range(5))
        self.add("regsight --help", cost * 1e3, "CPU ms", f"{bare * 1e3:.0f} of them Python itself")
        path = self.folder / "one.log"
        path.write_bytes(made("distribution-json", 1))
        first = min(python("regsight", "parse", str(path)).wall for _ in range(3))
        self.add("start to first line (regsight parse)", first * 1e3, "ms")


def plot(figures: list[Figure], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    wanted = [
        each
        for each in figures
        if (each.unit == "CPU s/M lines" and each.value and " on " in each.name)
        or each.name.startswith(("parse dist", "parse nginx", "parse harbor-audit"))
    ]
    wanted = sorted((each for each in wanted if each.value), key=lambda each: each.value or 0.0)
    drawing, axes = pyplot.subplots(figsize=(9, 0.35 * len(wanted) + 1))
    colours = [
        "#1b7f5c" if "native" in each.name else "#3d6fb6" if each.name.startswith("parse") else "#999999"
        for each in wanted
    ]
    axes.barh([each.name for each in wanted], [each.value or 0.0 for each in wanted], color=colours)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("CPU seconds for a million lines (less is better; logarithmic)")
    drawing.tight_layout()
    drawing.savefig(path, dpi=110)


def machine() -> dict[str, Any]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "",
    )
    names = ("regsight", "pyarrow", "duckdb", "deltalake", "orjson")
    versions = {name: importlib.metadata.version(name) for name in names}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"), "cpu": model, "cores": os.cpu_count(), "load": os.getloadavg()[0],
        "python": platform.python_version(), "path": native.path_in_use(), "versions": versions,
    }  # fmt: skip


def markdown(figures: list[Figure], about: dict[str, Any]) -> str:
    rows = ["| what | reached | unit | target | |", "| --- | ---: | --- | ---: | --- |"]
    for each in figures:
        value = "-" if each.value is None else f"{each.value:,.2f}" if each.value < 100 else f"{each.value:,.0f}"
        bound = TARGETS.get(each.name)
        target = "" if bound is None else f"{'≥' if bound[1] else '≤'} {bound[0]:,g}"
        rows.append(
            f"| {each.name} | {value} | {each.unit} | {target} | {' · '.join(filter(None, (each.verdict, each.note)))} |"
        )
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    head = f"{about['date']}, {about['cpu']}, {about['cores']} cores, load {about['load']:.1f}, "
    head += f"Python {about['python']}, {about['path']}; {versions}"
    return head + "\n\n" + "\n".join(rows) + "\n"


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--quick", action="store_true", help="a tenth of the lines and events: to see that it works")
    reader.add_argument("--out", type=Path, default=Path("bench"), help="where the table and the plot go")
    wanted = reader.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    begun, about = time.monotonic(), machine()
    with tempfile.TemporaryDirectory() as folder:
        size = (20_000, 1_000_000) if wanted.quick else (200_000, 10_000_000)
        bench = Bench(Path(folder), *size)
        bench.run()
    (wanted.out / "results.md").write_text(markdown(bench.figures, about))
    (wanted.out / "results.json").write_text(
        json.dumps({"about": about, "figures": [asdict(each) for each in bench.figures]}, indent=1)
    )
    try:
        plot(bench.figures, wanted.out / "parse.png")
    except ImportError:
        print("no plot: matplotlib is not installed (pip install --group bench)")
    print(f"{time.monotonic() - begun:.0f} s; table and plot in {wanted.out}/")


if __name__ == "__main__":
    main()
