"""The fresh attacks: they do what they say, in every log that can tell of it, and nothing draws them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from played_attacks import Played, client_of, moment, play, puts, short

from collector.formats import distribution_json, distribution_text, ecr_cloudtrail
from collector.stages import Block, Format
from regsight.traffic.attacks import FRESH
from regsight.traffic.population import Population
from regsight.traffic.scenes import DIFFICULTIES
from store.contract import Position

MIRROR = "10.60.0.4"
LINES = [code for code in FRESH if code != "A60"]  # of the last there is no line
LATE = {"A51": 0.3, "A60": 0.3, "A59": 0.1}  # what waits for somebody to be at work begins later


@pytest.fixture(scope="module", params=DIFFICULTIES)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp(request.param), FRESH, request.param)


@pytest.mark.parametrize("kind", LINES)
def test_truth_is_borne_out_by_the_file(kind: str, played: Played) -> None:
    """Every event id is a line of the log, by the actor from the addresses that are named, and times are in order."""
    entry = played.scenarios[kind]
    assert not entry.invisible and entry.difficulty == played.difficulty and entry.event_ids
    if kind != "A51":  # its refusals are no answers to a named client
        lines = played.evidence(kind)
        assert {line["http.request.id"] for line in lines} == set(entry.event_ids)
        own = [line for line in lines if line["auth.user.name"] in entry.actors]
        assert {line["auth.user.name"] for line in own} == set(entry.actors) and len(entry.actors) == 1
        assert {client_of(line) for line in own} == set(entry.addresses) != set()
        assert {line["vars.name"] for line in lines} == set(entry.repositories) != set()
    first, decidable = entry.first_evidence or "", entry.decidable or ""
    assert played.truth.start <= entry.start <= first <= decidable <= entry.end <= played.truth.end
    assert entry.attack_technique and entry.expected_finding["rule_classes"]


def test_an_owner_is_refused_while_the_account_is_used(played: Played, world: Population) -> None:
    """A51: from its beginning on the owner gets in nowhere, and the account is used at one place that is none of its own."""
    entry = played.scenarios["A51"]
    (owner,) = [one for one in world.people if one.name in entry.actors]
    (elsewhere,) = set(entry.addresses) - set(owner.addresses)
    assert owner.addresses[0] in entry.addresses
    mine = [line for line in played.lines if line.get("auth.user.name") == owner.name]
    within = [line for line in mine if entry.start <= line["time"] < entry.end]
    before = [line for line in mine if line["time"] < entry.start]
    assert {client_of(line) for line in within} == {elsewhere}
    assert before and elsewhere not in {client_of(line) for line in before}
    ids = set(entry.event_ids)
    refused = ids - {line["http.request.id"] for line in played.evidence("A51")}
    assert len(refused) >= 3
    assert len(played.known("A51")) >= 2  # let in elsewhere, and again after the third refusal


def test_a_pull_account_stores_images(played: Played, world: Population, answered: list[dict[str, Any]]) -> None:
    """A52: manifests by a cluster's account, which never stored one; known with the first."""
    lines = played.evidence("A52")
    assert all(map(puts, lines)) and len(played.known("A52")) == 1
    clusters = {cluster.name for cluster in world.clusters}
    assert {line["auth.user.name"] for line in lines} <= clusters
    assert not any(puts(line) and line.get("auth.user.name") in clusters for line in answered)


def test_one_layer_is_asked_for_in_repositories_of_others(played: Played, answered: list[dict[str, Any]]) -> None:
    """A53: one digest by HEAD, some have it and some do not; nobody else asks so without an upload to that repository."""
    entry, lines = played.scenarios["A53"], played.evidence("A53")
    assert {line["http.request.method"] for line in lines} == {"HEAD"}
    assert len({line["vars.digest"] for line in lines}) == 1
    assert {line["http.response.status"] for line in lines} == {200, 404}
    assert len(entry.repositories) == len(lines) >= {"blatant": 40, "moderate": 24, "stealthy": 12}[played.difficulty]
    assert len(played.known("A53")) == 3
    stored = {(line.get("auth.user.name"), line.get("vars.name")) for line in answered if puts(line)}
    (who,) = entry.actors
    assert not any((who, name) in stored for name in entry.repositories)
    looks = [
        line for line in answered if line["http.request.method"] == "HEAD" and "/blobs/" in line["http.request.uri"]
    ]
    assert {(line["auth.user.name"], line["vars.name"]) for line in looks} <= stored


def test_a_node_asks_for_tags_that_it_makes_up(played: Played, answered: list[dict[str, Any]]) -> None:
    """A54: each tag once, none is there; no other node is ever told that a tag is not there."""
    entry, lines = played.scenarios["A54"], played.evidence("A54")
    assert {line["http.response.status"] for line in lines} == {404}
    assert len(entry.tags) == len(lines) >= 30 and len(entry.repositories) == len(entry.addresses) == 1
    assert len(played.known("A54")) == 4
    missing = {
        line["vars.reference"] for line in answered if line["http.response.status"] == 404 and "vars.reference" in line
    }
    assert not missing & set(entry.tags)
    assert not any(
        line["http.response.status"] == 404 and line.get("auth.user.name") in entry.actors for line in answered
    )


def test_layers_leave_in_slices(played: Played, answered: list[dict[str, Any]]) -> None:
    """A55: parts of blobs, each smaller than the whole, many of one blob; everybody else takes blobs whole."""
    slices = [line for line in played.evidence("A55") if "/blobs/" in line["http.request.uri"]]
    assert {line["http.response.status"] for line in slices} == {206}
    layers = {line["vars.digest"] for line in slices}
    assert len(layers) == {"blatant": 16, "moderate": 8, "stealthy": 3}[played.difficulty]
    assert all(line["http.response.written"] > 0 for line in slices)
    assert sum("/blobs/" in line["http.request.uri"] for line in played.known("A55")) == 8
    assert 206 not in {line["http.response.status"] for line in answered}


def test_new_repositories_have_no_layers(played: Played, world: Population) -> None:
    """A56: the repositories are new, and all that was uploaded to them are the two bytes that stand for nothing."""
    entry = played.scenarios["A56"]
    assert not set(entry.repositories) & {one.name for one in world.repositories}
    assert len(entry.repositories) == {"blatant": 150, "moderate": 40, "stealthy": 9}[played.difficulty]
    inside = [line for line in played.lines if line.get("vars.name") in entry.repositories]
    uploads = [line for line in inside if "digest=" in line["http.request.uri"]]
    assert len(uploads) == len(entry.repositories) and len(played.known("A56")) == 2
    assert {line["http.request.uri"].rpartition("sha256%3A")[2][:12] for line in uploads} == {"44136fa355b3"}


def test_manifests_are_refused_for_ever_other_reasons(played: Played, answered: list[dict[str, Any]]) -> None:
    """A57: nothing is stored, the media types change, and three of them are seen when it is known."""
    lines = played.evidence("A57")
    assert {line["http.response.status"] for line in lines} == {400} and all(map(puts, lines))
    assert len({line["http.request.contenttype"] for line in lines}) >= 5
    assert len({line["err.detail"] for line in played.known("A57")}) == len(played.known("A57")) == 3
    assert {line["err.code"] for line in lines} == {"manifest invalid"}
    assert 400 not in {line["http.response.status"] for line in answered}


def test_signatures_are_put_over_those_that_were_there(played: Played, world: Population) -> None:
    """A58: by the signer, hours after the push; each signature's tag was put once before, and gets another digest."""
    entry, lines = played.scenarios["A58"], played.evidence("A58")
    assert entry.actors == [world.signer.name] and all(map(puts, lines)) and len(played.known("A58")) == 1
    for line in lines:
        tag = line["vars.reference"]
        earlier = [one for one in played.without("A58") if puts(one) and one["vars.reference"] == tag]
        assert len(earlier) == 1 and earlier[0]["vars.name"] == line["vars.name"]
        assert moment(line["time"]) - moment(earlier[0]["time"]) > timedelta(hours=5)
    repositories = {one.name: one for one in world.repositories}
    assert all(repositories[name].signer for name in entry.repositories)
    again = [
        one["vars.reference"] for one in played.without("A58") if puts(one) and one["vars.reference"].endswith(".sig")
    ]
    assert len(set(again)) == len(again)


def test_nodes_run_what_never_had_but_a_dev_tag(played: Played, answered: list[dict[str, Any]]) -> None:
    """A59: a push under `dev-…`, then nodes pull it; no other node ever asks for such a tag. Known with the first pull."""
    entry, lines = played.scenarios["A59"], played.evidence("A59")
    pulls = [line for line in lines if line["http.request.method"] == "GET"]
    assert pulls and all(line["vars.reference"].startswith("dev-") for line in lines if puts(line))
    assert all(line["auth.user.name"].startswith("k8s-") for line in pulls)
    references = {line["vars.reference"] for line in pulls}
    assert references <= (set(entry.digests) if played.difficulty == "stealthy" else set(entry.tags))
    known = played.known("A59")
    assert [line["http.request.method"] for line in known].count("GET") == 1 and not puts(known[-1])
    assert not any(
        line.get("auth.user.name", "").startswith("k8s-") and line.get("vars.reference", "").startswith("dev-")
        for line in answered
    )


def test_the_mirror_stays_behind(tmp_path: Path, world: Population) -> None:
    """A60: what was pushed to mirrored repositories had been copied in the next round; now that round is missed."""
    mirrored = {one.name for one in world.mirror.repositories}

    def rounds(out: Path, names: set[str]) -> set[str]:
        """The even hours in which the mirror read a manifest of one of these repositories; was there at all, without names."""
        found = [json.loads(line) for line in (out / "registry.log").read_text().splitlines() if line.startswith("{")]
        return {
            line["time"][:13]
            for line in found
            if line.get("auth.user.name") == world.mirror.name
            and (not names or ("/manifests/" in line["http.request.uri"] and line.get("vars.name") in names))
        }

    short(tmp_path / "plain", days=2.2)
    for difficulty in DIFFICULTIES:
        out = tmp_path / difficulty
        (entry,) = short(out, days=2.2, attacks=[f"A60/{difficulty}@0.4"]).scenarios
        assert not entry.event_ids and not entry.invisible
        assert entry.actors == [world.mirror.name] and entry.addresses == [MIRROR]
        assert bool(entry.repositories) == (difficulty == "stealthy") and set(entry.repositories) <= mirrored
        names = mirrored if difficulty == "moderate" else set(entry.repositories)
        missed, kept = rounds(tmp_path / "plain", names), rounds(out, names)
        assert entry.start[:13] in missed - kept  # the round at which it is known would have had something to do
        assert not {hour for hour in kept if entry.start[:13] <= hour < entry.end[:13]}


FORMATS: dict[str, Format] = {
    "distribution-json": distribution_json.FORMAT,
    "distribution-text": distribution_text.FORMAT,
    "ecr-cloudtrail": ecr_cloudtrail.FORMAT,
}


@pytest.mark.parametrize("source", FORMATS)
def test_every_line_is_read(source: str, tmp_path: Path) -> None:
    """Not one line becomes a dead letter; a refused manifest is a push that failed, a slice a download."""
    asked = [f"{code}/blatant@{LATE.get(code, 0.05)}" for code in FRESH]
    truth = short(tmp_path, days=0.7, source=source, attacks=asked)
    data = (tmp_path / truth.files[0]).read_bytes()
    block = Block(stream="s", offset=0, data=data, after=Position(stream="s", offset=len(data)), final=True)
    parsed = FORMATS[source].parse(block)
    assert parsed.rejects == []
    events = parsed.events.to_pylist()
    failed = [one for one in events if one["action"] == "push" and one["outcome"] == "failure"]
    assert len(failed) == 400
    if source != "ecr-cloudtrail":
        slices = [one for one in events if one["status"] == 206]
        assert len(slices) == 16 * 24
        assert {(one["action"], one["outcome"]) for one in slices} == {("layer_download", "success")}


def test_a_refused_manifest_stores_nothing_in_cloudtrail(tmp_path: Path) -> None:
    """A57 in ECR: `PutImage` with an error and without an answer."""
    truth = short(tmp_path, source="ecr-cloudtrail", attacks=["A57/moderate@0.05"])
    bodies = [json.loads(line) for line in (tmp_path / "cloudtrail.jsonl").read_text().splitlines()]
    ids = set(truth.scenarios[0].event_ids)
    mine = [record for body in bodies for record in body["Records"] if record["requestID"] in ids]
    assert len(mine) == len(ids) > 30
    for record in mine:
        assert (record["eventName"], record["errorCode"]) == ("PutImage", "InvalidParameterException")
        assert record["responseElements"] is None and record["requestParameters"]["imageManifestMediaType"]


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_a_mirror_left_behind_takes_its_own_lines_alone(difficulty: str, tmp_path: Path) -> None:
    """A60 adds nothing, and what it takes is the mirror's."""
    short(tmp_path / "plain", days=1.3)
    short(tmp_path / "behind", days=1.3, attacks=[f"A60/{difficulty}@0.4"])
    before, after = (set((tmp_path / name / "registry.log").read_text().splitlines()) for name in ("plain", "behind"))
    assert after < before
    assert all(MIRROR in line for line in before - after)


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_a_locked_out_owner_loses_own_lines_alone(difficulty: str, tmp_path: Path) -> None:
    """A51 takes what the owner would have done, and nothing of anybody else."""
    short(tmp_path / "plain", days=1.3)
    truth = short(tmp_path / "out", days=1.3, attacks=[f"A51/{difficulty}@0.3"])
    (owner,) = truth.scenarios[0].actors
    before, after = (
        [
            json.loads(line)
            for line in (tmp_path / name / "registry.log").read_text().splitlines()
            if line.startswith("{")
        ]
        for name in ("plain", "out")
    )
    ids = {line["http.request.id"] for line in after}
    lost = [line for line in before if line["http.request.id"] not in ids]
    assert {line["auth.user.name"] for line in lost} <= {owner}
