"""Every attack there is, by code: `ATTACKS`, and apart from them `LATER`, `NEWEST` and `FRESH`. The functions behind them stand
in the files of this folder.
"""

from __future__ import annotations

from typing import NamedTuple

from regsight.traffic.attacks import (
    accounts,
    contents,
    copies,
    data,
    footholds,
    images,
    later,
    later_readers,
    manifests,
    settings,
    soundings,
    supply,
    takeovers,
)
from regsight.traffic.scenes import Play, Recipe

WORK, NIGHT, DAY, ANY = (8.0, 15.0), (0.0, 4.5), (6.0, 20.0), (0.0, 24.0)
SHORT = (0.1, 0.5, 5.0)


class _Row(NamedTuple):
    code: str
    name: str
    play: Play
    evidence: str  # S: by bookkeeping, N: by novelty or sequence, V: by volume
    technique: str
    classes: str
    severity: str
    days: tuple[float, float, float] = SHORT
    hours: tuple[float, float] = ANY
    alters: bool = False  # lines of others


_TABLE = (
    _Row("A01", "password guessing", accounts.guess_password, "V", "T1110.001", "credentials", "high", (0.1, 0.4, 10)),
    _Row("A02", "password spraying", accounts.spray_passwords, "V", "T1110.003", "credentials", "high", (0.1, 0.2, 2)),
    _Row(
        "A03", "credential stuffing", accounts.stuff_credentials, "V", "T1110.004", "credentials", "high", (0.1, 0.3, 2)
    ),
    _Row("A04", "default password", accounts.use_default_password, "N", "T1078.001", "novelty rights", "high"),
    _Row(
        "A05", "leaked robot token", accounts.use_leaked_token, "N", "T1078.004 T1552", "novelty", "high", (0.1, 0.3, 4)
    ),
    _Row("A06", "mass pull", data.pull_everything, "V", "T1213 T1530 T1567", "volume novelty", "high", (0.1, 0.3, 14)),
    _Row("A07", "pulls of one who leaves", data.take_along, "V", "T1213", "volume novelty", "medium", (0.2, 5, 12)),
    _Row("A08", "enumeration", data.enumerate_registry, "V", "T1613 T1595.003", "enumeration", "medium", (0.1, 0.3, 1)),
    _Row("A09", "anonymous access", accounts.pull_without_name, "S", "T1190 T1530", "anonymous novelty", "high"),
    _Row("A10", "release tag overwritten", images.overwrite_release, "S", "T1525 T1195.002", "tag", "high"),
    _Row("A11", "moving tag poisoned", images.poison_moving_tag, "N", "T1525 T1195.002", "tag novelty", "high"),
    _Row("A12", "implant in base image", images.implant_in_base, "N", "T1525", "novelty", "high"),
    _Row("A13", "rollback to an old image", images.roll_back, "S", "T1195.002", "tag", "medium"),
    _Row("A14", "unsigned image used", supply.skip_the_signature, "S", "T1525 T1610", "supply", "medium"),
    _Row("A15", "miner image", images.push_miner, "N", "T1496 T1610", "novelty", "medium", (0.5, 0.5, 0.5)),
    _Row("A16", "look-alike name", images.look_alike, "S", "T1036.005 T1195", "name novelty", "medium"),
    _Row("A17", "own name taken from outside", supply.confuse_the_cache, "S", "T1195.001", "name novelty", "high"),
    _Row("A18", "mass delete", data.delete_everything, "V", "T1485 T1490", "delete", "high", (0.1, 0.2, 10)),
    _Row("A19", "way back destroyed", settings.burn_bridges, "S", "T1562.008 T1490", "settings rights", "high"),
    _Row("A20", "privileges taken", settings.take_rights, "S", "T1098 T1136", "rights", "high"),
    _Row("A21", "robot planted", settings.plant_robot, "N", "T1136 T1098.001", "rights novelty", "high"),
    _Row("A22", "project opened", settings.open_project, "S", "T1537 T1530", "settings anonymous", "high"),
    _Row("A23", "replication to a stranger", settings.replicate_away, "S", "T1537 T1020", "settings", "high"),
    _Row(
        "A24", "pull from unexpected place", accounts.pull_from_elsewhere, "N", "T1078.004 T1525", "novelty", "medium"
    ),
    _Row("A25", "impossible travel", accounts.be_in_two_places, "N", "T1078", "travel", "medium", SHORT, WORK),
    _Row("A26", "dormant account wakes", accounts.wake_dormant, "N", "T1078.002", "novelty", "medium", SHORT, NIGHT),
    _Row("A27", "deleted account goes on", accounts.outlive_deletion, "S", "T1550.001", "credentials ledger", "medium"),
    _Row("A28", "forged tokens", accounts.forge_tokens, "S", "T1606", "credentials tokens", "medium", (0.1, 0.4, 4)),
    _Row("A29", "exploit probing", data.probe_for_holes, "S", "T1190", "probing mounts", "medium", (0.1, 0.3, 1)),
    _Row("A30", "resource exhaustion", images.exhaust_storage, "V", "T1499", "uploads volume", "medium", (0.1, 0.3, 3)),
    _Row("A31", "secrets hunting", data.hunt_secrets, "N", "T1552.001", "volume novelty", "high", (0.1, 0.3, 6)),
    _Row("A32", "storage abuse", images.hide_data, "N", "T1102 T1074", "novelty volume", "medium", (0.3, 2.5, 6.5)),
    _Row(
        "A33", "scanner's account abused", accounts.borrow_scanner, "N", "T1078.004", "novelty", "medium", SHORT, WORK
    ),
    _Row(
        "A34", "log blinding", data.blind_the_log, "S", "T1562.008", "silence", "high", (0.2, 0.5, 1), WORK, alters=True
    ),
    _Row("A35", "own image approved", supply.approve_own_image, "S", "T1195.002", "supply", "high"),
)

# Written after the detectors, by an author who had not read them. Nothing draws them: who wants them names them, and what is
# measured on them is told apart from what is measured on the others.
_LATER = (
    _Row(
        "A36",
        "release tag taken in advance",
        later.take_release_first,
        "N",
        "T1525 T1195.002",
        "tag novelty",
        "high",
        (0.1, 0.2, 0.1),
    ),
    _Row(
        "A37", "one image under many names", later.spread_one_image, "S", "T1525 T1080", "tag", "high", (0.1, 0.3, 2.1)
    ),
    _Row(
        "A38",
        "signatures removed",
        later.remove_signatures,
        "S",
        "T1553 T1562.001",
        "supply delete",
        "high",
        (0.1, 0.2, 3),
    ),
    _Row(
        "A39",
        "blobs without manifests",
        later_readers.take_blobs_alone,
        "N",
        "T1213 T1530",
        "novelty",
        "medium",
        (0.1, 0.3, 4),
    ),
    _Row(
        "A40",
        "shared account",
        later_readers.share_account,
        "N",
        "T1078",
        "novelty travel",
        "medium",
        (0.1, 0.4, 3),
        WORK,
    ),
    _Row(
        "A41",
        "node looks beyond its cluster",
        later_readers.reach_beyond_cluster,
        "N",
        "T1078.004 T1213",
        "novelty",
        "medium",
        (0.1, 0.2, 3),
    ),
    _Row(
        "A42",
        "good versions pushed out",
        later.push_out_of_retention,
        "V",
        "T1485.001 T1490",
        "volume",
        "medium",
        (0.1, 0.4, 4),
    ),
)

# Written when those had been measured, by an author who knew neither the detectors nor what had been found. Nothing draws
# them either.
_NEWEST = (
    _Row(
        "A43",
        "gathered accounts at one place",
        footholds.use_gathered_accounts,
        "N",
        "T1078.004 T1552.001",
        "novelty",
        "high",
        (0.1, 0.3, 3),
    ),
    _Row(
        "A44",
        "attestations on others' images",
        manifests.attest_for_others,
        "S",
        "T1553 T1195.002",
        "supply novelty",
        "medium",
        (0.1, 0.3, 2.1),
    ),
    _Row(
        "A45",
        "image without a tag",
        manifests.push_without_tag,
        "S",
        "T1525 T1564",
        "novelty tag",
        "medium",
        (0.2, 0.3, 0.1),
    ),
    _Row(
        "A46",
        "image that was there for minutes",
        manifests.push_run_and_delete,
        "N",
        "T1525 T1070",
        "delete novelty tag",
        "high",
        (0.2, 0.4, 0.2),
    ),
    _Row(
        "A47",
        "tools through the cache",
        footholds.fetch_tools_through_cache,
        "N",
        "T1105 T1588.002",
        "novelty",
        "medium",
        (0.1, 0.3, 2.1),
    ),
    _Row(
        "A48",
        "one image over and over",
        footholds.download_over_and_over,
        "V",
        "T1499 T1496.002",
        "volume",
        "medium",
        (0.1, 0.4, 3),
    ),
    _Row(
        "A49", "tags without end", manifests.put_tags_without_end, "V", "T1499", "volume tag", "medium", (0.1, 0.4, 3)
    ),
    _Row(
        "A50",
        "scanner blinded",
        footholds.blind_the_scanner,
        "S",
        "T1562.001",
        "silence supply",
        "medium",
        (3, 4, 5),
        DAY,
        alters=True,
    ),
)

# Written when those had been measured too, by another author who knew neither the detectors nor what had been found. Nothing
# draws them either.
_FRESH = (
    _Row(
        "A51",
        "owner locked out",
        takeovers.lock_out_owner,
        "N",
        "T1531 T1098 T1078",
        "credentials novelty",
        "high",
        (2, 3, 4),
        WORK,
        alters=True,
    ),
    _Row(
        "A52",
        "pull account writes",
        takeovers.write_as_puller,
        "N",
        "T1525 T1078.004 T1552.007",
        "novelty rights",
        "high",
        (0.1, 0.3, 0.1),
    ),
    _Row(
        "A53",
        "one layer looked for everywhere",
        soundings.look_for_one_layer,
        "N",
        "T1613 T1595.002",
        "enumeration novelty",
        "medium",
        (0.1, 0.3, 3),
    ),
    _Row(
        "A54",
        "tags asked for that nobody put",
        soundings.wait_for_orders,
        "N",
        "T1102.002 T1071.001",
        "novelty probing",
        "medium",
        (0.2, 0.6, 3),
    ),
    _Row(
        "A55",
        "layers in slices",
        soundings.slice_layers,
        "V",
        "T1030 T1530",
        "volume novelty",
        "medium",
        (0.1, 0.4, 3),
    ),
    _Row(
        "A56",
        "repositories without images",
        contents.open_empty_repositories,
        "S",
        "T1608.005 T1583.006",
        "novelty name",
        "medium",
        (0.1, 0.4, 3),
    ),
    _Row(
        "A57",
        "manifests that are none",
        contents.feed_the_parser,
        "S",
        "T1190 T1499.004",
        "probing novelty",
        "medium",
        (0.1, 0.3, 3),
    ),
    _Row(
        "A58",
        "signatures put a second time",
        takeovers.sign_again,
        "S",
        "T1553 T1552.004 T1195.002",
        "supply tag",
        "high",
        (0.1, 0.3, 2),
    ),
    _Row(
        "A59",
        "build of one's own on nodes",
        contents.run_own_build,
        "S",
        "T1610 T1204.003",
        "supply novelty tag",
        "medium",
        (0.2, 0.3, 0.3),
        WORK,
    ),
    _Row(
        "A60",
        "mirror left behind",
        copies.leave_mirror_behind,
        "S",
        "T1490 T1562",
        "silence",
        "medium",
        (1.3, 2.5, 3.5),
        WORK,
        alters=True,
    ),
)


def _recipes(table: tuple[_Row, ...]) -> dict[str, Recipe]:
    return {
        row.code: Recipe(
            code=row.code,
            name=row.name,
            play=row.play,
            evidence=row.evidence,
            technique=tuple(row.technique.split()),
            classes=tuple(row.classes.split()),
            severity=row.severity,
            days=row.days,
            hours=row.hours,
            alters=row.alters,
        )
        for row in table
    }


ATTACKS = _recipes(_TABLE)
LATER = _recipes(_LATER)
NEWEST = _recipes(_NEWEST)
FRESH = _recipes(_FRESH)
# By family; all but the catalogue must be named to be planted. Another family is another row, at the end: its place draws.
FAMILIES: dict[str, dict[str, Recipe]] = {"catalogue": ATTACKS, "later": LATER, "newest": NEWEST, "fresh": FRESH}


def every() -> dict[str, Recipe]:
    """Those of all families, in their order."""
    return {code: recipe for family in FAMILIES.values() for code, recipe in family.items()}
