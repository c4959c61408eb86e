"""Settings that are read anew while everything runs (SIGHUP): what differs, and what takes part in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collector.config import CollectorConfig
    from regsight.config import Settings

RECEIVER = "receiver"  # the name of the source that [collector.receiver] makes


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`add` and `remove` name sources; one that has changed is in both. `facts`: what is known of accounts and addresses.
    `restart`: every source begins anew. `jobs`: the timetable. `later`: sections that wait for the next start."""

    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    facts: bool = False
    restart: bool = False
    jobs: bool = False
    later: tuple[str, ...] = ()

    @property
    def sources(self) -> bool:
        """Whether a collector that reads on has something to change."""
        return bool(self.add or self.remove or self.facts)

    def __str__(self) -> str:
        words = {
            "begun": self.add - self.remove,
            "ended": self.remove - self.add,
            "changed": self.add & self.remove,
        }
        said = [f"sources {what}: {', '.join(sorted(names))}" for what, names in words.items() if names]
        said += ["what is known of accounts and addresses"] * self.facts
        said += ["all sources begin anew"] * self.restart + ["jobs, detectors, alerts"] * self.jobs
        said += [f"[{section}] takes effect at the next start" for section in self.later]
        return "; ".join(said) or "nothing has changed"


class Known:
    """Settings in force, with what was in the files that they name: a new certificate or token is a change too."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._sources = dict(_sources(settings.collector))

    def difference(self, after: Known) -> Difference:
        """What is to be done to get from these settings to those."""
        before, now = self._sources, after._sources
        old, new = self.settings, after.settings
        return Difference(
            add=frozenset(name for name in now if now[name] != before.get(name)),
            remove=frozenset(name for name in before if before[name] != now.get(name)),
            facts=_facts(old) != _facts(new),
            restart=_shared(old) != _shared(new),
            jobs=_jobs(old) != _jobs(new),
            later=("store",) * (_place(old) != _place(new)) + ("web",) * (old.web != new.web),
        )

    def applied(self, settings: Settings) -> Settings:
        """New settings, but for what a process stands on: its store and its page."""
        kept = {"keep": settings.store.keep, "keep_rollups": settings.store.keep_rollups}
        store = self.settings.store.model_copy(update=kept)
        return settings.model_copy(update={"store": store, "web": self.settings.web})


def only(config: CollectorConfig, names: frozenset[str]) -> CollectorConfig:
    """The settings of these sources alone."""
    chosen = [source for source in config.sources if source.name in names]
    return config.model_copy(update={"sources": chosen, "receiver": config.receiver if RECEIVER in names else None})


def _sources(config: CollectorConfig) -> Iterator[tuple[str, Any]]:
    for source in config.sources:
        yield source.name, (source, _read(source.model_dump()))
    if config.receiver is not None:
        yield RECEIVER, (config.receiver, _read(config.receiver.model_dump()))


def _read(value: object) -> list[bytes]:
    """The contents of the files that a part of the settings names."""
    if isinstance(value, dict):
        return [each for part in value.values() for each in _read(part)]
    if isinstance(value, list):
        return [each for part in value for each in _read(part)]
    return [value.read_bytes()] if isinstance(value, Path) and value.is_file() else []


def _jobs(settings: Settings) -> tuple[object, ...]:
    store = settings.store
    return settings.analytics, settings.alerts, settings.reports, store.keep, store.keep_rollups


def _place(settings: Settings) -> object:
    """Where the store is and how it is opened."""
    return settings.store.model_dump(exclude={"keep", "keep_rollups"})


def _facts(settings: Settings) -> tuple[object, ...]:
    """What the enrichers are told."""
    config = settings.collector
    proxies: list[tuple[str | None, object]] = [
        (source.registry or source.name, getattr(source, "trusted_proxies", None)) for source in config.sources
    ]
    endpoints = config.receiver.endpoints if config.receiver else []
    proxies += [(endpoint.registry, endpoint.trusted_proxies) for endpoint in endpoints]
    return settings.traffic, config.trusted_proxies, config.identity, [each for each in proxies if each[1]]


def _shared(settings: Settings) -> object:
    """How the pipeline works that all sources share."""
    return settings.collector.model_dump(exclude={"sources", "receiver", "trusted_proxies", "identity"})
