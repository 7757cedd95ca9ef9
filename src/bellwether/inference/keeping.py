"""Keeping a service up: before its servers are there, and after what it knows has aged."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bellwether.core.errors import BellwetherError, Unavailable
from bellwether.core.types import Prediction, PredictionRequest
from bellwether.telemetry import get_logger

RETRY_S = 0.25
RETRY_MOST_S = 2.0


@contextmanager
def started(build: Callable[[], Any]) -> Iterator[Any]:
    """Give what `build` makes, or, while a server it needs is away, a stand-in that waits for it.

    Parameters
    ----------
    build
        Makes the service; raises Unavailable while a server is away.

    Raises
    ------
    BellwetherError
        If `build` fails in a way that waiting does not mend.
    """
    late = None
    try:
        service = build()
    except Unavailable as error:
        service = late = LateService(build, error)
    try:
        yield service
    finally:
        if late is not None:
            late.close()


@contextmanager
def kept_fresh(service: Any, every_s: float) -> Iterator[None]:
    """Refresh `service` in a thread, at once and then every `every_s` seconds."""
    stopped = threading.Event()

    def keep() -> None:
        while True:
            try:
                service.refresh()
            except BellwetherError as error:
                get_logger(__name__).warning("refresh_failed", why=str(error))
            except Exception:  # noqa: BLE001 - the unforeseen must not end all looks to come
                get_logger(__name__).exception("refresh_failed")
            if stopped.wait(every_s):
                return

    thread = threading.Thread(target=keep, name="refresh", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


class LateService:
    """Answers Unavailable, with the reason, until `build` succeeds; then it is what was built."""

    def __init__(self, build: Callable[[], Any], why: Unavailable) -> None:
        self._build = build
        self._why: BellwetherError = why
        self._service: Any = None
        self._closed = threading.Event()
        get_logger(__name__).warning("cannot_start_yet", why=str(why))
        self._thread = threading.Thread(target=self._try, name="late-start", daemon=True)
        self._thread.start()

    def _try(self) -> None:
        pause = RETRY_S
        while not self._closed.wait(pause):
            try:
                self._service = self._build()
            except BellwetherError as error:
                if str(error) != str(self._why):
                    get_logger(__name__).warning("cannot_start_yet", why=str(error))
                self._why = error
                pause = min(pause * 2, RETRY_MOST_S)
            else:
                get_logger(__name__).warning("started_late", why=str(self._why))
                return

    def close(self) -> None:
        """Stop trying."""
        self._closed.set()
        self._thread.join()

    async def answer(
        self, request: PredictionRequest, prediction_id: str | None = None
    ) -> Prediction:
        """Answer as the service does, or raise Unavailable."""
        found: Prediction = await self._ready().answer(request, prediction_id)
        return found

    def health(self) -> dict[str, object]:
        """Return the service's health, or what keeps it from starting."""
        if self._service is not None:
            found: dict[str, object] = self._service.health()
            return found
        store = getattr(self._why, "store", "service")
        part = {"status": "down", "detail": str(self._why), "latency_ms": 0.0}
        return {"status": "down", "components": {store: part}, "degraded": [f"{store}_away"]}

    def refresh(self) -> None:
        """Refresh the service once there is one."""
        if self._service is not None:
            self._service.refresh()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ready(), name)

    def _ready(self) -> Any:
        if self._service is None:
            store = getattr(self._why, "store", "service")
            raise Unavailable(store, getattr(self._why, "why", str(self._why)))
        return self._service
