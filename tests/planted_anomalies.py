"""What is planted for each detector in steady traffic: one strange thing, when it begins, and whom it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from made_traffic import REPOSITORIES, START, Made

EVENING = START + timedelta(days=25, hours=20)  # a Friday: what is planted begins here, or the evening before
BEFORE = EVENING - timedelta(days=1)
NIGHT = EVENING - timedelta(days=1, hours=16)  # nothing else is planted then


def guess(made: Made) -> None:
    for second in range(40):
        made.refuse(EVENING + timedelta(seconds=second), "person-1", "203.0.113.9")


def pull_everything(made: Made) -> None:
    for number, repository in enumerate(REPOSITORIES):
        made.pull(EVENING + timedelta(seconds=20 * number), "person-2", "203.0.113.10", repository)


def delete_and_push(made: Made) -> None:
    for number in range(300):
        at, repository = BEFORE + timedelta(seconds=number), REPOSITORIES[number % 50]
        for action in ("delete", "push"):
            made.add(at, action, actor="person-3", client_ip="203.0.113.11", repository=repository, status=202)


def nothing_more(made: Made) -> None:
    """What another one planted is enough."""


def delete_by_hand(made: Made) -> None:
    for number in range(40):
        at, repository = EVENING + timedelta(seconds=5 * number), REPOSITORIES[number % 50]
        who = {"actor": "person-6", "actor_kind": "human", "client_ip": "203.0.113.15"}
        made.add(at, "delete", repository=repository, status=202, **who)


def overwrite_a_release(made: Made) -> None:
    for day in range(20):
        release(made, START + timedelta(days=day, hours=9), f"1.{day}.0", day)
    release(made, EVENING, "1.4.0", 99, "person-4", "203.0.113.12")


def release(
    made: Made, at: datetime, tag: str, number: int, actor: str = "robot$build-1", client: str = "10.30.0.1"
) -> str:
    digest = f"sha256:{number:064x}"
    made.add(
        at, "push", actor=actor, client_ip=client, repository="core/payments", tag=tag, reference=tag, digest=digest
    )
    return digest


def use_unsigned(made: Made) -> None:
    for day in range(20):
        sign_and_use(made, START + timedelta(days=day, hours=11), f"2.{day}.0", 200 + day, sign=True)
    sign_and_use(made, EVENING, "2.30.0", 300, sign=False)


def sign_and_use(made: Made, at: datetime, tag: str, number: int, sign: bool) -> None:
    digest = release(made, at, tag, number)
    if sign:
        name = digest.replace(":", "-") + ".sig"
        made.add(at + timedelta(seconds=20), "push", actor="robot$build-1", repository="core/payments", tag=name)
    where = {"client_ip": "10.40.0.1", "repository": "core/payments", "digest": digest}
    made.add(at + timedelta(minutes=5), "pull", actor="robot$node", actor_kind="robot", **where)


def lay_bait(made: Made) -> None:
    made.add(
        EVENING, "push", actor="person-5", client_ip="203.0.113.13", repository="core/paymemts", tag="1", digest="d"
    )


def outlive_deletion(made: Made) -> None:
    made.add(EVENING, "permission", actor="admin", target="robot$old", change="robot_deleted")
    made.pull(EVENING + timedelta(minutes=3), "robot$old", "203.0.113.14", "shop/a")


def use_elsewhere(made: Made) -> None:
    who = {"actor": "robot$build-2", "actor_kind": "robot", "client_ip": "198.51.100.7", "client_class": "curl"}
    for number in range(6):
        made.add(EVENING + timedelta(seconds=10 * number), "pull", repository=REPOSITORIES[36], **who)


def go_through_versions(made: Made) -> None:
    for number in range(12):
        at, who = EVENING + timedelta(seconds=20 * number), {"actor": "person-7", "client_ip": "192.0.2.7"}
        made.add(at, "pull", repository=REPOSITORIES[24 + number % 3], reference=f"v{number}", tag=f"v{number}", **who)


def push_as_a_stranger(made: Made) -> None:
    for day in range(20):
        hand_over(made, START + timedelta(days=day, hours=10), f"b{day}", "robot$build-3", "10.30.0.3")
    hand_over(made, EVENING, "b99", "person-8", "192.0.2.8")


def hand_over(made: Made, at: datetime, tag: str, actor: str, client: str) -> None:
    """A push to one repository, and a pull by those who always use it."""
    what = {"repository": "tools/cli", "tag": tag, "reference": tag, "digest": f"sha256:{tag:0>64}"}
    made.add(at, "push", actor=actor, client_ip=client, **what)
    made.add(at + timedelta(minutes=4), "pull", actor="robot$node", actor_kind="robot", client_ip="10.40.0.1", **what)


def keep_no_timetable(made: Made) -> None:
    """A scanner that comes each night at two, and then in the evening, image by image."""
    scanner = {"actor": "robot$scan", "actor_kind": "robot", "client_ip": "10.60.0.1"}
    for day in range(14, 26):
        for number in range(12):
            at = START + timedelta(days=day, hours=2, seconds=4 * number)
            made.add(at, "pull", repository=REPOSITORIES[number], digest=f"sha256:{number:064x}", **scanner)
    for number in range(5):
        made.add(EVENING + timedelta(minutes=9 * number), "pull", repository=REPOSITORIES[number], **scanner)


def delete_slowly(made: Made) -> None:
    for number in range(9):
        at, who = BEFORE + timedelta(hours=2 * number), {"actor": "person-8", "client_ip": "192.0.2.8"}
        made.add(at, "delete", actor_kind="human", repository=REPOSITORIES[number], **who)


def leave_uploads(made: Made) -> None:
    for number in range(6):
        at, who = EVENING + timedelta(minutes=6 * number), {"actor": "person-1", "client_ip": "192.0.2.1"}
        made.add(at, "layer_upload", method="POST", status=202, repository=REPOSITORIES[number], **who)


def drop_data(made: Made) -> None:
    image, odd = "application/vnd.oci.image.manifest.v1+json", "application/vnd.acme.bundle.v1+json"
    what, who = {"repository": "shop/data", "media_type": odd}, {"actor": "robot$pack", "client_ip": "10.30.0.9"}
    made.add(EVENING - timedelta(days=9), "push", repository="shop/pack", media_type=image, **who)
    made.add(EVENING, "push", **what, **who)
    made.add(EVENING + timedelta(minutes=30), "pull", repository="shop/data", client_ip="198.51.100.99")


def around_the_clock(until: datetime, every: int) -> Iterator[datetime]:
    """Two weeks, of which a third is told in the night that `thinned_log` is to find."""
    for minute in range(0, int((until - NIGHT + timedelta(days=15)) / timedelta(minutes=1)), every):
        at = NIGHT - timedelta(days=15) + timedelta(minutes=minute, seconds=7)
        if not NIGHT <= at < NIGHT + timedelta(hours=8) or minute % (3 * every) == 0:
            yield at


def lose_lines(made: Made) -> None:
    """Two load balancers that ask every four minutes, of which a third is told for some hours."""
    for at in around_the_clock(EVENING + timedelta(hours=8), 4):
        made.add(at, "ping", client_ip="10.0.0.2")
        made.add(at, "ping", client_ip="10.0.0.3")


def take_from_elsewhere(made: Made) -> None:
    """A cluster that asks every six minutes, until its machines are told of another registry."""
    for at in around_the_clock(EVENING + timedelta(minutes=30), 6):
        made.pull(at, "robot$cluster-b", "10.20.7.1", REPOSITORIES[49])


def pile_up_versions(made: Made) -> None:
    for day in range(20):
        version(made, START + timedelta(days=day, hours=13), f"n{day}", "robot$build-2", "10.30.0.2")
    for number in range(30):
        version(made, EVENING + timedelta(minutes=number), f"x{number}", "person-7", "192.0.2.7")


def version(made: Made, at: datetime, tag: str, actor: str, client: str) -> None:
    what = {"repository": "tools/many", "tag": tag, "reference": tag, "digest": f"sha256:{tag:0>64}"}
    made.add(at, "push", actor=actor, client_ip=client, **what)


def take_a_release(made: Made) -> None:
    for day in range(20):
        tag = f"v3.{day}.0"
        made.add(
            START + timedelta(days=day, hours=14),
            "push",
            actor="robot$build-3",
            client_ip="10.30.0.3",
            repository="tools/released",
            tag=tag,
            digest=f"sha256:{tag:0>64}",
        )
    who = {"actor": "person-8", "actor_kind": "human", "client_ip": "192.0.2.8"}
    made.add(EVENING, "push", repository="tools/released", tag="v4.0.0", digest=f"sha256:{4:064x}", **who)


def run_without_a_tag(made: Made) -> None:
    what = {"repository": "tools/hidden", "digest": f"sha256:{77:064x}"}
    made.add(
        EVENING - timedelta(days=9), "push", actor="robot$build-1", repository="tools/hidden", tag="v1", digest="d"
    )
    made.add(EVENING, "push", actor="person-6", client_ip="192.0.2.6", **what)
    made.add(EVENING + timedelta(minutes=9), "pull", actor="robot$node", client_ip="10.40.0.1", **what)


def tag_without_end(made: Made) -> None:
    who = {"actor": "person-4", "client_ip": "192.0.2.4", "repository": "tools/tagged", "digest": f"sha256:{5:064x}"}
    for number in range(12):
        made.add(EVENING + timedelta(minutes=number), "push", tag=f"t{number}", **who)


def clean_up_the_young(made: Made) -> None:
    """A clean-up that leaves the newest eight of sixteen, a week before; then it takes two of those, in the middle."""
    job, where = {"actor": "robot$cleanup", "client_ip": "10.30.0.9"}, "tools/cleaned"
    for number in range(16):
        version = {"repository": where, "digest": f"sha256:{number:064x}"}
        at = START + timedelta(hours=9 * number)
        made.add(
            at,
            "push",
            tag=f"v{number}",
            reference=f"v{number}",
            actor="robot$build-2",
            client_ip="10.30.0.2",
            **version,
        )
        if number < 8:
            made.add(START + timedelta(days=7, minutes=number), "delete", **job, **version)
        if number in (13, 14):
            made.add(EVENING + timedelta(minutes=number), "delete", **job, **version)


def fetch_layers_alone(made: Made) -> None:
    who = {"actor": "person-5", "actor_kind": "human", "client_ip": "192.0.2.5"}
    for number in range(6):
        at = EVENING + timedelta(minutes=6 * number)
        made.add(at, "layer_download", repository=REPOSITORIES[number], digest=f"sha256:{number:064x}", **who)


def bring_tools(made: Made) -> None:
    for day in range(12, 25):
        for number, name in enumerate(("library/nginx", "library/redis", "grafana/loki", "library/alpine")):
            at = START + timedelta(days=day, hours=6 + number)
            made.pull(at, "robot$build-1", "10.30.0.1", f"hub/{name}")
    for number, name in enumerate(("acme/scan", "acme/tunnel", "acme/miner")):
        made.pull(EVENING + timedelta(minutes=7 * number), "person-3", "192.0.2.3", f"hub/{name}")


def download_again_and_again(made: Made) -> None:
    who = {"actor": "person-4", "actor_kind": "human", "client_ip": "192.0.2.4", "repository": REPOSITORIES[12]}
    for number in (*range(30), -60 * 24 * 9):  # and long before
        at = EVENING + timedelta(minutes=number)
        for layer in range(3):
            made.add(at + timedelta(seconds=layer), "layer_download", digest=f"sha256:{layer:064x}", status=200, **who)


def look_for_layers(made: Made) -> None:
    who = {"actor": "person-2", "actor_kind": "human", "client_ip": "192.0.2.2", "digest": f"sha256:{6:064x}"}
    for number in range(6):
        at = EVENING + timedelta(minutes=6 * number)
        made.add(at, "layer_check", "failure", reason="not_found", repository=REPOSITORIES[30 + number], **who)


def delete_what_runs(made: Made) -> None:
    fields = {"repository": REPOSITORIES[44], "digest": f"sha256:{8:064x}"}
    for minute in (0, 10):
        made.add(EVENING + timedelta(minutes=minute), "pull", actor="nodes", client_ip="10.20.0.1", **fields)
    who = {"actor": "person-4", "actor_kind": "human", "client_ip": "192.0.2.4"}
    made.add(EVENING + timedelta(minutes=30), "delete", status=202, **who, **fields)


def use_for_something_else(made: Made) -> None:
    who = {"actor": "robot$build-3", "actor_kind": "robot", "client_ip": "10.30.0.3"}
    for number in range(3):
        at = EVENING + timedelta(minutes=10 * number)
        made.add(at, "permission", repository=REPOSITORIES[40], **who)
        made.add(at, "delete", repository=REPOSITORIES[40], status=202, **who)


PLANTED: dict[str, tuple[Callable[[Made], None], datetime, dict[str, str]]] = {
    "credential_probe": (guess, EVENING, {"actor": "person-1", "client": "203.0.113.9"}),
    "pull_volume": (pull_everything, EVENING, {"actor": "person-2", "client": "203.0.113.10", "repository": "data/a"}),
    "rules": (delete_by_hand, EVENING, {"actor": "person-6", "client": "203.0.113.15"}),
    "tag_ledger": (overwrite_a_release, EVENING, {"actor": "person-4", "client": "203.0.113.12"}),
    "supply_chain": (use_unsigned, EVENING, {"actor": "robot$build-1", "repository": "core/payments"}),
    "look_alike": (lay_bait, EVENING, {"actor": "person-5", "repository": "core/paymemts"}),
    "account_life": (outlive_deletion, EVENING, {"actor": "robot$old", "client": "203.0.113.14"}),
    "new_reach": (nothing_more, EVENING, {"actor": "person-2", "client": "203.0.113.10", "repository": "data/a"}),
    "new_place": (use_elsewhere, EVENING, {"actor": "robot$build-2", "client": "198.51.100.7"}),
    "old_versions": (go_through_versions, EVENING, {"actor": "person-7", "repository": REPOSITORIES[24]}),
    "unusual_hands": (push_as_a_stranger, EVENING, {"actor": "person-8", "repository": "tools/cli"}),
    "off_timetable": (keep_no_timetable, EVENING, {"actor": "robot$scan", "client": "10.60.0.1"}),
    "slow_delete": (delete_slowly, BEFORE, {"actor": "person-8", "repository": REPOSITORIES[0]}),
    "unfinished_uploads": (leave_uploads, EVENING, {"actor": "person-1", "repository": REPOSITORIES[0]}),
    "dead_drop": (drop_data, EVENING, {"client": "198.51.100.99", "repository": "shop/data"}),
    "thinned_log": (lose_lines, NIGHT, {}),
    "silent_clusters": (take_from_elsewhere, EVENING, {"actor": "robot$cluster-b"}),
    "push_volume": (pile_up_versions, EVENING, {"actor": "person-7", "repository": "tools/many"}),
    "release_hands": (take_a_release, EVENING, {"actor": "person-8", "repository": "tools/released"}),
    "blobs_alone": (fetch_layers_alone, EVENING, {"actor": "person-5", "repository": REPOSITORIES[0]}),
    "layer_soundings": (look_for_layers, EVENING, {"actor": "person-2", "repository": REPOSITORIES[30]}),
    "first_times": (use_for_something_else, EVENING, {"actor": "robot$build-3", "client": "10.30.0.3"}),
    "removed_images": (delete_what_runs, EVENING, {"actor": "person-4", "repository": REPOSITORIES[44]}),
    "fleeting_images": (run_without_a_tag, EVENING, {"actor": "person-6", "repository": "tools/hidden"}),
    "tag_piles": (tag_without_end, EVENING, {"actor": "person-4", "repository": "tools/tagged"}),
    "young_deletes": (clean_up_the_young, EVENING, {"actor": "robot$cleanup", "repository": "tools/cleaned"}),
    "through_cache": (
        bring_tools,
        EVENING,
        {"actor": "person-3", "client": "192.0.2.3", "repository": "hub/acme/scan"},
    ),
    "same_again": (download_again_and_again, EVENING, {"actor": "person-4", "repository": REPOSITORIES[12]}),
    "isolation_forest": (delete_and_push, BEFORE, {"actor": "person-3", "client": "203.0.113.11"}),
}

# What takes longer than an hour to happen or to be told.
LONGER = {
    "slow_delete": timedelta(hours=20),
    "unfinished_uploads": timedelta(hours=8),
    "thinned_log": timedelta(hours=4),
    "silent_clusters": timedelta(hours=5),
}
