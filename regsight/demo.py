"""`regsight demo`: the whole way on real input, with nothing to set up.

A fortnight of simulated traffic with planted attacks leads up to the real captured logs that the project ships; both
are collected as files, judged, told to a receiver on this machine, and shown.
"""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regsight.captures import CAPTURED_FROM, CAPTURED_UNTIL, CAPTURES, captures_folder
from regsight.demo_receiver import DemoReceiver
from regsight.terminal import progress, say, write_table

if TYPE_CHECKING:
    from collector.stages import Source
    from store.contract import Store
    from store.finding import Finding

# Kinds with a short story each; the simulator's other kinds are for tests and evaluation.
ATTACKS = ("A01", "A02", "A06", "A18")
SURPRISES = ("B01", "B04", "B08")
MARK = "regsight-demo.txt"  # only a folder that holds this file is ever emptied


class Demo:
    """One demo in one folder."""

    def __init__(self, *, out: Path, listen: str, days: int, seed: int, live: bool) -> None:
        self.out = out
        self.listen = listen
        self.days = days
        self.seed = seed
        self.live = live
        self.receiver = DemoReceiver()
        self.began = time.monotonic()

    def run(self, serve: bool) -> None:
        """Do all of it; with `serve` the page stays open until Ctrl-C."""
        from store.locate import open_store

        self._empty_folder()
        store = open_store(f"delta:{self.out / 'store'}")
        self.receiver.start()
        try:
            self._simulate()
            self._collect_all(store)
            if self.live:
                self._live(store)
            findings = self._detect(store)
            self._tell(store)
            self._report(store)
            self._conclude(store, findings)
            if serve:
                self._serve(store)
        finally:
            self.receiver.stop()
            store.close()

    def _empty_folder(self) -> None:
        """Start anew, but never delete a folder that is not a demo's."""
        from regsight.commands.options import UsageError

        if self.out.exists():
            if any(self.out.iterdir()) and not (self.out / MARK).exists():
                raise UsageError(f"{self.out} holds files that are not the demo's: name another folder with --out")
            shutil.rmtree(self.out)
        self.out.mkdir(parents=True)
        (self.out / MARK).write_text("Made by `regsight demo`, which empties this folder when it starts.\n")

    def _simulate(self) -> None:
        from regsight.traffic.simulate import simulate

        start = (CAPTURED_FROM - timedelta(days=self.days)).replace(hour=0)
        days = (CAPTURED_UNTIL - start) / timedelta(days=1)
        with self._step(f"simulating {self.days} days of a registry's traffic, with planted attacks") as advance:
            simulate(
                self.out / "logs",
                preset="small",
                start=start,
                days=days,
                seed=self.seed,
                attacks=ATTACKS,
                surprises=SURPRISES,
                source="distribution-json",
                on_progress=advance,
            )

    def _collect_all(self, store: Store) -> None:
        from collector.sources.file_tail import FileTail

        folder = captures_folder()
        simulated = sorted(str(path) for path in (self.out / "logs").rglob("*.log"))
        sources: list[Source] = [FileTail("simulated", simulated, registry="production", follow=False)]
        for capture in CAPTURES:
            say(f"  real captured log: {capture.what} → {capture.registry}")
            files = [str(folder / name) for name in capture.files]
            sources.append(FileTail(capture.registry, files, registry=capture.registry, follow=False))
        with self._step("collecting: lines in, events stored") as advance:
            self._collect(store, sources, advance)

    def _collect(self, store: Store, sources: list[Source], advance: Any) -> None:
        from regsight.app import pipeline_over

        summary = pipeline_over(store, sources, on_progress=lambda so_far: advance(so_far.lines, None)).run()
        say(
            f"  {summary.lines:,} lines = {summary.events:,} events + {summary.dead_letters:,} dead letters "
            f"+ {summary.ignored:,} that are no event of their own"
        )

    def _live(self, store: Store) -> None:
        from regsight.live import LiveRegistry, missing_programs

        lacking = missing_programs()
        if lacking:
            say(f"  --live needs {', '.join(lacking)} (apt-get install docker-registry skopeo apache2-utils): left out")
            return
        title = "a real docker-registry: pushing and pulling real images"
        with self._step(title) as advance, LiveRegistry(self.out / "live") as registry, registry.collecting(store):
            done = registry.exercise(advance)
        way = "through nginx" if registry.proxied else "directly (nginx is not installed)"
        say(f"  {len(done)} real operations {way}, told by {len(registry.logs)} logs and by notifications: once each")
        say(f"  {', '.join(step.name for step in done)}")

    def _detect(self, store: Store) -> list[Finding]:
        from analytics.incidents import gather
        from analytics.jobs import detect_span
        from regsight.discover import detectors

        span = store.span()
        assert span is not None
        with self._step("detecting, in the steps in which the timetable would have run") as advance:
            found = detect_span(store, detectors(), span[0], span[1] + timedelta(microseconds=1), on_progress=advance)
            gather(store, span[0])
            return found

    def _tell(self, store: Store) -> None:
        from alerts.config import AlertsConfig
        from alerts.notify import deliver
        from alerts.policy import enqueue_new

        settings = AlertsConfig.model_validate(
            {
                "channels": [{"name": "demo", "apprise": self.receiver.url, "min_severity": "medium"}],
                "link_base": f"http://{self.listen}",
                # A fortnight is told at once here; in service a finding this old would no longer be news.
                "max_age": timedelta(days=400),
            }
        )
        with self._step("telling people") as advance:
            now = datetime.now(UTC)
            total = enqueue_new(store, settings, now)
            while (done := deliver(store, settings, now)).sent:
                advance(len(self.receiver.messages()), total)
                if done.retried or done.failed:
                    say(f"  {done.retried} alerts to try again, {done.failed} given up")
                    break
        for message in self.receiver.messages()[-3:]:
            say(f"  told: {message['title']}")

    def _report(self, store: Store) -> None:
        from analytics.reports.write import write_report

        span = store.span()
        assert span is not None
        with self._step("writing the report"):
            write_report(store, span[0], span[1] + timedelta(seconds=1), self.out / "report.html", datetime.now(UTC))

    def _conclude(self, store: Store, findings: list[Finding]) -> None:
        worth = [finding for finding in findings if finding.severity.rank >= 2]
        write_table(
            f"\n{store.total():,} events, {len(findings)} findings, {len(worth)} of them of medium severity or more:",
            ("id", "severity", "detected (UTC)", "what"),
            ((f.id, f.severity, f"{f.detected_at:%Y-%m-%d %H:%M}", f.title) for f in worth),
        )
        say("")
        say(f"from start to here: {time.monotonic() - self.began:.0f} s")
        where = f"--store delta:{self.out / 'store'}"
        if worth:
            say(f"why: regsight findings show {worth[0].id} {where}")
        say(f"who pulled it: regsight events --action pull --since 2026-11-23 {where}")
        say(f"report: {self.out / 'report.html'}   what was planted: {self.out / 'logs' / 'truth.json'}")

    def _serve(self, store: Store) -> None:
        from regsight.sources import lag_of
        from regsight.web.serve import make_server
        from regsight.web.state import WebState

        span = store.span()
        state = WebState(
            store=store,
            sources=lambda: [lag_of(position) for position in store.positions()],
            sent=self.receiver.messages,
            title="Regsight demo",
            demo=True,
            anchor_time=span[1] if span else None,
        )
        server = make_server(state, self.listen)
        thread = threading.Thread(target=server.run, name="page", daemon=True)
        thread.start()
        say(f"open http://{self.listen}/ (Ctrl-C ends the demo)")
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        ended.wait()
        server.should_exit = True
        thread.join(10)

    @contextmanager
    def _step(self, title: str) -> Iterator[Any]:
        """A progress bar on a terminal, one line elsewhere; gives a function (done, total)."""
        say(f"· {title}")
        with progress() as display:
            task = display.add_task("  ", total=None)
            yield lambda done, total=None: display.update(task, completed=done, total=total)
