"""Real PostgreSQL and Redis on loopback, in a folder of their own, to be used, killed and restarted."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

ROOT = Path(__file__).parents[1]
WAIT_S = 90.0


def free_port() -> int:
    """Return a loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    """Find a server's program: on the path, among Debian's packages, or in the wheels of `make test`."""
    found = shutil.which(name)
    places = [
        *Path("/usr/lib/postgresql").glob(f"*/bin/{name}"),
        *ROOT.glob(f".tools/servers/lib/python3*/site-packages/**/bin/{name}"),
    ]
    if found is None and not places:
        raise FileNotFoundError(f"{name} is not installed; `make test` installs it")
    return found or str(max(places))


def family(pid: int) -> list[int]:
    """List a process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            child, rest = stat.read_text().rsplit(")", 1)
        except OSError:
            continue  # it ended meanwhile
        parents.setdefault(int(rest.split()[1]), []).append(int(child.split(" ", 1)[0]))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def _unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return []
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return ["runuser", "-u", "postgres", "--"]


@dataclass
class Server:
    """A server process that can be killed and started again on the same port and data."""

    command: list[str]
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start it and wait until it answers."""
        deadline = time.monotonic() + WAIT_S
        self._spawn()
        while not self.answers():
            if time.monotonic() > deadline:
                raise RuntimeError(self.log.read_text()[-2000:])
            if self.process is not None and self.process.poll() is not None:
                self._spawn()  # children of one just killed may still hold its memory
            time.sleep(0.02)

    def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, start_new_session=True
            )

    def answers(self) -> bool:
        """Say whether it takes questions now."""
        raise NotImplementedError

    def kill(self) -> None:
        """Kill it and its children at once, as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self._signal_all(signal.SIGKILL)
            self.process.wait()

    def pause(self) -> None:
        """Freeze it and its children: connections stay open and nothing is answered."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self.process is not None
        for pid in family(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


@dataclass
class Postgres(Server):
    """PostgreSQL with one superuser, `app`, trusted on loopback."""

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy address of a database."""
        return f"postgresql+psycopg://app@127.0.0.1:{self.port}/{database}"

    def fresh(self) -> str:
        """Make an empty database and return its SQLAlchemy address."""
        name = f"t{time.monotonic_ns()}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def run(self, statement: str) -> None:
        """Execute a statement as the superuser."""
        at = f"host=127.0.0.1 port={self.port} user=app dbname=postgres connect_timeout=2"
        with psycopg.connect(at, autocommit=True) as connection:
            connection.execute(statement.encode())

    def answers(self) -> bool:
        """Say whether it takes questions now."""
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


@dataclass
class Redis(Server):
    """Redis, as durable as asked for."""

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        """Say whether it takes questions now."""
        client = redis.Redis(port=self.port, socket_timeout=1)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


@contextmanager
def postgres(*, durable: bool = False, core: int | None = None) -> Iterator[Postgres]:
    """Run PostgreSQL; `durable` keeps fsync on, which tests of what survives a kill need.

    `core` ties it to one processor, for benchmarks.
    """
    folder = Path(tempfile.mkdtemp(prefix="bellwether-pg-", dir="/tmp"))
    prefix = _unprivileged()
    if prefix:
        folder.chmod(0o777)
    data = folder / "data"
    initdb = [program("initdb"), "-D", str(data), "-U", "app", "-A", "trust", "-E", "UTF8"]
    subprocess.run(
        [*prefix, *initdb, "--locale=C", "--no-sync"], check=True, capture_output=True, cwd="/"
    )
    port = free_port()
    risky = [] if durable else ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
    options = ["listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", *risky]
    flags = [part for option in options for part in ("-c", option)]
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    command = [*pinned, *prefix, program("postgres"), "-D", str(data), "-p", str(port), *flags]
    server = Postgres(command, port, folder / "log")
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis_server(*, durable: bool = False, core: int | None = None) -> Iterator[Redis]:
    """Run Redis; `durable` appends every write to its file and syncs before it answers."""
    folder = Path(tempfile.mkdtemp(prefix="bellwether-redis-", dir="/tmp"))
    port = free_port()
    kept = ["--appendonly", "yes", "--appendfsync", "always"] if durable else []
    bind = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    command = [*pinned, program("redis-server"), *bind, *kept]
    server = Redis(command, port, folder / "log")
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
