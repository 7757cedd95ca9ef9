"""POST /predict end to end, beside the plain stack, in one run.

Five symbols in turn, 200 trees, features through the store, no response cache, every answer on
disk before it leaves (SQLite WAL, synchronous=FULL, asserted). Rounds alternate; medians of rounds.

With --servers the same on PostgreSQL (fsync on) and Redis (appendfsync always); there the plain
stack reads a hash and writes a row a request, and ours holds vectors in memory until Redis says
that they were replaced.
"""

import argparse
import json
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).parent
SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
ASGI = ["--interface", "asgi", "--no-access-log", "--log-level", "error", "--factory"]


def requests() -> list[bytes]:
    """Build one raw HTTP request a symbol."""
    out = []
    for symbol in SYMBOLS:
        body = json.dumps({"symbol": symbol, "news_headlines": ["Strong earnings"], "user_id": "b"})
        head = (
            "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        out.append((head + body).encode())
    return out


def exchange(connection: socket.socket, request: bytes) -> None:
    """Send a request and read its whole answer."""
    connection.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    assert b" 200 " in head[:20], data[:300]
    lower = head.lower()
    length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)


def client(port: int, seconds: float, latencies: list[float]) -> None:
    """Ask over one connection for a while."""
    questions = requests()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end, i = time.perf_counter() + seconds, 0
        while True:
            begun = time.perf_counter()
            if begun > end:
                return
            exchange(connection, questions[i % len(questions)])
            latencies.append(time.perf_counter() - begun)
            i += 1


def load(port: int, connections: int, seconds: float) -> tuple[float, float, float]:
    """Return median and p99 in ms, and requests a second."""
    latencies: list[float] = []
    threads = [
        threading.Thread(target=client, args=(port, seconds, latencies)) for _ in range(connections)
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    ordered = sorted(latencies)
    p99 = ordered[int(len(ordered) * 0.99)]
    return statistics.median(ordered) * 1e3, p99 * 1e3, len(ordered) / took


def start(name: str, home: Path, servers: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start one of the servers and wait until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uvicorn = [sys.executable, "-m", "uvicorn", "--factory", "--port", str(port)]
    uvicorn += ["--log-level", "error", "--no-access-log"]
    command = {
        "bellwether serve": [sys.executable, "-m", "bellwether", "serve", "--port", str(port)],
        "ours on granian": [
            sys.executable,
            "-m",
            "granian",
            *ASGI,
            "--port",
            str(port),
            "ours:create",
        ],
        "plain stack": [*uvicorn, "plain_servers:create" if servers else "plain_stack:create"],
    }[name]
    place = {"BELLWETHER_HOME": str(home), "PYTHONPATH": f"{HERE}:{HERE.parent}"}
    environment = {**os.environ, **place, **servers}
    process = subprocess.Popen(
        command, env=environment, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                exchange(connection, requests()[0])
        except OSError:
            time.sleep(0.1)
            continue
        return process, port
    raise SystemExit(f"{name} did not start")


def prepare(home: Path, servers: dict[str, str]) -> None:
    """Train the sample's release once, and prove that the database syncs fully."""
    environment = {**os.environ, "BELLWETHER_HOME": str(home), **servers}
    subprocess.run(
        [sys.executable, "-m", "bellwether", "demo", "--once"],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    from bellwether.database.engine import connect

    if servers:
        with connect(servers["BELLWETHER_DATABASE_URL"]).connect() as connection:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                assert connection.exec_driver_sql(f"SHOW {name}").scalar() == "on"
        return
    with connect(f"sqlite:///{home / 'bellwether.db'}").connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert sqlite3.sqlite_version_info > (3, 7)


def real_servers(stack: ExitStack) -> dict[str, str]:
    """Start PostgreSQL and Redis, durable, and return their addresses as settings."""
    sys.path.insert(0, str(HERE.parent))
    from tests import servers

    postgres = stack.enter_context(servers.postgres(durable=True))
    redis = stack.enter_context(servers.redis_server(durable=True))
    return {"BELLWETHER_DATABASE_URL": postgres.fresh(), "BELLWETHER_REDIS_URL": redis.url}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--servers", action="store_true", help="on PostgreSQL and Redis")
    chosen = parser.parse_args()
    names = ("bellwether serve", "plain stack")
    names = names if chosen.servers else (*names, "ours on granian")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder) / "home"
        servers = real_servers(stack) if chosen.servers else {}
        prepare(home, servers)
        running = {name: start(name, home, servers) for name in names}
        found: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
        try:
            for _ in range(chosen.rounds):
                for connections in (1, 16):
                    for name in names:
                        got = load(running[name][1], connections, chosen.seconds)
                        found.setdefault((name, connections), []).append(got)
        finally:
            for process, _ in running.values():
                process.terminate()
                process.wait()
    print(f"{'server':<18} {'conn':>4} {'p50 ms':>8} {'p99 ms':>8} {'req/s':>8}")
    for (name, connections), rounds in sorted(found.items(), key=lambda kv: (kv[0][1], kv[0][0])):
        p50, p99, rps = (statistics.median(r[i] for r in rounds) for i in range(3))
        print(f"{name:<18} {connections:>4} {p50:>8.2f} {p99:>8.2f} {rps:>8.0f}")


if __name__ == "__main__":
    main()
