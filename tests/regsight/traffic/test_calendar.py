"""When things happen."""

from __future__ import annotations

from datetime import UTC, datetime

from regsight.traffic.calendar import Calendar, Quiet, moment
from regsight.traffic.population import DAY, HOUR

MONDAY = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp()) * 10**9
CALENDAR = Calendar(3, MONDAY)


def test_people_work_by_day_in_their_zone() -> None:
    """Six hours west of Greenwich, the busy hours are the evening's."""
    starts = CALENDAR.starts("people", [400.0] * 20, [-6] * 20, 0)
    hours = [moment(at).hour for _, at in starts]
    assert sum(hour >= 14 for hour in hours) > 4 * sum(4 <= hour < 12 for hour in hours)


def test_weekends_and_holidays_are_quiet() -> None:
    """On a Saturday, and on a holiday, people do a small part of a Monday's work; machines do all of theirs."""
    closed = Calendar(3, MONDAY, (Quiet(MONDAY, MONDAY + DAY),))
    usual, saturday = (len(CALENDAR.starts("people", [50.0] * 40, [1] * 40, day)) for day in (0, 5))
    assert saturday < 0.2 * usual
    assert len(closed.starts("people", [50.0] * 40, [1] * 40, 0)) < 0.2 * usual
    assert closed.starts("machines", [50.0], [0], 0) == CALENDAR.starts("machines", [50.0], [0], 0)


def test_the_average_is_the_rate() -> None:
    """Over many subjects, a working day holds about as many operations as their rates say."""
    for kind in ("people", "robots", "nodes", "machines"):
        count = len(CALENDAR.starts(kind, [10.0] * 1000, [1] * 1000, 0))
        assert 8_000 < count < 12_000


def test_moments_are_in_order_and_of_the_day() -> None:
    """Moments are sorted and lie within the day asked for."""
    moments = [at for _, at in CALENDAR.starts("robots", [30.0] * 10, [1] * 10, 2)]
    assert moments == sorted(moments)
    assert moments[0] >= MONDAY + 2 * DAY and moments[-1] < MONDAY + 3 * DAY
    assert moments[-1] - moments[0] > 12 * HOUR
