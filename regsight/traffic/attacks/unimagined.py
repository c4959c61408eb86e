"""The kinds of attack that came after those of `uncharted.py`: `UNIMAGINED`. Nothing draws them either: who wants them names them,
and what is measured on them is told apart.
"""

from __future__ import annotations

from regsight.traffic.attacks import beacons, origins, pieces, takings, thinning
from regsight.traffic.attacks.rows import WORK, Row, recipes

# Written after all others, by one more author who knew neither the detectors nor what had been found.
_UNIMAGINED = (
    Row(
        "A91",
        "cache fed from elsewhere",
        origins.feed_cache_from_elsewhere,
        "N",
        "T1195.002 T1557 T1525",
        "supply tag novelty",
        "high",
        (0.4, 0.4, 0.3),
        alters=True,
    ),
    Row(
        "A92",
        "bytes under a false digest",
        pieces.claim_false_digests,
        "S",
        "T1565.001 T1190 T1036",
        "uploads probing novelty",
        "high",
        (0.1, 0.3, 3),
    ),
    Row(
        "A93",
        "images carried over by mounts",
        takings.carry_over_by_mounts,
        "N",
        "T1213 T1074 T1078",
        "mounts novelty volume",
        "high",
        (0.1, 0.4, 3),
    ),
    Row(
        "A94",
        "taken on the heels of each push",
        takings.follow_each_push,
        "N",
        "T1020 T1213 T1546",
        "novelty volume",
        "medium",
        (0.2, 0.4, 0.6),
        WORK,
    ),
    Row(
        "A95",
        "tags taken off",
        thinning.take_tags_off,
        "S",
        "T1485 T1490 T1070",
        "delete tag novelty",
        "medium",
        (0.1, 0.3, 2.1),
        WORK,
    ),
    Row(
        "A96",
        "clean-up takes what is young",
        thinning.clean_up_the_young,
        "S",
        "T1485 T1490 T1053",
        "delete novelty volume",
        "high",
        (0.1, 0.2, 3),
    ),
    Row(
        "A97",
        "orders through a tag",
        beacons.give_orders_by_tag,
        "V",
        "T1102.002 T1071.001 T1610",
        "novelty volume tag",
        "high",
        (0.1, 0.4, 3),
    ),
    Row(
        "A98",
        "built upon another base",
        origins.build_on_another_base,
        "N",
        "T1195.002 T1525 T1195.001",
        "novelty supply mounts",
        "high",
        (0.2, 0.4, 2.1),
        WORK,
    ),
    Row(
        "A99",
        "uploads in crumbs",
        pieces.upload_in_crumbs,
        "V",
        "T1499 T1496",
        "uploads volume",
        "medium",
        (0.1, 0.3, 3),
    ),
    Row(
        "A100",
        "mirror takes more than its list",
        takings.widen_the_mirror,
        "N",
        "T1020 T1537 T1213",
        "novelty volume settings",
        "high",
        (0.2, 0.5, 3),
    ),
)

UNIMAGINED = recipes(_UNIMAGINED)
