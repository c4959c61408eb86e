"""Builds that fetch their base image, push, sign and are used; what `supply_chain` says of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.supply_chain import SupplyChain

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CI, AT = "robot$shop+ci", START + 16 * DAY + timedelta(hours=3)


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def build(
    made: Made,
    at: datetime,
    number: int,
    *,
    actor: str = CI,
    client: str = "10.30.0.1",
    base: bool = True,
    beside: bool = True,
    sign: bool = True,
    use: bool = True,
) -> None:
    who = {"actor": actor, "client_ip": client}
    if base:
        made.add(at - 9 * MINUTE, "pull", repository="base/python", digest=digest(9_999), **who)
    for tag in (f"1.{number}.0", "latest") if beside else ("latest",):
        made.add(at, "push", repository="shop/api", tag=tag, digest=digest(number), **who)
    if sign:
        made.add(at + MINUTE, "push", repository="shop/api", tag=digest(number).replace(":", "-") + ".sig", **who)
    if use:
        made.add(
            at + 9 * MINUTE,
            "pull",
            actor="robot$node",
            client_ip="10.9.0.1",
            repository="shop/api",
            digest=digest(number),
        )


def usual() -> Made:
    made = Made()
    for day in range(16):
        build(made, START + day * DAY + timedelta(hours=10), day)
        made.add(START + day * DAY, "push", actor="ann", client_ip="192.0.2.1", repository="shop/docs", tag="v1")
    return made


def found(made: Made, folder: Path) -> list[tuple[str, str]]:
    store = made.store(folder)
    told: list[Suspicion] = list(SupplyChain().detect(store, AT - timedelta(hours=1), AT + timedelta(hours=4)))
    store.close()
    return [(one.kind, str(one.severity)) for one in told]
