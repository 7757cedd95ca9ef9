"""Sessions of the exchange, golden dates."""

from datetime import UTC, date, datetime

import pytest

from bellwether.core.calendar import session_calendar
from bellwether.core.errors import InvalidRequest

CLOSED = [date(2025, 1, 9), date(2018, 12, 5), date(2012, 10, 29), date(2026, 7, 3)]


@pytest.mark.parametrize("day", CLOSED, ids=str)
def test_closed_days_are_no_sessions(day: date) -> None:
    calendar = session_calendar()

    assert not calendar.is_session(day)
    with pytest.raises(InvalidRequest):
        calendar.index(day)


def test_an_early_close_is_known_by_the_hour() -> None:
    calendar = session_calendar()

    assert calendar.close_of(date(2026, 11, 27)) == datetime(2026, 11, 27, 18, tzinfo=UTC)
    assert calendar.close_of(date(2026, 11, 25)) == datetime(2026, 11, 25, 21, tzinfo=UTC)


def test_sessions_are_counted_not_days() -> None:
    calendar = session_calendar()

    assert calendar.distance(date(2012, 10, 26), date(2012, 10, 31)) == 1
    assert calendar.shift(date(2012, 10, 31), -1) == date(2012, 10, 26)
    assert calendar.last_closed(datetime(2012, 10, 31, 19, tzinfo=UTC)) == date(2012, 10, 26)
    assert calendar.positions([date(2012, 10, 29)]).tolist() == [-1]
