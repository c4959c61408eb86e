"""The attacks that came after the detectors: they do what they say, in every log that can tell of it, and nothing draws them."""

from __future__ import annotations

import pytest
from played_attacks import Played, play, puts

from regsight.traffic.attacks import LATER
from regsight.traffic.population import Population
from regsight.traffic.scenes import DIFFICULTIES


@pytest.fixture(scope="module", params=DIFFICULTIES)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp(request.param), LATER, request.param)


@pytest.mark.parametrize("kind", LATER)
def test_truth_is_borne_out_by_the_file(kind: str, played: Played) -> None:
    """Every event id is a line of the log, by the actor from the address that are named, and times are in order."""
    entry = played.scenarios[kind]
    lines = played.evidence(kind)
    assert not entry.invisible and entry.difficulty == played.difficulty
    assert entry.event_ids and {line["http.request.id"] for line in lines} == set(entry.event_ids)
    told = {(line["auth.user.name"], line["http.request.remoteaddr"].rpartition(":")[0]) for line in lines}
    assert len(entry.actors) == 1
    assert {address for name, address in told if name in entry.actors} == set(entry.addresses) != set()
    assert {line["vars.name"] for line in lines} == set(entry.repositories) != set()
    first, decidable = entry.first_evidence or "", entry.decidable or ""
    assert played.truth.start <= entry.start <= first <= decidable <= entry.end <= played.truth.end
    assert entry.attack_technique and entry.expected_finding["rule_classes"]


def test_a_release_tag_was_there_for_nobody_before(played: Played, world: Population) -> None:
    """A36: the culprit pushes a release's tag that was never pushed, where robots build and the culprit does not."""
    entry = played.scenarios["A36"]
    pushed = [line for line in played.evidence("A36") if line["http.request.method"] == "PUT"]
    for line in pushed:
        assert line["auth.user.name"] in entry.actors
        assert line["vars.reference"].startswith("v") and line["vars.reference"].endswith(".0.0")
        before = played.lines[: played.lines.index(line)]
        same = [one for one in before if one.get("vars.name") == line["vars.name"] and puts(one)]
        assert line["vars.reference"] not in {one["vars.reference"] for one in same}
        builders = {one.name for one in world.robots if line["vars.name"] in {own.name for own in one.repositories}}
        assert builders and not builders & set(entry.actors)
        assert all(name in entry.note for name in builders)
    assert {line["vars.name"] for line in pushed} == set(entry.repositories)
    assert len(played.evidence("A36")) > len(pushed)  # somebody takes it


def test_one_image_stands_under_many_projects(played: Played) -> None:
    """A37: one digest under repositories of several projects, all its layers mounted from one place."""
    entry = played.scenarios["A37"]
    assert len(entry.digests) == 1 and len(entry.tags) == 1
    assert len({name.partition("/")[0] for name in entry.repositories}) >= 2
    homes = {
        line["http.request.uri"].partition("?from=")[2].partition("&")[0]
        for line in played.lines
        if line.get("auth.user.name") in entry.actors
        and "?from=" in line["http.request.uri"]
        and line["vars.name"] in entry.repositories
        and entry.start <= line["time"] <= entry.end
    }
    assert len(homes) == 1 and not homes & {name.replace("/", "%2F") for name in entry.repositories}


def test_signatures_go_and_images_stay(played: Played) -> None:
    """A38: each deletion is of what a signature's tag stood for right before; none is of an image."""
    lines = played.evidence("A38")
    for line in lines:
        assert line["http.request.method"] == "DELETE" and line["http.response.status"] == 202
        before = played.lines[: played.lines.index(line)]
        resolved = next(
            one for one in reversed(before) if one["http.request.remoteaddr"] == line["http.request.remoteaddr"]
        )
        tag = resolved["vars.reference"]
        assert resolved["http.request.method"] == "HEAD" and tag.endswith(".sig")
        assert line["vars.reference"] != tag.removesuffix(".sig").replace("-", ":")  # not the image itself
        assert any(puts(one) and one["vars.reference"] == tag for one in before)  # its signing is in the log


def test_blobs_are_fetched_and_no_manifest(played: Played) -> None:
    """A39: blobs of repositories of which the actor asks no manifest from there; known when a second image is touched."""
    entry = played.scenarios["A39"]
    lines = played.evidence("A39")
    assert all("/blobs/" in line["http.request.uri"] for line in lines)
    manifests = [
        line
        for line in played.lines
        if line.get("auth.user.name") in entry.actors
        and "/manifests/" in line["http.request.uri"]
        and line["vars.name"] in entry.repositories
        and line["http.request.remoteaddr"].rpartition(":")[0] in entry.addresses
        and entry.start <= line["time"] <= entry.end
    ]
    assert not manifests
    known = [line for line in lines if line["time"][:19] <= (entry.decidable or "")[:19]]
    assert len({line["vars.name"] for line in known}) == 2


def test_an_account_is_in_many_homes(played: Played, world: Population) -> None:
    """A40: one account at addresses that are not its own, with several agents; known at the second of them."""
    entry = played.scenarios["A40"]
    assert len(entry.addresses) >= {"blatant": 5, "moderate": 3, "stealthy": 2}[played.difficulty]
    owner = next(person for person in world.people if person.name in entry.actors)
    assert not set(entry.addresses) & set(owner.addresses)
    lines = played.evidence("A40")
    known = [line for line in lines if line["time"][:19] <= (entry.decidable or "")[:19]]
    assert len({line["http.request.remoteaddr"].rpartition(":")[0] for line in known}) == 2


def test_a_node_pulls_what_its_cluster_does_not_run(played: Played, world: Population) -> None:
    """A41: the cluster's own account from one of its nodes, for repositories that the cluster runs nothing of."""
    entry = played.scenarios["A41"]
    cluster = next(one for one in world.clusters if one.name in entry.actors)
    assert not set(entry.repositories) & {one.name for one in cluster.repositories}
    assert len(entry.addresses) == 1
    members = {node.address for node in world.nodes if world.clusters[node.cluster] is cluster}
    assert set(entry.addresses) <= members


def test_more_versions_than_are_kept(played: Played) -> None:
    """A42: one repository gets far more new versions than the clean-up keeps; known when they would fill it."""
    entry = played.scenarios["A42"]
    lines = played.evidence("A42")
    assert len(entry.repositories) == 1 and len(entry.tags) == len(entry.digests) == len(lines) > 24
    assert all(puts(line) for line in lines)
    known = [line for line in lines if line["time"][:19] <= (entry.decidable or "")[:19]]
    assert len(known) == 12
