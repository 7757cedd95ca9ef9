"""Several processes, one set of numbers: where each writes them, and how they come together.

The supervisor of a server gives each worker a folder of its own beside those of the others, and the
Prometheus library keeps the worker's numbers in files there. A worker that replaces a dead one
takes up its files, so that a counter never goes back and the files never become more.
"""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from prometheus_client import ProcessCollector, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from bellwether.core.errors import StorageError

HOLDER = "0"
SUPERVISOR = "supervisor"
PID_FILE = "pid"


class SharedFiles(MultiProcessCollector):
    """The files of all workers of this server."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[no-untyped-call]
        self.own = Path(self._path)
        self.root = self.own.parent

    def collect(self) -> list[Metric]:
        """Read what all workers wrote and bring it together; gauges of those that serve only."""
        serving = {folder.name for folder, _ in self._serving()}
        files = [
            str(file)
            for file in self.root.glob("*/*.db")
            if file.parent.name in serving or not file.name.startswith("gauge_")
        ]
        # A file that was made this instant is empty, and the library stumbles over it.
        written = [file for file in files if _size(file)]
        return list(self.merge(written))  # type: ignore[no-untyped-call]

    def processes(self) -> list[Metric]:
        """Measure the processes themselves: the standard names, with the worker as label."""
        found: dict[str, Metric] = {}
        for folder, pid in self._serving():
            for told in _measured(pid):
                family = found.setdefault(
                    told.name, Metric(told.name, told.documentation, told.type)
                )
                for sample in told.samples:
                    labels = {**sample.labels, "worker": folder.name}
                    family.add_sample(sample.name, labels, sample.value)
        return list(found.values())

    def announce(self) -> None:
        """Say that this process serves from now on."""
        say_alive(self.own)

    def claim(self) -> str:
        """Return the name of this process's files; only one at a time holds the worker's own.

        What the worker starts inherits its environment, and must not write where it writes.
        """
        lock = os.open(self.own / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return str(os.getpid())
        return HOLDER

    def _serving(self) -> Iterator[tuple[Path, int]]:
        for file in sorted(self.root.glob(f"*/{PID_FILE}")):
            try:
                yield file.parent, int(file.read_text())
            except (OSError, ValueError):
                continue  # it was taken away this instant


def make_folder(folder: Path, workers: Iterable[str]) -> None:
    """Make a server's folder afresh, and remove those of servers that were killed.

    A folder's name ends in the number of its server's process, which has a folder too: it counts
    nothing, but is measured with its workers.

    Raises
    ------
    StorageError
        If the folder cannot be made.
    """
    kind = folder.name.rpartition("-")[0]
    for old in folder.parent.glob(f"{kind}-*"):
        if old == folder or not _runs(old.name.rpartition("-")[2]):
            shutil.rmtree(old, ignore_errors=True)
    try:
        for name in (SUPERVISOR, *workers):
            (folder / name).mkdir(parents=True, mode=0o700)
        say_alive(folder / SUPERVISOR)
    except OSError as error:
        raise StorageError("metrics", f"{folder}: {error.strerror}") from error


def say_alive(folder: Path) -> None:
    """Note in the folder of a worker that this process is it, and serves."""
    new = folder / f".{PID_FILE}"
    new.write_text(str(os.getpid()))
    new.replace(folder / PID_FILE)


def forget(folder: Path) -> None:
    """Forget the state of a worker that is dead; what it counted stays."""
    (folder / PID_FILE).unlink(missing_ok=True)
    for file in folder.glob("gauge_*.db"):
        file.unlink(missing_ok=True)


def _measured(pid: int) -> Iterable[Metric]:
    return ProcessCollector(pid=lambda: pid, registry=None).collect()


def _runs(pid: str) -> bool:
    """Say whether a process with this number runs."""
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except OSError:
        return True  # it is somebody else's
    return True


def _size(file: str) -> int:
    try:
        return Path(file).stat().st_size
    except OSError:
        return 0


def _join() -> SharedFiles | None:
    """Take our place among the workers, if this process is one; before any metric is made."""
    if values.ValueClass is values.MutexValue:
        return None
    files = SharedFiles()
    name = {"": files.claim()}
    os.register_at_fork(after_in_child=lambda: name.update({"": str(os.getpid())}))
    # Asked for with every number that is written: a look into a dictionary, without a Python frame.
    identity = partial(name.__getitem__, "")
    values.ValueClass = values.MultiProcessValue(identity)  # type: ignore[no-untyped-call]
    return files


SHARED = _join()
