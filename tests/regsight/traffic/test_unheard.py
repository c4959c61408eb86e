"""The attacks that nobody had heard of: they do what they say, in every log that can tell of it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from played_attacks import Played, answers, assert_borne_out, client_of, is_blob, is_pull, play, puts, short, who

from regsight.traffic.attacks import UNHEARD
from regsight.traffic.population import Population
from regsight.traffic.scenes import DIFFICULTIES

ONE = {"A61", "A62", "A65", "A67", "A70"}  # by one account, and nobody comes upon the results
Line = dict[str, Any]


@pytest.fixture(scope="module", params=DIFFICULTIES)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp(request.param), UNHEARD, request.param)


def uploaded(line: Line) -> str:
    """The digest that an upload ends with."""
    return "sha256:" + line["http.request.uri"].rpartition("digest=sha256%3A")[2]


@pytest.mark.parametrize("kind", UNHEARD)
def test_truth_is_borne_out_by_the_file(kind: str, played: Played) -> None:
    """Every event id is a line of the log, by those from the addresses that are named, and times are in order."""
    assert_borne_out(played, kind, by_one=kind in ONE)


def test_signatures_of_others_are_looked_for(played: Played, answered: list[Line]) -> None:
    """A61: of some images there is one, of others there is none; nobody else ever reads a signature."""
    entry, lines = played.scenarios["A61"], played.evidence("A61")
    assert all(is_pull(line) and line["vars.reference"].endswith(".sig") for line in lines)
    assert len(lines) == len(entry.tags) >= {"blatant": 100, "moderate": 36, "stealthy": 12}[played.difficulty]
    assert {line["http.response.status"] for line in lines} == {200, 404} and len(played.known("A61")) == 3
    (actor,) = entry.actors
    assert not [
        one for one in played.lines if puts(one) and who(one) == actor and one["vars.name"] in entry.repositories
    ]
    assert not [one for one in answered if is_pull(one) and one["vars.reference"].endswith(".sig")]


def test_releases_of_others_are_watched(played: Played, world: Population, answered: list[Line]) -> None:
    """A62: round after round lists of tags of what is not one's own; no person ever lists any."""
    entry, lines = played.scenarios["A62"], played.evidence("A62")
    (person,) = [one for one in world.people if one.name in entry.actors]
    assert not set(entry.repositories) & {one.name for one in person.repositories}
    lists = Counter(line["vars.name"] for line in lines if line["http.request.uri"].endswith("/tags/list"))
    looks = Counter(line["vars.name"] for line in lines if line["http.request.method"] == "HEAD")
    assert lists == looks and min(lists.values()) >= 70 and len(played.known("A62")) == 12 * len(lists)
    people = {one.name for one in world.people}
    assert not [one for one in answered if one["http.request.uri"].endswith("/tags/list") and who(one) in people]


def test_the_cache_gets_what_it_did_not_fetch(played: Played, answered: list[Line]) -> None:
    """A63: a push into the cache, where nobody ever pushes, and nodes take it from there."""
    lines = played.evidence("A63")
    assert all(line["vars.name"].startswith("hub-cache/library/") for line in lines)
    assert [puts(line) for line in played.known("A63")] == [True]
    assert {line["vars.name"] for line in lines if is_pull(line)} == set(played.scenarios["A63"].repositories)
    assert not [one for one in answered if puts(one) and one["vars.name"].startswith("hub-cache/")]


def test_blobs_without_an_image_go_from_one_to_another(played: Played, answered: list[Line]) -> None:
    """A64: each is stored by one and taken elsewhere, without a manifest; whoever else takes a blob had the manifest."""
    lines = played.evidence("A64")
    stored = {uploaded(line): line for line in lines if line["http.request.method"] == "PUT"}
    taken = {line["vars.digest"]: line for line in lines if is_blob(line)}
    assert set(taken) <= set(stored) and len(taken) >= {"blatant": 40, "moderate": 12, "stealthy": 6}[played.difficulty]
    assert all(stored[digest]["time"] < line["time"] for digest, line in taken.items())
    assert not {client_of(one) for one in stored.values()} & {client_of(one) for one in taken.values()}
    connections = {line["http.request.remoteaddr"] for line in lines}
    assert not [
        one
        for one in played.lines
        if one["http.request.remoteaddr"] in connections and "/manifests/" in one["http.request.uri"]
    ]
    assert is_blob(played.known("A64")[-1]) and sum(map(is_blob, played.known("A64"))) == 1
    with_manifest = {(one["http.request.remoteaddr"], one["vars.name"]) for one in answered if is_pull(one)}
    assert {(one["http.request.remoteaddr"], one["vars.name"]) for one in answered if is_blob(one)} <= with_manifest


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_what_runs_is_deleted_and_missed(difficulty: str, tmp_path: Path) -> None:
    """A65: whoever asked for the digest is told that there is none until it is back; nobody else's line is another."""
    short(tmp_path / "plain", days=3.4)
    (entry,) = short(tmp_path / "with", days=3.4, attacks=[f"A65/{difficulty}@0.4"]).scenarios
    before, after = ({one["http.request.id"]: one for one in answers(tmp_path / name)} for name in ("plain", "with"))
    deletes = [after[one] for one in entry.event_ids]
    assert {line["http.request.method"] for line in deletes} == {"DELETE"} and entry.first_evidence == entry.decidable
    assert len(deletes) == len(entry.repositories) == {"blatant": 10, "moderate": 3, "stealthy": 2}[difficulty]
    gone = {line["vars.reference"]: line["time"] for line in deletes}
    known = [one for one in before.values() if is_pull(one) and one["vars.reference"] in gone]
    assert {
        one["vars.reference"] for one in known if who(one).startswith("k8s-")
    }  # clusters run some of them by digest
    changed = [one for key, one in after.items() if key in before and before[key] != one]
    assert {(one["http.response.status"], one["err.code"]) for one in changed} == {(404, "manifest unknown")}
    assert {before[one["http.request.id"]]["http.response.status"] for one in changed} == {200}
    lost = [one for key, one in before.items() if key not in after]
    assert all(is_blob(one) for one in lost)
    assert {one["vars.name"] for one in (*changed, *lost)} <= set(entry.repositories)
    assert min(one["time"] for one in (*changed, *lost)) > min(gone.values())
    added = [one for key, one in after.items() if key not in before and puts(one)]
    assert {one["vars.name"] for one in added} == set(entry.repositories)  # back again
    assert not {who(one) for one in added} & set(entry.actors)


def test_a_withdrawn_image_is_there_again(played: Played, answered: list[Line]) -> None:
    """A66: its digest was deleted by somebody else, and is asked for with success; what others delete stays away."""
    entry, lines = played.scenarios["A66"], played.evidence("A66")
    (actor,) = entry.actors
    for digest in entry.digests:
        (gone,) = [
            one
            for one in played.without("A66")
            if one["http.request.method"] == "DELETE" and one["vars.reference"] == digest
        ]
        there = [one for one in lines if one["vars.reference"] == digest]
        assert there and all(one["time"] > gone["time"] and one["http.response.status"] == 200 for one in there)
        assert who(gone) != actor
    assert [puts(line) for line in played.known("A66")] == [True, False]
    deleted = {one["vars.reference"]: one["time"] for one in answered if one["http.request.method"] == "DELETE"}
    again = [
        one for one in answered if one.get("vars.reference") in deleted and one["time"] > deleted[one["vars.reference"]]
    ]
    assert not again


def test_a_person_has_the_client_of_a_machine(played: Played, world: Population, answered: list[Line]) -> None:
    """A67: one agent, that otherwise no account has but the machine's own; repositories of others."""
    entry, lines = played.scenarios["A67"], played.evidence("A67")
    (person,) = [one for one in world.people if one.name in entry.actors]
    (agent,) = {line["http.request.useragent"] for line in lines}
    owners = {who(one) for one in answered if one["http.request.useragent"] == agent}
    assert owners <= {world.scanner.name, world.mirror.name}
    assert not set(entry.repositories) & {one.name for one in person.repositories}
    assert (
        len(lines) >= {"blatant": 45, "moderate": 24, "stealthy": 8}[played.difficulty]
        and len(played.known("A67")) == 3
    )
    if played.difficulty == "stealthy":  # in the mirror's rounds
        assert {(int(line["time"][11:13]) % 2, int(line["time"][14:16]) < 10) for line in lines} == {(0, True)}


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_a_tag_is_clean_at_the_scanners_hour(difficulty: str, tmp_path: Path) -> None:
    """A68: two digests take turns under `latest`; each night the other one comes before the scan and goes after it."""
    (entry,) = short(tmp_path, days=4.2, source="notifications", attacks=[f"A68/{difficulty}@0.4"]).scenarios
    deliveries = [json.loads(line) for line in (tmp_path / "notifications.jsonl").read_text().splitlines()]
    events = [event for one in deliveries for event in json.loads(one["body"])["events"]]
    mine = [one for one in events if one["request"]["id"] in set(entry.event_ids) and one["action"] == "push"]
    assert {one["target"]["tag"] for one in mine} == {"latest"}
    turns: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for one in mine:
        turns[one["target"]["repository"]].append((one["timestamp"], one["target"]["digest"]))
    assert len(turns) == {"blatant": 5, "moderate": 2, "stealthy": 1}[difficulty]
    for moves in turns.values():
        assert len(moves) == 1 + 2 * {"blatant": 3, "moderate": 3, "stealthy": 2}[difficulty]
        bad, good = {digest for _, digest in moves[::2]}, {digest for _, digest in moves[1::2]}
        assert len(bad) == len(good) == 1 and bad != good
        assert {at[11:13] for at, _ in moves[1::2]} == {"01"}
        assert {at[11:13] for at, _ in moves[2::2]} <= {"04", "05"}
    assert entry.decidable == min(moves[2][0] for moves in turns.values())[:19] + entry.decidable[19:]


def test_one_layer_comes_to_several_teams(played: Played, world: Population, answered: list[Line]) -> None:
    """A69: one digest, new in each repository, by the robot that builds there; no other layer is uploaded to two projects."""
    entry, lines = played.scenarios["A69"], played.evidence("A69")
    assert len({line["vars.digest"] for line in lines if is_blob(line, "HEAD")}) == 1
    assert len({uploaded(line) for line in lines if "digest=" in line["http.request.uri"]}) == 1
    assert len(entry.repositories) >= {"blatant": 15, "moderate": 8, "stealthy": 5}[played.difficulty]
    own = {(robot.name, one.name) for robot in world.robots for one in robot.repositories}
    assert {(who(line), line["vars.name"]) for line in lines} <= own and len(entry.actors) >= 3
    assert len({line["vars.name"] for line in played.known("A69")}) == 3
    projects = defaultdict(set)
    for line in answered:
        if "digest=" in line["http.request.uri"]:
            projects[uploaded(line)].add(line["vars.name"].partition("/")[0])
    assert max(map(len, projects.values())) == 1


def test_jobs_take_the_base_and_build_nothing(played: Played, world: Population) -> None:
    """A70: by a robot on its own runners with its own client; no connection of these jobs stores anything."""
    entry, lines = played.scenarios["A70"], played.evidence("A70")
    (robot,) = [one for one in world.robots if one.name in entry.actors]
    assert set(entry.addresses) <= set(robot.addresses) and len(entry.addresses) > 1
    assert {line["http.request.useragent"] for line in lines} == {robot.agent}
    assert {line["vars.name"] for line in lines} <= {one.base.name for one in robot.repositories if one.base}
    assert (
        len(lines) >= {"blatant": 600, "moderate": 160, "stealthy": 60}[played.difficulty]
        and len(played.known("A70")) == 20
    )
    jobs = {line["http.request.remoteaddr"] for line in lines}
    assert not [
        one
        for one in played.lines
        if one["http.request.remoteaddr"] in jobs and one["http.request.method"] not in ("GET", "HEAD")
    ]


def test_cloudtrail_tells_of_the_dead_drop(tmp_path: Path) -> None:
    """A64 in ECR: the digest that was asked after before its upload is the one that a link is given for; no image is put."""
    (entry,) = short(tmp_path, source="ecr-cloudtrail", attacks=["A64/moderate@0.05"]).scenarios
    bodies = [json.loads(line) for line in (tmp_path / "cloudtrail.jsonl").read_text().splitlines()]
    ids = set(entry.event_ids)
    mine = [record for body in bodies for record in body["Records"] if record["requestID"] in ids]
    asked = {one["requestParameters"]["layerDigests"][0] for one in mine if "layerDigests" in one["requestParameters"]}
    given = {one["requestParameters"]["layerDigest"] for one in mine if one["eventName"] == "GetDownloadUrlForLayer"}
    assert given == asked and len(given) == 12
    names = {"BatchCheckLayerAvailability", "CompleteLayerUpload", "GetDownloadUrlForLayer"}
    assert {one["eventName"] for one in mine} == names
