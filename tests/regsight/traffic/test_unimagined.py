"""The attacks that nobody had imagined: they do what they say, in every log that can tell of it."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from played_attacks import (
    Played,
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

from regsight.traffic.attacks import UNIMAGINED
from regsight.traffic.population import Population
from regsight.traffic.scenes import DIFFICULTIES

ONE = {"A92", "A93", "A94", "A95", "A96", "A99", "A100"}  # by one account, and nobody comes upon the results
Line = dict[str, Any]


@pytest.fixture(scope="module", params=DIFFICULTIES)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp(request.param), UNIMAGINED, request.param)


def project_of(name: str) -> str:
    return name.partition("/")[0]


def mounted_from(line: Line) -> str:
    """The repository that a blob is taken over from, if this is what the line tells of."""
    return parse_qs(urlsplit(line["http.request.uri"]).query).get("from", [""])[0]


def sources_of(lines: list[Line]) -> set[str]:
    """The repositories that any of these lines takes something over from."""
    return {mounted_from(line) for line in lines} - {""}


@pytest.mark.parametrize("kind", UNIMAGINED)
def test_truth_is_borne_out_by_the_file(kind: str, played: Played) -> None:
    """Every event id is a line of the log, by those from the addresses that are named, and times are in order."""
    assert_borne_out(played, kind, by_one=kind in ONE)


def test_the_cache_gives_other_images_for_hours(played: Played, world: Population, answered: list[Line]) -> None:
    """A91: nobody has pushed them, and meanwhile nobody gets a byte of what there was before."""
    entry, lines = played.scenarios["A91"], played.evidence("A91")
    assert len(entry.repositories) == {"blatant": len(world.cached), "moderate": 3, "stealthy": 1}[played.difficulty]
    assert all(map(is_pull, lines)) and not [
        one for one in played.lines if puts(one) and one["vars.name"] in entry.repositories
    ]
    end = min(moment(played.truth.end), moment(lines[-1]["time"]))
    for name in entry.repositories:
        before = {one["vars.digest"] for one in answered if one.get("vars.name") == name and is_blob(one)}
        mine = [one["vars.reference"] for one in lines if one["vars.name"] == name and ":" in one["vars.reference"]]
        (other,) = {*mine[:4]}
        at = [moment(one["time"]) for one in lines if one["vars.name"] == name and one["vars.reference"] == other]
        during = [
            one["vars.digest"]
            for one in played.lines
            if one.get("vars.name") == name and is_blob(one) and min(at) <= moment(one["time"]) <= min(max(at), end)
        ]
        assert during and not before.intersection(during)
        assert (mine[-1] != other) == (played.difficulty == "stealthy")  # it is again what it was
    assert len({one["vars.name"] for one in played.known("A91")}) == {"stealthy": 1}.get(played.difficulty, 2)


def test_bytes_have_another_digest(played: Played, world: Population, answered: list[Line]) -> None:
    """A92: the registry says no to the digest of a layer that is there, and never has to otherwise."""
    lines = played.evidence("A92")
    assert {(line["http.response.status"], line["err.code"]) for line in lines} == {(400, "digest invalid")}
    assert len(lines) == {"blatant": 60, "moderate": 12, "stealthy": 5}[played.difficulty]
    assert not [one for one in answered if one.get("err.code") == "digest invalid"]
    there = {one["vars.digest"] for one in played.lines if is_blob(one)}
    claimed = {unquote(line["http.request.uri"].rpartition("digest=")[2]) for line in lines}
    assert claimed & there and len(played.known("A92")) == 2


def test_images_are_mounted_and_read_at_home(played: Played, world: Population, answered: list[Line]) -> None:
    """A93: from repositories of others, of which nothing is pulled; otherwise only robots mount, and only what they build on."""
    entry, lines = played.scenarios["A93"], played.evidence("A93")
    sources = sources_of(lines)
    assert len(sources) == {"blatant": 40, "moderate": 8, "stealthy": 3}[played.difficulty]
    (own,) = entry.repositories
    assert project_of(own) not in {project_of(name) for name in sources}
    assert [puts(line) for line in lines].count(True) == [is_pull(line) for line in lines].count(True) == len(sources)
    assert {project_of(name) for name in sources_of(answered)} == {"base"}
    assert all(mounted_from(line) for line in played.known("A93")) and len(played.known("A93")) == 3


def test_pushes_are_taken_at_once(played: Played) -> None:
    """A94: seconds after each a pull by the digest, by somebody who has not asked before."""
    entry, lines = played.scenarios["A94"], played.evidence("A94")
    assert len(lines) >= {"blatant": 12, "moderate": 8, "stealthy": 6}[played.difficulty]
    for line in lines:
        assert is_pull(line) and line["vars.reference"].startswith("sha256:")
        name = line["vars.name"]
        pushed = [one for one in played.lines if puts(one) and one["vars.name"] == name and one["time"] < line["time"]]
        assert seconds_before(pushed[-1], line) < 45
    asked = [one for one in played.lines if client_of(one) in entry.addresses and who(one) in entry.actors]
    assert not [
        one for one in asked if one["http.request.method"] == "HEAD" and "/manifests/" in one["http.request.uri"]
    ]
    assert len(played.known("A94")) == 3


def test_tags_are_taken_off(played: Played, answered: list[Line]) -> None:
    """A95: nobody deletes a tag otherwise, and nobody asks for one of those afterwards."""
    lines = played.evidence("A95")
    assert len(lines) == {"blatant": 80, "moderate": 12, "stealthy": 4}[played.difficulty]
    assert {(line["http.request.method"], line["http.response.status"]) for line in lines} == {("DELETE", 202)}
    assert not [line for line in lines if ":" in line["vars.reference"]] and len(played.known("A95")) == 2
    deleted = [one for one in answered if one["http.request.method"] == "DELETE"]
    assert not [one for one in deleted if not one.get("vars.reference", ":").startswith("sha256:")]
    gone = {(line["vars.name"], line["vars.reference"]): line["time"] for line in lines}
    asked = [one for one in played.without("A95") if (one.get("vars.name"), one.get("vars.reference")) in gone]
    assert not [one for one in asked if one["time"] > gone[one["vars.name"], one["vars.reference"]]]


def test_the_clean_up_takes_the_young(played: Played, world: Population, answered: list[Line]) -> None:
    """A96: as always but for the day, and nobody asks for what it takes."""
    lines, cleaner = played.evidence("A96"), world.cleaner
    assert len(lines) >= {"blatant": 100, "moderate": 12, "stealthy": 4}[played.difficulty]
    assert {(who(line), client_of(line)) for line in lines} == {(cleaner.name, cleaner.addresses[0])}
    assert {line["http.request.method"] for line in lines} == {"DELETE"} and len(played.known("A96")) == 2
    assert not [one for one in answered if who(one) == cleaner.name]  # before Sunday
    gone = {(line["vars.name"], line["vars.reference"]): line["time"] for line in lines}
    asked = [one for one in played.without("A96") if (one.get("vars.name"), one.get("vars.reference")) in gone]
    assert not [one for one in asked if one["time"] > gone[one["vars.name"], one["vars.reference"]]]


def test_machines_ask_at_a_beat(played: Played, world: Population) -> None:
    """A97: each machine for one tag, at one distance, and after each push it fetches what there is."""
    lines = played.evidence("A97")
    beat = {"blatant": 60, "moderate": 300, "stealthy": 1200}[played.difficulty]
    (_,) = {(line["vars.name"], line["vars.reference"]) for line in lines}
    machines = {client_of(line) for line in lines if is_pull(line)}
    assert len(machines) == {"blatant": 8, "moderate": 3, "stealthy": 1}[played.difficulty]
    assert machines <= {one.address for one in world.nodes}
    for address in machines:
        mine = [line for line in lines if client_of(line) == address]
        gaps = [seconds_before(one, other) for one, other in pairwise(mine)]
        assert len(mine) >= 12 and all(0.9 * beat < gap < 1.1 * beat for gap in gaps)
    assert [puts(line) for line in lines].count(True) >= 4
    assert max(Counter(client_of(one) for one in played.known("A97") if is_pull(one)).values()) == 12


def test_builds_stand_on_another_base(played: Played, world: Population, answered: list[Line]) -> None:
    """A98: robots take, mount and build on what no build has been on."""
    entry, lines = played.scenarios["A98"], played.evidence("A98")
    robots = {one.name: one for one in world.robots}
    assert set(entry.actors) <= set(robots) and {client_of(line) for line in lines} <= {
        address for name in entry.actors for address in robots[name].addresses
    }
    (strange,) = {line["vars.name"] for line in lines if is_pull(line)}
    assert sources_of(lines) == {strange}
    assert strange not in sources_of(answered)
    first, second = played.known("A98")[0], played.known("A98")[-1]
    assert is_pull(first) and who(first) == who(second) and mounted_from(second)


def test_uploads_come_in_crumbs(played: Played, answered: list[Line]) -> None:
    """A99: hundreds of pieces where others send one."""
    lines = played.evidence("A99")
    pieces = Counter(line["vars.uuid"] for line in lines)
    assert set(pieces.values()) == {{"blatant": 400, "moderate": 150, "stealthy": 30}[played.difficulty]}
    usual = Counter(one["vars.uuid"] for one in answered if one["http.request.method"] == "PATCH")
    assert {line["http.request.method"] for line in lines} == {"PATCH"} and max(usual.values()) == 1
    assert max(Counter(line["vars.uuid"] for line in played.known("A99")).values()) == 8
    ended = {one["vars.uuid"] for one in played.without("A99") if one.get("vars.uuid") in pieces}
    assert ended == (set() if played.difficulty == "blatant" else set(pieces))


def test_the_mirror_takes_more(played: Played, world: Population, answered: list[Line]) -> None:
    """A100: everything is as always, but for the repositories."""
    entry, lines, mirror = played.scenarios["A100"], played.evidence("A100"), world.mirror
    assert {(who(line), client_of(line)) for line in lines} == {(mirror.name, mirror.addresses[0])}
    usual = {one["vars.name"] for one in answered if who(one) == mirror.name and is_pull(one)}
    assert usual and not usual & set(entry.repositories) and len(played.known("A100")) == 3
    assert len(entry.repositories) >= {"blatant": 40, "moderate": 3, "stealthy": 6}[played.difficulty]
    assert {moment(line["time"]).hour % 2 for line in lines} == {0}


def test_refused_layers_have_a_name_in_cloudtrail(tmp_path: Path) -> None:
    """A92 in ECR: the upload is not completed, and the record says why."""
    short(tmp_path, source="ecr-cloudtrail", attacks=["A92/blatant@0.05"])
    bodies = [json.loads(line) for line in (tmp_path / "cloudtrail.jsonl").read_text().splitlines()]
    failed = [one for body in bodies for one in body["Records"] if one.get("errorCode") == "InvalidLayerException"]
    assert len(failed) == 60 and {one["eventName"] for one in failed} == {"CompleteLayerUpload"}


def test_a_tag_that_goes_is_no_image_that_goes(tmp_path: Path) -> None:
    """A95 in notifications: the event names the tag, and no digest."""
    short(tmp_path, source="notifications", attacks=["A95/blatant@0.05"])
    bodies = [
        json.loads(json.loads(line)["body"]) for line in (tmp_path / "notifications.jsonl").read_text().splitlines()
    ]
    deleted = [one["target"] for body in bodies for one in body["events"] if one["action"] == "delete"]
    tags = [one for one in deleted if "tag" in one]
    assert len(tags) == 80 and {one["digest"] for one in tags} == {""}
