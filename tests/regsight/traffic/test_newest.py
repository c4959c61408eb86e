"""The newest attacks: they do what they say, in every log that can tell of it, and nothing draws them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from played_attacks import MONDAY, Played, client_of, moment, play, puts, short

from regsight.traffic.attacks import NEWEST
from regsight.traffic.population import Population
from regsight.traffic.scenes import DIFFICULTIES

SCANNER = "10.20.250.7"
CULPRITS = 2  # more than one account is behind A43 alone
LINES = [code for code in NEWEST if code != "A50"]  # of the last there is no line


@pytest.fixture(scope="module", params=DIFFICULTIES)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp(request.param), NEWEST, request.param)


@pytest.mark.parametrize("kind", LINES)
def test_truth_is_borne_out_by_the_file(kind: str, played: Played) -> None:
    """Every event id is a line of the log, by the actors from the addresses that are named, and times are in order."""
    entry, lines = played.scenarios[kind], played.evidence(kind)
    assert not entry.invisible and entry.difficulty == played.difficulty
    assert entry.event_ids and {line["http.request.id"] for line in lines} == set(entry.event_ids)
    assert (len(entry.actors) >= CULPRITS) == (kind == "A43")
    own = [line for line in lines if line["auth.user.name"] in entry.actors]
    assert {line["auth.user.name"] for line in own} == set(entry.actors) != set()
    assert {client_of(line) for line in own} == set(entry.addresses) != set()
    assert {line["vars.name"] for line in lines} == set(entry.repositories) != set()
    first, decidable = entry.first_evidence or "", entry.decidable or ""
    assert played.truth.start <= entry.start <= first <= decidable <= entry.end <= played.truth.end
    assert entry.attack_technique and entry.expected_finding["rule_classes"]


def test_many_accounts_are_at_one_place(played: Played, world: Population) -> None:
    """A43: robots of several projects at one address that is none of theirs; known at the second of them."""
    entry = played.scenarios["A43"]
    robots = [robot for robot in world.robots if robot.name in entry.actors]
    assert len(robots) == len(entry.actors) >= {"blatant": 7, "moderate": 4, "stealthy": 3}[played.difficulty]
    assert len({robot.repositories[0].project for robot in robots}) >= 3
    assert len(entry.addresses) == 1
    assert not set(entry.addresses) & {address for robot in robots for address in robot.addresses}
    assert len({line["auth.user.name"] for line in played.known("A43")}) == 2


def test_attestations_hang_on_images_of_others(played: Played, world: Population) -> None:
    """A44: each names an image that is in its repository, where the culprit has neither pushed nor signed anything."""
    entry = played.scenarios["A44"]
    (who,) = entry.actors
    assert who != world.signer.name and len(played.known("A44")) == 1
    for line in played.evidence("A44"):
        assert puts(line) and line["vars.reference"].endswith(".att")
        image = line["vars.reference"].removesuffix(".att").replace("-", ":", 1)
        repository = next(one for one in world.repositories if one.name == line["vars.name"])
        assert image in {repository.image(number).digest for number in range(100, 1000)}
        pushes = [one for one in played.without("A44") if puts(one) and one["vars.name"] == repository.name]
        assert who not in {one["auth.user.name"] for one in pushes}


def test_no_tag_ever_points_to_it(played: Played) -> None:
    """A45: pushed by digest, never under a tag, and pulled by digest by somebody else."""
    entry, lines = played.scenarios["A45"], played.evidence("A45")
    assert not entry.tags and all(line["vars.reference"] in entry.digests for line in lines)
    assert {puts(line) for line in lines} == {True, False}
    assert {line["auth.user.name"] for line in lines if not puts(line)}.isdisjoint(entry.actors)
    # Everybody else pushes under tags.
    assert all(not line["vars.reference"].startswith("sha256:") for line in played.without("A45") if puts(line))


def test_an_image_is_pushed_run_and_deleted(played: Played) -> None:
    """A46: push, pull by a node, delete of one digest within an hour or so, in this order; known with the first delete."""
    lines = played.evidence("A46")
    for repository in played.scenarios["A46"].repositories:
        mine = [line for line in lines if line["vars.name"] == repository]
        methods = "".join(line["http.request.method"][0] for line in mine)
        assert (
            methods.removesuffix("PD").removesuffix("D").strip("G") == "P" and methods.endswith("D") and "G" in methods
        )
        assert moment(mine[-1]["time"]) - moment(mine[0]["time"]) < timedelta(hours=2)
    assert [line["http.request.method"] for line in played.known("A46")].count("DELETE") == 1
    # Nobody else deletes what a node has just pulled.
    assert played.known("A46")[-1]["http.request.method"] == "DELETE"


def test_tools_come_through_the_cache(played: Played, world: Population) -> None:
    """A47: repositories of the cache that nobody else has ever asked for, by one account; known at the second."""
    entry = played.scenarios["A47"]
    cache = world.cached[0].name.partition("/")[0]
    assert all(name.startswith(f"{cache}/") for name in entry.repositories)
    assert not set(entry.repositories) & {one.name for one in world.cached}
    assert len(entry.repositories) == {"blatant": 12, "moderate": 5, "stealthy": 3}[played.difficulty]
    others = {line.get("vars.name") for line in played.without("A47") if line.get("auth.user.name") not in entry.actors}
    assert not set(entry.repositories) & others
    assert len({line["vars.name"] for line in played.known("A47")}) == 2


def test_one_image_is_fetched_whole_again_and_again(played: Played, world: Population) -> None:
    """A48: one digest, and all its blobs each time; nobody else fetches one image half as often from one address."""
    entry, lines = played.scenarios["A48"], played.evidence("A48")
    assert len(entry.digests) == len(entry.repositories) == len(entry.addresses) == 1
    assert len(played.known("A48")) == 12 and len(lines) > 60
    configs = {one.image(number).config.digest for one in world.repositories for number in range(100, 1000)}
    fetched = Counter(
        (client_of(line), line["vars.name"], line["vars.digest"], line["time"][:10])
        for line in played.lines
        if "/blobs/" in line["http.request.uri"] and line["http.request.method"] == "GET"
    )
    mine = Counter(line["time"][:10] for line in lines)
    (address,), (repository,) = entry.addresses, entry.repositories
    whole = [count for (where, name, _, day), count in fetched.items() if (where, name) == (address, repository)]
    assert sum(count >= max(mine.values()) - 1 for count in whole) >= 4  # its config and layers, each time
    usual = [count for (where, *_, blob, _), count in fetched.items() if blob in configs and where != address]
    assert 2 * max(usual) < max(mine.values())


def test_tags_have_no_end(played: Played) -> None:
    """A49: one digest under far more tags than a build gives; nothing is uploaded; known at the eighth."""
    entry, lines = played.scenarios["A49"], played.evidence("A49")
    assert len(entry.digests) == len(entry.repositories) == 1
    assert len(entry.tags) == len(lines) > 60 and all(map(puts, lines))
    assert len(played.known("A49")) == 8


def test_the_scanner_looks_away(played: Played, world: Population) -> None:
    """A50: from the night on that is named the scanner reads nothing, or nothing of the repositories that are named."""
    entry = played.scenarios["A50"]
    assert not entry.event_ids and not entry.invisible
    assert entry.actors == [world.scanner.name] and entry.addresses == world.scanner.addresses
    assert bool(entry.repositories) == (played.difficulty == "stealthy")
    everything = {one.name for one in world.repositories}

    def scanned(night: int) -> set[str]:
        day = (MONDAY + timedelta(days=night)).date().isoformat()
        return {
            line["vars.name"]
            for line in played.lines
            if line["auth.user.name"] == world.scanner.name
            and "/manifests/" in line["http.request.uri"]
            and line["time"].startswith(day)
        }

    assert scanned(0) == everything
    left = everything - set(entry.repositories) if entry.repositories else set()
    assert scanned(2) == scanned(3) == left
    assert (entry.start[:13], (entry.decidable or "")[:13]) == ("2026-11-04T02", "2026-11-04T03")
    assert played.difficulty != "blatant" or scanned(4) == everything


def test_a_push_by_digest_has_no_tag_in_cloudtrail(tmp_path: Path) -> None:
    """A45 in ECR: `PutImage` with the image's digest and no tag, as asked and as answered."""
    truth = short(tmp_path, source="ecr-cloudtrail", attacks=["A45/moderate@0.05"])
    bodies = [json.loads(line) for line in (tmp_path / "cloudtrail.jsonl").read_text().splitlines()]
    puts = {
        record["requestID"]: record
        for body in bodies
        for record in body["Records"]
        if record["eventName"] == "PutImage" and record["requestID"] in truth.scenarios[0].event_ids
    }
    assert puts
    for record in puts.values():
        image = record["responseElements"]["image"]["imageId"]
        assert image == {"imageDigest": record["requestParameters"]["imageDigest"]}
        assert "imageTag" not in record["requestParameters"]


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_a_blinded_scanner_takes_its_own_lines_alone(difficulty: str, tmp_path: Path) -> None:
    """A50 adds nothing, and what it takes is the scanner's."""
    short(tmp_path / "plain", days=1.3)
    short(tmp_path / "blind", days=1.3, attacks=[f"A50/{difficulty}@0.3"])
    before, after = (set((tmp_path / name / "registry.log").read_text().splitlines()) for name in ("plain", "blind"))
    assert after < before
    assert all(SCANNER in line for line in before - after)
