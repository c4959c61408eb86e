"""Every log of a Distribution registry together, against what was really done: each operation once, whatever order they come in."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from distribution_script import LACKS, TOLD, Expected, expected_of, matches
from format_samples import SAMPLES
from joined_captures import DISTRIBUTION, collect, in_pieces, paths, shuffled, tables

from store.embedded import EmbeddedStore

# What nginx alone tells, and no action of the script names: skopeo tries HTTPS on the plain port first.
TLS_GREETING = 400


def of_script(capture: str) -> list[dict[str, Any]]:
    return json.loads((SAMPLES / "distribution-live" / capture / "truth.json").read_text())["actions"]


def found_and_left(
    capture: str, events: list[dict[str, Any]]
) -> tuple[Counter[str], Counter[str], list[dict[str, Any]]]:
    """Per operation: how many of the script's were wanted, how many were found (once, field by field), and what is left over."""
    wanted_counts: Counter[str] = Counter()
    found_counts: Counter[str] = Counter()
    left, major = list(events), capture[1]
    for act in of_script(capture):
        lacks = LACKS.get((major, act["n"]), {})
        for wanted in expected_of(act, major):
            if "action" in lacks:
                wanted = Expected(action=lacks["action"][1], outcome=wanted.outcome)
            found = [event for event in left if same(event, act, wanted, lacks)]
            wanted_counts[wanted.action] += wanted.count
            found_counts[wanted.action] += len(found) if len(found) <= wanted.count else 0
            left = [event for event in left if event not in found]
    return wanted_counts, found_counts, left


def same(event: dict[str, Any], act: dict[str, Any], wanted: Any, lacks: dict[str, Any]) -> bool:
    address = "198.51.100.23" if act["action"] == "pull-xff" else act["src_ip"]
    if act["action"] in ("ping", "login") and event["uri"] != "/v2/":
        return False
    # Where the application says nothing of the user, nginx may: it logs the name that came with the request.
    named = event["actor"] in (act["user"], None if "actor" in lacks or event["channel"] == "access" else act["user"])
    return matches(event, act, wanted) and event["client_ip"] == address and named


def judge(capture: str, events: list[dict[str, Any]]) -> None:
    """Recall and precision per operation are 1.0."""
    wanted, found, left = found_and_left(capture, events)
    rest = [
        event
        for event in left
        if (event["action"] in TOLD and event["status"] != TLS_GREETING) or event["outcome"] == "denied"
    ]
    surplus = Counter(event["action"] for event in rest)
    for action in sorted(wanted):
        recall = found[action] / wanted[action]
        precision = found[action] / (found[action] + surplus[action]) if found[action] else 0.0
        print(f"{capture}: {action}: {wanted[action]} done, recall {recall:.2f}, precision {precision:.2f}")
        assert (action, recall, precision) == (action, 1.0, 1.0)
    assert rest == []


@pytest.mark.parametrize("capture", DISTRIBUTION)
def test_each_operation_once_from_all_logs_together(capture: str, tmp_path: Path) -> None:
    """Application log, access lines, nginx in front and notifications: no operation is lost, none is there twice."""
    store = EmbeddedStore(tmp_path / "store")
    judge(capture, collect(store, paths("distribution-live", capture, DISTRIBUTION[capture])))
    store.close()


@pytest.mark.parametrize("names", list(itertools.permutations(DISTRIBUTION["v2.8.2-json"])), ids="-".join)
def test_any_order_of_files_each_in_a_run_of_its_own(names: tuple[str, ...], tmp_path: Path) -> None:
    """Nothing is remembered from run to run: what came before is found in the store."""
    store = EmbeddedStore(tmp_path / "store")
    judge("v2.8.2-json", collect(store, paths("distribution-live", "v2.8.2-json", names), one_by_one=True))
    store.close()


@pytest.mark.parametrize("names", list(itertools.permutations(DISTRIBUTION["v3-text"]))[::3], ids="-".join)
def test_two_outputs_in_two_files_count_once(names: tuple[str, ...], tmp_path: Path) -> None:
    """Standard output and standard error apart, in any order: every second access line is the same request as two others."""
    store = EmbeddedStore(tmp_path / "store")
    judge("v3-text", collect(store, paths("distribution-live", "v3-text", names), one_by_one=True))
    store.close()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("capture", ["v2.8.2-json", "v3-json"])
def test_any_split_into_batches_gives_the_same_operations(capture: str, seed: int, tmp_path: Path) -> None:
    """Pieces of any size in any mixture, with restarts in between and batches that come twice."""
    files, chance = tables(paths("distribution-live", capture, DISTRIBUTION[capture])), random.Random(seed)
    store = EmbeddedStore(tmp_path / "store")
    events = in_pieces(store, shuffled(files, chance), chance)
    judge(capture, events)
    whole = EmbeddedStore(tmp_path / "whole")
    at_once = collect(whole, paths("distribution-live", capture, DISTRIBUTION[capture]))
    assert Counter(event["action"] for event in events) == Counter(event["action"] for event in at_once)
    store.close()
    whole.close()
