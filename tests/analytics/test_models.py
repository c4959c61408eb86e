"""Forests kept as arrays: the same scores, nothing that runs, compared before they serve, watched for drift."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from made_traffic import START, steady
from prometheus_client import CollectorRegistry

from analytics.detectors.isolation_forest import ActorHours, forest
from analytics.models.drift import DRIFTED, drift_of, parts, psi, watch_drift
from analytics.models.forest import Forest, WrongFile
from analytics.models.shelf import FILE, HEAD, Shelf
from analytics.models.training import NAME, auc, compare, decide, due, retrain
from analytics.telemetry import AnalyticsTelemetry
from analytics.windows import actor_hours
from store.contract import Store
from store.finding import Severity

DAY = timedelta(days=1)
NOW = START + 21 * DAY + timedelta(hours=7)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = steady(22).store(tmp_path / "steady")
    yield opened
    opened.close()


def values(rows: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 5))


@pytest.mark.parametrize("rows", [2, 3, 60, 700])
def test_scores_are_those_of_scikit_learn(rows: int) -> None:
    """To the last digits, before and after they were written; also for rows far outside."""
    fitted = forest(rows).fit(values(rows))
    asked = np.vstack([values(200, 2), 50 * values(20, 3)])
    found = Forest.from_bytes(Forest.of(fitted).as_bytes())
    np.testing.assert_allclose(found.scores(asked), -fitted.score_samples(asked), rtol=1e-12)


class _Runs:
    """Would run when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("ran"),))  # type: ignore[return-value]


def test_nothing_but_numbers_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle, an npz with an object in it, a cut file, and trees that go in circles are refused; nothing runs."""
    monkeypatch.chdir(tmp_path)
    good = Forest.of(forest(60).fit(values(60)))
    with (tmp_path / "bad.npz").open("wb") as file:
        np.savez(file, feature=np.array([_Runs()], dtype=object))
    circle = Forest(good.feature, good.threshold, np.zeros_like(good.left), good.right, good.rows, good.roots, 60, 5)
    for data in (
        pickle.dumps(_Runs()),
        (tmp_path / "bad.npz").read_bytes(),
        good.as_bytes()[:-40],
        circle.as_bytes(),
        b"",
    ):
        with pytest.raises(WrongFile):
            Forest.from_bytes(data)
    assert not Path("ran").exists()


def test_the_first_training_serves_from_midnight(store: Store) -> None:
    """It is compared with the simple way, tells what it saw, and judges from the next midnight on, as a fresh one would."""
    shelf = Shelf(store, NAME)
    assert due(shelf, NOW)
    trained = retrain(store, NOW)
    assert trained.version is not None
    assert trained.took_over, trained.reason
    assert not due(shelf, NOW + 6 * DAY)
    version = trained.version
    assert (version.since >= START, version.until) == (True, START + 14 * DAY)
    assert version.figures["new_auc"] >= version.figures["simple_auc"]
    assert shelf.serving(NOW) is None
    assert shelf.serving(START + 22 * DAY) == version
    again = retrain(store, NOW + timedelta(seconds=1))
    assert again.version is not None
    assert again.version.fingerprint == version.fingerprint
    assert again.version.sha256 == version.sha256


def test_a_changed_file_is_refused(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Other bytes, another layout, none at all: no forest, a log line, and the detector fits one of its own."""
    version = retrain(store, NOW).version
    assert version is not None
    key, at = f"{FILE}{NAME}/{version.version}", START + 22 * DAY
    other = Forest.of(forest(90).fit(np.random.default_rng(5).normal(size=(90, len(version.columns)))))
    good = store.note(key)
    assert good is not None
    assert Shelf(store, NAME).forest_at(at, version.columns) is not None
    for data in ({"data": base64.b64encode(other.as_bytes()).decode()}, {}):
        store.put_note(key, data)
        assert Shelf(store, NAME).forest_at(at, version.columns) is None
    assert "a model was refused" in caplog.text
    store.put_note(key, good)
    head = store.note(HEAD + NAME)
    assert head is not None
    head["versions"][0]["layout"] = 99
    store.put_note(HEAD + NAME, head)
    assert Shelf(store, NAME).forest_at(at, version.columns) is None
    detector = ActorHours(models=Shelf(store, NAME))
    assert list(detector.detect(store, at - DAY, at)) == list(ActorHours().detect(store, at - DAY, at))


def test_a_worse_one_does_not_take_over() -> None:
    """By its figures, each with its reason."""
    good = {"simple_auc": 0.7, "new_auc": 0.8, "new_flagged": 0.01}
    assert decide(good)[0]
    assert decide(good | {"running_auc": 0.805})[0]
    assert decide(good | {"running_auc": 0.82}) == (False, pytest.approx(decide(good | {"running_auc": 0.82})[1]))
    assert "running one is better" in decide(good | {"running_auc": 0.82})[1]
    assert "simple way" in decide(good | {"simple_auc": 0.9})[1]
    assert not decide(good | {"simple_auc": 0.9})[0]
    assert "would flag 20.0%" in decide(good | {"new_flagged": 0.2})[1]


def test_the_comparison_knows_a_blind_forest(store: Store) -> None:
    """One that learned noise tells less of the odd hours apart than one that learned the accounts."""
    features = actor_hours(store, START, START + 21 * DAY)
    starts = features.index.get_level_values(1)
    learned, shadow = features[starts < START + 14 * DAY], features[starts >= START + 14 * DAY]
    noise = np.random.default_rng(3).uniform(-50, 50, learned.shape)
    seeing, blind = (Forest.of(forest(len(learned)).fit(given)) for given in (learned.to_numpy(), noise))
    figures = compare(learned, shadow, blind, seeing)
    assert figures["running_auc"] > figures["new_auc"] + 0.05
    assert not decide(figures)[0]


def test_auc_by_hand() -> None:
    """All above: 1; all below: 0; ties: a half."""
    one = np.array([1.0, 2.0])
    assert (auc(one, one + 5), auc(one, one - 5), auc(one[:1], one[:1])) == (1.0, 0.0, 0.5)


def test_drift_is_seen_and_told_once(store: Store) -> None:
    """The same traffic stays below the bound; a registry in which everybody pulls eight times as much does not."""
    features = actor_hours(store, START, START + 21 * DAY)
    starts = features.index.get_level_values(1)
    quantiles, shares = parts(features[starts < START + 14 * DAY])
    assert all(sum(of_one) == pytest.approx(1.0) for of_one in shares.values())
    version = retrain(store, NOW).version
    assert version is not None
    week = features[starts >= START + 14 * DAY]
    assert max(drift_of(version, week).values()) < DRIFTED
    more = week.assign(pulls=week["pulls"] + 3)
    assert drift_of(version, more)["pulls"] > DRIFTED
    registry = CollectorRegistry()
    assert watch_drift(store, version, NOW, AnalyticsTelemetry(registry)) == []
    labels = {"model": NAME, "feature": "pulls"}
    assert registry.get_sample_value("regsight_analytics_model_drift", labels) is not None
    from dataclasses import replace

    moved = replace(version, quantiles={**quantiles, "pulls": [edge - 3 for edge in quantiles["pulls"]]})
    (finding,) = watch_drift(store, moved, NOW)
    assert finding.severity is Severity.INFO
    assert "pulls" in finding.observed
    watch_drift(store, moved, NOW + timedelta(hours=6))
    assert len([f for f in store.findings() if f.detector == "model_drift"]) == 1


def test_psi_by_hand() -> None:
    """Equal shares: 0; halves that became 0.9 and 0.1: 0.4 · ln 9."""
    assert psi([0.5, 0.5], [0.5, 0.5]) == 0.0
    assert psi([0.5, 0.5], [0.9, 0.1]) == pytest.approx(0.4 * np.log(9))
