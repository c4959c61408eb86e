"""What an account never did, and tools it never had."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.first_times import FirstTimes

NOW = START + timedelta(days=12, hours=10)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ROBOT = {"actor": "robot$ci", "actor_kind": "robot", "client_ip": "10.30.0.1", "client_class": "kaniko"}
ANN = {"actor": "ann", "actor_kind": "human", "client_ip": "192.0.2.1", "client_class": "docker"}


def usual(days: int = 12) -> Made:
    """A robot that pushes with kaniko, and people who pull with docker, each day at nine. Somebody owns a script with curl."""
    made = Made()
    for day in range(12 - days, 12):
        at = START + timedelta(days=day, hours=9)
        made.add(at, "push", repository="shop/app", **ROBOT)
        for number, name in enumerate(("ann", "ben", "cai", "dan")):
            made.add(at + number * MINUTE, "pull", repository="shop/app", **ANN | {"actor": name})
        made.add(at, "list_tags", repository="shop/app", **ANN | {"actor": "eve", "client_class": "curl"})
    return made


def judged(made: Made, folder: Path, since: datetime = NOW, until: datetime = NOW + HOUR) -> list[Suspicion]:
    store = made.store(folder)
    try:
        return list(FirstTimes().detect(store, since, until))
    finally:
        store.close()


def severities(found: list[Suspicion]) -> list[str]:
    return [str(one.severity) for one in found]


@pytest.mark.parametrize(
    ("who", "action", "tool", "told"),
    [
        (ROBOT, "delete", "kaniko", ["medium"]),  # a machine that never deleted
        (ROBOT, "permission", "kaniko", ["medium"]),
        (ROBOT, "pull", "kaniko", ["low"]),  # a new step of the build
        (ROBOT, "pull", "curl", ["medium"]),  # new work with a new tool
        (ROBOT, "push", "curl", ["low"]),  # others use it
        (ROBOT, "push", "python", ["medium"]),  # nobody does
        (ROBOT, "push", "kaniko", []),
        (ANN, "push", "docker", []),  # people learn
        (ANN, "delete", "docker", ["low"]),
        (ANN, "pull", "curl", ["low"]),
        (ANN, "pull", "python", ["low"]),
        (ANN, "push", "curl", ["medium"]),
    ],
)
def test_new_work_and_new_tools(who: dict[str, str], action: str, tool: str, told: list[str], tmp_path: Path) -> None:
    made = usual()
    event = made.add(NOW, action, repository="shop/app", **who | {"client_class": tool})
    found = judged(made, tmp_path)
    assert severities(found) == told
    for one in found:
        assert one.evidence == [event] and one.start == NOW
        assert (one.subjects["actor"], one.subjects["client"]) == ([who["actor"]], [who["client_ip"]])


def test_a_day_is_one_finding_that_grows(tmp_path: Path) -> None:
    """The tool comes first; half an hour later it is used for something new."""
    made = usual()
    first = made.add(NOW, "pull", repository="shop/app", **ANN | {"client_class": "curl"})
    second = made.add(NOW + 30 * MINUTE, "delete", repository="shop/app", **ANN | {"client_class": "curl"})
    early = judged(made, tmp_path / "early", until=NOW + 20 * MINUTE)
    late = judged(made, tmp_path / "late", since=NOW + 20 * MINUTE)
    assert severities(early) == ["low"] and severities(late) == ["medium"]
    assert early[0].cause == late[0].cause and early[0].evidence == [first] and late[0].evidence == [first, second]


@pytest.mark.parametrize(
    ("tool", "where", "told"),
    [
        ("curl", ("x/one", "x/two", "x/three"), ["medium"]),  # a new tool where the account never was
        ("curl", ("x/one", "x/two"), ["low"]),
        ("curl", ("shop/app", "shop/web", "shop/pay", "shop/api", "x/one", "x/two", "x/three"), ["low"]),
        ("docker", ("x/one", "x/two", "x/three"), []),  # the usual tool
    ],
)
def test_a_new_tool_on_new_ground(tool: str, where: tuple[str, ...], told: list[str], tmp_path: Path) -> None:
    """Whoever changes the tool goes on with the same images."""
    made = usual()
    for number, name in enumerate(("shop/web", "shop/pay", "shop/api")):
        made.add(START + timedelta(days=9, minutes=number), "pull", repository=name, **ANN)
    for number, name in enumerate(where):
        made.add(NOW + number * MINUTE, "pull", repository=name, **ANN | {"client_class": tool})
    assert severities(judged(made, tmp_path)) == told


@pytest.mark.parametrize(
    ("people", "action", "many", "told"),
    [
        (3, "list_tags", 1, "low"),  # a first look, as others took it
        (2, "list_tags", 1, "medium"),
        (3, "delete", 1, "medium"),
        (3, "pull", 4, "low"),
        (3, "pull", 5, "medium"),  # far more than a look
        (2, "pull", 3, "medium"),
    ],
)
def test_a_tool_that_several_people_use(people: int, action: str, many: int, told: str, tmp_path: Path) -> None:
    """Sooner or later another person takes it up; that is no sign by itself."""
    made = usual()
    for number, name in enumerate(("ben", "cai", "dan")[: people - 1]):  # and eve
        made.add(START + timedelta(days=5 + number), "list_tags", repository="shop/app", **ANN | _curl(name))
    for number in range(many):
        made.add(NOW + number * MINUTE, action, repository=f"x/{number}", **ANN | _curl("ann"))
    assert severities(judged(made, tmp_path)) == [told]


@pytest.mark.parametrize(("action", "told"), [("check", "low"), ("pull", "medium")])
def test_who_looks_at_the_registrys_pages(action: str, told: str, tmp_path: Path) -> None:
    """A browser asks what there is in five repositories that are new to the account; that it pulls is another matter."""
    made = usual()
    for number in range(5):
        made.add(NOW + number * MINUTE, action, repository=f"x/{number}", **ANN | {"client_class": "browser"})
    assert severities(judged(made, tmp_path)) == [told]


def _curl(name: str) -> dict[str, str]:
    return {"actor": name, "client_class": "curl"}


@pytest.mark.parametrize(
    ("action", "where", "told"),
    [
        ("push", ("x/one", "x/two", "x/three"), ["medium"]),  # nobody learns to push in what belongs to others
        ("push", ("x/one", "x/two"), []),
        ("push", ("shop/app", "shop/web", "shop/pay"), []),
        ("layer_check", ("x/one", "x/two", "x/three"), ["medium"]),
        ("list_tags", ("x/one", "x/two", "x/three"), []),  # people look around
        ("delete", ("x/one", "x/two", "x/three"), ["low"]),  # who tidies up does so for others
    ],
)
def test_new_work_on_new_ground(action: str, where: tuple[str, ...], told: list[str], tmp_path: Path) -> None:
    made = usual()
    for number, name in enumerate(("shop/web", "shop/pay")):
        made.add(START + timedelta(days=9, minutes=number), "pull", repository=name, **ANN)
    for number, name in enumerate(where):
        made.add(NOW + number * MINUTE, action, repository=name, **ANN)
    assert severities(judged(made, tmp_path)) == told


@pytest.mark.parametrize(
    ("client", "told"),
    [
        ("10.30.0.1", ["medium"]),  # where the robot builds
        ("10.30.0.2", ["low"]),  # an address of nobody
        ("192.0.2.1", ["low"]),  # at home
    ],
)
def test_a_person_with_a_new_tool_where_machines_work(client: str, told: list[str], tmp_path: Path) -> None:
    made = usual()
    made.add(NOW, "pull", repository="shop/app", **ANN | {"client_class": "kaniko", "client_ip": client})
    found = judged(made, tmp_path)
    assert severities(found) == told
    assert [f"at {client}" in one.observed for one in found] == [told == ["medium"]]


def test_an_address_that_people_use_too_is_no_runner(tmp_path: Path) -> None:
    made = usual()
    made.add(
        NOW - timedelta(days=2),
        "pull",
        repository="shop/app",
        **ANN | {"actor": "ben", "client_ip": ROBOT["client_ip"]},
    )
    made.add(NOW, "pull", repository="shop/app", **ANN | {"client_class": "kaniko", "client_ip": ROBOT["client_ip"]})
    assert severities(judged(made, tmp_path)) == ["low"]


def test_what_three_begin_on_one_day_is_a_course(tmp_path: Path) -> None:
    made = usual()
    for number, name in enumerate(("ann", "ben", "cai")):
        made.add(NOW + number * MINUTE, "push", repository="shop/app", **ANN | {"actor": name, "client_class": "curl"})
    found = judged(made, tmp_path)
    assert severities(found) == ["low", "low", "low"] and "course" in found[0].explanation


def test_yesterdays_news_is_usual_today(tmp_path: Path) -> None:
    made = usual()
    for at in (NOW - timedelta(days=1), NOW):
        made.add(at, "delete", repository="shop/app", **ROBOT)
    assert judged(made, tmp_path) == []


def test_who_is_not_known_well_is_not_judged(tmp_path: Path) -> None:
    """A registry of six days, a newcomer, somebody without a name, and what was refused."""
    made = usual(days=6)
    made.add(NOW, "delete", repository="shop/app", **ROBOT)
    assert judged(made, tmp_path / "young") == []
    made = usual()
    new = ROBOT | {"actor": "robot$new"}
    for day in range(6):
        made.add(START + timedelta(days=6 + day, hours=9), "push", repository="shop/app", **new)
    made.add(NOW, "delete", repository="shop/app", **new)
    made.add(NOW, "delete", repository="shop/app", **ROBOT | {"actor": None, "actor_kind": "anonymous"})
    made.add(NOW, "delete", "denied", reason="forbidden", repository="shop/app", **ROBOT)
    assert judged(made, tmp_path / "others") == []


@pytest.mark.parametrize(("hours", "told"), [(4, ["low"]), (14, ["low"]), (24, ["medium"])])
def test_a_person_is_seen_at_all_hours_of_some_days_a_machine_on_each(
    hours: int, told: list[str], tmp_path: Path
) -> None:
    """Each day the work begins at another hour, so that over the days there is none that is left out."""
    made = usual()
    late = ANN | {"actor": "lea"}
    for day in range(12):
        for hour in range(hours):
            made.add(START + timedelta(days=day, hours=(5 * day + hour) % 24), "pull", repository="shop/app", **late)
    made.add(NOW + 45 * MINUTE, "delete", repository="shop/app", **late)
    assert severities(judged(made, tmp_path)) == told


def test_who_has_a_machines_tool_alone_is_a_machine(tmp_path: Path) -> None:
    made = usual()
    scanner = ANN | {"actor": "checks", "client_class": "trivy"}
    for day in range(12):
        made.add(START + timedelta(days=day, hours=2), "pull", repository="shop/app", **scanner)
    made.add(NOW, "delete", repository="shop/app", **scanner)
    assert severities(judged(made, tmp_path)) == ["medium"]


def test_a_log_without_tools_tells_of_work_alone(tmp_path: Path) -> None:
    made = usual()
    for event in made.events:
        event["client_class"] = event["client_ip"] = None
    made.add(NOW, "delete", repository="shop/app", **ROBOT | {"client_class": None, "client_ip": None})
    found = judged(made, tmp_path)
    assert severities(found) == ["medium"] and found[0].subjects["client"] == []
