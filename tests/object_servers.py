"""Real servers for objects and experiments on loopback: S3 (moto) and MLflow."""

import shutil
import socket
import struct
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.servers import Postgres, Server, free_port

from bellwether.settings import Settings

NO_AWS = ("AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_SESSION_TOKEN")
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def _environment(variables: dict[str, str]) -> list[str]:
    """Return a command that runs another with these variables, and without the machine's AWS."""
    unset = [part for name in NO_AWS for part in ("-u", name)]
    return ["env", *unset, *(f"{name}={value}" for name, value in variables.items())]


@dataclass
class S3(Server):
    """An S3 server that keeps its buckets in memory: killed, it has forgotten them."""

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """What Bellwether is told about it."""
        return {"s3_endpoint": self.url, "s3_access_key": "test", "s3_secret_key": "test"}

    @property
    def options(self) -> dict[str, str]:
        """The storage options that Bellwether makes of that."""
        return Settings(**self.settings).storage_options

    def fresh(self, name: str | None = None) -> str:
        """Make an empty bucket and return its s3:// address."""
        name = name or f"b{time.monotonic_ns()}"
        request = urllib.request.Request(f"{self.url}/{name}", method="PUT")  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310
            return f"s3://{name}"

    def answers(self) -> bool:
        """Say whether it takes questions now."""
        try:
            with urllib.request.urlopen(f"{self.url}/moto-api/data.json", timeout=5):  # noqa: S310
                return True
        except OSError:
            return False


@dataclass
class Mlflow(Server):
    """An MLflow server."""

    @property
    def url(self) -> str:
        """Its tracking address."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        """Say whether it takes questions now."""
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1):  # noqa: S310
                return True
        except OSError:
            return False


@contextmanager
def s3() -> Iterator[S3]:
    """Run an S3 server."""
    folder = Path(tempfile.mkdtemp(prefix="bellwether-s3-", dir="/tmp"))
    port = free_port()
    moto = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = S3([*_environment(KEYS), *moto], port, folder / "log")
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def mlflow_server(postgres: Postgres, storage: S3) -> Iterator[Mlflow]:
    """Run an MLflow server on PostgreSQL that passes artifacts on to S3."""
    folder = Path(tempfile.mkdtemp(prefix="bellwether-mlflow-", dir="/tmp"))
    port = free_port()
    variables = {
        **KEYS,
        "MLFLOW_S3_ENDPOINT_URL": storage.url,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    places = ["--backend-store-uri", postgres.fresh(), "--artifacts-destination", storage.fresh()]
    bind = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    mlflow = [sys.executable, "-m", "mlflow", "server", *places, *bind]
    server = Mlflow([*_environment(variables), *mlflow], port, folder / "log")
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def failing_server(how: str) -> Iterator[str]:
    """Run a server that fails every request in one way, and yield its address.

    `how` is a status code, or `reset`, `close` (after reading), `cut` (half an answer), `junk`
    (no HTTP) or `silent`.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def answer() -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            open_ones.append(caller)
            threading.Thread(target=_fail, args=(caller, how), daemon=True).start()

    threading.Thread(target=answer, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for caller in open_ones:
            caller.close()


def _fail(caller: socket.socket, how: str) -> None:
    answers = {
        "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<half",
        "junk": b"hello\r\n\r\n",
        "close": b"",
    }
    try:
        if how == "reset":
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            caller.recv(65_536)
        if how == "silent":
            return
        if how.isdigit():
            head = f"HTTP/1.1 {how} Said So\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            caller.sendall(head.encode())
        else:
            caller.sendall(answers.get(how, b""))
        caller.close()
    except OSError:
        return  # the caller went first


@contextmanager
def lossy(server: S3, loses: Callable[[str, str], bool], *, delivered: bool) -> Iterator[str]:
    """Stand before `server` and cut off the requests that `loses(method, path)` names.

    With `delivered` the server has done what was asked, and only its answer is lost.
    """

    class Passing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65_537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            lost = loses(self.command, self.path)
            if delivered or not lost:
                behind = HTTPConnection("127.0.0.1", server.port)
                behind.request(self.command, self.path, body, dict(self.headers))
                answer = behind.getresponse()
                content = answer.read()
                behind.close()
            if lost:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    front = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
    front.daemon_threads = True
    thread = threading.Thread(target=front.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{front.server_port}"
    finally:
        front.shutdown()
        front.server_close()
