"""Messages within one process."""

import threading
from collections.abc import Callable

from bellwether.events.listeners import Listener
from bellwether.telemetry import EVENTS_PUBLISHED


class InProcessBus:
    """The EventBus port as plain calls: who publishes returns once every listener has heard.

    The link to oneself is never lost.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._listeners: dict[str, tuple[Listener, ...]] = {}

    def publish(self, topic: str, payload: bytes) -> None:
        """Call every listener of `topic`."""
        EVENTS_PUBLISHED.labels(topic).inc()
        for listener in self._listeners.get(topic, ()):
            listener.hear(payload)

    def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_link: Callable[[bool], None]
    ) -> None:
        """Call `on_message` for each message from now on, from the thread that publishes."""
        listener = Listener(topic, on_message, on_link)
        listener.link(up=True)
        with self._changing:
            self._listeners[topic] = (*self._listeners.get(topic, ()), listener)

    def close(self) -> None:
        """Forget all listeners."""
        with self._changing:
            self._listeners = {}
