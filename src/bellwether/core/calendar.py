"""Exchange sessions: the unit of time for every lag, horizon and time-to-live."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import cache, cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import InvalidRequest

START = "1962-01-02"
END = "2035-12-31"


class SessionCalendar:
    """Sessions of one exchange with their open and close instants.

    The range is explicit: the library's default reaches back only twenty years from the day it is
    asked, so that results would change with the run date.

    Examples
    --------
    >>> calendar = session_calendar()
    >>> calendar.shift(date(2012, 10, 26), 1)  # closed two days by a hurricane
    datetime.date(2012, 10, 31)
    """

    def __init__(
        self,
        name: str,
        sessions: npt.NDArray[np.datetime64],
        opens: npt.NDArray[np.datetime64],
        closes: npt.NDArray[np.datetime64],
    ) -> None:
        self.name = name
        self.sessions = sessions
        self.opens = opens
        self.closes = closes
        numbers = sessions.astype(np.int64)
        self._first_day = int(numbers[0])
        self._by_day = np.full(int(numbers[-1]) - self._first_day + 1, -1, dtype=np.int64)
        self._by_day[numbers - self._first_day] = np.arange(len(numbers))

    def follows(self, before: date, after: date) -> bool:
        """Tell whether `after` is the very next session after `before`; False where either is none."""
        return self._next.get(before) == after

    @cached_property
    def _next(self) -> dict[date, date]:
        days = self.sessions.astype(object).tolist()
        return dict(pairwise(days))

    def is_session(self, day: date) -> bool:
        """Tell whether the exchange traded on `day`."""
        i = self._position(day)
        return i < len(self.sessions) and self.sessions[i] == np.datetime64(day, "D")

    def index(self, session: date) -> int:
        """Return the position of `session`; raise InvalidRequest where it is none."""
        if not self.is_session(session):
            raise InvalidRequest("session", f"{session} is not a session of {self.name}")
        return self._position(session)

    def shift(self, session: date, n: int) -> date:
        """Return the session `n` sessions after (before, if negative) `session`."""
        return self._day(self.index(session) + n)

    def distance(self, start: date, end: date) -> int:
        """Count sessions from `start` to `end`; 0 where they are the same."""
        return self.index(end) - self.index(start)

    def close_of(self, session: date) -> datetime:
        """Return the instant at which `session` closed, UTC."""
        return _instant(self.closes[self.index(session)])

    def open_of(self, session: date) -> datetime:
        """Return the instant at which `session` opened, UTC."""
        return _instant(self.opens[self.index(session)])

    def last_closed(self, at: datetime) -> date:
        """Return the newest session whose close is at or before `at`."""
        moment = np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us")
        i = int(np.searchsorted(self.closes, moment, side="right")) - 1
        return self._day(i)

    def between(self, first: date, last: date) -> list[date]:
        """List the sessions from `first` to `last`, both included."""
        lo = self._position(first)
        hi = int(np.searchsorted(self.sessions, np.datetime64(last, "D"), side="right"))
        return list(self.sessions[lo:hi].astype(object))

    def positions(self, days: Sequence[date] | npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
        """Return positions of `days`, an array of shape (n,); -1 where a day is no session."""
        wanted = np.asarray(days, dtype="datetime64[D]").astype(np.int64)
        offset = wanted - self._first_day
        inside = (offset >= 0) & (offset < len(self._by_day))
        return np.where(inside, self._by_day[np.where(inside, offset, 0)], -1)

    def _position(self, day: date) -> int:
        return int(np.searchsorted(self.sessions, np.datetime64(day, "D")))

    def _day(self, i: int) -> date:
        if not 0 <= i < len(self.sessions):
            raise InvalidRequest("session", f"outside the calendar, which runs {START} to {END}")
        day: date = self.sessions[i].astype(object)
        return day


def _instant(value: np.datetime64) -> datetime:
    moment: datetime = value.astype("datetime64[us]").astype(object)
    return moment.replace(tzinfo=UTC)


@cache
def session_calendar(name: str = "XNYS") -> SessionCalendar:
    """Build the calendar of exchange `name` from 1962 to 2035, once a process."""
    import exchange_calendars as xc

    source = xc.get_calendar(name, start=START, end=END)
    naive = [frame.dt.tz_convert(None).to_numpy() for frame in (source.opens, source.closes)]
    return SessionCalendar(
        name,
        source.sessions.to_numpy().astype("datetime64[D]"),
        naive[0].astype("datetime64[us]"),
        naive[1].astype("datetime64[us]"),
    )
