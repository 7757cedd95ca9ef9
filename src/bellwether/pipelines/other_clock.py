"""Another time of the machine, for a process that runs a user's view to see whether it cares."""

import datetime as real
import time
from typing import Any

AHEAD_DAYS = 1234
SECONDS = 86_400


class _Always(type):
    """Says of every real date that it is one of these too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.__mro__[1])


def far_away() -> None:
    """Let Python's clocks run more than three years ahead in this process.

    What is imported later sees it; a library's own clock in machine code does not.
    """
    import pandas  # noqa: F401, ICN001 - builds on the real classes, so it has to be there before

    now, now_ns, ahead = time.time, time.time_ns, AHEAD_DAYS * SECONDS
    time.time = lambda: now() + ahead
    time.time_ns = lambda: now_ns() + ahead * 1_000_000_000
    date, moment = real.date, real.datetime

    class Date(date, metaclass=_Always):
        """A date whose today lies ahead."""

        def __new__(cls, *args: Any, **named: Any) -> Any:
            return date(*args, **named)

        @classmethod
        def today(cls) -> Any:
            return date.today() + real.timedelta(days=AHEAD_DAYS)  # noqa: DTZ011, TID251

    class Moment(moment, metaclass=_Always):
        """An instant whose now lies ahead."""

        def __new__(cls, *args: Any, **named: Any) -> Any:
            return moment(*args, **named)

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment.now(tz) + real.timedelta(days=AHEAD_DAYS)  # noqa: TID251

        @classmethod
        def utcnow(cls) -> Any:
            return moment.now(real.UTC).replace(tzinfo=None) + real.timedelta(days=AHEAD_DAYS)  # noqa: TID251

        @classmethod
        def today(cls) -> Any:
            return cls.now()

    real.date, real.datetime = Date, Moment  # type: ignore[misc]
