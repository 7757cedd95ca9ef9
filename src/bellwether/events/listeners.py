"""Those who listen to a topic of an event bus."""

from collections.abc import Callable

from bellwether.telemetry import EVENTS_FAILED, EVENTS_RECEIVED, get_logger

_LOG = get_logger(__name__)


class Listener:
    """One subscription. What it raises is logged and counted, and never reaches the bus."""

    def __init__(
        self, topic: str, on_message: Callable[[bytes], None], on_link: Callable[[bool], None]
    ) -> None:
        self.topic = topic
        self.linked = False
        self._on_message = on_message
        self._on_link = on_link

    def hear(self, payload: bytes) -> None:
        """Hand over one message."""
        EVENTS_RECEIVED.labels(self.topic).inc()
        try:
            self._on_message(payload)
        except Exception:  # noqa: BLE001 - one listener must not deafen the others
            self._failed()

    def link(self, *, up: bool) -> None:
        """Tell that listening begins, or that the connection is lost; each only once."""
        if up == self.linked:
            return
        self.linked = up
        try:
            self._on_link(up)
        except Exception:  # noqa: BLE001 - one listener must not deafen the others
            self._failed()

    def _failed(self) -> None:
        EVENTS_FAILED.labels(self.topic).inc()
        _LOG.exception("event_listener_failed", topic=self.topic)
