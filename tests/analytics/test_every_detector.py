"""What every detector promises, whatever it looks for. A new file in `analytics/detectors/` is covered by being there."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

import pandas as pd
import pytest
from made_traffic import START, steady
from planted_anomalies import EVENING, LONGER, PLANTED

import analytics.detectors
from analytics import acts
from analytics.detector import Detector, Suspicion
from analytics.replay import Lasting, Replay, floor
from store.contract import EventQuery, Store
from store.finding import Severity
from store.locate import open_store

FILES = sorted(module.name for module in pkgutil.iter_modules(analytics.detectors.__path__))
DAYS = 28
LEFT_OUT = ("actor", "client_ip", "repository", "project")


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = steady(DAYS).store(tmp_path_factory.mktemp("quiet"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = steady(DAYS)
    for plant, _, _ in PLANTED.values():
        plant(made)
    store = made.store(tmp_path_factory.mktemp("odd"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    """Steady traffic of logs that lack a column each."""
    stores: dict[str, Store] = {}
    for column in LEFT_OUT:
        made = steady(10)
        made.events = [{**event, column: None} for event in made.events]  # type: ignore[misc]
        stores[column] = made.store(tmp_path_factory.mktemp(column))
    yield stores
    for store in stores.values():
        store.close()


@pytest.fixture(params=FILES)
def detector(request: pytest.FixtureRequest) -> Detector:
    made: Detector = importlib.import_module(f"analytics.detectors.{request.param}").DETECTOR()
    return made


def in_steps(detector: Detector, store: Store, since: datetime, until: datetime) -> list[Suspicion]:
    reader = Replay(store, START - timedelta(days=60), until)
    found: list[Suspicion] = []
    while since < until:
        found += detector.detect(reader, since, since + detector.every)
        since += detector.every
    return found


def test_each_file_offers_a_detector_with_a_plan() -> None:
    """Every file of the folder is covered here, says what to check first, and has an anomaly planted for it."""
    assert FILES
    for name in FILES:
        detector = importlib.import_module(f"analytics.detectors.{name}").DETECTOR()
        assert detector.name in PLANTED
        assert detector.next_step.endswith(".")
        assert detector.every > timedelta(0)


def test_silent_on_steady_traffic(detector: Detector, quiet: Store) -> None:
    """Two weeks of steady traffic give nothing that would wake anybody."""
    found = in_steps(detector, quiet, START + timedelta(days=14), START + timedelta(days=DAYS))
    assert [one.title for one in found if one.severity.rank >= Severity.MEDIUM.rank] == []


def test_planted_anomaly_is_found_with_its_subjects(detector: Detector, odd: Store) -> None:
    """What was planted is the strangest thing found, named by its actor, address and repository, with events behind it."""
    _, start, subjects = PLANTED[detector.name]
    span = LONGER.get(detector.name, timedelta(hours=1))
    found = in_steps(detector, odd, start - timedelta(hours=3), start + max(span, timedelta(hours=3)))
    strangest = max(found, key=lambda one: (one.severity.rank, one.score))
    for subject, name in subjects.items():
        assert name in strangest.subjects[subject]
    assert strangest.severity.rank >= Severity.MEDIUM.rank
    assert strangest.score > 0
    assert strangest.evidence
    times = [event["timestamp"] for event in odd.events(EventQuery(ids=strangest.evidence))]
    assert len(times) == len(strangest.evidence)
    assert all(start <= at < start + span for at in times)
    assert strangest.start >= start - timedelta(hours=1)
    assert strangest.expected
    assert strangest.observed


def test_same_question_same_answer(detector: Detector, odd: Store) -> None:
    """The same span judged twice, by the same object and by a new one, gives the same suspicions."""
    start = PLANTED[detector.name][1]
    span = (start, start + max(LONGER.get(detector.name, timedelta(0)), timedelta(hours=2)))
    first = list(detector.detect(odd, *span))
    assert first
    assert list(detector.detect(odd, *span)) == first
    assert list(type(detector)().detect(odd, *span)) == first


def test_inputs_stay_as_they_are(detector: Detector, odd: Store) -> None:
    """What the store answers is not changed by the detector that asked."""
    until, lasting = EVENING + timedelta(hours=2), Lasting()
    reader = Replay(odd, START - timedelta(days=60), until, lasting=lasting, settled=floor(EVENING, timedelta(days=1)))
    detector.detect(reader, EVENING, until)
    for key, blocks in reader._blocks.items():
        if key[0] == "events":  # type: ignore[index]
            continue
        (kind, subject), width = key  # type: ignore[misc]
        for first, last, frame in blocks:
            ask = odd.counts if kind == "counts" else None
            fresh = ask(first, last, subject, width) if ask else odd.windows(first, last, width, subject)
            pd.testing.assert_frame_equal(frame, fresh)


def test_nothing_from_nothing(detector: Detector, tmp_path: object) -> None:
    """An empty store gives no suspicion and no error."""
    store = open_store(f"delta:{tmp_path}")
    assert list(detector.detect(store, START, START + timedelta(days=1))) == []
    store.close()


@pytest.mark.parametrize("column", LEFT_OUT)
def test_a_log_that_never_says_it_breaks_nothing(
    detector: Detector, column: str, without: dict[str, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry without projects, an audit log without addresses: a column of which no name was ever seen."""
    monkeypatch.setattr(acts, "NAMES", {kind: acts.Names() for kind in acts.NAMES})
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("analytics.") and hasattr(module, "NAMES"):
            monkeypatch.setattr(module, "NAMES", acts.NAMES)
    monkeypatch.setattr(acts, "_tops", [])
    reader = Replay(without[column], START - timedelta(days=60), START + timedelta(days=10))
    at = START + timedelta(days=9, hours=12)
    for start in (at, at + detector.every):
        detector.detect(reader, start, start + detector.every)


def test_later_events_change_nothing(detector: Detector, odd: Store) -> None:
    """Steps answered from what was read for a longer span give what the store gives when it is asked step by step."""
    start = PLANTED[detector.name][1]
    around = min(timedelta(hours=1), 12 * detector.every)
    since, until = start - around, start + around
    reader = Replay(odd, START - timedelta(days=60), until + timedelta(days=1))
    while since < until:
        end = since + detector.every
        assert list(detector.detect(reader, since, end)) == list(detector.detect(odd, since, end))
        since = end
