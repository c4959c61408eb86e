"""The kinds of attack that came after those of `unforeseen.py`: `UNCHARTED`. Nothing draws them either: who wants them names them,
and what is measured on them is told apart.
"""

from __future__ import annotations

from regsight.traffic.attacks import detours, exits, removals, rights, swaps, takeovers, uploads
from regsight.traffic.attacks.rows import WORK, Row, recipes

# Written after all others, by one more author who knew neither the detectors nor what had been found.
_UNCHARTED = (
    Row(
        "A81",
        "layers deleted beneath images",
        removals.delete_layers,
        "S",
        "T1485 T1489 T1499",
        "delete",
        "high",
        (0.2, 0.4, 2.5),
        WORK,
        alters=True,
    ),
    Row(
        "A82",
        "uploads of others cut off",
        uploads.cut_off_uploads,
        "S",
        "T1499 T1489 T1531",
        "uploads delete novelty",
        "high",
        (0.1, 0.3, 3),
    ),
    Row(
        "A83",
        "image for one platform",
        swaps.swap_one_platform,
        "N",
        "T1525 T1195.002 T1036",
        "tag novelty supply",
        "high",
        (0.2, 0.4, 0.3),
    ),
    Row(
        "A84",
        "signatures for images not here",
        takeovers.sign_what_is_not_here,
        "S",
        "T1553.002 T1588.003 T1552.004",
        "supply novelty",
        "high",
        (0.1, 0.3, 2.1),
    ),
    Row(
        "A85",
        "tokens hoarded",
        takeovers.hoard_tokens,
        "V",
        "T1528 T1550.001 T1078",
        "credentials volume novelty",
        "medium",
        (0.1, 0.4, 3),
    ),
    Row(
        "A86",
        "data in names",
        exits.carry_out_in_names,
        "N",
        "T1048 T1572 T1132",
        "probing enumeration novelty",
        "high",
        (0.1, 0.4, 3),
    ),
    Row(
        "A87",
        "images blown up",
        uploads.blow_up_images,
        "V",
        "T1499 T1565.001",
        "volume novelty",
        "medium",
        (0.2, 0.4, 0.2),
    ),
    Row(
        "A88",
        "administrator reads images",
        rights.read_as_administrator,
        "N",
        "T1213 T1078.004",
        "novelty rights volume",
        "medium",
        (0.1, 0.3, 3),
        WORK,
    ),
    Row(
        "A89",
        "nodes ask elsewhere",
        detours.ask_elsewhere,
        "V",
        "T1557 T1565.002 T1195.002",
        "silence volume",
        "medium",
        (1.1, 2.1, 3.1),
        alters=True,
    ),
    Row(
        "A90",
        "owners put out of their project",
        rights.put_owners_out,
        "S",
        "T1531 T1098",
        "rights delete",
        "high",
        (0.1, 0.2, 0.1),
        WORK,
    ),
)

UNCHARTED = recipes(_UNCHARTED)
