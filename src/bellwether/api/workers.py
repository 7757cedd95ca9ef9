"""Several processes behind one port: the supervisor that keeps them running, and a worker's side.

The supervisor opens the port once and starts the workers, each a fresh process that inherits the
open socket; the kernel gives a connection to whichever takes it first. Between the supervisor and
each worker lies a link, a pair of sockets: over it a worker says that it is ready, and its end
tells either side that the other one is gone, however it went.
"""

import os
import selectors
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from starlette.types import ASGIApp

from bellwether.api.server import GRACE_S, serve_on
from bellwether.telemetry import WORKER_RESTARTS, get_logger, shared

READY = b"ready\n"
SHARED_FILES = "PROMETHEUS_MULTIPROC_DIR"

END_S = GRACE_S + 5.0
"""Seconds a worker has to end: what uvicorn gives to requests, and a little to write the rest."""
STEADY_S = 60.0
"""Seconds after which a worker counts as having run: its death is not one of a row."""
CLOSE_S = 2.0
"""Seconds between the end of a worker's link and its own."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 30.0
_SIGNALS = {number.value: number.name for number in signal.Signals}


class Worker:
    """The worker's side: the inherited socket, and the link to the supervisor.

    From its making on, the end of the supervisor is the end of this process.
    """

    def __init__(self, listener_fd: int, link_fd: int) -> None:
        for number in (listener_fd, link_fd):
            os.set_inheritable(number, False)  # what a worker starts must not hold the port
        self._listener = socket.socket(fileno=listener_fd)
        self._link = socket.socket(fileno=link_fd)
        threading.Thread(target=self._listen, name="supervisor-link", daemon=True).start()

    def run(self, app: ASGIApp) -> None:
        """Serve until told to stop."""
        serve_on(self._listener, app, on_ready=lambda: self._link.sendall(READY))

    def _listen(self) -> None:
        """Count what the supervisor tells, and stop once it is gone."""
        with suppress(OSError), self._link.makefile("rb") as told:
            for line in told:
                WORKER_RESTARTS.labels(line.decode("ascii").strip()).inc()
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(END_S)
        os._exit(1)


@dataclass(slots=True)
class _Running:
    process: "subprocess.Popen[bytes]"
    link: socket.socket
    since: float
    ready: bool = False


@dataclass(slots=True)
class _Place:
    """A worker's place, whoever holds it: at `due` an empty one is filled."""

    number: int
    folder: Path
    holder: _Running | None = None
    due: float = 0.0
    deaths_in_a_row: int = 0


class Supervisor:
    """Keeps workers running on one socket until a signal ends it.

    Parameters
    ----------
    listener
        The open socket; closed at the end.
    count
        How many workers.
    command
        What starts a worker, from the numbers of its socket and of its link.
    environment
        The workers' environment.
    folder
        Where the workers' metrics are kept: made afresh, and removed at the end.
    """

    def __init__(
        self,
        listener: socket.socket,
        count: int,
        command: Callable[[int, int], Sequence[str]],
        environment: Mapping[str, str],
        folder: Path,
    ) -> None:
        self._listener = listener
        self._command = command
        self._environment = environment
        self._folder = folder
        self._places = [_Place(n, folder / f"worker-{n}") for n in range(1, count + 1)]
        self._selector = selectors.DefaultSelector()
        self._bell, self._rope = socket.socketpair()
        self._untold: list[str] = []
        self._announced = self._ending = False
        self._signals = 0
        self._status: int | None = None
        self._log = get_logger(__name__)

    def run(self, on_ready: Callable[[], None]) -> int:
        """Start the workers, call `on_ready` once all of them are, and stay until a signal.

        Returns
        -------
        int
            The exit status: 0; 1 if a worker had to be killed at the end; that of the worker that
            ended before all were ready for the first time.
        """
        shared.make_folder(self._folder, [place.folder.name for place in self._places])
        try:
            with self._signals_wake():
                while not self._signals and self._status is None:
                    self._fill()
                    self._turn(self._patience())
                    ready = [holder for holder in self._holders() if holder.ready]
                    if not self._announced and len(ready) == len(self._places):
                        self._announced = True
                        on_ready()
                return self._end()
        finally:
            self._selector.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def _signals_wake(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM be counted, and end whatever wait is going on."""
        self._rope.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ, None)
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._count_signal) for number in numbers]
        woken = signal.set_wakeup_fd(self._rope.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
            self._bell.close()
            self._rope.close()

    def _count_signal(self, _number: int, _frame: object) -> None:
        self._signals += 1

    def _fill(self) -> None:
        """Start a worker in each empty place that is due."""
        now = monotonic()
        for place in self._places:
            if place.holder is None and place.due <= now:
                try:
                    place.holder = self._start(place)
                except OSError as error:  # no memory or no process left: the others go on
                    self._log.error("worker_cannot_start", worker=place.number, why=str(error))
                    place.due = now + LONGEST_WAIT_S

    def _start(self, place: _Place) -> _Running:
        ours, theirs = socket.socketpair()
        numbers = (self._listener.fileno(), theirs.fileno())
        try:
            process = subprocess.Popen(  # noqa: S603 - our own program
                self._command(*numbers),
                env={**self._environment, SHARED_FILES: str(place.folder)},
                pass_fds=numbers,
                process_group=0,  # Ctrl-C is ours to pass on, once
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._selector.register(ours, selectors.EVENT_READ, place)
        return _Running(process, ours, monotonic())

    def _patience(self) -> float | None:
        """Return the seconds until a place has to be filled; None while none is empty."""
        due = [place.due for place in self._places if place.holder is None]
        return max(0.0, min(due) - monotonic()) if due else None

    def _turn(self, wait_s: float | None) -> None:
        """Wait for news of workers or for a signal, and act on them."""
        for key, _ in self._selector.select(wait_s):
            place: _Place | None = key.data
            if place is None:
                self._bell.recv(64)
            elif place.holder is None:
                continue
            elif self._told(place.holder):
                place.holder.ready = True
                self._log.info("worker_ready", worker=place.number)
                self._tell_restarts(place.holder)
            else:
                self._bury(place, place.holder)

    @staticmethod
    def _told(holder: _Running) -> bool:
        try:
            return bool(holder.link.recv(64))
        except OSError:
            return False

    def _bury(self, place: _Place, dead: _Running) -> None:
        """Note that a worker is dead, and when its place is filled again."""
        status = self._close(place, dead)
        if self._ending:
            return
        if not self._announced:
            self._log.error("worker_did_not_start", worker=place.number, status=status)
            self._status = status if status > 0 else 1
            return
        now = monotonic()
        steady = now - dead.since >= STEADY_S
        place.deaths_in_a_row = 1 if steady else place.deaths_in_a_row + 1
        wait_s = min(FIRST_WAIT_S * 2 ** (place.deaths_in_a_row - 1), LONGEST_WAIT_S)
        place.due = now + wait_s
        self._log.error(
            "worker_died",
            worker=place.number,
            worker_pid=dead.process.pid,
            why=_SIGNALS.get(-status, f"exit status {status}"),
            ran_s=round(now - dead.since, 3),
            replaced_in_s=wait_s,
        )
        self._untold.append("signal" if status < 0 else "exit")
        for alive in [holder for holder in self._holders() if holder.ready][:1]:
            self._tell_restarts(alive)

    def _close(self, place: _Place, dead: _Running) -> int:
        """Wait until a worker whose link has ended is gone; return its exit status."""
        self._selector.unregister(dead.link)
        dead.link.close()
        try:
            status = dead.process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            dead.process.kill()
            status = dead.process.wait()
        shared.forget(place.folder)
        place.holder = None
        return status

    def _tell_restarts(self, to: _Running) -> None:
        """Have a worker count the restarts: what this process counts nobody scrapes."""
        with suppress(OSError):
            to.link.sendall("".join(f"{cause}\n" for cause in self._untold).encode())
            self._untold.clear()

    def _end(self) -> int:
        """End the workers: asked first, killed when their time is over or a second signal comes."""
        self._ending = True
        self._log.info("stopping", workers=len(self._holders()))
        self._listener.close()
        for holder in self._holders():
            holder.process.terminate()
        deadline, signals = monotonic() + END_S, self._signals
        while self._holders() and self._signals == signals and monotonic() < deadline:
            self._turn(deadline - monotonic())
        left = [place for place in self._places if place.holder]
        for place in left:
            self._log.error("worker_killed", worker=place.number, after_s=END_S)
        for holder in self._holders():
            holder.process.kill()
        while self._holders():
            self._turn(END_S)
        return self._status or (1 if left else 0)

    def _holders(self) -> list[_Running]:
        return [place.holder for place in self._places if place.holder]
