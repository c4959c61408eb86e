"""Signatures that go, come in the place of others, or are put by strangers and for images that are not here."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made
from signed_builds import AT, CI, DAY, MINUTE, digest, found, usual

SIGNATURES = {number: digest(5_000 + number) for number in range(16)}


def signed_images(*, said: bool = True) -> Made:
    """Sixteen images, each with a signature whose own digest the log names, if it is `said`."""
    made = usual()
    for number, own in SIGNATURES.items():
        who = {"actor": "signer", "client_ip": "10.30.0.2", "repository": "shop/api"}
        at = START + number * DAY + timedelta(hours=10, minutes=2)
        made.add(at, "sign", tag=signature(number), digest=own if said else None, **who)
    return made


def signature(number: int) -> str:
    return digest(number).replace(":", "-") + ".sig"


def remove(made: Made, at: datetime, what: str, action: str = "delete", **fields: object) -> None:
    made.add(at, action, actor="eve", client_ip="192.0.2.9", repository="shop/api", digest=what, **fields)


@pytest.mark.parametrize(("many", "severity"), [(1, "medium"), (5, "high")])
def test_signatures_that_go_while_their_images_stay(many: int, severity: str, tmp_path: Path) -> None:
    made = signed_images()
    for number in range(many):
        remove(made, AT + number * MINUTE, SIGNATURES[number])
    assert found(made, tmp_path)[-1] == ("signature_removed", severity)


def test_a_signature_is_known_by_who_asked_for_it(tmp_path: Path) -> None:
    """Where the push of the signature names no digest, the client's question before the deletion does."""
    made = signed_images(said=False)
    made.add(AT, "check", actor="eve", client_ip="192.0.2.9", repository="shop/api", tag=signature(3))
    remove(made, AT + timedelta(seconds=1), SIGNATURES[3])
    remove(made, AT + MINUTE, digest(777))  # something else, of which nobody asked
    assert found(made, tmp_path) == [("signature_removed", "medium")]


def test_signatures_that_go_with_their_images_or_are_renewed_are_ordinary(tmp_path: Path) -> None:
    made = signed_images()
    remove(made, AT, SIGNATURES[0])
    remove(made, AT + 3 * MINUTE, digest(0))
    remove(made, AT, digest(1))
    remove(made, AT + 30 * MINUTE, SIGNATURES[1])  # what is left behind is cleared away
    remove(made, AT + 40 * MINUTE, SIGNATURES[2])
    who = {"actor": "signer", "client_ip": "10.30.0.2", "repository": "shop/api"}
    made.add(AT + 42 * MINUTE, "sign", tag=signature(2), digest=digest(6_002), **who)
    assert [one for one in found(made, tmp_path) if one[0] == "signature_removed"] == []


@pytest.mark.parametrize(("many", "severity"), [(1, "medium"), (10, "high")])
def test_what_a_stranger_attests_beside_images_of_others(many: int, severity: str, tmp_path: Path) -> None:
    made = usual()
    for number in range(many):
        who = {"actor": "eve", "client_ip": "192.0.2.9", "repository": "shop/api", "digest": digest(7_000 + number)}
        made.add(AT + number * MINUTE, "push", tag=digest(number).replace(":", "-") + ".att", **who)
    told = [one for one in found(made, tmp_path) if one[0] == "attached_by_stranger"]
    assert told[-1] == ("attached_by_stranger", severity)


def test_builders_and_who_attests_as_a_rule_are_no_strangers(tmp_path: Path) -> None:
    made = usual()
    for day in range(9, 17):
        for number, name in enumerate(("shop/api", "base/python", "tools/cli")):
            tag = digest(800 + 10 * day + number).replace(":", "-") + ".att"
            at = START + day * DAY + timedelta(hours=4)
            if name != "tools/cli" or day == 16:  # the last is new to it
                made.add(at, "push", actor="scanner", client_ip="10.60.0.1", repository=name, tag=tag)
    tag = digest(15).replace(":", "-") + ".sbom"
    made.add(AT, "push", actor=CI, client_ip="10.30.0.1", repository="shop/api", tag=tag)
    assert [one for one in found(made, tmp_path) if one[0] == "attached_by_stranger"] == []


def again(made: Made, at: datetime, number: int, own: int, **fields: object) -> None:
    """The signature of an image, put once more."""
    who = {"actor": "signer", "client_ip": "10.30.0.2", "repository": "shop/api", "digest": digest(own)} | fields
    made.add(at, "push", tag=signature(number), **who)


def replaced(made: Made, folder: Path) -> list[tuple[str, str]]:
    return [one for one in found(made, folder) if one[0] == "signature_replaced"]


@pytest.mark.parametrize(
    ("fields", "severity"),
    [({}, "medium"), ({"client_ip": "203.0.113.9"}, "high"), ({"actor": "eve"}, "high"), ({"digest": None}, "medium")],
)
def test_a_signature_in_the_place_of_another(fields: dict[str, object], severity: str, tmp_path: Path) -> None:
    made = signed_images()
    again(made, AT, 3, 6_003, **fields)
    assert replaced(made, tmp_path) == [("signature_replaced", severity)]


def test_signed_again_for_a_reason_or_just_the_same_is_ordinary(tmp_path: Path) -> None:
    """A copy of the same signature, the same image built and pushed once more, one that was released just now."""
    made = signed_images()
    again(made, AT, 3, 5_003)
    made.add(AT, "push", actor=CI, client_ip="10.30.0.1", repository="shop/api", tag="latest", digest=digest(4))
    again(made, AT + MINUTE, 4, 6_004)
    made.add(AT, "tag", actor=CI, client_ip="10.30.0.1", repository="shop/api", tag="stable", digest=digest(5))
    again(made, AT + MINUTE, 5, 6_005)
    # As access lines tell of it: what was pushed is not said, but it was, seconds before.
    made.add(AT + 60 * MINUTE, "push", actor=CI, client_ip="10.30.0.1", repository="shop/api", tag="latest")
    again(made, AT + 61 * MINUTE, 7, 6_007)
    made.add(
        AT,
        "push",
        actor="signer",
        repository="shop/api",
        tag=signature(6).replace(".sig", ".att"),
        digest=digest(6_006),
    )
    assert replaced(made, tmp_path) == []


def test_where_signatures_come_twice_as_a_rule_one_more_is_quiet(tmp_path: Path) -> None:
    made = signed_images()
    for day in (9, 12):
        again(made, START + day * DAY, day - 3, 6_000 + day)
    again(made, AT, 3, 6_003)
    assert replaced(made, tmp_path) == [("signature_replaced", "low")]


def test_in_the_first_week_of_a_store_no_signature_is_unusual(tmp_path: Path) -> None:
    made = Made()
    for number in range(10):
        again(made, AT - 6 * DAY + number * MINUTE, number, 5_000 + number)
    again(made, AT, 3, 6_003)
    assert replaced(made, tmp_path) == []


def sign(made: Made, at: datetime, number: int) -> None:
    tag = digest(number).replace(":", "-") + ".sig"
    made.add(at, "push", repository="shop/api", tag=tag, actor="robot$signer", client_ip="10.30.0.9")


def of_unknown(told: list[tuple[str, str]]) -> list[str]:
    return [severity for kind, severity in told if kind == "signature_without_image"]


@pytest.mark.parametrize(("many", "severities"), [(1, ["low"]), (10, ["low", *["medium"] * 8, "high"])])
def test_a_signature_for_an_image_that_is_not_here(many: int, severities: list[str], tmp_path: Path) -> None:
    made = usual()
    for number in range(many):
        sign(made, AT + number * MINUTE, 700 + number)
    assert of_unknown(found(made, tmp_path)) == severities


@pytest.mark.parametrize("action", ["pull", "push", "scan"])
def test_a_signature_for_an_image_that_somebody_looked_at(action: str, tmp_path: Path) -> None:
    """Older than the log perhaps; whoever signs it has it resolved."""
    made = usual()
    made.add(
        AT - MINUTE, action, repository="shop/api", digest=digest(700), actor="robot$signer", client_ip="10.30.0.9"
    )
    sign(made, AT, 700)
    assert of_unknown(found(made, tmp_path)) == []


def test_where_images_come_after_their_signatures_that_is_the_custom(tmp_path: Path) -> None:
    made = usual()
    for day in (12, 14):
        sign(made, START + day * DAY + timedelta(hours=12), 800 + day)
    sign(made, AT, 700)
    assert of_unknown(found(made, tmp_path)) == []


def test_a_push_that_names_no_image_may_have_been_of_the_signed_one(tmp_path: Path) -> None:
    """As Distribution 2.8 logs pushes; the images before are known by their pulls."""
    made = usual()
    made.add(AT - MINUTE, "push", repository="shop/api", tag="main", actor=CI, client_ip="10.30.0.1")
    sign(made, AT, 700)
    assert of_unknown(found(made, tmp_path)) == []


def test_where_pushes_do_not_say_their_digest_nothing_is_unknown(tmp_path: Path) -> None:
    made = usual()
    made.events = [event | {"digest": None} if event["action"] == "push" else event for event in made.events]  # type: ignore[misc]
    sign(made, AT, 700)
    assert of_unknown(found(made, tmp_path)) == []
