"""The boards over a week of the demo's data: a Prometheus and an Elasticsearch, filled, previewed, photographed.

`python tests/dashboards/filled.py OUT` (with `tests` in PYTHONPATH) writes the pages of `regsight dashboards preview` to OUT
and an image of each board beside them. The events are the simulator's and the captured logs', collected and judged as
`regsight demo` does. The metrics are those that the same telemetry counts when it is told of these events minute by minute,
written into Prometheus with the time of each minute (`promtool tsdb create-blocks-from`). What only a running collector
knows is made up, and steady: bytes read and lines ignored, lag, the shape of the lines, runs of jobs, how long commits, detections
and messages took.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import floatToGoString
from servers import elasticsearch, presence
from servers import prometheus as prometheus_server

from alerts.telemetry import AlertsTelemetry
from analytics.incidents import gather
from analytics.jobs import detect_span
from analytics.telemetry import AnalyticsTelemetry
from collector.sources.file_tail import FileTail
from collector.telemetry import CollectorTelemetry
from dashboards.build import build
from regsight.app import pipeline_over
from regsight.captures import CAPTURES, captures_folder
from regsight.discover import detectors
from regsight.traffic.simulate import simulate
from store.contract import EventQuery, Store
from store.elastic import ElasticStore
from store.event import schema
from store.finding import Finding
from store.incident import Incident
from store.locate import open_store

NAMESPACE = "boards_filled"
END = datetime(2026, 11, 24, 16, tzinfo=UTC)  # some hours behind the captured logs, in working time
START = (END - timedelta(days=7)).replace(hour=0, minute=0)
MINUTE = timedelta(minutes=1)
SOURCES = {"production": "distribution-json", "harbor": "harbor-audit"}
ATTACKS = ("A01@7.2", "A02@7.45", "A06@7.3", "A18@7.55")


def events(folder: Path) -> tuple[list[dict[str, Any]], list[Finding], list[Incident]]:
    """A week of two registries with the captured logs in it, by time; what was found in its last two days; the incidents."""
    tails = [
        FileTail(c.registry, [str(captures_folder() / n) for n in c.files], registry=c.registry, follow=False)
        for c in CAPTURES
    ]
    for seed, (registry, source) in enumerate(SOURCES.items(), start=7):
        attacks = ATTACKS if source == "distribution-json" else ()
        simulate(
            folder / registry,
            start=START,
            days=(END - START) / timedelta(days=1),
            seed=seed,
            source=source,
            attacks=attacks,
        )
        files = sorted(str(path) for path in (folder / registry).rglob("*.log*"))
        tails.append(FileTail(registry, files, registry=registry, follow=False))
    store = open_store(f"delta:{folder / 'store'}")
    print(pipeline_over(store, tails).run())
    found = detect_span(store, detectors(), END - timedelta(days=2), END)
    opened = gather(store, START)
    rows = sorted(store.events(EventQuery(since=START, until=END)), key=lambda row: row["timestamp"])
    store.close()
    return rows, found, opened


def metrics(rows: list[dict[str, Any]], found: list[Finding], opened: list[Incident]) -> str:
    """OpenMetrics of the last two days, a sample a minute: what the telemetry says when it is told of these events."""
    registry = CollectorRegistry()
    told = CollectorTelemetry(registry), AnalyticsTelemetry(registry), AlertsTelemetry(registry)
    samples: dict[tuple[str, str], dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    names = {row["registry"] or "" for row in rows}
    at, place = END - timedelta(days=2), 0
    while at <= END:
        here = place
        while place < len(rows) and rows[place]["timestamp"] < at:
            place += 1
        fresh = rows[here:place] if here else []
        _tell(told, at, fresh, [one for one in found if at - MINUTE <= one.detected_at < at], names)
        severities = Counter(one.severity for one in opened if one.detected_at < at)
        told[2].open_incidents(severities)
        for family in registry.collect():
            kind = samples[family.name, family.type]
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    labels = ",".join(f'{name}="{_quoted(value)}"' for name, value in sample.labels.items())
                    line = f"{sample.name}{{{labels}}} {floatToGoString(sample.value)} {at.timestamp():.0f}"
                    kind[sample.name, labels].append(line)
        at += MINUTE
    lines = []
    for (name, kind), series in samples.items():
        lines.append(f"# TYPE {name} {kind}")
        lines += [line for one in series.values() for line in one]
    return "\n".join([*lines, "# EOF", ""])


def _tell(told: Any, at: datetime, rows: list[dict[str, Any]], found: list[Finding], names: set[str]) -> None:
    collector, analytics, alerts = told
    for name in names:
        here = [row for row in rows if (row["registry"] or "") == name]
        collector.read(name, 380 * len(here), len(here), len(here) // 9, [])
        collector.lag(name, 0, 0.0)
        collector.looks(name, "any", 0.0, 0, {"actor": 0.1, "client_ip": 0.0, "repository": 0.2})
        if here:
            collector.watermark(name, here[-1]["timestamp"].timestamp())
    if rows:
        collector.committed(pa.Table.from_pylist(rows, schema()), 0.02 + len(rows) / 20_000)
    if at.minute % 5 == 0:
        analytics.job("detect", "ok", at)
        analytics.detection("credential_probe", 0.3)
    if at.minute == 0:
        analytics.job("report", "ok", at)
    for one in found:
        analytics.found(one.detector, one.severity)
        if one.severity.rank >= 2:
            alerts.sent("chat", timedelta(seconds=3), one.detected_at - one.start)
            alerts.incident("detect", one.severity, (one.detected_at - one.start).total_seconds())
            alerts.incident("notify", one.severity, 3.0)
    alerts.pending(0)


def _quoted(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _promtool(*arguments: str) -> None:
    subprocess.run(
        [str(presence.program("promtool", "prometheus")), "tsdb", "create-blocks-from", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def fill_prometheus(folder: Path, text: str) -> None:
    """Blocks of the metrics and, asked of a server over them, of what our rules record of them, into `folder`."""
    data, source = folder / "prometheus-data", folder / "metrics.txt"
    source.write_text(text)
    _promtool("openmetrics", str(source), str(data))
    build(folder / "built")
    rules = folder / "built" / "rules" / "regsight-recording.yml"
    ends = [
        f"--start={(END - timedelta(days=1)).timestamp():.0f}",
        f"--end={END.timestamp():.0f}",
        "--eval-interval=60s",
    ]
    for _ in range(2):  # what is recorded of what is recorded comes with the second
        with prometheus_server.running(folder, []) as server:
            _promtool("rules", f"--url={server.url}", f"--output-dir={data}", *ends, str(rules))


def fill_elasticsearch(url: str, rows: list[dict[str, Any]]) -> None:
    store: Store = ElasticStore(url, namespace=NAMESPACE)
    for first in range(0, len(rows), 5000):
        store.commit(pa.Table.from_pylist(rows[first : first + 5000], schema()), [])
    store.close()


def main(out: Path) -> None:
    from screenshots import slim, take

    with tempfile.TemporaryDirectory() as name, elasticsearch.running() as search:
        folder = Path(name)
        rows, found, opened = events(folder)
        print(len(rows), "events,", len(found), "findings,", len(opened), "incidents")
        fill_elasticsearch(search.url, rows)
        fill_prometheus(folder, metrics(rows, found, opened))
        with prometheus_server.running(folder, []) as server:
            command = [sys.executable, "-m", "regsight", "dashboards", "preview", "--out", str(out)]
            command += ["--prometheus-url", server.url, "--elasticsearch-url", search.url, "--namespace", NAMESPACE]
            command += ["--from", (END - timedelta(days=1)).isoformat(), "--to", END.isoformat()]
            subprocess.run([*command, "--var", "repository=payments/api", "--var", "price=0.09"], check=True)
    for page in sorted(out.glob("regsight-*.html")):
        image = out / f"boards-{page.stem.removeprefix('regsight-')}.png"
        take(page.resolve().as_uri(), image)
        slim(image)
        print(image, image.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
