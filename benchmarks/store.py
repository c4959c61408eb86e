"""The embedded store: commits, a file to the store end to end, latency, and questions to ten million events.

`python -m benchmarks.store commit|collect|latency|queries|memory …`, each in a process of its own.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.lines import Lines
from benchmarks.measure import own_cpu, own_memory_mb, own_peak_mb
from store.contract import EventQuery, Position
from store.event import schema
from store.locate import open_store

DAYS = 14
START = datetime(2026, 11, 1, tzinfo=UTC)
RARE = "sha256:" + "e" * 64


def made_events(rows: int, begin: datetime, span: timedelta, seed: int, rare: bool = False) -> pa.Table:
    """Events made column by column, sorted by time; few accounts and images do most."""
    chance = np.random.default_rng(seed)
    numbers = np.arange(seed * 10_000_000, seed * 10_000_000 + rows)
    start = int(begin.timestamp() * 1e6)
    times = np.sort(chance.integers(start, start + int(span.total_seconds() * 1e6), rows))

    def some(words: list[str]) -> pa.Array:
        at = np.minimum((len(words) ** chance.random(rows)).astype(int) - 1, len(words) - 1)
        return pa.array(words).take(pa.array(at))

    digests = [f"sha256:{number:064x}" for number in range(40_000)]
    digest = some(digests)
    if rare:
        digest = pa.concat_arrays([digest[:-3], pa.array([RARE] * 3)])
    repository = some([f"team{i % 37:02d}/svc-{i:04d}" for i in range(5000)])
    strings = pa.array(numbers).cast(pa.string())
    columns: dict[str, Any] = {
        "event_id": pc.binary_join_element_wise("r-", strings, ""),
        "revision": pa.repeat(pa.scalar(0, pa.int64()), rows),
        "channel": pa.repeat("application", rows),
        "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
        "read_at": pa.array(times, pa.timestamp("us", "UTC")),
        "stored_at": pa.array(times, pa.timestamp("us", "UTC")),
        "action": some(
            ["pull", "layer_download", "check", "layer_check", "push", "layer_upload", "delete", "list_tags"]
        ),
        "outcome": some(["success", "failure", "denied"]),
        "dataset": pa.repeat("made", rows),
        "registry": pa.repeat("r", rows),
        "actor": some([f"user{i:04d}" for i in range(2000)]),
        "client_ip": some([f"10.{i >> 8 & 255}.{i & 255}.{1 + i % 250}" for i in range(10_000)]),
        "user_agent": some([f"agent-{i}/1.{i} linux amd64" for i in range(12)]),
        "status": pa.array(chance.choice([200, 201, 404], rows)),
        "response_bytes": pa.array(chance.integers(0, 10**8, rows)),
        "duration_ns": pa.array(chance.integers(0, 10**9, rows)),
        "repository": repository,
        "reference": digest,
        "digest": digest,
        "stream": pa.repeat("made", rows),
        "offset": pa.array(numbers * 800),
    }
    types = schema()
    columns["parts"] = pa.ListArray.from_arrays(
        pa.array(np.arange(rows + 1, dtype=np.int32)), pc.binary_join_element_wise("made:", strings, "")
    )
    return pa.Table.from_arrays(
        [
            columns[field.name].cast(field.type) if field.name in columns else pa.nulls(rows, field.type)
            for field in types
        ],
        schema=types,
    )


def commit(rows: int = 20_000, commits: int = 12) -> dict[str, Any]:
    """Rows a second of ready tables: the store's own ceiling."""
    tables = [made_events(rows, START, timedelta(hours=1), seed) for seed in range(commits)]
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"delta:{folder}/s")
        taken = []
        for number, table in enumerate(tables, 1):
            begun = time.perf_counter()
            store.commit(table, [Position(stream="made", offset=number)])
            taken.append(time.perf_counter() - begun)
        store.close()
    median = statistics.median(taken[1:])
    return {"rows_per_second": rows / median, "commit_ms": median * 1e3}


def _pipeline(store: Any, paths: list[str], follow: bool) -> Any:
    from collector.sources.file_tail import FileTail
    from regsight.app import pipeline_over

    source = FileTail("files", paths, registry="r", follow=follow, known=store.positions)
    return pipeline_over(store, [source])


def collect(path: str) -> dict[str, Any]:
    """A file to the embedded store, as `regsight collect` does it, without the start of the program."""
    with tempfile.TemporaryDirectory() as folder:
        few = Path(folder) / "few.log"  # imports and first use are the start of the program too
        with Path(path).open("rb") as file:
            few.write_bytes(b"".join(next(file, b"") for _ in range(1_000)))
        store = open_store(f"delta:{folder}/few")
        _pipeline(store, [str(few)], follow=False).run()
        store.close()
        store = open_store(f"delta:{folder}/s")
        cpu, begun = own_cpu(), time.perf_counter()
        summary = _pipeline(store, [path], follow=False).run()
        wall, cpu = time.perf_counter() - begun, own_cpu() - cpu
        store.close()
    return {
        "lines": summary.lines,
        "lines_per_second": summary.lines / wall,
        "cpu_s_per_million": cpu / summary.lines * 1e6,
        "peak_mb": own_peak_mb(),
    }


def latency(lines: int = 40) -> dict[str, Any]:
    """Milliseconds from a line's write to a block in the pipeline's hands, and to the answer of a question to the store."""
    from collector import interpret

    seen: list[float] = []
    plain = interpret.Interpreter.interpret

    def noting(self: Any, *args: Any) -> Any:
        got = plain(self, *args)
        seen.extend([time.perf_counter()] * got.events.num_rows)
        return got

    interpret.Interpreter.interpret = noting  # type: ignore[method-assign]  # the moment at which a line is normalised
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "registry.log"
        maker = Lines()
        log.write_text(maker.json() + "\n")
        store = open_store(f"delta:{folder}/s")
        pipeline = _pipeline(store, [str(log)], follow=True)
        thread = threading.Thread(target=pipeline.run)
        thread.start()
        _until(lambda: len(list(store.events(EventQuery()))) == 1)
        normalised, queryable = [], []
        for _ in range(lines):
            count = len(seen)
            with log.open("a") as file:
                file.write(maker.json() + "\n")
            written = time.perf_counter()
            _until(
                lambda count=count: len(seen) > count
            )  # before the store is asked: a question takes the interpreter for itself
            rows = len(queryable) + 2
            _until(lambda rows=rows: len(list(store.events(EventQuery()))) >= rows)
            queryable.append((time.perf_counter() - written) * 1e3)
            normalised.append((seen[count] - written) * 1e3)
        resting = own_memory_mb()
        pipeline.stop()
        thread.join()
        store.close()
    return {
        "normalised_p95_ms": _p95(normalised),
        "queryable_p95_ms": _p95(queryable),
        "resting_mb_with_store": resting,
    }


def _until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("the line did not arrive")
        time.sleep(0.005)


def _p95(values: list[float]) -> float:
    return sorted(values)[max(0, round(len(values) * 0.95) - 1)]


def queries(rows: int = 10_000_000) -> dict[str, Any]:
    """Median milliseconds of each question, after the store's own upkeep."""
    from analytics.blast import blast

    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"delta:{folder}/s")
        half = rows // (2 * DAYS)
        begun, number = time.perf_counter(), 0
        for day in range(DAYS):
            for part in range(2):
                number += 1
                at = START + timedelta(days=day, hours=12 * part)
                store.commit(
                    made_events(half, at, timedelta(hours=12), number, rare=number == DAYS),
                    [Position(stream="made", offset=number)],
                )
        built = time.perf_counter() - begun
        end = START + timedelta(days=DAYS)
        store.maintain(end, None)
        asked: dict[str, Callable[[], Any]] = {
            "last_hour_by_action_ms": lambda: store.counts(end - timedelta(hours=1), end, ["action"]),
            "last_day_by_action_ms": lambda: store.counts(end - timedelta(days=1), end, ["action"]),
            "rare_digest_blast_ms": lambda: blast(store, digest=RARE),
            "rare_digest_ms": lambda: list(store.events(EventQuery(since=START, until=end, digest=RARE))),
            "fourteen_days_by_hour_by_actor_ms": lambda: store.counts(START, end, ["actor"], timedelta(hours=1)),
        }
        answer: dict[str, Any] = {"rows": number * half, "built_seconds": built}
        for name, ask in asked.items():
            taken = []
            for _ in range(3):
                begun = time.perf_counter()
                ask()
                taken.append((time.perf_counter() - begun) * 1e3)
            answer[name] = statistics.median(taken)
        store.close()
    return answer


def memory(path: str) -> dict[str, Any]:
    """MB of the collector without a store: at rest after its imports, and at its most while it reads a file."""
    from benchmarks.parse import blocks
    from regsight.discover import formats

    named = {each.name: each for each in formats()}
    resting = own_memory_mb()
    with Path(path).open("rb") as file:
        data = file.read(4 << 20)
        while len(data) > 1 << 20:
            for piece in blocks(data[: data.rfind(b"\n") + 1]):
                named["distribution-json"].parse(piece)
            data = file.read(4 << 20)
    return {"resting_mb": resting, "busy_mb": own_peak_mb()}


if __name__ == "__main__":
    chosen: Callable[..., dict[str, Any]] = globals()[sys.argv[1]]
    print(json.dumps(chosen(*(int(each) if each.isdigit() else each for each in sys.argv[2:]))))
