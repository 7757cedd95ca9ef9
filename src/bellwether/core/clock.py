"""The clocks. This module is the only reader of the machine's time."""

from collections.abc import Callable
from datetime import UTC, datetime

from bellwether.core.ports import Clock


class SystemClock:
    """The machine's time."""

    standing: tuple[str, ...] = ()

    def now(self) -> datetime:
        """Return the present instant, UTC."""
        return datetime.now(UTC)

    def look(self) -> None:
        """Nothing can change what this clock shows."""


class FixedClock:
    """A clock that stands still, for data that ends in the past and for replays."""

    def __init__(self, at: datetime, standing: tuple[str, ...] = ()) -> None:
        self._at = at.astimezone(UTC)
        self.standing = standing

    def now(self) -> datetime:
        """Return the instant the clock stands at, UTC."""
        return self._at

    def look(self) -> None:
        """Nothing can change what this clock shows."""


class SampleClock:
    """Stands at `until` for as long as `only_sample()` holds, and goes with the machine otherwise.

    It asks when it is made and at each `look`, so that a server that runs while the first real
    bars come in goes over to the present at its next refresh.
    """

    def __init__(self, until: datetime, only_sample: Callable[[], bool], reason: str) -> None:
        self._stopped = FixedClock(until, (reason,))
        self._going = SystemClock()
        self._only_sample = only_sample
        self.look()

    @property
    def standing(self) -> tuple[str, ...]:
        """What every answer has to say about the time it was given at."""
        return self._shown.standing

    def now(self) -> datetime:
        """Return the instant that counts as now, UTC."""
        return self._shown.now()

    def look(self) -> None:
        """Find out anew what there is."""
        self._shown: SystemClock | FixedClock = (
            self._stopped if self._only_sample() else self._going
        )


class SessionClock:
    """A clock that is put to an instant, for work on one past session after another.

    `base` is the clock of the present, whose `standing` every answer has to name as well.
    """

    def __init__(self, base: Clock) -> None:
        self._base = base
        self._at = base.now()
        self._reasons: tuple[str, ...] = ()

    @property
    def standing(self) -> tuple[str, ...]:
        """What every answer has to say about the time it was given at."""
        return (*self._base.standing, *self._reasons)

    def put(self, at: datetime, reasons: tuple[str, ...] = ()) -> None:
        """Stand at `at` from now on, and have every answer name `reasons`."""
        self._at, self._reasons = at.astimezone(UTC), reasons

    def now(self) -> datetime:
        """Return the instant the clock was put to, UTC."""
        return self._at

    def look(self) -> None:
        """Find out anew what the present depends on."""
        self._base.look()
