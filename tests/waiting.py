"""Waiting for what has to come true, instead of sleeping for as long as it might take."""

import time
from collections.abc import Callable

WAIT_S = 30.0


def until(true: Callable[[], object], what: str = "the condition", wait_s: float = WAIT_S) -> None:
    """Return once `true()` holds; fail the test if it does not in time."""
    deadline = time.monotonic() + wait_s
    while not true():
        assert time.monotonic() < deadline, f"waited {wait_s} s for {what}"
        time.sleep(0.005)
