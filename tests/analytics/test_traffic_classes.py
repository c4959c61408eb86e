"""What sort of traffic comes from whom, against the simulator's own population."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from analytics.traffic_classes import HOUR, Habits, habits_of, verdict, verdicts
from collector.sources.file_tail import FileTail
from regsight.app import pipeline_over
from regsight.traffic.population import PRESETS, Population, populate
from regsight.traffic.simulate import simulate
from store.contract import Store
from store.event import Traffic
from store.locate import open_store
from store.traffic import TrafficRules

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
DAYS, SEED = 7, 23
BY = ("actor", "client_ip", "client_class", "repository", "action", "outcome")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A week of a small registry, read as any log is."""
    out = tmp_path_factory.mktemp("traffic")
    simulate(out, preset="small", start=MONDAY, days=DAYS, seed=SEED, attacks=[], surprises=[])
    store = open_store(f"delta:{out / 'store'}")
    tail = FileTail("files", [str(out / "registry.log")], registry="main", follow=False, known=store.positions)
    pipeline_over(store, [tail]).run()
    yield store
    store.close()


def truth_of(habits: Habits, world: Population) -> str | None:
    """What the simulator made it; None for who merely passes by under a name that is somebody's."""
    kinds = {
        Traffic.PEOPLE: {one.name for one in (*world.people, *world.retired)},
        Traffic.CI: {one.name for one in world.robots},
        Traffic.CLUSTER: {one.name for one in world.clusters},
        Traffic.SCANNER: {world.scanner.name},
        Traffic.MIRROR: {world.mirror.name, world.updater.name},
    }
    for traffic, names in kinds.items():
        if habits.actor in names:
            return traffic.value
    if habits.client_ip == "10.0.0.2":
        return Traffic.PROBE.value
    return Traffic.NOISE.value if habits.actor is None and (habits.client_ip or "").startswith("198.") else None


def judged(frame: pd.DataFrame) -> Counter[tuple[str | None, str | None]]:
    """(what it is, what it is said to be), for everybody who made enough requests to be judged."""
    begin = int(MONDAY.timestamp()) * 1_000_000_000
    world = populate(PRESETS["small"], SEED, begin)
    return Counter(
        (truth_of(habits, world), verdict(habits).traffic)
        for habits in habits_of(frame)
        if habits.actor is None or (habits.requests >= 30 and habits.days >= 3)
    )


@pytest.mark.slow
@pytest.mark.parametrize("tools", [True, False], ids=["tools-known", "tools-hidden"])
def test_everybody_of_the_simulation_is_told_apart(simulated: Store, tools: bool) -> None:
    """Also where no tool gives its name, by what they do alone: the client writes its user agent itself."""
    frame = simulated.counts(MONDAY, MONDAY + timedelta(days=DAYS), BY, HOUR)
    if not tools:
        frame["client_class"] = "other"
    counts = judged(frame)
    right = sum(count for (truth, said), count in counts.items() if truth == said)
    wrong = {pair: count for pair, count in counts.items() if pair[1] is not None and pair[0] not in (None, pair[1])}
    named = {pair: count for pair, count in counts.items() if pair[0] not in (None, Traffic.NOISE)}
    right_named = sum(count for (truth, said), count in named.items() if truth == said)
    print(
        f"tools {tools}: right {right} of {counts.total()}; without noise {right_named} of {sum(named.values())}; {wrong}"
    )
    assert {truth for truth, _ in counts} >= set(Traffic)  # each class is there
    assert right_named / sum(named.values()) >= (0.9 if tools else 0.85)
    assert sum(wrong.values()) <= (0 if tools else 0.08 * counts.total())


@pytest.mark.slow
def test_the_handshake_belongs_to_the_accounts(simulated: Store) -> None:
    """Every client is asked who it is first; no node is noise for that."""
    found = verdicts(simulated, MONDAY, MONDAY + timedelta(days=DAYS), TrafficRules())
    noise = {one.habits.client_ip for one in found if one.traffic is Traffic.NOISE}
    assert noise and all(address is not None and address.startswith("198.") for address in noise)


@pytest.mark.slow
def test_what_is_set_stands_above_what_was_learned(simulated: Store) -> None:
    rules = TrafficRules.read({"10.20.0.0/16": "ci"})
    found = verdicts(simulated, MONDAY, MONDAY + timedelta(days=DAYS), rules)
    nodes = [one for one in found if (one.habits.client_ip or "").startswith("10.20.")]
    assert {(one.traffic, one.origin) for one in nodes} == {(Traffic.CI, "set")}
    assert nodes[0].why == '[traffic] "10.20.0.0/16" in the settings'


def test_too_little_says_nothing() -> None:
    """An hour of one account is no habit; and no event at all gives nobody."""
    frame = pd.DataFrame(
        [("jo", "10.0.0.1", "docker", "shop/web", "pull", "success", pd.Timestamp(MONDAY), 9)],
        columns=[*BY, "window_start", "events"],
    )
    (habits,) = habits_of(frame)
    found = verdict(habits)
    assert (found.traffic, found.why) == (None, "only 9 requests on 1 days")
    assert (habits.requests, habits.repositories, habits.quiet, habits.weekend) == (9, 1, 23, None)
    assert habits_of(frame[:0]) == []


def test_the_night_goes_over_midnight() -> None:
    """Who is active from 8 to 17 rests 14 hours, in one piece."""
    hours = [MONDAY + timedelta(days=day, hours=hour) for day in range(5) for hour in range(8, 18)]
    frame = pd.DataFrame(
        [("jo", "10.0.0.1", "docker", "shop/web", "pull", "success", pd.Timestamp(hour), 1) for hour in hours],
        columns=[*BY, "window_start", "events"],
    )
    (habits,) = habits_of(frame)
    assert (habits.quiet, habits.hours_of_day, habits.days, habits.weekend) == (14, 10, 5, None)
    assert verdict(habits).traffic is Traffic.PEOPLE
