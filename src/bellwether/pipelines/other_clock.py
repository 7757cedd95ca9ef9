"""Another time of the machine, for a process that runs a user's view to see whether it cares."""

import datetime as dt
import time
from importlib import import_module
from typing import Any

AHEAD_DAYS = 1234
SECONDS = 86_400
BUILT_ON_TIME = ("pandas", "numpy", "polars")
"""Libraries that build on the real classes, so that they have to be there before."""


class _Always(type):
    """Says of every real date that it is one of these too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.__mro__[1])


def far_away() -> None:
    """Let Python's clocks run more than three years ahead in this process.

    What is imported later sees it; a library's own clock in machine code does not.
    """
    for name in BUILT_ON_TIME:
        import_module(name)
    now, now_ns, ahead = time.time, time.time_ns, AHEAD_DAYS * SECONDS
    time.time = lambda: now() + ahead
    time.time_ns = lambda: now_ns() + ahead * 1_000_000_000
    date, moment = dt.date, dt.datetime
    ahead_by = dt.timedelta(days=AHEAD_DAYS)

    class Date(date, metaclass=_Always):  # type: ignore[misc, valid-type]
        """A date whose today lies ahead."""

        def __new__(cls, *args: Any, **named: Any) -> Any:
            return date(*args, **named)

        @classmethod
        def today(cls) -> Any:
            return date.today() + ahead_by

    class Moment(moment, metaclass=_Always):  # type: ignore[misc, valid-type]
        """An instant whose now lies ahead."""

        def __new__(cls, *args: Any, **named: Any) -> Any:
            return moment(*args, **named)

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment.now(tz) + ahead_by

        @classmethod
        def utcnow(cls) -> Any:
            return moment.now(dt.UTC).replace(tzinfo=None) + ahead_by

        @classmethod
        def today(cls) -> Any:
            return cls.now()

    dt.date, dt.datetime = Date, Moment  # type: ignore[misc]
