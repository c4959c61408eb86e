"""The attacks that nobody had foreseen: they do what they say, in every log that can tell of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from played_attacks import Played, assert_borne_out, client_of, is_blob, is_pull, play, puts, short, who

from regsight.traffic.attacks import UNFORESEEN
from regsight.traffic.attacks.carriers import PAYLOADS
from regsight.traffic.population import Population
from regsight.traffic.scenes import DIFFICULTIES

ONE = {"A72", "A75", "A76", "A77", "A78", "A79", "A80"}  # by one account, and nobody comes upon the results
TOLD = [code for code in UNFORESEEN if code != "A73"]  # by the registry's own log
Line = dict[str, Any]


@pytest.fixture(scope="module", params=DIFFICULTIES)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp(request.param), TOLD, request.param)


def seconds(line: Line) -> float:
    """How long it took, by the text that Go writes."""
    text = line["http.response.duration"]
    total, number = 0.0, ""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6}
    while text:
        number = text[: next(place for place, one in enumerate(text) if one not in "0123456789.")]
        text = text.removeprefix(number)
        unit = next(one for one in ("ms", "µs", "h", "m", "s") if text.startswith(one))
        text = text.removeprefix(unit)
        total += float(number) * units[unit]
    return total


@pytest.mark.parametrize("kind", TOLD)
def test_truth_is_borne_out_by_the_file(kind: str, played: Played) -> None:
    """Every event id is a line of the log, by those from the addresses that are named, and times are in order."""
    assert_borne_out(played, kind, by_one=kind in ONE)


def test_a_person_promotes_what_was_left_behind(played: Played, world: Population, answered: list[Line]) -> None:
    """A71: `stable` by a person, with nothing uploaded; otherwise it comes from robots alone."""
    entry, lines = played.scenarios["A71"], played.evidence("A71")
    (actor,) = entry.actors
    moves = [line for line in lines if puts(line)]
    assert len(moves) == len(entry.repositories) >= {"blatant": 6, "moderate": 3, "stealthy": 1}[played.difficulty]
    assert {line["vars.reference"] for line in lines} == {"stable"}
    connections = {line["http.request.remoteaddr"] for line in moves}
    assert not [
        one
        for one in played.lines
        if one["http.request.remoteaddr"] in connections and "/uploads/" in one["http.request.uri"]
    ]
    assert {line["vars.name"] for line in lines if is_pull(line)} == set(entry.repositories)
    people = {one.name for one in world.people}
    assert actor in people
    assert not [one for one in answered if puts(one) and who(one) in people and one["vars.reference"] == "stable"]


def test_tags_point_to_one_note(played: Played) -> None:
    """A72: each version was read by the same account before its tag went over to the note."""
    entry, lines = played.scenarios["A72"], played.evidence("A72")
    (actor,) = entry.actors
    assert len(entry.digests) == 1 and all(puts(line) for line in lines) and len(played.known("A72")) == 2
    assert len(lines) >= {"blatant": 60, "moderate": 12, "stealthy": 4}[played.difficulty]
    for line in lines:
        if line["vars.reference"] not in ("HOW-TO-RESTORE", "latest", "stable"):
            assert [
                one
                for one in played.lines
                if is_pull(one)
                and who(one) == actor
                and (one["vars.name"], one["vars.reference"]) == (line["vars.name"], line["vars.reference"])
                and one["time"] < line["time"]
            ]


def test_names_are_taken_that_were_asked_for(played: Played, world: Population, answered: list[Line]) -> None:
    """A74: whoever takes the image had been told that there is none; whoever put it has no part in the project."""
    entry, lines = played.scenarios["A74"], played.evidence("A74")
    (actor,) = entry.actors
    known = {one.name for one in world.repositories}
    assert not known & set(entry.repositories)
    assert len(entry.repositories) == {"blatant": 5, "moderate": 2, "stealthy": 1}[played.difficulty]
    (one,) = [one for one in (*world.people, *world.robots) if one.name == actor]
    assert not {name.partition("/")[0] for name in entry.repositories} & {own.project for own in one.repositories}
    for line in filter(is_pull, lines):
        assert [
            before
            for before in played.lines
            if before["http.response.status"] == 404
            and before["vars.name"] == line["vars.name"]
            and who(before) == who(line) != actor
        ]
    assert [is_pull(line) for line in played.known("A74")][-1] and sum(map(is_pull, played.known("A74"))) == 1
    assert not {one.get("vars.name") for one in answered} & set(entry.repositories)


def test_a_robot_reads_what_others_build(played: Played, world: Population, answered: list[Line]) -> None:
    """A75: from its own runner; otherwise robots pull bases alone."""
    entry = played.scenarios["A75"]
    (robot,) = [one for one in world.robots if one.name in entry.actors]
    assert set(entry.addresses) <= set(robot.addresses)
    assert not {name.partition("/")[0] for name in entry.repositories} & {own.project for own in robot.repositories}
    assert len(entry.repositories) >= {"blatant": 30, "moderate": 10, "stealthy": 4}[played.difficulty]
    assert len(played.known("A75")) == 3
    robots = {one.name for one in world.robots}
    pulled = {one["vars.name"].partition("/")[0] for one in answered if is_pull(one) and who(one) in robots}
    assert pulled == {"base"}


def test_write_access_is_tried(played: Played, world: Population, answered: list[Line]) -> None:
    """A76: begun, and refused or given up; nobody otherwise is refused that way or gives up."""
    entry, lines = played.scenarios["A76"], played.evidence("A76")
    (actor,) = entry.actors
    (one,) = [one for one in (*world.people, *world.robots) if one.name == actor]
    assert not set(entry.repositories) & {own.name for own in one.repositories}
    assert {line["http.request.method"] for line in lines} == {"POST"} and len(played.known("A76")) == 3
    status = Counter(line["http.response.status"] for line in lines)
    assert set(status) <= {202, 403} and status[403] > status[202]
    given_up = [
        line
        for line in played.lines
        if line["http.request.method"] == "DELETE" and "/uploads/" in line["http.request.uri"]
    ]
    assert len(given_up) == status[202]
    assert not [one for one in answered if one["http.response.status"] == 403]


def test_the_clients_name_is_a_payload(played: Played, answered: list[Line]) -> None:
    """A77: in the log as it was sent; no other client has such a name."""
    lines = played.evidence("A77")
    names = {line["http.request.useragent"] for line in lines}
    assert not names & {one["http.request.useragent"] for one in answered}
    mark = {"blatant": "198.51.100.7", "moderate": "onerror=", "stealthy": "close all alerts"}[played.difficulty]
    assert any(mark in one for one in names) and len(names) == (8 if played.difficulty == "blatant" else 1)
    assert len(lines) >= {"blatant": 160, "moderate": 24, "stealthy": 4}[played.difficulty]


def test_a_person_works_on_a_runner(played: Played, world: Population, answered: list[Line]) -> None:
    """A78: no person was ever at the address of a robot."""
    entry, lines = played.scenarios["A78"], played.evidence("A78")
    (person,) = [one for one in world.people if one.name in entry.actors]
    runners = {address for robot in world.robots for address in robot.addresses}
    assert set(entry.addresses) <= runners and len(played.known("A78")) == 3
    assert {line["http.request.useragent"] for line in lines} <= {robot.agent for robot in world.robots}
    people = {one.name for one in world.people}
    assert person.name in people and not [one for one in answered if who(one) in people and client_of(one) in runners]


def test_layers_take_hours(played: Played, answered: list[Line]) -> None:
    """A79: a few megabytes for tens of minutes; whatever others read takes minutes at most."""
    lines = played.evidence("A79")
    assert all(is_blob(line) and line["http.response.status"] == 200 for line in lines)
    shortest = {"blatant": 20, "moderate": 30, "stealthy": 90}[played.difficulty] * 60
    assert min(map(seconds, lines)) >= shortest > 4 * max(map(seconds, answered))
    assert len(lines) >= {"blatant": 300, "moderate": 40, "stealthy": 9}[played.difficulty]
    assert len(played.known("A79")) == 3


def test_manifests_are_large(played: Played, answered: list[Line]) -> None:
    """A80: a hundred times what a manifest has otherwise; no layer is read."""
    entry, lines = played.scenarios["A80"], played.evidence("A80")
    read = [line for line in lines if is_pull(line)]
    usual = max(one["http.response.written"] for one in answered if is_pull(one) and one["http.response.status"] == 200)
    assert min(line["http.response.written"] for line in read) > 50 * usual
    assert len(read) >= {"blatant": 60, "moderate": 20, "stealthy": 7}[played.difficulty]
    assert len(entry.repositories) == 1 and [is_pull(line) for line in played.known("A80")][-1]
    connections = {line["http.request.remoteaddr"] for line in lines}
    assert not [one for one in played.lines if one["http.request.remoteaddr"] in connections and is_blob(one)]


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_robots_come_and_go(difficulty: str, tmp_path: Path) -> None:
    """A73 in Harbor: each is made, pulls and is deleted within the hour, by somebody who is named."""
    (entry,) = short(tmp_path, days=4.2, source="harbor-audit", attacks=[f"A73/{difficulty}@0.4"]).scenarios
    rows = [row for page in (tmp_path / "auditlog-exts.jsonl").read_text().splitlines() for row in json.loads(page)]
    mine = sorted((row for row in rows if str(row["id"]) in set(entry.event_ids)), key=lambda row: row["id"])
    made = {row["resource"]: row for row in mine if (row["operation"], row["resource_type"]) == ("create", "robot")}
    gone = {row["resource"]: row for row in mine if (row["operation"], row["resource_type"]) == ("delete", "robot")}
    assert set(made) == set(gone) and len(made) >= {"blatant": 6, "moderate": 3, "stealthy": 2}[difficulty]
    assert set(entry.actors) == {*made, *(row["username"] for row in made.values())}
    for name, row in made.items():
        assert 0 < gone[name]["id"] - row["id"] < 3600 * 10**6
        pulls = [one for one in mine if one["username"] == name]
        assert pulls and all(row["id"] < one["id"] < gone[name]["id"] for one in pulls)
    assert entry.decidable == min(row["op_time"] for row in gone.values())[:19] + entry.decidable[19:]


def test_the_catalogue_of_refusals_is_right_in_cloudtrail(tmp_path: Path) -> None:
    """A76 in ECR: what is refused has an error code, and what is given up has none."""
    (entry,) = short(tmp_path, source="ecr-cloudtrail", attacks=["A76/blatant@0.05"]).scenarios
    bodies = [json.loads(line) for line in (tmp_path / "cloudtrail.jsonl").read_text().splitlines()]
    ids = set(entry.event_ids)
    mine = [record for body in bodies for record in body["Records"] if record["requestID"] in ids]
    assert {one["eventName"] for one in mine} == {"InitiateLayerUpload"}
    assert {one.get("errorCode") for one in mine} == {None, "AccessDeniedException"}


def test_payloads_come_through_the_access_log(tmp_path: Path) -> None:
    """A77 in access lines: each request has one line, with the payload in its last quotes."""
    (entry,) = short(tmp_path, source="access", attacks=["A77/blatant@0.05"]).scenarios
    lines = [line for line in (tmp_path / "access.log").read_text().splitlines() if line.startswith(entry.addresses[0])]
    assert {line[:-1].rpartition('"')[2] for line in lines} == set(PAYLOADS)
    assert sum("/manifests/" in line for line in lines) == 160
