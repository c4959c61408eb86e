"""The kinds of attack that came after those of `afterwards.py`: `UNFORESEEN`. Nothing draws them either: who wants them names
them, and what is measured on them is told apart.
"""

from __future__ import annotations

from regsight.traffic.attacks import carriers, releases, rights, runners, stalling
from regsight.traffic.attacks.rows import WORK, Row, recipes

# Written after all others, by one more author who knew neither the detectors nor what had been found.
_UNFORESEEN = (
    Row(
        "A71",
        "promoted by hand",
        releases.promote_by_hand,
        "S",
        "T1195.002 T1610",
        "tag supply novelty",
        "medium",
        (0.1, 0.3, 0.2),
        WORK,
    ),
    Row(
        "A72",
        "ransom note in place of images",
        releases.leave_ransom_note,
        "S",
        "T1486 T1485 T1491",
        "tag volume novelty",
        "high",
        (0.1, 0.3, 2.1),
    ),
    Row(
        "A73",
        "robot for one use",
        rights.use_robot_once,
        "S",
        "T1136 T1070 T1098.001",
        "rights novelty ledger",
        "high",
        (0.2, 0.4, 3),
        WORK,
    ),
    Row(
        "A74",
        "name asked for in vain",
        releases.take_name_asked_for,
        "N",
        "T1195.001 T1525",
        "name novelty supply",
        "high",
        (0.1, 0.3, 1.1),
    ),
    Row(
        "A75",
        "pipeline reads other teams' images",
        runners.read_through_pipeline,
        "N",
        "T1213 T1078.004",
        "novelty volume",
        "medium",
        (0.1, 0.3, 3),
    ),
    Row(
        "A76",
        "write access tried",
        rights.try_write_access,
        "N",
        "T1613 T1069",
        "probing enumeration uploads novelty",
        "medium",
        (0.1, 0.3, 3),
    ),
    Row(
        "A77",
        "payload in the client's name",
        carriers.write_into_the_log,
        "N",
        "T1190 T1562",
        "novelty probing",
        "medium",
        (0.1, 0.3, 3),
    ),
    Row(
        "A78",
        "personal account in a pipeline",
        runners.work_as_machine,
        "N",
        "T1078 T1552.001",
        "novelty travel",
        "medium",
        (0.4, 0.6, 3),
    ),
    Row(
        "A79",
        "connections held open",
        stalling.hold_connections_open,
        "V",
        "T1499",
        "volume",
        "medium",
        (0.2, 0.4, 3),
    ),
    Row(
        "A80",
        "data in manifests",
        carriers.smuggle_in_manifests,
        "V",
        "T1567 T1001 T1102",
        "volume novelty",
        "medium",
        (0.1, 0.4, 3),
    ),
)

UNFORESEEN = recipes(_UNFORESEEN)
