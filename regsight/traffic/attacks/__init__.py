"""Every attack there is, by code: `ATTACKS`, and apart from them the families of `afterwards.py`, `unforeseen.py`,
`uncharted.py` and `unimagined.py`. The functions behind them stand in the files of this folder.
"""

from __future__ import annotations

from regsight.traffic.attacks import accounts, data, images, settings, supply
from regsight.traffic.attacks.afterwards import FRESH, LATER, NEWEST, UNHEARD
from regsight.traffic.attacks.rows import NIGHT, SHORT, WORK, Row, recipes
from regsight.traffic.attacks.uncharted import UNCHARTED
from regsight.traffic.attacks.unforeseen import UNFORESEEN
from regsight.traffic.attacks.unimagined import UNIMAGINED
from regsight.traffic.scenes import Recipe

__all__ = [
    "ATTACKS",
    "FAMILIES",
    "FRESH",
    "LATER",
    "NEWEST",
    "UNCHARTED",
    "UNFORESEEN",
    "UNHEARD",
    "UNIMAGINED",
    "every",
]

_TABLE = (
    Row("A01", "password guessing", accounts.guess_password, "V", "T1110.001", "credentials", "high", (0.1, 0.4, 10)),
    Row("A02", "password spraying", accounts.spray_passwords, "V", "T1110.003", "credentials", "high", (0.1, 0.2, 2)),
    Row(
        "A03", "credential stuffing", accounts.stuff_credentials, "V", "T1110.004", "credentials", "high", (0.1, 0.3, 2)
    ),
    Row("A04", "default password", accounts.use_default_password, "N", "T1078.001", "novelty rights", "high"),
    Row(
        "A05", "leaked robot token", accounts.use_leaked_token, "N", "T1078.004 T1552", "novelty", "high", (0.1, 0.3, 4)
    ),
    Row("A06", "mass pull", data.pull_everything, "V", "T1213 T1530 T1567", "volume novelty", "high", (0.1, 0.3, 14)),
    Row("A07", "pulls of one who leaves", data.take_along, "V", "T1213", "volume novelty", "medium", (0.2, 5, 12)),
    Row("A08", "enumeration", data.enumerate_registry, "V", "T1613 T1595.003", "enumeration", "medium", (0.1, 0.3, 1)),
    Row("A09", "anonymous access", accounts.pull_without_name, "S", "T1190 T1530", "anonymous novelty", "high"),
    Row("A10", "release tag overwritten", images.overwrite_release, "S", "T1525 T1195.002", "tag", "high"),
    Row("A11", "moving tag poisoned", images.poison_moving_tag, "N", "T1525 T1195.002", "tag novelty", "high"),
    Row("A12", "implant in base image", images.implant_in_base, "N", "T1525", "novelty", "high"),
    Row("A13", "rollback to an old image", images.roll_back, "S", "T1195.002", "tag", "medium"),
    Row("A14", "unsigned image used", supply.skip_the_signature, "S", "T1525 T1610", "supply", "medium"),
    Row("A15", "miner image", images.push_miner, "N", "T1496 T1610", "novelty", "medium", (0.5, 0.5, 0.5)),
    Row("A16", "look-alike name", images.look_alike, "S", "T1036.005 T1195", "name novelty", "medium"),
    Row("A17", "own name taken from outside", supply.confuse_the_cache, "S", "T1195.001", "name novelty", "high"),
    Row("A18", "mass delete", data.delete_everything, "V", "T1485 T1490", "delete", "high", (0.1, 0.2, 10)),
    Row("A19", "way back destroyed", settings.burn_bridges, "S", "T1562.008 T1490", "settings rights", "high"),
    Row("A20", "privileges taken", settings.take_rights, "S", "T1098 T1136", "rights", "high"),
    Row("A21", "robot planted", settings.plant_robot, "N", "T1136 T1098.001", "rights novelty", "high"),
    Row("A22", "project opened", settings.open_project, "S", "T1537 T1530", "settings anonymous", "high"),
    Row("A23", "replication to a stranger", settings.replicate_away, "S", "T1537 T1020", "settings", "high"),
    Row("A24", "pull from unexpected place", accounts.pull_from_elsewhere, "N", "T1078.004 T1525", "novelty", "medium"),
    Row("A25", "impossible travel", accounts.be_in_two_places, "N", "T1078", "travel", "medium", SHORT, WORK),
    Row("A26", "dormant account wakes", accounts.wake_dormant, "N", "T1078.002", "novelty", "medium", SHORT, NIGHT),
    Row("A27", "deleted account goes on", accounts.outlive_deletion, "S", "T1550.001", "credentials ledger", "medium"),
    Row("A28", "forged tokens", accounts.forge_tokens, "S", "T1606", "credentials tokens", "medium", (0.1, 0.4, 4)),
    Row("A29", "exploit probing", data.probe_for_holes, "S", "T1190", "probing mounts", "medium", (0.1, 0.3, 1)),
    Row("A30", "resource exhaustion", images.exhaust_storage, "V", "T1499", "uploads volume", "medium", (0.1, 0.3, 3)),
    Row("A31", "secrets hunting", data.hunt_secrets, "N", "T1552.001", "volume novelty", "high", (0.1, 0.3, 6)),
    Row("A32", "storage abuse", images.hide_data, "N", "T1102 T1074", "novelty volume", "medium", (0.3, 2.5, 6.5)),
    Row("A33", "scanner's account abused", accounts.borrow_scanner, "N", "T1078.004", "novelty", "medium", SHORT, WORK),
    Row(
        "A34", "log blinding", data.blind_the_log, "S", "T1562.008", "silence", "high", (0.2, 0.5, 1), WORK, alters=True
    ),
    Row("A35", "own image approved", supply.approve_own_image, "S", "T1195.002", "supply", "high"),
)

ATTACKS = recipes(_TABLE)
# By family; all but the catalogue must be named to be planted. Another family is another row, at the end: its place draws.
FAMILIES: dict[str, dict[str, Recipe]] = {
    "catalogue": ATTACKS,
    "later": LATER,
    "newest": NEWEST,
    "fresh": FRESH,
    "unheard": UNHEARD,
    "unforeseen": UNFORESEEN,
    "uncharted": UNCHARTED,
    "unimagined": UNIMAGINED,
}


def every() -> dict[str, Recipe]:
    """Those of all families, in their order."""
    return {code: recipe for family in FAMILIES.values() for code, recipe in family.items()}
