"""Circuit breakers: a server that is away is asked seldom, and its callers are told at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pybreaker

from bellwether.core.errors import Unavailable
from bellwether.telemetry import BREAKER_OPENED, BREAKER_REFUSED, BREAKER_STATE

FAIL_MAX = 3
RESET_S = 1.0
_STATES = {"closed": 0, "half-open": 1, "open": 2}


class Breaker:
    """Guards the calls to one server.

    After `fail_max` failures in a row it opens, and calls raise Unavailable without being made.
    After `reset_s` seconds one call at a time goes through as a probe: its success closes the
    breaker (Nygard, 2018, "Release It!", 2nd ed.).

    Parameters
    ----------
    name
        The server, as people know it: `redis`, `database`.
    failures
        Errors that mean that the server is away. They are raised as Unavailable; any other error
        passes and counts as a success, because the server did answer.
    """

    def __init__(
        self,
        name: str,
        failures: tuple[type[Exception], ...],
        fail_max: int = FAIL_MAX,
        reset_s: float = RESET_S,
    ) -> None:
        self.name = name
        self._failures = failures
        self._probe = threading.Lock()
        self._why = ""
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=fail_max,
            reset_timeout=reset_s,
            exclude=[lambda error: not isinstance(error, failures)],
            listeners=[_Meter(name)],
            name=name,
            throw_new_error_on_trip=False,
        )
        BREAKER_STATE.labels(name).set(0)

    @property
    def away(self) -> str | None:
        """Why the server counts as away; None while the breaker is closed."""
        return None if self._closed() else self._why

    def _closed(self) -> bool:
        return self._breaker.current_state == pybreaker.STATE_CLOSED

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Guard the calls made inside the block.

        Raises
        ------
        Unavailable
            If the breaker is open, another probe is out, or the block fails as a server that is
            away fails.
        """
        probing = not self._closed()
        if probing and not self._probe.acquire(blocking=False):
            BREAKER_REFUSED.labels(self.name).inc()
            raise Unavailable(self.name, self._why)
        try:
            with self._breaker.calling():
                yield
        except pybreaker.CircuitBreakerError:
            BREAKER_REFUSED.labels(self.name).inc()
            raise Unavailable(self.name, self._why) from None
        except self._failures as error:
            self._why = _sentence(error)
            raise Unavailable(self.name, self._why) from error
        finally:
            if probing:
                self._probe.release()


class _Meter(pybreaker.CircuitBreakerListener):
    def __init__(self, name: str) -> None:
        self._name = name

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,  # noqa: ARG002 - the library's signature
        old_state: pybreaker.CircuitBreakerState | None,  # noqa: ARG002
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        """Publish the state."""
        BREAKER_STATE.labels(self._name).set(_STATES[new_state.name])
        if new_state.name == pybreaker.STATE_OPEN:
            BREAKER_OPENED.labels(self._name).inc()


def _sentence(error: Exception) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
