"""The clocks. This module is the only reader of the machine's time."""

from datetime import UTC, datetime


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Return the present instant, UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still, for data that ends in the past and for replays."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """Return the instant the clock stands at, UTC."""
        return self._at
