"""Images used before their signature, and who signs."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made
from signed_builds import AT, CI, DAY, MINUTE, build, digest, found, usual


def test_no_rule_no_breach(tmp_path: Path) -> None:
    """Where one in ten images is not signed, a further one is nothing."""
    made = Made()
    for day in range(16):
        build(made, START + day * DAY + timedelta(hours=10), day, sign=day % 8 != 0)
    build(made, AT, 100, sign=False)
    assert found(made, tmp_path) == []


def signed_apart(made: Made, at: datetime, number: int, pusher: str, signer: str, after: timedelta = MINUTE) -> None:
    what = {"repository": "shop/api", "digest": digest(number)}
    made.add(at, "push", actor=pusher, client_ip="10.30.0.1", tag=f"b{number}", **what)
    tag = digest(number).replace(":", "-") + ".sig"
    made.add(at + after, "push", actor=signer, client_ip="10.30.0.2", repository="shop/api", tag=tag)


@pytest.mark.parametrize(
    ("pusher", "signer", "expected"),
    [
        (CI, "signer", []),
        (CI, CI, [("signed_by_wrong_hands", "medium")]),
        ("mallory", "mallory", [("signed_by_wrong_hands", "high")]),
        (CI, "mallory", [("signed_by_wrong_hands", "medium")]),
    ],
)
def test_whoever_pushes_does_not_sign(
    pusher: str, signer: str, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    made = Made()
    for day in range(16):
        signed_apart(made, START + day * DAY, day, CI, "signer")
    signed_apart(made, AT, 100, pusher, signer)
    assert found(made, tmp_path) == expected


def test_a_signature_on_its_way_is_in_time(tmp_path: Path) -> None:
    """Used seconds after the push: a signature within two minutes is in time, none is told when they are over."""
    made = usual()
    for number, after in ((100, timedelta(seconds=40)), (101, None)):
        at, what = AT + number * MINUTE - 100 * MINUTE, {"repository": "shop/api", "digest": digest(number)}
        made.add(at, "push", actor=CI, client_ip="10.30.0.1", tag=f"b{number}", **what)
        made.add(at + timedelta(seconds=10), "pull", actor="robot$node", client_ip="10.9.0.1", **what)
        if after is not None:
            tag = digest(number).replace(":", "-") + ".sig"
            made.add(at + after, "push", actor=CI, client_ip="10.30.0.1", repository="shop/api", tag=tag)
    assert found(made, tmp_path) == [("used_unsafe", "medium")]


def test_many_repositories_at_once_lack_what_their_images_always_had(tmp_path: Path) -> None:
    """Two are told; with the third within a day it is rather the signer that stands still."""
    made = Made()
    names = ["shop/api", "web/ui", "data/job"]
    for repository in names:
        for day in range(17):
            at = (
                AT + timedelta(minutes=names.index(repository))
                if day == 16
                else START + day * DAY + timedelta(hours=10)
            )
            what = {"repository": repository, "tag": f"b{day}", "digest": digest(1_000 * names.index(repository) + day)}
            made.add(at, "push", actor=CI, client_ip="10.30.0.1", **what)
            if day < 16:
                tag = what["digest"].replace(":", "-") + ".sig"
                made.add(at + MINUTE, "push", actor=CI, client_ip="10.30.0.1", repository=repository, tag=tag)
            made.add(at + 30 * MINUTE, "pull", actor="robot$node", client_ip="10.9.0.1", **what)
    told = sorted(one for one in found(made, tmp_path) if one[0] == "used_unsafe")
    assert told == [("used_unsafe", "low"), ("used_unsafe", "medium"), ("used_unsafe", "medium")]


def test_a_pull_that_names_only_the_tag(tmp_path: Path) -> None:
    """As in CloudTrail: the push says which image the tag points to; that all are signed shows without any use."""
    made = Made()
    for day in range(16):
        build(made, START + day * DAY + timedelta(hours=10), day, use=False)
    for number, sign in ((100, True), (101, False)):
        at = AT + timedelta(hours=number - 100)
        build(made, at, number, sign=sign, use=False)
        who = {"actor": "robot$node", "client_ip": "10.9.0.1"}
        made.add(at + 9 * MINUTE, "pull", repository="shop/api", tag="latest", **who)
    told = found(made, tmp_path)
    assert told.count(("used_unsafe", "medium")) == 1


def push_unsaid(made: Made, at: datetime, number: int, *, layer: bool = True, sign: bool = True) -> None:
    """As in Distribution's text log: no line says which image was pushed, nor which was pulled by its tag."""
    who = {"actor": CI, "client_ip": "10.30.0.1", "repository": "shop/api"}
    if layer:
        made.add(at - timedelta(seconds=5), "layer_upload", digest=digest(number), status=201, **who)
    made.add(at, "push", tag="stable", status=201, **who)
    if sign:
        made.add(at + timedelta(seconds=20), "sign", tag=digest(number).replace(":", "-") + ".sig", **who)
    node = {"actor": "robot$node", "client_ip": "10.9.0.1"}
    made.add(at + 40 * MINUTE, "pull", repository="shop/api", tag="stable", **node)


@pytest.mark.parametrize(
    ("made_as", "expected"),
    [
        ({}, []),
        ({"sign": False}, [("used_unsafe", "medium"), ("push_without_companions", "low")]),
        # The tag was set to an image that was there before, and signed then.
        ({"sign": False, "layer": False}, [("push_without_companions", "low")]),
    ],
)
def test_an_image_that_no_line_names(made_as: dict[str, bool], expected: list[tuple[str, str]], tmp_path: Path) -> None:
    made = Made()
    for day in range(16):
        push_unsaid(made, START + day * DAY + timedelta(hours=10), day)
    push_unsaid(made, AT, 100, **made_as)
    assert sorted(found(made, tmp_path)) == sorted(expected)


def test_signatures_that_take_their_time(tmp_path: Path) -> None:
    """Where it takes up to twenty minutes, an image that is used after ten is not yet unsigned."""
    made = Made()
    for number, at in enumerate([*(START + day * DAY for day in range(16)), AT, AT + timedelta(hours=1)]):
        what = {"repository": "shop/api", "digest": digest(number)}
        made.add(at, "push", actor=CI, client_ip="10.30.0.1", tag=f"b{number}", **what)
        if number < 17:
            tag = digest(number).replace(":", "-") + ".sig"
            made.add(at + 20 * MINUTE, "push", actor=CI, client_ip="10.30.0.1", repository="shop/api", tag=tag)
        made.add(at + (10 if number >= 16 else 30) * MINUTE, "pull", actor="robot$node", client_ip="10.9.0.1", **what)
    assert found(made, tmp_path) == [("used_unsafe", "medium")]


@pytest.mark.parametrize(
    ("tag", "told"), [("main-0c0ffee", [("used_unsafe", "medium")]), ("pr-77", []), ("fix-77", [])]
)
def test_builds_of_requests_are_not_signed_and_those_of_main_always(
    tag: str, told: list[tuple[str, str]], tmp_path: Path
) -> None:
    made = Made()
    who = {"actor": CI, "client_ip": "10.30.0.1", "repository": "shop/api"}

    def built(at: datetime, number: int, tag: str, *, sign: bool) -> None:
        made.add(at, "push", tag=tag, digest=digest(number), **who)
        if sign:
            made.add(at + MINUTE, "push", tag=digest(number).replace(":", "-") + ".sig", **who)
        made.add(
            at + 9 * MINUTE, "pull", digest=digest(number), **who | {"actor": "robot$node", "client_ip": "10.9.0.1"}
        )

    for day in range(16):
        at = START + day * DAY
        built(at, 2 * day, f"main-{day + 10:07x}", sign=True)
        built(at + 60 * MINUTE, 2 * day + 1, f"pr-{day}", sign=False)
    built(AT, 100, tag, sign=False)
    assert found(made, tmp_path) == told


@pytest.mark.parametrize(
    ("traffic", "exceptions", "severity"),
    [("people", 1, "low"), ("people", 0, "medium"), ("cluster", 1, "medium"), (None, 1, "medium")],
)
def test_what_was_left_out_before_and_a_person_looks_at(
    traffic: str | None, exceptions: int, severity: str, tmp_path: Path
) -> None:
    """Of 36 images one was used unsigned, and nobody minded."""
    made = Made()
    for number in range(37):
        at = AT if number == 36 else START + timedelta(hours=10 * number)
        what = {"repository": "shop/api", "digest": digest(number)}
        made.add(at, "push", actor=CI, client_ip="10.30.0.1", tag=f"b{number}", **what)
        if number != 36 and number >= exceptions:
            tag = digest(number).replace(":", "-") + ".sig"
            made.add(at + MINUTE, "push", actor=CI, client_ip="10.30.0.1", repository="shop/api", tag=tag)
        who = {"actor": "ann", "traffic_class": traffic} if number == 36 else {"actor": "robot$node"}
        made.add(at + 9 * MINUTE, "pull", client_ip="10.9.0.1", **who, **what)
    assert found(made, tmp_path) == [("used_unsafe", severity)]
