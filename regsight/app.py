"""Opens the store, builds the stages, starts them in order, stops them in reverse: everything `regsight run` is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regsight.config import ConfigError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from analytics.detector import Detector
    from collector.config import CollectorConfig
    from collector.enriching import EnrichSettings
    from collector.feed import Feed
    from collector.pipeline import Pipeline
    from collector.stages import Source
    from regsight.config import Settings
    from regsight.web.state import WebState
    from store.contract import Store

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0  # the deadline of an orderly stop


def open_configured_store(settings: Settings) -> Store:
    """The store that the settings name.

    Raises:
        StoreError: it cannot be opened; the message says what to do.
    """
    from store.locate import open_store

    password = settings.store.password_file.read_text().strip() if settings.store.password_file else None
    ca_file = str(settings.store.ca_file) if settings.store.ca_file else None
    return open_store(settings.store.url, password=password, ca_file=ca_file)


def chosen_detectors(settings: Settings) -> list[Detector]:
    """The detectors that the settings switch on (all, if they say nothing).

    Raises:
        ConfigError: the settings name a detector that does not exist, or rules that cannot be used.
    """
    from analytics.errors import UnknownDetector
    from analytics.jobs import prepare
    from analytics.rules.load import WrongRule
    from regsight.discover import detectors

    try:
        return prepare(detectors(), settings.analytics)
    except UnknownDetector as error:
        raise ConfigError(f"[analytics] detectors: {error}") from error
    except WrongRule as error:
        raise ConfigError(f"[analytics] {error}") from error


def secret(path: Path | None) -> str | None:
    """The one line of a secret's file; None without a file."""
    return path.read_text(encoding="utf-8").strip() if path else None


def enrich_settings(settings: Settings) -> EnrichSettings:
    """What the settings tell the enrichers."""
    from collector.enriching import settings_of

    return settings_of(settings.collector, settings.traffic)


def pipeline_over(
    store: Store, sources: Sequence[Source | Feed], enriching: EnrichSettings | None = None, **options: Any
) -> Pipeline:
    """A pipeline with every format and enricher there is, whose figures nobody scrapes: for one-shot commands.

    `options` are those of `Pipeline`.
    """
    from prometheus_client import CollectorRegistry

    from collector.joins.joiner import Joiner
    from collector.pipeline import Pipeline
    from collector.telemetry import CollectorTelemetry
    from regsight.discover import enrichers, formats

    telemetry = CollectorTelemetry(CollectorRegistry())
    options.setdefault("joiner", Joiner(store))
    return Pipeline(store, sources, formats(), enrichers(enriching), telemetry, **options)


class App:
    """Everything in one process. `start`, then `wait` until `stop` is called from a signal or another thread."""

    def __init__(self, settings: Settings) -> None:
        from prometheus_client import CollectorRegistry

        from collector.telemetry import CollectorTelemetry
        from regsight.reloading import Known

        self.settings = settings
        self.registry: CollectorRegistry = CollectorRegistry()
        self.store = open_configured_store(settings)
        self.stopping = threading.Event()
        self.failed: BaseException | None = None
        self._started = False
        self._known = Known(settings)
        self._changing = threading.Lock()
        self._telemetry = CollectorTelemetry(self.registry)
        self._pipeline = self._build_pipeline(settings)
        self._timetable = self._build_timetable()
        self._server: Any = None
        self._threads: list[threading.Thread] = []
        self._collecting: threading.Thread | None = None

    def start(self) -> None:
        """Start collecting, then the timetable, then the page: each only needs what started before it."""
        with self._changing:
            self._start_collector()
            self._timetable.start()
            self._start_page()
            self._started = True
        from collector.native import path_in_use

        log.info("started", extra={"store": self.store.url, "page": self.settings.web.listen, "reading": path_in_use()})

    def wait(self) -> None:
        """Until `stop` was called or a stage failed for good; then stops everything and raises what failed."""
        self.stopping.wait()
        self.close()
        if self.failed is not None:
            raise self.failed

    def stop(self) -> None:
        """Ask for an orderly stop. Safe to call twice and from a signal handler."""
        self.stopping.set()

    def change(self, settings: Settings) -> str:
        """Go on with other settings. Sources that are the same read on; the others end, and begin where they were.

        Returns:
            What was done, in words.

        Raises:
            ConfigError, CollectorError, OSError: they cannot be used; nothing was changed.
        """
        from regsight.discover import enrichers
        from regsight.reloading import Known, only

        with self._changing:
            if not self._started:
                raise ConfigError("it is still starting: send the signal again")
            after = Known(self._known.applied(settings))
            found = self._known.difference(Known(settings))
            detectors = chosen_detectors(settings)
            alive = self._collecting is not None and self._collecting.is_alive()
            whole = found.restart or not alive or not (settings.collector.sources or settings.collector.receiver)
            coming = self._feeds(only(settings.collector, found.add)) if found.add and not whole else []
            following = self._build_pipeline(after.settings) if whole else self._pipeline
            # Whatever could be wrong has been looked at: from here on it is done.
            self.settings, self._known = after.settings, after
            if whole:
                self._stop_collector()
                self._pipeline = following
                self._start_collector()
            elif following is not None and found.sources:
                following.change(coming, found.remove, enrichers(enrich_settings(after.settings)))
            if found.jobs:
                self._timetable.change(after.settings, detectors)
            return str(found)

    def close(self) -> None:
        """Stop in reverse order: page, timetable, collector (which flushes and commits), store."""
        if self._server is not None:
            self._server.should_exit = True
        self._timetable.stop()
        if self._pipeline is not None:
            self._pipeline.stop()
        if self._collecting is not None:
            self._collecting.join(STOP_SECONDS)
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        self.store.close()
        log.info("stopped")

    def _feeds(self, config: CollectorConfig) -> list[Feed]:
        from collector.build import feeds
        from collector.gaps import GapLog

        return feeds(config, self.store.positions, self._telemetry, GapLog(self.store, self._telemetry))

    def _build_pipeline(self, settings: Settings) -> Pipeline | None:
        from collector.drift import DriftTallies
        from collector.gaps import GapLog
        from collector.joins.joiner import Joiner
        from collector.ledger import Ledger
        from collector.pipeline import Pipeline
        from regsight.discover import enrichers, formats

        config = settings.collector
        sources = self._feeds(config)
        if not sources:
            return None
        return Pipeline(
            self.store,
            sources,
            formats(),
            enrichers(enrich_settings(settings)),
            self._telemetry,
            joiner=Joiner(self.store, config.joins),
            drift=DriftTallies(self.store, self._telemetry),
            ledger=Ledger(self.store, GapLog(self.store, self._telemetry)),
            batch_rows=config.batch_rows,
            batch_seconds=config.batch_seconds,
            stop_seconds=config.stop_seconds,
        )

    def _build_timetable(self) -> Any:
        from regsight.timetable import Timetable

        detectors = chosen_detectors(self.settings)
        return Timetable(self.store, self.settings, detectors, self.registry, collecting=self._has_stored)

    def _has_stored(self) -> bool:
        """Whether there is no collector, or it has stored something in this run."""
        return self._pipeline is None or self._pipeline.begun

    def _start_collector(self) -> None:
        if self._pipeline is not None:
            self._collecting = threading.Thread(
                target=self._collect, args=(self._pipeline,), name="collector", daemon=True
            )
            self._collecting.start()

    def _stop_collector(self) -> None:
        """What it has read is stored, as far as the store takes it in time; the rest is read again."""
        if self._pipeline is not None and self._collecting is not None:
            self._pipeline.stop()
            self._collecting.join()
            self._collecting = None

    def _collect(self, pipeline: Pipeline) -> None:
        try:
            pipeline.run()
        except Exception as error:  # the top of a thread: whatever ended it ends the program, orderly
            log.exception("the collector ended")
            self.failed = error
            self.stop()

    def _start_page(self) -> None:
        from regsight.web.serve import make_server

        self._server = make_server(self.web_state(), self.settings.web.listen)
        self._spawn("page", self._server.run)

    def _spawn(self, name: str, work: Any) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def web_state(self) -> WebState:
        """What the page shows, read from the store and the running stages at each request."""
        from prometheus_client import generate_latest
        from prometheus_client.exposition import CONTENT_TYPE_LATEST

        from regsight.sources import lag_of
        from regsight.web.access import web_access
        from regsight.web.state import HOSTS, WebState

        return WebState(
            store=self.store,
            sources=lambda: [lag_of(position) for position in self.store.positions()],
            jobs=self._timetable.overview,
            metrics=lambda: (generate_latest(self.registry), CONTENT_TYPE_LATEST),
            ready=self._ready,
            token=secret(self.settings.web.token_file),
            access=web_access(self.settings.web),
            hosts=(*HOSTS, *(host.lower() for host in self.settings.web.hosts)),
            ack_secret=lambda: self.settings.alerts.ack_secret(),
            settings=lambda: self.settings.model_dump(mode="json"),
        )

    def _ready(self) -> tuple[bool, str]:
        if self.stopping.is_set():
            return False, "stopping"
        return (True, "ready") if self._started else (False, "starting")


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """What is known of a metric before anything is measured; `name` as scraped (counters end in `_total`)."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def fresh_metrics() -> list[MetricFacts]:
    """Every metric that the three stages export."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics import MetricWrapperBase

    from alerts.telemetry import AlertsTelemetry
    from analytics.telemetry import AnalyticsTelemetry
    from collector.telemetry import CollectorTelemetry

    facts = []
    for stage in (CollectorTelemetry, AnalyticsTelemetry, AlertsTelemetry):
        for metric in vars(stage(CollectorRegistry())).values():
            if isinstance(metric, MetricWrapperBase):
                name = metric._name + ("_total" if metric._type == "counter" else "")
                facts.append(MetricFacts(name, metric._type or "", tuple(metric._labelnames), metric._documentation))
    return facts
