"""Sessions against what was really done: the scripts that drove the clients of the captures wrote down each act.

Recall: of the pulls and pushes of the script, how many are a session with the right repository, tag, digest, address and
outcome. Precision: of the sessions called pull or push, how many are an act of the script. Both are printed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from captured_events import captured
from format_samples import SAMPLES

from analytics.session import Kind, Session, State
from analytics.sessions import sessions_of

DISTRIBUTION = ("v2.8.2-json", "v2.8.2-text", "v3-json", "v3-text")
SLACK = timedelta(milliseconds=5)  # the script and the registry read one clock at different moments
# skopeo gives up at the first question whether a layer is there: that it wanted to push is said by nobody.
UNTOLD = {24}


def distribution(capture: str, *, notifications: bool) -> list[Session]:
    folder = SAMPLES / "distribution-live" / capture
    log = "registry.log" if (folder / "registry.log").exists() else "registry.stderr.log"
    names = [log, "notifications.jsonl"] if notifications else [log]
    return sessions_of(captured(*(f"distribution-live/{capture}/{name}" for name in names)))


def acts_of(path: str) -> list[dict[str, Any]]:
    acts: list[dict[str, Any]] = json.loads((SAMPLES / path / "truth.json").read_text())["actions"]
    return acts


def by_skopeo(sessions: Iterable[Session]) -> list[Session]:
    return [one for one in sessions if one.client_class == "skopeo" and one.kind in (Kind.PULL, Kind.PUSH)]


def fits(session: Session, act: dict[str, Any], *, digests: bool) -> bool:
    """Whether a session is this act of the Distribution script; it is looked at by everything the act says."""
    start, end = (datetime.fromisoformat(act[name]) for name in ("start", "end"))
    by_digest = str(act["reference"]).startswith("sha256:")
    good = act.get("rc", 0) == 0
    return (
        start - SLACK <= session.start <= session.end <= end + SLACK
        and session.kind == act["action"].removesuffix("-burst")
        and session.repository == act["repo"]
        and session.client_ip == act["src_ip"]
        and session.tag == (None if by_digest else act["reference"])
        and (session.outcome == "success") is good
        and (session.state is State.COMPLETE) is good
        and (not (digests and good) or session.digest == act["digest"])
        and (session.actor in (act["user"], None))
    )


@pytest.mark.parametrize("notifications", [True, False], ids=["log-and-notifications", "log"])
@pytest.mark.parametrize("capture", DISTRIBUTION)
def test_each_pull_and_push_of_skopeo_is_one_session(capture: str, notifications: bool) -> None:
    """With the right tag, digest, address and end, and no session that is not one of them."""
    left = by_skopeo(distribution(capture, notifications=notifications))
    called, wanted, found = len(left), 0, 0
    for act in acts_of(f"distribution-live/{capture}"):
        if act["action"] not in ("push", "pull", "pull-burst") or act["client"] != "skopeo":
            continue
        wanted += act.get("count", 1)
        mine = [one for one in left if fits(one, act, digests=notifications)]
        if act["n"] in UNTOLD:
            assert mine == []
            continue
        assert len(mine) == act.get("count", 1), act
        found += len(mine)
        left = [one for one in left if one not in mine]
    print(f"{capture}: recall {found}/{wanted}, precision {called - len(left)}/{called}")
    assert left == []
    assert (wanted, found) == (31, 30)


@pytest.mark.parametrize("capture", DISTRIBUTION)
def test_what_a_session_says_of_its_layers(capture: str) -> None:
    """Sent, fetched, there already: as the script's image has them; an index with its platforms is one pull."""
    sessions = {
        act["n"]: next(one for one in found if fits(one, act, digests=True))
        for found in [by_skopeo(distribution(capture, notifications=True))]
        for act in acts_of(f"distribution-live/{capture}")
        if act["n"] in (3, 4, 6, 8, 12, 13, 14)
    }
    layers = {
        number: (one.layers_uploaded, one.layers_present, one.layers_fetched, len(one.manifests))
        for number, one in sessions.items()
    }
    assert layers[3] == (4, 0, 0, 1)
    assert layers[4] == (0, 4, 0, 1)  # the second tag of the same image
    assert layers[6] == layers[8] == (0, 0, 4, 1)  # all layers are known from the push, and all were fetched
    assert layers[12] == (4, 0, 0, 3)
    assert layers[13] == (0, None, 2, 2)  # the index and one platform
    assert layers[14] == (0, None, 4, 3)
    assert sessions[6].bytes == sessions[3].bytes  # what was pushed was pulled


@pytest.mark.parametrize("capture", DISTRIBUTION)
def test_what_is_no_pull_and_no_push_of_an_image(capture: str) -> None:
    """Signatures and charts are told apart, broken-off uploads are abandoned, a lookup before a delete is no pull."""
    sessions = distribution(capture, notifications=True)
    assert [(one.kind, one.repository) for one in sessions if one.kind is Kind.LOOKUP] == [("lookup", "ml/train_job")]
    artifacts = {one.artifact: one for one in sessions}
    assert set(artifacts) == {"image", "chart", "signature"}
    assert (artifacts["chart"].tag, artifacts["chart"].layers_uploaded) == ("0.3.1", 2)
    assert (artifacts["signature"].kind, artifacts["signature"].layers_uploaded) == ("push", 1)
    abandoned = [one for one in sessions if one.state is State.ABANDONED]
    assert [(one.repository, one.reason) for one in abandoned] == [
        ("jonas/playground", None),  # an upload that was begun, and one whose digest did not fit
        ("jonas/playground", "aborted"),
    ]


@pytest.mark.parametrize("capture", DISTRIBUTION)
def test_a_forged_address_is_never_called_the_peer(capture: str) -> None:
    """The pull with an X-Forwarded-For of its own: the address is somebody's word, and says so."""
    (forged,) = [s for s in distribution(capture, notifications=True) if s.client_ip == "198.51.100.23"]
    assert forged.client_via == "forwarded"


# Harbor: addresses from the registry's log or the proxy's, accounts and tags from the audit log.

HARBOR = {
    "v2.12.4": ("registry.text.log", "registry.json.log", "api.audit-logs.json"),
    "v2.15.2-harbor-log": ("proxy.log", "api.auditlog-exts.page1.json"),
}


# To look at an image is to pull its manifest and its configuration: no registry can tell it from a pull of what is there.
ACTIONS = {"push": "push", "pull": "pull", "pull-burst": "pull", "inspect": "pull"}


def harbor(version: str) -> list[Session]:
    return sessions_of(captured(*(f"harbor-live/{version}/{name}" for name in HARBOR[version])))


def split(target: str) -> tuple[str, str | None, str | None]:
    """(repository, tag, digest) of `payments/api:1.0.0` or `payments/api@sha256:…`."""
    name, _, digest = target.partition("@")
    repository, _, tag = name.partition(":")
    return repository, tag or None, digest or None


def addresses_of(act: dict[str, Any], hosts: dict[str, str]) -> set[str]:
    return {hosts[name] for name in act.get("hosts", [act.get("host")]) if name in hosts}


def is_act(session: Session, act: dict[str, Any], hosts: dict[str, str]) -> bool:
    """Whether a session may be this act: what it does not know (None) does not speak against it.

    Acts with a method are one plain request, whose layers were sent before.
    """
    repository, tag, digest = split(act["target"])
    start, end = (datetime.fromisoformat(act[name]) for name in ("start", "end"))
    user = act["user"] or "anonymous"
    # An access line has whole seconds; registry and script read one clock.
    slack = SLACK if session.start.microsecond and session.end.microsecond else timedelta(seconds=1)
    return (
        start - slack <= (session.end if "method" in act else session.start) <= session.end <= end + slack
        and session.kind == ACTIONS[act["action"]]
        and session.repository == repository
        and session.client_ip in addresses_of(act, hosts)
        and session.tag in (tag, None)
        and session.digest in (act.get("digest") or digest, digest, None)
        and session.actor in (user, None)
    )


@pytest.mark.parametrize("version", HARBOR)
def test_each_pull_and_push_through_harbor_is_one_session(version: str) -> None:
    """Every one that succeeded is there, and nothing that a session says of who, what and whence is wrong."""
    truth = json.loads((SAMPLES / "harbor-live" / version / "truth.json").read_text())
    # Harbor's own client is not the client; a tag that Harbor copies itself has no address; a proxy cache serves
    # manifests without asking the registry behind it.
    sessions = [
        one
        for one in harbor(version)
        if one.kind in (Kind.PULL, Kind.PUSH) and one.client_class != "harbor" and one.client_ip
    ]
    left, wanted, found = list(sessions), 0, []
    for act in truth["actions"]:
        good = act.get("rc") == 0 or act.get("status") == 201 or set(act.get("rcs", [1])) == {0}
        if act["action"] not in ACTIONS or not good or act["target"].startswith("hub-cache"):
            continue
        mine = [one for one in left if one.outcome == "success" and is_act(one, act, truth["hosts"])]
        count = act.get("count", 1)
        assert len(mine) >= count, act
        wanted += count
        found += mine[:count]
        left = [one for one in left if one not in mine[:count]]
    named = sum(one.actor is not None for one in found)
    tagged = sum(one.tag is not None or one.digest is not None for one in found)
    done = [one for one in left if one.state is State.COMPLETE]
    print(
        f"{version}: recall {len(found)}/{wanted}, precision {len(found)}/{len(found) + len(done)}, "
        f"account {named}/{wanted}, tag or digest {tagged}/{wanted}"
    )
    # What is left was refused or given up, save one: a manifest that skopeo fetched to delete it. Harbor answers the DELETE
    # itself, so that no line with an address tells of it.
    assert [one.repository for one in done] == (["payments/unscannable"] if version == "v2.12.4" else [])
    assert tagged == wanted
    assert named / wanted >= (
        0.9 if version == "v2.12.4" else 0.6
    )  # with whole seconds two pulls at once stay nameless
