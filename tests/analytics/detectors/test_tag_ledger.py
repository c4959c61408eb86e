"""Tags that move: which of it is told, how loudly, and what is only work."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.tag_ledger import TagLedger
from analytics.ledger import is_release
from analytics.replay import Replay

CI, CI_AT = "robot$shop+ci", "10.30.0.1"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOW = START + 20 * DAY


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def push(made: Made, at: object, tag: str, number: int | None, actor: str = CI, client: str = CI_AT) -> str:
    fields = {"digest": digest(number)} if number is not None else {}
    return made.add(at, "push", actor=actor, client_ip=client, repository="shop/api", tag=tag, reference=tag, **fields)  # type: ignore[arg-type]


def releases(named: bool = True) -> Made:
    """Two weeks of releases by the robot, each with `stable` behind it; with `named` the pushes say their digest."""
    made = Made()
    for day in range(14):
        at = START + day * DAY + 10 * HOUR
        push(made, at, f"1.{day}.0", day if named else None)
        push(made, at + timedelta(seconds=5), "stable", day if named else None)
        if not named:
            look(made, at + timedelta(minutes=1), f"1.{day}.0", day)
            look(made, at + timedelta(minutes=2), "stable", day)
    return made


def look(made: Made, at: object, tag: str, number: int) -> None:
    """A node asks for the tag, then fetches what it points to."""
    made.add(at, "check", client_ip="10.9.0.1", repository="shop/api", tag=tag, reference=tag)  # type: ignore[arg-type]
    made.add(at + timedelta(seconds=1), "pull", client_ip="10.9.0.1", repository="shop/api", digest=digest(number))  # type: ignore[operator]


def found(made: Made, folder: Path) -> list[Suspicion]:
    """What is found after the two weeks; the same live, minute by minute around it, and in a replay."""
    store = made.store(folder)
    since, now = START + 14 * DAY, NOW
    at_once = list(TagLedger().detect(Replay(store, START - 60 * DAY, now), since, now))
    live = TagLedger()
    steps = [one for n in range(24) for one in live.detect(store, since + n * HOUR * 6, since + (n + 1) * HOUR * 6)]
    store.close()
    assert [(one.cause, one.severity) for one in steps] == [(one.cause, one.severity) for one in at_once]
    return at_once


AT = START + 15 * DAY + 11 * HOUR


@pytest.mark.parametrize(
    ("actor", "client", "severity"),
    [(CI, CI_AT, "medium"), (CI, "203.0.113.9", "high"), ("mallory", "203.0.113.9", "high")],
)
def test_a_release_pushed_again(actor: str, client: str, severity: str, tmp_path: Path) -> None:
    """By a stranger, or from elsewhere, it weighs more; it is told with its push as evidence."""
    made = releases()
    id = push(made, AT, "1.3.0", 77, actor, client)
    (one,) = found(made, tmp_path)
    assert (one.kind, one.severity) == ("release_tag_overwritten", severity)
    assert one.subjects == {"actor": [actor], "client": [client], "repository": ["shop/api"]}
    assert one.evidence == [id]


def test_work_as_usual_is_silent(tmp_path: Path) -> None:
    """New releases, moving tags, a retry with the same image, a tag of another repository."""
    made = releases()
    push(made, AT, "1.15.0", 80)
    push(made, AT + timedelta(seconds=9), "1.15.0", 80)
    push(made, AT + timedelta(seconds=12), "stable", 80)
    push(made, AT + HOUR, "nightly-1.3.0", 5)
    assert found(made, tmp_path) == []


@pytest.mark.parametrize(
    ("later", "actor", "severity"),
    [
        (timedelta(minutes=20), CI, "low"),
        (9 * HOUR, CI, "low"),
        (9 * HOUR, "robot$shop+release", "low"),  # another of those who build here
        (9 * HOUR, "mallory", "high"),
        (DAY, CI, "medium"),  # nobody is still at it
    ],
)
def test_built_again_on_the_day_is_low(later: timedelta, actor: str, severity: str, tmp_path: Path) -> None:
    made = releases()
    for day in range(6):
        push(made, START + day * DAY + 12 * HOUR, f"2.{day}.0", 40 + day, "robot$shop+release")
    push(made, AT, "1.15.0", 80)
    push(made, AT + later, "1.15.0", 81, actor)
    assert [one.severity for one in found(made, tmp_path)] == [severity]


def test_back_from_the_dead(tmp_path: Path) -> None:
    """One step back by the robot is a rollback; many, to an image two weeks gone, or by a stranger, are more."""
    for name, number, actor, severity in (
        ("one step", 12, CI, "low"),
        ("long gone", 0, CI, "medium"),
        ("a stranger", 12, "mallory", "medium"),
    ):
        made = releases()
        push(made, AT, "stable", number, actor)
        (one,) = found(made, tmp_path / name)
        assert (one.kind, one.severity) == ("tag_rolled_back", severity), name


def test_a_night_of_trouble_ends_where_it_began(tmp_path: Path) -> None:
    """Somebody new there pushes two repairs and goes back to the last good image; going back over the robot's is another thing."""
    for name, first, severity in (("own", 90, "low"), ("the robot's", None, "medium")):
        made = releases()
        if first is not None:
            push(made, AT, "stable", first, "ann", "192.0.2.7")
        push(made, AT + timedelta(minutes=10), "stable", 91, "ann" if first else CI, "192.0.2.7" if first else CI_AT)
        push(made, AT + timedelta(minutes=30), "stable", 13, "ann", "192.0.2.7")
        assert [(one.kind, one.severity) for one in found(made, tmp_path / name)] == [("tag_rolled_back", severity)], (
            name
        )


def to_and_fro(made: Made, begin: datetime, nights: int) -> None:
    """The usual hands set the tag to another image by day, and back for the night."""
    for night in range(nights):
        push(made, begin + night * DAY, "stable", 900)
        push(made, begin + night * DAY + 9 * HOUR, "stable", 13)


def test_a_tag_that_goes_to_and_fro(tmp_path: Path) -> None:
    """Once and twice is a night of trouble; the third time within days it is done for somebody who looks."""
    for nights, told in ((1, ["low"]), (2, ["low", "low", "medium"])):
        made = releases()
        to_and_fro(made, AT, nights)
        assert [str(one.severity) for one in found(made, tmp_path / str(nights))] == told, nights


def test_a_tag_that_always_went_to_and_fro(tmp_path: Path) -> None:
    made = releases()
    to_and_fro(made, AT - 12 * DAY, 14)
    assert {str(one.severity) for one in found(made, tmp_path)} == {"low"}


def test_two_pipelines_that_set_a_busy_tag_back_now_and_then(tmp_path: Path) -> None:
    """Three steps back in four days are strange of a tag that seldom moves, and nothing of one that moves all day."""
    made = releases()
    for day in range(-4, 4):
        for build in range(12):
            push(made, AT + day * DAY + build * HOUR, "stable", 1000 + 12 * day + build)
    for day in (1, 2, 3):
        push(made, AT + day * DAY + HOUR / 2, "stable", 1000 + 12 * day - 1)
    assert [str(one.severity) for one in found(made, tmp_path)] == ["low"] * 3


def test_a_digest_that_only_the_next_client_shows(tmp_path: Path) -> None:
    """The log names no digest at the push: the first node that asks for the tag and fetches says it; the push is blamed."""
    made = releases(named=False)
    made_by = push(made, AT, "1.3.0", None, "mallory", "203.0.113.9")
    look(made, AT + HOUR, "1.3.0", 99)
    (one,) = found(made, tmp_path)
    assert (one.kind, one.severity) == ("release_tag_overwritten", "high")
    assert one.subjects["actor"] == ["mallory"]
    assert one.evidence[0] == made_by and len(one.evidence) == 3
    assert one.start == AT and one.end == AT + HOUR + timedelta(seconds=1)


def store_layer(made: Made, at: object, actor: str = CI, client: str = CI_AT, number: int = 7000) -> None:
    for method, status in (("POST", 202), ("PUT", 201)):
        made.add(
            at,  # type: ignore[arg-type]
            "layer_upload",
            actor=actor,
            client_ip=client,
            repository="shop/api",
            method=method,
            status=status,
            digest=digest(number) if method == "PUT" else None,
        )


def test_new_layers_say_that_a_version_is_another_image(tmp_path: Path) -> None:
    """The line of the push names no digest, and clusters ask by tag alone: a layer that was not there says enough. Nothing
    stored, stored for another push, or a number that is pushed for the first time say nothing.
    """
    for name, tag, since_layer, actor, expected in (
        ("again", "1.3.0", 2, CI, ["medium"]),
        ("a stranger", "1.3.0", 2, "mallory", ["high"]),
        ("nothing new", "1.3.0", None, CI, []),
        ("long before", "1.3.0", 3600, CI, []),
        ("first", "1.99.0", 2, CI, []),
        ("the same once more", "1.3.0", 2, "robot$again", []),
    ):
        made = Made()
        for day in range(14):
            push(made, START + day * DAY, f"1.{day}.0", None)
        if name == "the same once more":
            store_layer(made, START)
        if since_layer is not None:
            store_layer(made, AT - timedelta(seconds=since_layer), actor)
        id = push(made, AT, tag, None, actor)
        told = found(made, tmp_path / name)
        assert [one.severity for one in told] == expected, name
        assert all((one.kind, one.evidence) == ("release_tag_overwritten", [id]) for one in told)


def test_a_retry_and_a_part_of_an_index_move_nothing(tmp_path: Path) -> None:
    """Pushed again with the same image: the next client may fetch the same, or a part of it that was fetched before."""
    made = releases(named=False)
    part = START + 3 * DAY + 12 * HOUR
    made.add(part, "pull", client_ip="10.9.0.1", repository="shop/api", digest=digest(500))
    push(made, AT, "1.3.0", None)
    look(made, AT + HOUR, "1.3.0", 3)
    push(made, AT + 2 * HOUR, "1.4.0", None)
    look(made, AT + 3 * HOUR, "1.4.0", 500)
    assert found(made, tmp_path) == []


@pytest.mark.parametrize(
    ("tag", "fixed"),
    [
        ("v1.2.3", True),
        ("1.2.3-alpine", True),
        ("1.2", False),
        ("latest", False),
        ("1.2.3-SNAPSHOT", False),
        ("7", False),
    ],
)
def test_what_is_a_release(tag: str, fixed: bool) -> None:
    assert is_release(tag) is fixed


def test_who_had_taken_the_release_is_named_not_who_releases(tmp_path: Path) -> None:
    """The rightful job comes later and moves the tag; it is the stranger before it who has to explain."""
    made = releases()
    at = START + 15 * DAY
    push(made, at, "2.0.0", 77, "ann", "192.0.2.7")
    push(made, at + 5 * HOUR, "2.0.0", 78)
    (one,) = found(made, tmp_path)
    assert (one.kind, str(one.severity), one.subjects["actor"]) == ("release_tag_overwritten", "medium", ["ann"])
    assert (one.start, one.end, len(one.evidence)) == (at, at + 5 * HOUR, 2)
