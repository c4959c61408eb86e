"""The attacks on nobody's map: they do what they say, in every log that can tell of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from played_attacks import (
    MONDAY,
    Played,
    answers,
    assert_borne_out,
    client_of,
    is_blob,
    is_pull,
    moment,
    play,
    puts,
    seconds_before,
    short,
    who,
)

from regsight.traffic.attacks import UNCHARTED
from regsight.traffic.population import Population
from regsight.traffic.requests import INDEX
from regsight.traffic.scenes import DIFFICULTIES

ONE = {"A81", "A82", "A84", "A86", "A88"}  # by one account, and nobody comes upon the results
TOLD = [code for code in UNCHARTED if code not in ("A89", "A90")]  # by lines of the registry's own log
Line = dict[str, Any]


@pytest.fixture(scope="module", params=DIFFICULTIES)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp(request.param), TOLD, request.param)


@pytest.mark.parametrize("kind", [code for code in TOLD if code != "A85"])
def test_truth_is_borne_out_by_the_file(kind: str, played: Played) -> None:
    """Every event id is a line of the log, by those from the addresses that are named, and times are in order."""
    assert_borne_out(played, kind, by_one=kind in ONE)


def test_layers_are_gone_until_they_are_put_back(played: Played, answered: list[Line]) -> None:
    """A81: by their own digests, while manifests stay; nobody deletes a layer otherwise."""
    lines = played.evidence("A81")
    assert all(is_blob(line, "DELETE") and line["http.response.status"] == 202 for line in lines)
    assert len(lines) >= {"blatant": 20, "moderate": 6, "stealthy": 2}[played.difficulty]
    assert len(played.known("A81")) == 1 and not [one for one in answered if is_blob(one, "DELETE")]
    missed = 0
    for line in lines:
        name, digest = line["vars.name"], line["vars.digest"]
        later = [one for one in played.lines if one.get("vars.name") == name and one["time"] > line["time"]]
        back = next(one for one in later if digest.replace(":", "%3A") in one["http.request.uri"])
        asked = [one for one in later if is_blob(one) and one["vars.digest"] == digest]
        status = {
            one["http.response.status"]
            for one in asked
            if seconds_before(line, one) > 60 and seconds_before(one, back) > 60
        }
        assert status <= {404}
        missed += len(status)
    assert missed or played.difficulty != "blatant"  # of few, perhaps nobody needs one meanwhile


def test_uploads_of_others_are_cut_off(played: Played) -> None:
    """A82: the id was used by another account before, and is unknown to the registry afterwards."""
    entry, lines = played.scenarios["A82"], played.evidence("A82")
    assert {line["http.request.method"] for line in lines} == {"DELETE"} and len(played.known("A82")) == 1
    assert len(lines) == {"blatant": 40, "moderate": 8, "stealthy": 3}[played.difficulty]
    by_upload: dict[str, list[Line]] = {}
    for one in played.lines:
        by_upload.setdefault(one.get("vars.uuid", ""), []).append(one)
    for line in lines:
        before, cut, after = by_upload[line["vars.uuid"]]
        assert cut is line and who(before) == who(after) not in ("", *entry.actors)
        assert (before["http.response.status"], after["http.response.status"]) == (202, 404)


def test_a_tag_becomes_an_index(played: Played, answered: list[Line]) -> None:
    """A83: an image came by its digest, an index took the tag, and of those who asked for it some got that image."""
    entry, lines = played.scenarios["A83"], played.evidence("A83")
    assert not [one for one in answered if one.get("http.request.contenttype") == INDEX]
    assert len(entry.repositories) == {"blatant": 6, "moderate": 2, "stealthy": 1}[played.difficulty]
    for name in entry.repositories:
        mine = [line for line in lines if line["vars.name"] == name]
        by_digest, index = [line for line in mine if puts(line)][:2]
        bad = by_digest["vars.reference"]
        assert bad.startswith("sha256:") and index["http.request.contenttype"] == INDEX
        given = [line for line in mine if is_pull(line) and line["vars.reference"] == bad]
        connections = {line["http.request.remoteaddr"] for line in mine if is_pull(line)}
        usual = [
            one
            for one in played.without("A83")
            if one["http.request.remoteaddr"] in connections and is_pull(one) and one["vars.reference"] != bad
        ]
        assert given and usual and max(one["time"] for one in usual) < min(one["time"] for one in given)
    assert played.known("A83")[-1]["vars.reference"].startswith("sha256:")


def test_signatures_follow_no_push(played: Played, answered: list[Line]) -> None:
    """A84: all others come within seconds of a push to the same repository."""

    def pushed_before(line: Line, lines: list[Line]) -> bool:
        return any(
            puts(one)
            and one["vars.name"] == line["vars.name"]
            and not one["vars.reference"].endswith(".sig")
            and 0 < seconds_before(one, line) < 10
            for one in lines
        )

    lines = played.evidence("A84")
    assert all(puts(line) and line["vars.reference"].endswith(".sig") for line in lines)
    assert len(lines) == {"blatant": 40, "moderate": 8, "stealthy": 2}[played.difficulty]
    assert not [line for line in lines[:5] if pushed_before(line, played.lines)]
    usual = [one for one in answered if puts(one) and one["vars.reference"].endswith(".sig")]
    assert usual and all(pushed_before(one, answered) for one in usual[:5])


def test_logins_lead_to_nothing(played: Played, world: Population) -> None:
    """A85: on the connection of each there is nothing else."""
    entry, lines = played.scenarios["A85"], played.evidence("A85")
    (person,) = [one for one in world.people if one.name in entry.actors]
    assert {who(line) for line in lines} == {person.name} and {client_of(line) for line in lines} == {*entry.addresses}
    assert len(lines) >= {"blatant": 600, "moderate": 96, "stealthy": 70}[played.difficulty]
    connections = {line["http.request.remoteaddr"] for line in lines}
    same = [one for one in played.lines if one["http.request.remoteaddr"] in connections]
    assert {one["http.request.uri"] for one in same} == {"/v2/"} and len(played.known("A85")) == 12


def test_names_are_asked_for_once(played: Played, world: Population, answered: list[Line]) -> None:
    """A86: of the cache, by one machine, each another one, and none of them is there."""
    entry, lines = played.scenarios["A86"], played.evidence("A86")
    (node,) = [one for one in world.nodes if one.address in entry.addresses]
    assert {who(line) for line in lines} == {world.clusters[node.cluster].name}
    assert len(entry.repositories) == len(lines) >= {"blatant": 400, "moderate": 90, "stealthy": 24}[played.difficulty]
    cache = world.cached[0].project
    assert {name.partition("/")[0] for name in entry.repositories} == {cache}
    assert {line["http.response.status"] for line in lines} == {404} and len(played.known("A86")) == 4
    failed = [one for one in answered if one["http.response.status"] == 404]
    assert not [one for one in failed if one.get("vars.name", "").partition("/")[0] == cache]


def test_layers_are_gigantic(played: Played, answered: list[Line]) -> None:
    """A87: nodes fetch more for one layer than anything else has."""
    lines = played.evidence("A87")
    fetched = [line["http.response.written"] for line in lines if is_blob(line)]
    usual = max(one["http.response.written"] for one in answered if is_blob(one))
    assert min(fetched) >= {"blatant": 12, "moderate": 4, "stealthy": 1.2}[played.difficulty] * 10**9 > usual
    assert [is_blob(line) for line in played.known("A87")].count(True) == 1


def test_an_administrator_reads(played: Played, world: Population, answered: list[Line]) -> None:
    """A88: who administers has otherwise never pulled anything."""
    entry, lines = played.scenarios["A88"], played.evidence("A88")
    admins = {one.name for one in world.admins}
    assert set(entry.actors) <= admins and all(map(is_pull, lines)) and len(played.known("A88")) == 3
    assert len(entry.repositories) == {"blatant": 40, "moderate": 10, "stealthy": 6}[played.difficulty]
    assert not [one for one in answered if who(one) in admins and is_pull(one)]


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_nodes_do_not_ask(difficulty: str, answered: list[Line], tmp_path: Path) -> None:
    """A89: what a cluster's nodes asked for before they ask for no more, and everything else goes on."""
    (entry,) = short(tmp_path, days=1.6, attacks=[f"A89/{difficulty}@0.9"]).scenarios
    asked = answers(tmp_path)

    def wanted(lines: list[Line], since: datetime, until: datetime) -> int:
        names = set(entry.repositories)
        return sum(
            one.get("vars.name", "") in (names or {one.get("vars.name")})
            and client_of(one) in entry.addresses
            and since <= moment(one["time"]) < until
            for one in lines
        )

    since, known, end = (MONDAY + timedelta(days=0.9), moment(entry.decidable or ""), moment(entry.end))
    assert wanted(asked, since, end) == 0 < 10 < wanted(answered, since, known)
    assert wanted(asked, MONDAY, since) == wanted(answered, MONDAY, since)
    assert not entry.event_ids and not entry.invisible
    nodes, last = {*entry.addresses}, asked[-1]["time"]
    others = [one["http.request.id"] for one in answered if client_of(one) not in nodes and one["time"] <= last]
    assert others == [one["http.request.id"] for one in asked if client_of(one) not in nodes]


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_members_are_taken_out(difficulty: str, tmp_path: Path) -> None:
    """A90 in Harbor: of one project after the other, or of one."""
    (entry,) = short(tmp_path, source="harbor-audit", attacks=[f"A90/{difficulty}@0.4"]).scenarios
    rows = [row for page in (tmp_path / "auditlog-exts.jsonl").read_text().splitlines() for row in json.loads(page)]
    mine = sorted((row for row in rows if str(row["id"]) in set(entry.event_ids)), key=lambda row: row["id"])
    assert {(row["operation"], row["resource_type"]) for row in mine} == {("delete", "member")}
    assert {row["username"] for row in mine} == set(entry.actors)
    assert len(mine) >= {"blatant": 20, "moderate": 5, "stealthy": 4}[difficulty]
    assert (len({row["resource"] for row in mine}) == 1) == (difficulty != "blatant")
    assert mine[3 if difficulty == "stealthy" else 1]["op_time"][:19] == (entry.decidable or "")[:19]


def test_what_is_gone_has_a_name_in_cloudtrail(tmp_path: Path) -> None:
    """ECR cannot tell who did A82; those who come upon it are told what is missing."""
    truth = short(tmp_path, source="ecr-cloudtrail", attacks=["A82/blatant@0.05"])
    assert [entry.invisible for entry in truth.scenarios] == [True]
    bodies = [json.loads(line) for line in (tmp_path / "cloudtrail.jsonl").read_text().splitlines()]
    failed = [one for body in bodies for one in body["Records"] if one.get("errorCode") == "UploadNotFoundException"]
    assert len(failed) == 40 and {one["eventName"] for one in failed} == {"CompleteLayerUpload"}
