"""Who is at home where, who only moved, and whose token is in other hands."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.new_place import NewPlace

NOW = START + timedelta(days=12, hours=10)
MINUTE = timedelta(minutes=1)


def at_work(made: Made, actor: str, clients: list[str], kind: str | None = None, tool: str = "docker") -> None:
    """Ten days of an account, five pulls a day from addresses in turn."""
    for day in range(12):
        for number in range(5):
            client = clients[(day + number) % len(clients)]
            pull(made, START + timedelta(days=day, hours=8 + number), actor, client, kind, tool)


def pull(
    made: Made,
    at: datetime,
    actor: str,
    client: str,
    kind: str | None = None,
    tool: str = "docker",
    name: str = "shop/api",
) -> None:
    made.add(at, "pull", actor=actor, actor_kind=kind, client_ip=client, client_class=tool, repository=name)


def judged(made: Made, folder: Path) -> list[Suspicion]:
    store = made.store(folder)
    try:
        return list(NewPlace().detect(store, NOW, NOW + timedelta(hours=1)))
    finally:
        store.close()


def test_a_machine_elsewhere_is_told_and_louder_with_another_tool(tmp_path: Path) -> None:
    made = Made()
    at_work(made, "robot$ci", ["10.30.0.1", "10.30.0.2"], "robot", "kaniko")
    at_work(made, "robot$other", ["10.30.0.9"], "robot", "kaniko")
    pull(made, NOW + 2 * MINUTE, "robot$ci", "198.51.100.7", "robot", "curl")
    pull(made, NOW + 3 * MINUTE, "robot$other", "10.77.0.4", "robot", "kaniko")
    pull(made, NOW + 4 * MINUTE, "robot$other", "10.30.0.77", "robot", "kaniko")  # its own network
    found = {
        one.subjects["actor"][0]: (one.kind, str(one.severity), one.subjects["client"])
        for one in judged(made, tmp_path)
    }
    assert found == {
        "robot$ci": ("account_elsewhere", "high", ["198.51.100.7"]),
        "robot$other": ("account_elsewhere", "medium", ["10.77.0.4"]),
    }


def test_a_pool_more_nodes_and_a_move_of_all_are_ordinary(tmp_path: Path) -> None:
    made = Made()
    at_work(made, "robot$pool", [f"10.30.{n}.1" for n in range(4)], "robot")
    pull(made, NOW, "robot$pool", "10.30.200.1", "robot")
    at_work(made, "k8s", ["10.40.0.1"], "node", "containerd")
    for number in range(3):
        pull(made, NOW + number * MINUTE, "k8s", f"10.41.0.{number + 1}", "node", "containerd")
    for number in range(3):
        at_work(made, f"robot$move-{number}", [f"10.5{number}.0.1"], "robot")
        pull(made, NOW + MINUTE, f"robot$move-{number}", "10.0.0.8", "robot")
    assert judged(made, tmp_path) == []


def test_one_of_many_places_gets_another_address(tmp_path: Path) -> None:
    """An edge site whose old address is silent since: low. Not where all go on, nor with other work, nor for who has one site."""
    sites = ["84.57.1.9", "77.22.1.9", "81.170.1.9"]
    for name, goes_on, at_home, work, severity in (
        ("another address", sites[:2], sites, "shop/api", "low"),
        ("all go on", sites, sites, "shop/api", "medium"),
        ("other work", sites[:2], sites, "pay/api", "medium"),
        ("one site", [], sites[:1], "shop/api", "medium"),
    ):
        made = Made()
        at_work(made, "edge", at_home, "node", "containerd")
        pull(made, NOW + MINUTE, "edge", "213.112.4.9", "node", "containerd", work)
        for number, client in enumerate(goes_on):
            pull(made, NOW + (2 + number) * MINUTE, "edge", client, "node", "containerd")
        assert [str(one.severity) for one in judged(made, tmp_path / name)] == [severity], name


def test_a_person_travels_but_is_not_in_two_places(tmp_path: Path) -> None:
    made = Made()
    for name in ("ann", "ben"):
        at_work(made, name, ["192.0.2.1"])
    pull(made, NOW, "ben", "203.0.113.5")
    for number in range(4):
        pull(made, NOW + 5 * number * MINUTE, "ann", "198.51.100.7" if number % 2 else "192.0.2.1")
    (one,) = judged(made, tmp_path)
    assert one.subjects["actor"] == ["ann"] and str(one.severity) == "medium"


def test_another_network_of_the_house_is_the_usual_place(tmp_path: Path) -> None:
    """An office has several networks: a person there, today in one that is new to them, and abroad in turns."""
    told = {}
    for other in ("198.51.100.9", "10.20.9.1"):
        made = Made()
        at_work(made, "ann", ["10.20.0.5"], "human")
        at_work(made, "bob", ["10.20.3.5"], "human")
        for number in range(4):
            pull(made, NOW + 8 * number * MINUTE, "ann", "10.20.3.7" if number % 2 else other, "human")
        told[other] = [(one.kind, str(one.severity)) for one in judged(made, tmp_path / other)]
    assert told == {"198.51.100.9": [("account_elsewhere", "medium")], "10.20.9.1": []}


def test_an_office_that_moves_is_known_by_all_who_come(tmp_path: Path) -> None:
    """Whoever asks for what is not there is there too; and a place of many colleagues is nobody else's."""
    for name, day, outcome in (("today", 12, "failure"), ("before", 10, "success")):
        made = Made()
        for who in ("ann", "ben", "eve", "kim"):
            at_work(made, who, ["192.0.2.1"])
        for who in ("ben", "eve", "kim"):
            at = START + timedelta(days=day, hours=8)
            made.add(
                at, "pull", outcome, actor=who, client_ip="198.51.100.7", client_class="docker", repository="shop/x"
            )
        for number in range(6):
            pull(made, NOW + 5 * number * MINUTE, "ann", "198.51.100.7" if number % 2 else "192.0.2.1")
        assert judged(made, tmp_path / name) == [], name


def test_a_second_place_of_a_person_is_no_roaming(tmp_path: Path) -> None:
    """Home and office, the one used later than the other: turns with a third are told all the same, by what was done there."""
    made = Made()
    for day in range(12):
        client = "192.0.2.1" if day != 5 else "203.0.113.20"
        for hour in (8, 9):
            pull(made, START + timedelta(days=day, hours=hour), "ann", client)
    expected = []
    for number in range(5):
        at, client = NOW - 90 * MINUTE + 30 * number * MINUTE, "198.51.100.7" if number % 2 else "192.0.2.1"
        made.login(at, "ann", client)
        expected.append(f"e-{len(made.events)}")
        pull(made, at + MINUTE, "ann", client)
        made.add(at + MINUTE, "layer_download", actor="ann", client_ip=client, repository="shop/api")
    (one,) = judged(made, tmp_path)
    assert (one.kind, one.subjects["actor"]) == ("account_elsewhere", ["ann"])
    assert one.evidence == expected


def test_a_newcomer_from_nowhere_in_many_projects(tmp_path: Path) -> None:
    """One in a single project, and one from a known network, are new colleagues and tools."""
    made = Made()
    for number, project in enumerate(("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")):
        for day in range(12):
            pull(
                made,
                START + timedelta(days=day, hours=9),
                f"robot$r-{number}",
                "192.0.2.9",
                "robot",
                name=f"{project}/x",
            )
    for project in ("a", "b", "c"):
        pull(made, NOW, "robot$sync", "203.0.113.9", "robot", "curl", f"{project}/x")
        pull(made, NOW, "robot$audit", "192.0.2.77", "robot", "grype", f"{project}/x")
    pull(made, NOW, "new.colleague", "198.51.100.1", name="a/x")
    (one,) = judged(made, tmp_path)
    assert (one.kind, one.subjects["actor"]) == ("unknown_account_reaches", ["robot$sync"])
    assert len(one.evidence) == 3


def test_a_name_like_a_persons_that_never_sleeps_is_a_machines(tmp_path: Path) -> None:
    """Whoever works at all hours of the day is judged as a machine: one pull from elsewhere is told."""
    for name, step in (("machine", 1), ("person", 3)):
        made = Made()
        for hour in range(0, 12 * 24, 7):  # a few times a day, at another hour each day
            at = START + timedelta(hours=hour)
            if at.hour % step == 0:
                pull(made, at, "builder", "10.30.0.1")
        pull(made, NOW, "builder", "10.78.0.1")
        told = [(one.subjects["actor"], str(one.severity)) for one in judged(made, tmp_path / name)]
        assert told == ([(["builder"], "medium")] if step == 1 else []), name


def test_to_and_fro_of_somebody_who_comes_seldom(tmp_path: Path) -> None:
    """Two days are known of them: a journey is no news, going to and fro within minutes is; nor are the two addresses of one
    machine two places.
    """
    for name, other, turns, expected in (
        ("to and fro", "198.51.100.7", 5, 1),
        ("once", "198.51.100.7", 2, 0),
        ("both sorts", "2001:db8::7", 5, 0),
    ):
        made = Made()
        for day in (0, 4):
            pull(made, START + timedelta(days=day, hours=9), "ann", "192.0.2.1")
        for number in range(turns):
            pull(made, NOW + 5 * number * MINUTE, "ann", other if number % 2 else "192.0.2.1")
        told = {(one.kind, *one.subjects["client"]) for one in judged(made, tmp_path / name)}
        assert told == ({("account_elsewhere", other)} if expected else set()), name


def test_the_first_push_of_a_person_comes_from_an_unknown_place(tmp_path: Path) -> None:
    """To a project of others; in one's own, or by somebody who pushes, it is a journey."""
    for name, repository, pushes, expected in (
        ("others", "web/site", False, [["ann"]]),
        ("own", "shop/web", False, []),
        ("usual", "web/site", True, []),
    ):
        made = Made()
        at_work(made, "ann", ["192.0.2.1"])
        if pushes:
            made.add(START + timedelta(days=2), "push", actor="ann", client_ip="192.0.2.1", repository="shop/api")
        made.add(
            NOW,
            "push",
            actor="ann",
            client_ip="198.51.100.7",
            client_class="docker",
            repository=repository,
            tag="latest",
        )
        assert [one.subjects["actor"] for one in judged(made, tmp_path / name)] == expected, name


def colleagues() -> Made:
    made = Made()
    for number, name in enumerate(("ann", "bob", "cleo", "dora")):
        at_work(made, name, [f"198.51.{number}.7"], "human")
    return made


def test_an_account_at_the_homes_of_three_colleagues_goes_round(tmp_path: Path) -> None:
    made = colleagues()
    for number in (1, 2, 3):
        pull(made, NOW + 9 * number * MINUTE, "ann", f"198.51.{number}.7", "human")
    told = [one for one in judged(made, tmp_path) if one.kind == "account_shared"]
    assert [(str(one.severity), one.subjects["actor"], len(one.evidence)) for one in told][-1:] == [
        ("medium", ["ann"], 3)
    ]
    assert "bob" in told[-1].observed


def test_a_journey_with_the_own_tool_is_no_round(tmp_path: Path) -> None:
    made = colleagues()
    for number in (1, 2, 3):
        pull(made, NOW + 9 * number * MINUTE, "ann", f"203.0.{number}.7", "human")  # nobody's: a train, a hotel
    for number in (1, 2):
        pull(made, NOW + 9 * number * MINUTE, "bob", f"198.51.{2 * number - 2}.7", "human")
    assert [one for one in judged(made, tmp_path) if one.kind == "account_shared"] == []


def test_strange_tools_at_places_of_nobody_are_other_people(tmp_path: Path) -> None:
    made = colleagues()
    for number, tool in enumerate(("podman", "buildah", "podman")):
        pull(made, NOW + 9 * number * MINUTE, "ann", f"203.0.{number}.7", "human", tool)
    assert "account_shared" in {one.kind for one in judged(made, tmp_path)}


def machines(*, go_on: bool, person: bool = False) -> Made:
    """Three robots of three projects, and what they do at one address where none of them ever was."""
    made = Made()
    for number in range(3):
        for day in range(12):
            for hour in range(8, 13):
                at = START + timedelta(days=day, hours=hour, minutes=number)
                pull(made, at, f"robot${number}", f"10.3{number}.0.1", "robot", "kaniko", f"p{number}/api")
    for number in range(2):
        at = NOW + 5 * number * MINUTE
        pull(made, at, f"robot${number}", "203.0.113.5", "robot", "kaniko", f"p{number}/api")
        if go_on:
            pull(made, at + 20 * MINUTE, f"robot${number}", f"10.3{number}.0.1", "robot", "kaniko", f"p{number}/api")
    if person:
        pull(made, NOW + 7 * MINUTE, "ann", "203.0.113.5", "human")
    return made


def test_tokens_of_several_projects_at_one_place_while_their_robots_go_on(tmp_path: Path) -> None:
    told = [one for one in judged(machines(go_on=True), tmp_path) if one.kind == "accounts_gathered"]
    assert [(str(one.severity), one.subjects["actor"], one.subjects["client"]) for one in told][-1:] == [
        ("medium", ["robot$0", "robot$1"], ["203.0.113.5"])
    ]


def test_robots_that_moved_and_a_gateway_are_no_gathering(tmp_path: Path) -> None:
    for name, made in (("moved", machines(go_on=False)), ("gateway", machines(go_on=True, person=True))):
        assert [one for one in judged(made, tmp_path / name) if one.kind == "accounts_gathered"] == []
