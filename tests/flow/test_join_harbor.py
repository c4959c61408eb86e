"""Harbor's logs together, against what was really done: who pulled and pushed what, and from where.

No single log says it: the audit row has the person, the registry's log the address and the digest, the proxy's line the tag.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from format_samples import SAMPLES
from joined_captures import HARBOR, collect, in_pieces, paths, tables, whole_lines

from store.embedded import EmbeddedStore

SLACK = timedelta(milliseconds=40)  # Harbor writes its audit rows a moment after it has answered
SECONDS_ONLY = (
    "proxy.log",
    "api.auditlog-exts.page1.json",
)  # of each request one has the address, and the other the user
# Number of the action → why no log can say it.
LACKS: dict[str, dict[int, str]] = {
    "v2.12.4": {
        105: "a pull through a proxy cache is in no audit log, and neither in the registry's: the proxy's line has no user",
        106: "the same",
    },
    "v2.15.2-harbor-log": {},
}


@dataclass(frozen=True, kw_only=True)
class Done:
    """A pull or push of the script. `addresses`: those it may have come from."""

    number: int
    action: str
    user: str
    repository: str
    tag: str | None
    digest: str
    addresses: frozenset[str]
    start: datetime
    end: datetime
    count: int = 1
    note: str = ""


def of_script(capture: str) -> list[Done]:
    truth = json.loads((SAMPLES / "harbor-live" / capture / "truth.json").read_text())
    found = []
    for act in truth["actions"]:
        worked = act.get("rc") == 0 or act.get("status") in (200, 201) or act.get("rcs")
        if act["action"] not in ("push", "pull", "inspect", "pull-burst") or not worked:
            continue
        by_digest = "@" in act["target"]
        repository, _, reference = act["target"].partition("@") if by_digest else act["target"].rpartition(":")
        hosts = [truth["hosts"][name] for name in act.get("hosts", [act.get("host")])]
        found.append(
            Done(
                number=act["n"],
                action="push" if act["action"] == "push" else "pull",
                user=act["user"] or "anonymous",
                repository=repository,
                tag=None if by_digest else reference,
                digest=act["digest"],
                addresses=frozenset(hosts),
                start=datetime.fromisoformat(act["start"]),
                end=datetime.fromisoformat(act["end"]),
                count=act.get("count", 1),
                note=act.get("note", ""),
            )
        )
    return found


def of_clients(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pulls and pushes that worked, without what Harbor's core asks for itself."""
    return [
        event
        for event in events
        if event["action"] in ("pull", "push")
        and event["outcome"] == "success"
        and not (event["user_agent"] or "").startswith("harbor-registry")
        and not (event["actor"] or "").startswith("harbor#")
    ]


@dataclass
class Figures:
    """How the script's operations were found: by confidence, and how many of those name all four right."""

    told: Counter[str]
    right: Counter[str]
    missing: list[int]
    surplus: list[dict[str, Any]]
    wrong: list[tuple[int, Any]]

    def share(self, confidence: str) -> float:
        return self.right[confidence] / self.told[confidence] if self.told[confidence] else 1.0


def figures(capture: str, events: list[dict[str, Any]]) -> Figures:
    left, result = of_clients(events), Figures(Counter(), Counter(), [], [], [])
    script = of_script(capture)
    for done in script:
        asked = [event for event in left if is_of(event, done) and done.tag == event["tag"]][: done.count]
        if done.number in LACKS[capture]:
            left = [event for event in left if event["repository"] != done.repository]
            continue
        if len(asked) < done.count:
            result.missing.append(done.number)
        for event in asked:
            left.remove(event)
            confidence = event["join_confidence"] or "none"
            result.told[confidence] += 1
            names = (event["actor"], event["client_ip"] in done.addresses, event["digest"], event["tag"])
            if names == (done.user, True, done.digest, done.tag):
                result.right[confidence] += 1
            else:
                result.wrong.append((done.number, names))
    result.surplus = [
        event for event in left if not any(is_part_of(event, done) for done in script) and not is_copy(event)
    ]
    return result


def is_of(event: dict[str, Any], done: Done) -> bool:
    when = done.start - SLACK <= event["timestamp"] <= done.end + SLACK
    return when and (event["action"], event["repository"]) == (done.action, done.repository)


def is_part_of(event: dict[str, Any], done: Done) -> bool:
    """A manifest of one platform, which goes with an index by its digest."""
    return (
        is_of(event, done)
        and event["tag"] is None
        and event["actor"] == done.user
        and event["client_ip"] in done.addresses
    )


def is_copy(event: dict[str, Any]) -> bool:
    """Two that the script did otherwise: an image copied by the API, and the look at the tag that skopeo deletes."""
    return (event["action"], event["repository"], event["actor"]) in (
        ("push", "payments/api-copy", "irina.v"),
        ("pull", "payments/unscannable", "irina.v"),
    )


def judge(capture: str, events: list[dict[str, Any]], least: float = 0.90) -> None:
    found, wanted = figures(capture, events), sum(done.count for done in of_script(capture))
    placed = found.right["certain"] + found.right["likely"]
    print(
        f"{capture}: {wanted} pulls and pushes, {placed} placed ({placed / wanted:.1%}); right among certain "
        f"{found.right['certain']} of {found.told['certain']}, among likely {found.right['likely']} of {found.told['likely']}, "
        f"among possible {found.right['possible']} of {found.told['possible']}; wrong {found.wrong}"
    )
    assert (found.missing, found.surplus) == ([], [])
    assert found.share("certain") >= 0.98
    assert found.share("likely") >= 0.95
    assert found.share("possible") >= 0.90
    assert placed / wanted >= least


@pytest.mark.parametrize("capture", HARBOR)
def test_who_from_where_and_what_from_all_logs_together(capture: str, tmp_path: Path) -> None:
    """User, address, digest and tag of each pull and push, each once."""
    store = EmbeddedStore(tmp_path / "store")
    judge(capture, collect(store, paths("harbor-live", capture, HARBOR[capture])))
    store.close()


@pytest.mark.parametrize("rotate", range(4))
@pytest.mark.parametrize("backwards", [False, True])
def test_one_log_after_the_other_in_any_order(rotate: int, backwards: bool, tmp_path: Path) -> None:
    """What was read in earlier runs is found in the store.

    Where the audit rows meet the proxy's lines before the registry's log is there, whole seconds must tell requests apart,
    and cannot: then it is `possible` only, whoever it was.
    """
    names = HARBOR["v2.15.2-harbor-log"]
    order = (names[rotate:] + names[:rotate])[:: -1 if backwards else 1]
    store = EmbeddedStore(tmp_path / "store")
    judge(
        "v2.15.2-harbor-log",
        collect(store, paths("harbor-live", "v2.15.2-harbor-log", order), one_by_one=True),
        least=0.65 if order.index("registry.log") > max(map(order.index, SECONDS_ONLY)) else 0.90,
    )
    store.close()


def test_a_finished_file_without_times_is_read_after_the_registrys_log(tmp_path: Path) -> None:
    """Its lines take their time from the order between requests that the registry's log places."""
    store = EmbeddedStore(tmp_path / "store")
    events = collect(store, paths("harbor-live", "v2.12.4", HARBOR["v2.12.4"]), one_by_one=True)
    judge("v2.12.4", events)
    refused = [event for event in events if (event["action"], event["outcome"]) == ("pull", "denied")]
    assert {event["timestamp"].date().isoformat() for event in refused} == {"2026-11-24"}  # not the day of reading
    unplaced = {event["join_confidence"] for event in events if event["dataset"] == "nginx-timed-combined"}
    assert "certain" not in unplaced
    store.close()


@pytest.mark.parametrize("seed", range(4))
def test_any_split_of_logs_that_are_followed_together(seed: int, tmp_path: Path) -> None:
    """Batches of any size; no log is ahead of another by more than a moment; with restarts and repetitions."""
    files, chance = (
        tables(paths("harbor-live", "v2.15.2-harbor-log", HARBOR["v2.15.2-harbor-log"])),
        random.Random(seed),
    )
    store = EmbeddedStore(tmp_path / "store")
    judge("v2.15.2-harbor-log", in_pieces(store, followed(files, chance), chance))
    store.close()


def followed(files: list[pa.Table], chance: random.Random) -> list[pa.Table]:
    at, batches = [0] * len(files), []
    times = [table["timestamp"].to_pylist() for table in files]
    moment = min(column[0] for column in times)
    while any(place < len(column) for place, column in zip(at, times, strict=True)):
        moment += timedelta(seconds=chance.uniform(0.5, 15))
        batch = []
        for number, column in enumerate(times):
            until = moment + timedelta(seconds=chance.uniform(0, 1))
            rows = sum(1 for when in column[at[number] :] if when <= until)
            rows = whole_lines(files[number], at[number], rows) if rows else 0
            batch.append(files[number].slice(at[number], rows))
            at[number] += rows
        batches.append(pa.concat_tables(batch))
    return [batch for batch in batches if batch.num_rows]


def test_the_registrys_account_of_core_is_never_the_person(tmp_path: Path) -> None:
    """The registry behind Harbor knows one account only, that of core."""
    store = EmbeddedStore(tmp_path / "store")
    events = collect(store, paths("harbor-live", "v2.15.2-harbor-log", HARBOR["v2.15.2-harbor-log"]))
    joined = [event for event in events if event["join_confidence"] and event["actor"] is not None]
    assert "harbor_registry_user" not in {event["actor"] for event in joined}
    store.close()


@pytest.mark.parametrize("capture", HARBOR)
def test_refused_logins_name_the_user_and_the_address(capture: str, tmp_path: Path) -> None:
    """Core's line, the proxy's line of the same request, and (2.13 and later) the audit row of the web page's form."""
    store = EmbeddedStore(tmp_path / "store")
    events = collect(store, paths("harbor-live", capture, HARBOR[capture]))
    truth = json.loads((SAMPLES / "harbor-live" / capture / "truth.json").read_text())
    refused = [event for event in events if (event["action"], event["outcome"]) == ("login", "denied")]
    addresses = set(truth["hosts"].values())
    assert {event["client_ip"] for event in refused if event["client_ip"]} <= addresses
    if capture == "v2.15.2-harbor-log":
        forms = [act for act in truth["actions"] if act["action"] == "ui-login" and act["status"] == 401]
        told = [(event["actor"], event["client_ip"]) for event in refused if event["channel"] == "application"]
        for act in forms:
            assert (act["user"], act["src_ip"]) in told
    store.close()
