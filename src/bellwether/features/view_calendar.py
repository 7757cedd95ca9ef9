"""What the date alone says: known at any time before, closures of the exchange or not."""

from functools import cache

from bellwether.features.catalog import FeatureView
from bellwether.features.expr import Column, lag, pair
from bellwether.features.formulas import Row, features

_DAY = Column("day_number")
_WEEKDAY, _MONTH = Column("weekday"), Column("month")
_INTO, _LEFT = Column("weekdays_into_month"), Column("weekdays_left_in_month")
_LEFT_QUARTER, _LEFT_YEAR = Column("weekdays_left_in_quarter"), Column("weekdays_left_in_year")
_EXPIRY = Column("days_to_expiry")
_TURN, _FRENCH = "Ariel, 1987", "French, 1980"

_ROWS: list[Row] = [
    ("weekday", _WEEKDAY + 0, "days", "Day of the week, 0 on a Monday", _FRENCH),
    ("is_monday", pair("above", 1, _WEEKDAY), "state", "1 on a Monday", _FRENCH),
    ("is_friday", pair("above", _WEEKDAY, 3), "state", "1 on a Friday", _FRENCH),
    (
        "days_since_session",
        _DAY - lag(_DAY, 1),
        "days",
        "Days since the last session: 1 in the week, more after weekends and holidays",
        "French and Roll, 1986",
    ),
    ("month", _MONTH + 0, "month", "Month, 1 to 12", "Rozeff and Kinney, 1976"),
    ("is_january", pair("above", 2, _MONTH), "state", "1 in January", "Rozeff and Kinney, 1976"),
    (
        "is_winter_half",
        pair("max", pair("above", 5, _MONTH), pair("above", _MONTH, 10)),
        "state",
        "1 from November to April",
        "Bouman and Jacobsen, 2002",
    ),
    ("weekdays_into_month", _INTO + 0, "weekdays", "Weekdays of the month before this one", _TURN),
    (
        "weekdays_left_in_month",
        _LEFT + 0,
        "weekdays",
        "Weekdays of the month after this one",
        _TURN,
    ),
    (
        "turn_of_month",
        pair("max", pair("above", 1, _LEFT), pair("above", 3, _INTO)),
        "state",
        "1 on the last weekday of a month and on the first three",
        "Lakonishok and Smidt, 1988",
    ),
    (
        "weekdays_left_in_quarter",
        _LEFT_QUARTER + 0,
        "weekdays",
        "Weekdays of the quarter after this one",
        "Lakonishok et al., 1991",
    ),
    (
        "is_quarter_end",
        pair("above", 5, _LEFT_QUARTER),
        "state",
        "1 on the last five weekdays of a quarter",
        "Lakonishok et al., 1991",
    ),
    (
        "is_year_end",
        pair("above", 10, _LEFT_YEAR),
        "state",
        "1 on the last ten weekdays of a year",
        "Haug and Hirschey, 2006",
    ),
    (
        "days_to_expiry",
        _EXPIRY + 0,
        "days",
        "Days to the next third Friday, when monthly options expire; 0 on it",
        "Stoll and Whaley, 1987",
    ),
    (
        "is_expiry_week",
        pair("above", 5, _EXPIRY),
        "state",
        "1 from Monday to the third Friday of its week",
        "Stoll and Whaley, 1987",
    ),
    (
        "place_in_year",
        Column("day_of_year") / 366,
        "ratio",
        "Day of the year over 366",
        "Heston and Sadka, 2008",
    ),
]


@cache
def calendar() -> FeatureView:
    """Return the view of the date. Its columns never depend on which days the exchange closes."""
    return FeatureView("calendar", features("calendar", _ROWS), ttl_sessions=1)
