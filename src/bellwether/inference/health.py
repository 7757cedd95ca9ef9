"""How each part is: asked side by side, each with an end to the wait for its answer."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from bellwether.core.errors import BellwetherError
from bellwether.core.ports import Ports
from bellwether.inference.catalogue import Catalogue
from bellwether.telemetry import COMPONENT_STATE

DEADLINE_S = 1.5
HEALTHY, DEGRADED, DOWN = "healthy", "degraded", "down"
_NUMBERS = {HEALTHY: 0, DEGRADED: 1, DOWN: 2}

Part = dict[str, Any]
Check = Callable[[], str]


class Health:
    """Asks the servers behind the ports.

    A server that hangs costs one thread and one deadline: while its last question is open, no
    further one is asked.
    """

    def __init__(self, ports: Ports) -> None:
        self._clock = ports.clock
        self._checks = _checks(ports)
        self._open: dict[str, Future[Part]] = {}
        self._asking = threading.Lock()
        self._askers = ThreadPoolExecutor(len(self._checks), thread_name_prefix="health")

    def report(self, catalogue: Catalogue) -> dict[str, object]:
        """Return the state of the platform and of its parts, JSON-ready."""
        parts = {**self._asked(), "model": _model(catalogue), "features": _features(catalogue)}
        for name, part in parts.items():
            COMPONENT_STATE.labels(name).set(_NUMBERS[part["status"]])
        states = {part["status"] for part in parts.values()}
        down = DOWN in (parts["database"]["status"], parts["model"]["status"])
        status = DOWN if down else HEALTHY if states == {HEALTHY} else DEGRADED
        away = [f"{n}_away" for n, p in parts.items() if p["status"] == DOWN and n in self._checks]
        return {"status": status, "components": parts, "degraded": [*self._clock.standing, *away]}

    def _asked(self) -> dict[str, Part]:
        with self._asking:
            self._open = {name: self._ask(name, check) for name, check in self._checks.items()}
            asked = self._open
        wait(asked.values(), DEADLINE_S)
        silent = _part(DOWN, f"no answer within {DEADLINE_S:g} s", DEADLINE_S)
        return {name: f.result() if f.done() else silent for name, f in asked.items()}

    def _ask(self, name: str, check: Check) -> "Future[Part]":
        known = self._open.get(name)
        if known is not None and not known.done():
            return known
        return self._askers.submit(_answer, check)


def _checks(ports: Ports) -> Mapping[str, Check]:
    def database() -> str:
        ports.log.ping()
        return "predictions can be written"

    def lake() -> str:
        return f"{len(ports.lake.symbols())} symbols"

    def online() -> str:
        ports.online.get_many(("PING",), "health")
        return ports.online.away() or "answers"

    def sentiment() -> str:
        ports.sentiment.ping()
        return ports.sentiment.method

    found: dict[str, Check] = {"database": database, "lake": lake, ports.online.kind: online}
    found["sentiment"] = sentiment
    queue, tracker = ports.queue, ports.tracker
    if queue is not None:
        found["queue"] = lambda: "{0.waiting} wait, {0.taken} taken, {0.dead} dead".format(
            queue.counts()
        )
    if tracker.remote:
        found["mlflow"] = _sign_of(tracker.ping)
    return found


def _answer(check: Check) -> Part:
    begun = time.perf_counter()
    try:
        status, detail = HEALTHY, check()
    except BellwetherError as error:
        status, detail = DOWN, str(error)
    return _part(status, detail, time.perf_counter() - begun)


def _part(status: str, detail: str, took_s: float = 0.0) -> Part:
    return {"status": status, "detail": detail, "latency_ms": round(took_s * 1000, 3)}


def _model(catalogue: Catalogue) -> Part:
    if not catalogue.answering:
        return _part(DOWN, "no release answers; make one with: bellwether train")
    detail = f"{len(catalogue.releases)} releases answer for {len(catalogue.answering)} questions"
    status = DEGRADED if catalogue.faults else HEALTHY
    return _part(status, "; ".join((detail, *catalogue.faults)))


def _features(catalogue: Catalogue) -> Part:
    if catalogue.watermark is None:
        return _part(DEGRADED, "nothing materialised; run: bellwether features materialize")
    return _part(HEALTHY, f"materialised up to {catalogue.watermark.isoformat()}")


def _sign_of(ping: Callable[[], None]) -> Check:
    def check() -> str:
        ping()
        return "answers"

    return check
