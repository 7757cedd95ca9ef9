"""The HTTP door on a real socket, in a thread, for as long as a test needs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bellwether.api.app import Service, create_app
from bellwether.api.edge import LOOPBACK_HOSTS
from bellwether.api.server import REQUEST_TIMEOUT_S, listen, server


@contextmanager
def served(
    service: Service,
    hosts: tuple[str, ...] | None = LOOPBACK_HOSTS,
    request_timeout_s: float = REQUEST_TIMEOUT_S,
) -> Iterator[int]:
    """Serve `service` on a free loopback port, which is the value; callers queue until it runs."""
    listener = listen("127.0.0.1", 0)
    running = server(create_app(service, allowed_hosts=hosts), request_timeout_s)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        running.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()
