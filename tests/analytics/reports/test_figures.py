"""The figures against the events themselves, counted here the slow way."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from seeded_store import ATTACK, ATTACKER, END, START, VICTIM, seed

from analytics.reports.figures import TOP, figures
from store.contract import EventQuery, Store
from store.locate import open_store

WEEK = END - timedelta(days=7)


@pytest.fixture(scope="module")
def found(seeded: Store) -> dict[str, Any]:
    return figures(seeded, WEEK, END)


@pytest.fixture(scope="module")
def events(seeded: Store) -> list[dict[str, Any]]:
    return list(seeded.events(EventQuery(since=WEEK, until=END)))


def test_totals_are_those_of_the_events(found: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """Each total equals a count over the events, and only what worked counts as pull, push or deletion."""
    worked = Counter(event["action"] for event in events if event["outcome"] == "success")
    ended = Counter(event["outcome"] for event in events)
    assert found["totals"]["requests"] == len(events)
    assert found["totals"]["pulls"] == worked["pull"]
    assert found["totals"]["pushes"] == worked["push"]
    assert found["totals"]["deletes"] == worked["delete"] == 1
    assert found["totals"]["denied"] == ended["denied"]
    assert found["totals"]["failures"] == ended["failure"]
    assert found["totals"]["bad_credentials"] == 40
    assert found["totals"]["actors"] == len({event["actor"] for event in events if event["outcome"] == "success"})


def test_the_span_before_is_compared(seeded: Store, found: dict[str, Any]) -> None:
    """Totals of the week before are those of the week before."""
    before = list(seeded.events(EventQuery(since=START, until=WEEK)))
    assert found["totals_before"]["requests"] == len(before) > 0


def test_hours_days_and_actions_add_up(found: dict[str, Any]) -> None:
    """Every breakdown sums to the same total."""
    total = found["totals"]["requests"]
    assert len(found["hours"]) == 7 * 24
    assert [day["day"] for day in found["days"]] == [f"2026-11-{day}" for day in range(17, 24)]
    for rows in (found["hours"], found["days"], found["hours_of_day"]):
        assert sum(row["requests"] for row in rows) == total
    assert sum(row["events"] for row in found["actions"]) == total
    assert sum(row["events"] for row in found["formats"]) == total


def test_top_lists_are_the_busiest(found: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """The first repository is the busiest, lists are cut to the top, and say how many there are."""
    busiest = Counter(event["repository"] for event in events if event["repository"])
    rows = found["top"]["repositories"]["rows"]
    assert [row["events"] for row in rows] == [count for _, count in busiest.most_common(TOP)]
    assert rows[0]["events"] == busiest[rows[0]["name"]]
    assert len(rows) == TOP < found["top"]["repositories"]["in_all"] == len(busiest)


def test_refused_names_the_attacker_and_the_account(found: dict[str, Any]) -> None:
    """The address and the account of the attack lead their lists with the number of wrong passwords."""
    assert found["refused"]["clients"]["rows"][0] == {"name": ATTACKER, "denied": 40, "bad_credentials": 40}
    account = found["refused"]["accounts"]["rows"][0]
    assert (account["name"], account["bad_credentials"]) == (VICTIM, 30)


def test_repeated_downloads_are_what_could_be_saved(found: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """Repeats are downloads of a digest by an address beyond the first, with the bytes they moved."""
    times: Counter[tuple[str, str, str]] = Counter()
    moved: Counter[tuple[str, str, str]] = Counter()
    for event in events:
        if event["action"] in ("pull", "layer_download") and event["outcome"] == "success":
            key = (event["client_ip"], event["repository"], event["digest"])
            times[key] += 1
            moved[key] += event["response_bytes"]
    assert found["transfers"]["down_bytes"] == sum(moved.values())
    assert found["transfers"]["repeated_downloads"] == sum(count - 1 for count in times.values())
    assert found["transfers"]["repeated_bytes"] == sum(moved[key] * (n - 1) // n for key, n in times.items() if n > 1)


def test_only_names_that_did_something_are_new(found: dict[str, Any]) -> None:
    """The account and repository of the second week are new; names that were only tried are not accounts."""
    assert found["new"]["actors"] == {"comparable": True, "in_all": 1, "names": ["mia"]}
    assert found["new"]["repositories"]["names"] == ["lab/experiment"]


def test_nothing_before_is_not_everything_new(seeded: Store) -> None:
    """Where nothing was recorded before, nothing is called new."""
    first = figures(seeded, START, WEEK)["new"]["actors"]
    assert first == {"comparable": False, "in_all": 0, "names": []}


def test_detection_times(found: dict[str, Any]) -> None:
    """Begun, detected and told are in order, and their means are over what exists."""
    attack = found["findings"][0]
    assert attack["severity"] == "critical"
    assert attack["start"] == ATTACK.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert (attack["seconds_to_detect"], attack["seconds_to_notify"]) == (13 * 60, 20)
    assert attack["channels"] == ["local"]
    assert found["detection"]["notified"] == 1
    assert found["detection"]["mean_seconds_to_detect"] == (13 * 60 + 59 * 60) / 2


def test_dead_letters_and_sources(found: dict[str, Any]) -> None:
    """What could not be read is counted by reason, and the logs are named with how far they were read."""
    assert found["dead_letters"] == [{"reason": "not_json", "lines": 1}]
    assert found["sources"][0]["path"] == "/var/log/registry/registry.log"
    assert found["sources"][0]["read_bytes"] > 0


def test_figures_are_plain_json(found: dict[str, Any]) -> None:
    """Nothing of pandas or numpy is left in them."""
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_span_off_the_hour(seeded: Store) -> None:
    """A span that begins and ends within an hour counts exactly its events."""
    since, until = ATTACK + timedelta(seconds=5), ATTACK + timedelta(seconds=60)
    found = figures(seeded, since, until)
    assert found["totals"]["bad_credentials"] == 4  # the tries at 12, 24, 36 and 48 seconds
    assert len(found["hours"]) == 1


def test_an_empty_store_gives_zeros(tmp_path: Path) -> None:
    """Nothing stored: every total is zero and nothing fails."""
    store = open_store(f"delta:{tmp_path}")
    found = figures(store, WEEK, END)
    store.close()
    assert found["stored"] is None
    assert set(found["totals"].values()) == {0}
    assert found["top"]["actors"] == {"in_all": 0, "rows": []}


def test_seeding_twice_counts_once(tmp_path: Path) -> None:
    """The same lines stored again change no figure."""
    store = open_store(f"delta:{tmp_path}")
    seed(store)
    once = figures(store, WEEK, END)
    seed(store)
    assert figures(store, WEEK, END)["totals"] == once["totals"]
    store.close()


@pytest.mark.external_service
def test_both_stores_give_the_same_figures(found: dict[str, Any], elasticsearch_url: str) -> None:
    """Elasticsearch and the Delta table tell the same of the same events."""
    store = open_store(elasticsearch_url, namespace="reportfigures")
    try:
        seed(store)
        there = figures(store, WEEK, END)
    finally:
        store.close()
    assert there == found
