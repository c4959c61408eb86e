"""Everything harmless but unusual, by code: `SURPRISES`. None of it deserves an alert."""

from __future__ import annotations

from typing import NamedTuple

from regsight.traffic.scenes import Play, Recipe
from regsight.traffic.surprises import machines, people

MORNING, DAYTIME, NIGHT, ANY = (7.0, 8.0), (8.0, 13.0), (2.0, 3.5), (0.0, 24.0)


class _Row(NamedTuple):
    code: str
    name: str
    play: Play
    hours: tuple[float, float] = ANY
    days: tuple[float, float, float] = (0.1, 0.5, 1.0)
    alters: bool = False


_TABLE = (
    _Row("B01", "node pool scale-out", machines.scale_out),
    _Row("B02", "rolling cold start", machines.cold_start, days=(0.2, 0.3, 0.5)),
    _Row("B03", "cluster from zero each morning", machines.morning_cluster, (5.0, 6.5), (5, 4, 3)),
    _Row("B04", "release day", people.release_day, DAYTIME, (0.5, 0.5, 0.5)),
    _Row("B05", "first mirror sync", machines.first_sync),
    _Row("B06", "scanner full run", machines.full_scan, DAYTIME),
    _Row("B07", "retry storm after outage", machines.outage, DAYTIME, alters=True),
    _Row("B08", "expired robot token", machines.expired_token, days=(1.7, 0.6, 0.2)),
    _Row("B09", "password change by policy", people.password_change, MORNING),
    _Row("B11", "holiday", machines.holiday, days=(4, 2, 1), alters=True),
    _Row("B12", "new team", people.new_team, MORNING, (4, 4, 4)),
    _Row("B13", "new employee", people.new_employee, MORNING, (0.4, 0.4, 0.4)),
    _Row("B14", "migration to another registry", people.migrate, DAYTIME, (1.1, 3.1, 5.1)),
    _Row("B15", "first run of retention", machines.first_retention),
    _Row("B16", "rebuild after a new base", people.rebuild_cascade, DAYTIME),
    _Row("B17", "cache eviction", machines.evict_caches, days=(0.6, 0.6, 0.6)),
    _Row("B18", "office moves", people.office_moves, MORNING, (3, 2, 1), alters=True),
    _Row("B19", "new proxy in front", machines.change_proxy, DAYTIME, (0.6, 0.3, 0.1), alters=True),
    _Row("B20", "night hotfix", people.night_hotfix, NIGHT),
    _Row("B21", "load test", machines.load_test, DAYTIME),
    _Row("B22", "client upgrade", machines.upgrade_clients, DAYTIME, (1.1, 1.4, 2), alters=True),
    _Row("B24", "licence audit", people.licence_audit, DAYTIME),
    _Row("B25", "training", people.training, DAYTIME),
    _Row("B27", "robot rotation", people.rotate_robot, DAYTIME, (3, 2, 1), alters=True),
    _Row("B28", "quarter's end", machines.quarterly_jobs, DAYTIME),
)

SURPRISES: dict[str, Recipe] = {
    row.code: Recipe(
        code=row.code,
        name=row.name,
        play=row.play,
        benign=True,
        hours=row.hours,
        days=row.days,
        alters=row.alters,
    )
    for row in _TABLE
}
