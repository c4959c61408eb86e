"""Whose push is a stranger's, and when it matters."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.unusual_hands import UnusualHands

NOW = START + timedelta(days=12, hours=10)
MINUTE = timedelta(minutes=1)


def push(made: Made, at: datetime, actor: str, repository: str, tag: str = "latest", image: str = "") -> None:
    digest = f"sha256:{image or f'{at:%d%H%M}':0>64}"
    made.add(
        at, "push", actor=actor, client_ip="192.0.2.1", repository=repository, tag=tag, reference=tag, digest=digest
    )


def pull(made: Made, at: datetime, actor: str, repository: str, image: str = "", tag: str = "latest") -> None:
    digest = f"sha256:{image:0>64}"
    made.add(
        at, "pull", actor=actor, client_ip="10.40.0.1", repository=repository, tag=tag, reference=tag, digest=digest
    )


def history() -> Made:
    """A build that pushes every day, a cluster that runs six repositories of twelve, a person who works in one project."""
    made = Made()
    for day in range(12):
        at = START + timedelta(days=day, hours=9)
        for number in range(12):
            name = f"p{number % 4}/r{number}"
            push(made, at + number * MINUTE, "robot$ci", name)
            if number < 6:
                pull(made, at + (number + 20) * MINUTE, "robot$cluster", name)
        for _ in range(3):
            pull(made, at + 40 * MINUTE, "ann", "p0/r0")
    return made


def judged(made: Made, folder: Path) -> list[tuple[str, str, list[str], list[str]]]:
    store = made.store(folder)
    try:
        found: list[Suspicion] = list(UnusualHands().detect(store, NOW, NOW + timedelta(hours=2)))
    finally:
        store.close()
    return [(one.kind, str(one.severity), one.subjects["actor"], one.subjects["repository"]) for one in found]


def test_a_strangers_image_that_runs(tmp_path: Path) -> None:
    made = history()
    push(made, NOW, "ann", "p1/r1", image="bad")
    pull(made, NOW + MINUTE, "robot$cluster", "p1/r1", "bad")
    assert judged(made, tmp_path) == [("stranger_push_used", "high", ["ann"], ["p1/r1"])]


def test_a_strangers_image_that_builds_take_up(tmp_path: Path) -> None:
    """Who never used the repository counts if it makes images, and the tag had been there; once, and more if its users follow."""
    made = history()
    for day in range(12):
        for robot in ("robot$other", "robot$more"):
            push(made, START + timedelta(days=day, hours=11), robot, "p3/own")
    push(made, NOW, "ann", "p1/r1", tag="new", image="odd")
    pull(made, NOW + MINUTE, "robot$more", "p1/r1", "odd", tag="new")
    assert judged(made, tmp_path / "a") == []
    push(made, NOW + 2 * MINUTE, "ann", "p1/r1", image="bad")
    pull(made, NOW + 3 * MINUTE, "bob", "p1/r1", "bad")
    for minute in (4, 5):
        pull(made, NOW + minute * MINUTE, "robot$other", "p1/r1", "bad")
    assert [one[:3] for one in judged(made, tmp_path / "b")] == [("stranger_push_used", "medium", ["ann"])]
    pull(made, NOW + 6 * MINUTE, "robot$cluster", "p1/r1", "bad")
    assert [one[1] for one in judged(made, tmp_path / "c")] == ["medium", "high"]


def test_in_ones_own_project_and_unused_it_is_nothing(tmp_path: Path) -> None:
    made = history()
    push(made, NOW, "ann", "p0/r4", image="fix")
    pull(made, NOW + MINUTE, "robot$cluster", "p0/r4", "fix")
    push(made, NOW, "ann", "p1/r1", image="bad")
    pull(made, NOW + MINUTE, "robot$cluster", "p1/r1", "the one before")
    assert judged(made, tmp_path) == []


def test_a_repository_made_by_hand_that_runs(tmp_path: Path) -> None:
    made = history()
    push(made, NOW, "ann", "p0/helper", image="m")
    pull(made, NOW + MINUTE, "ann", "p0/helper", "m")
    push(made, NOW, "robot$ci", "p0/service", image="s")
    pull(made, NOW + MINUTE, "robot$cluster", "p0/service", "s")
    assert judged(made, tmp_path / "a") == []
    pull(made, NOW + 2 * MINUTE, "robot$cluster", "p0/helper", "m")
    assert judged(made, tmp_path / "b") == [("hand_made_image_runs", "medium", ["ann"], ["p0/helper"])]


def test_many_by_one_account_are_no_custom(tmp_path: Path) -> None:
    """Somebody who makes many repositories at once does not make it usual; three accounts who did so before do."""
    for name, makers, severity in (("one", ["eve"] * 3, "medium"), ("many", ["bea", "cem", "dan"], "low")):
        made = history()
        for number, maker in enumerate([*makers, "ann"]):
            at, image = NOW + 5 * number * MINUTE, f"{number + 1}"
            push(made, at, maker, f"p0/tool{number}", image=image)
            pull(made, at + MINUTE, "robot$cluster", f"p0/tool{number}", image)
        assert judged(made, tmp_path / name)[-1][1:3] == (severity, ["ann"]), name


def test_a_robot_that_was_renewed(tmp_path: Path) -> None:
    """The same name up to its number, and the old one silent since: low. While the old one goes on it is somebody else."""
    for name, old_goes_on, severity in (("renewed", False, "low"), ("beside it", True, "high")):
        made = history()
        push(made, NOW, "robot$ci-2", "p1/r1", image="new")
        if old_goes_on:
            push(made, NOW + MINUTE, "robot$ci", "p2/r2")
        pull(made, NOW + 2 * MINUTE, "robot$cluster", "p1/r1", "new")
        assert judged(made, tmp_path / name) == [("stranger_push_used", severity, ["robot$ci-2"], ["p1/r1"])], name


def test_a_robot_that_took_over(tmp_path: Path) -> None:
    """Another name, pushes on two days, and the old one silent since: low. On its first day, or beside the old one: not."""
    yesterday = START + timedelta(days=11, hours=15)
    for name, began, old_goes_on, severity in (
        ("took over", yesterday, False, "low"),
        ("first day", NOW - MINUTE, False, "high"),
        ("beside it", yesterday, True, "high"),
    ):
        made = history()
        push(made, began, "robot$runner", "p1/r9", image="x")
        if old_goes_on:
            push(made, NOW, "robot$ci", "p2/r2")
        push(made, NOW + MINUTE, "robot$runner", "p1/r1", image="new")
        pull(made, NOW + 2 * MINUTE, "robot$cluster", "p1/r1", "new")
        found = [one for one in judged(made, tmp_path / name) if one[3] == ["p1/r1"]]
        assert found == [("stranger_push_used", severity, ["robot$runner"], ["p1/r1"])], name


def seldom_pushed(digests: bool = True, project: str = "p1", asked: str = "stable") -> tuple[Made, str]:
    """A repository of which only a colleague pulls, and which nobody pushed to; two tags are set at once, by a stranger."""
    made = history()
    for day in range(3):
        at = START + timedelta(days=day, hours=15)
        pull(made, at, "cem", f"{project}/tool", tag=asked)
    for name in ("latest", "stable"):
        push(made, NOW, "ann", f"{project}/tool", tag=name, image="bad")
    if not digests:
        for one in made.events:
            one["digest"] = None
    return made, f"{project}/tool"


def test_a_stranger_where_hardly_anybody_pushes(tmp_path: Path) -> None:
    """Others push to the project, the tag was in use: whoever runs images fetches it, whether the lines name digests or not."""
    for name, digests in (("named", True), ("unsaid", False)):
        made, repository = seldom_pushed(digests)
        pull(made, NOW + MINUTE, "robot$cluster", repository, "bad" if digests else "", tag="stable")
        if not digests:
            made.events[-1]["digest"] = None
        assert judged(made, tmp_path / name) == [("stranger_push_used", "medium", ["ann"], [repository])], name


def test_where_nobody_is_known_to_make_anything_nobody_is_a_stranger(tmp_path: Path) -> None:
    """A project without pushes; a tag that nobody used; a colleague who pushes to the project as well."""
    made, repository = seldom_pushed(project="p9")
    pull(made, NOW + MINUTE, "robot$cluster", repository, "bad", tag="stable")
    assert judged(made, tmp_path / "project") == []
    made, repository = seldom_pushed(digests=False, asked="v1")
    pull(made, NOW + MINUTE, "robot$cluster", repository, tag="stable")
    made.events[-1]["digest"] = None
    assert judged(made, tmp_path / "tag") == []
    made, repository = seldom_pushed()
    push(made, START + timedelta(days=1), "ann", "p1/own", image="own")
    pull(made, NOW + MINUTE, "robot$cluster", repository, "bad", tag="stable")
    assert judged(made, tmp_path / "colleague") == []


def pulled_by_digest(old: str, new: str, scanned: str = "") -> Made:
    """All pull the image by its digest alone; a stranger's push does not say which it makes; a cluster pulls `new` then."""
    made = history()
    for day in range(12):
        pull(made, START + timedelta(days=day, hours=15), "robot$cluster", "p1/tool", old, tag="")
    push(made, NOW, "ann", "p1/tool", tag="latest")
    made.events[-1]["digest"] = None
    if scanned:
        pull(made, NOW + MINUTE, "scanner", "p1/tool", scanned, tag="")
        made.events[-1]["traffic_class"] = "scanner"
    pull(made, NOW + 2 * MINUTE, "robot$cluster", "p1/tool", new, tag="")
    return made


def test_where_all_pull_by_digest_a_new_one_behind_a_strangers_push_is_the_strangers(tmp_path: Path) -> None:
    told = [("stranger_push_used", "medium", ["ann"], ["p1/tool"])]
    assert judged(pulled_by_digest("01d", "bad"), tmp_path / "new") == told
    assert judged(pulled_by_digest("01d", "bad", scanned="bad"), tmp_path / "scanned") == told
    assert judged(pulled_by_digest("01d", "01d"), tmp_path / "old") == []
    made = pulled_by_digest("01d", "bad")
    push(made, NOW + timedelta(seconds=30), "robot$ci", "p1/tool", tag="b1", image="bad")
    assert judged(made, tmp_path / "built") == []


def test_a_push_to_what_a_cache_fills(tmp_path: Path) -> None:
    """Five repositories are pulled from every day and nobody pushes, until somebody does who pulls from them too."""
    for name, many, told in (("cache", 5, [("stranger_push_used", "medium", ["ann"], ["hub/r0"])]), ("small", 4, [])):
        made = history()
        for day in range(12):
            for number in range(many):
                at = START + timedelta(days=day, hours=15, minutes=number)
                for who in ("robot$cluster", "ann"):
                    pull(made, at, who, f"hub/r{number}", "good", tag="stable")
        push(made, NOW, "ann", "hub/r0", tag="stable", image="bad")
        pull(made, NOW + MINUTE, "robot$cluster", "hub/r0", "bad", tag="stable")
        assert judged(made, tmp_path / name) == told, name


def test_a_robot_that_began_a_week_ago_is_new_no_more(tmp_path: Path) -> None:
    """Nobody used what it pushed first; that does not make it a stranger for ever."""
    made = history()
    for days, tag in ((8, "b1"), (3, "b2")):
        push(made, NOW - timedelta(days=days), "robot$new", "p1/r1", tag)
    for name, tag in (("robot$new", "b3"), ("robot$newest", "b4")):
        push(made, NOW, name, "p1/r1", tag, image=tag)
        pull(made, NOW + MINUTE, "robot$cluster", "p1/r1", tag, tag)
    assert judged(made, tmp_path) == [("stranger_push_used", "medium", ["robot$newest"], ["p1/r1"])]


def around_the_clock(made: Made, hours: int = 24, days: int = 12, tool: str = "cluster") -> Made:
    """A cluster whose nodes fetch six repositories at all hours."""
    for day in range(12 - days, 12):
        for hour in range(hours):
            at = START + timedelta(days=day, hours=hour, minutes=30)
            where = {"actor": "robot$nodes", "client_ip": "10.40.0.2", "repository": f"p{hour % 6 % 4}/r{hour % 6}"}
            made.add(
                at, "pull", tag="latest", reference="latest", digest=f"sha256:{1:0>64}", traffic_class=tool, **where
            )
    return made


def test_an_account_that_only_ever_ran_images_stores_one(tmp_path: Path) -> None:
    made = around_the_clock(history())
    push(made, NOW, "robot$nodes", "p1/r1", image="bad")
    push(made, NOW + MINUTE, "robot$nodes", "p1/r1", "stable", image="bad")
    assert judged(made, tmp_path)[-1] == ("pull_account_writes", "high", ["robot$nodes"], ["p1/r1"])
    made = around_the_clock(history())
    push(made, NOW, "robot$nodes", "cache/layers", image="c")
    assert ("pull_account_writes", "medium", ["robot$nodes"], ["cache/layers"]) in judged(made, tmp_path / "own")


def test_people_builders_and_young_stores_may_begin_to_push(tmp_path: Path) -> None:
    """A person sleeps, a test stage pulls with the tools of builds, and before a week nobody is known for anything."""
    for name, made in (
        ("person", around_the_clock(history(), hours=11)),
        ("stage", around_the_clock(history(), tool="ci")),
        ("young", around_the_clock(Made(), days=5)),
    ):
        push(made, NOW, "robot$nodes", "p1/r1", image="new")
        assert "pull_account_writes" not in [kind for kind, *_ in judged(made, tmp_path / name)], name


def test_an_account_that_pushes_since_yesterday_was_told_of(tmp_path: Path) -> None:
    made = around_the_clock(history())
    push(made, NOW - timedelta(hours=30), "robot$nodes", "p1/r1", image="bad")
    push(made, NOW, "robot$nodes", "p1/r1", image="worse")
    assert "pull_account_writes" not in [kind for kind, *_ in judged(made, tmp_path)]


def rolled_out(days: int = 12) -> Made:
    """A build whose images nodes run by their digests, tags of its own on each; ann pushes `dev-ann`, for herself."""
    made = around_the_clock(history())
    for day in range(12 - days, 12):
        for number in range(6):
            at, name = START + timedelta(days=day, hours=8, minutes=number), f"p{number % 4}/r{number}"
            for tag in (f"{day}f3a{number}", "main"):
                push(made, at, "robot$ci", name, tag, image=f"{day}f{number}")
            pull(made, at + timedelta(hours=1), "robot$nodes", name, f"{day}f{number}", tag="")
            push(made, at, "ann", name, "dev-ann", image=f"{day}d{number}")
            pull(made, at + MINUTE, "ann", name, f"{day}d{number}", tag="dev-ann")
    return made


def own(made: Made, folder: Path) -> list[tuple[str, str, list[str], list[str]]]:
    return [one for one in judged(made, folder) if one[0] == "own_build_runs"]


def test_a_build_of_ones_own_that_nodes_run(tmp_path: Path) -> None:
    for name, tag in (("by its tag", "dev-ann"), ("by its digest", "")):
        made = rolled_out()
        push(made, NOW, "ann", "p1/r1", "dev-ann", image="aa")
        assert own(made, tmp_path / "pushed") == []
        pull(made, NOW + 40 * MINUTE, "robot$nodes", "p1/r1", "aa", tag)
        assert own(made, tmp_path / name) == [("own_build_runs", "medium", ["ann"], ["p1/r1"])], name


def test_a_build_of_ones_own_that_was_rolled_out_is_ordinary(tmp_path: Path) -> None:
    """The robot gave it a tag; it moved the tag that nodes follow, as in a night of trouble; it is a release."""
    for name, (who, tag) in enumerate((("robot$ci", "9f3a1"), ("ann", "main"), ("ann", "v2.0.0"))):
        made = rolled_out()
        push(made, NOW, "ann", "p1/r1", "dev-ann", image="aa")
        push(made, NOW + MINUTE, who, "p1/r1", tag, image="aa")
        pull(made, NOW + 40 * MINUTE, "robot$nodes", "p1/r1", "aa", "")
        assert own(made, tmp_path / f"{name}") == [], tag


def test_a_cluster_for_builds_of_ones_own_and_a_renewed_robot_are_told_quietly(tmp_path: Path) -> None:
    made = rolled_out()
    for number, name in enumerate(("bea", "cem", "ann")):
        push(made, NOW + number * MINUTE, name, f"p{number}/r{number}", f"dev-{name}", image=f"a{number}")
        pull(made, NOW + (number + 9) * MINUTE, "robot$nodes", f"p{number}/r{number}", f"a{number}", "")
    assert [severity for _, severity, *_ in own(made, tmp_path)] == ["medium", "medium", "low"]
    made = rolled_out()
    push(made, NOW, "robot$ci-2", "p1/r1", "9f3b7", image="aa")
    pull(made, NOW + MINUTE, "robot$nodes", "p1/r1", "aa", "")
    assert [severity for _, severity, *_ in own(made, tmp_path / "new")] == ["low"]


def test_builds_by_hand_of_a_name_that_others_gave_theirs_are_told_quietly(tmp_path: Path) -> None:
    """A hotfix by night is how it is done here, once somebody else did so; a name of one's own, or the builds', is not."""
    for name, first, second, severity in (
        ("hotfix", "hotfix-17", "hotfix-23", "low"),
        ("another name", "hotfix-17", "patch-23", "medium"),
    ):
        made = rolled_out()
        for at, who, tag, image in ((NOW, "bea", first, "a1"), (NOW + timedelta(hours=1), "cem", second, "a2")):
            push(made, at, who, "p1/r1", tag, image=image)
            pull(made, at + MINUTE, "robot$nodes", "p1/r1", image, "")
        assert [found[1] for found in own(made, tmp_path / name)] == ["medium", severity], name


def test_who_alone_builds_a_repository_is_its_builder(tmp_path: Path) -> None:
    """The second robot, which builds another project day by day, gets a new one to build."""
    made = rolled_out()
    for day in range(12):
        push(made, START + timedelta(days=day, hours=9), "robot$two", "p2/r5", image=f"b{day}")
    push(made, NOW, "robot$two", "p9/new", "9f3b7", image="aa")
    pull(made, NOW + MINUTE, "robot$nodes", "p9/new", "aa", "")
    assert own(made, tmp_path) == []


def test_before_it_is_known_what_nodes_run_nothing_is_told(tmp_path: Path) -> None:
    made = rolled_out(days=2)
    push(made, NOW, "ann", "p1/r1", "dev-ann", image="aa")
    pull(made, NOW + MINUTE, "robot$nodes", "p1/r1", "aa", "")
    assert own(made, tmp_path) == []
