"""What `make containers` asks of the compose file once its images are there.

Run by .ci/containers in a network and process space of its own, with Podman. Every step prints how
long it took; the first thing that is not as it must be ends it.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FILES = ("-f", "docker-compose.yml", "-f", "docker/compose.standin.yml")
COMPOSE = (os.environ["PODMAN_COMPOSE"], "--no-ansi", *FILES)
URL = "http://127.0.0.1:8000"
SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
PLATFORM = ("api", "worker")
SERVERS = ("postgres", "redis", "minio", "mlflow")
LOADERS = 2
WAIT_S = 90.0
MIRROR_S = 180.0
AWAY_S = 8.0
NOISE = ("systemd connection", "Ignored ", "syslog", "not a TTY")

RUNS = """
from mlflow import MlflowClient
client = MlflowClient("http://127.0.0.1:5000")
for run in client.search_runs([e.experiment_id for e in client.search_experiments()]):
    print(run.info.run_id, run.info.status, len(run.data.metrics), len(client.list_artifacts(run.info.run_id)))
"""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def step(what: str) -> Iterator[list[str]]:
    """Print a line when it is done: seconds, what, and what was noted on the way."""
    begun, notes = time.monotonic(), []
    yield notes
    say(f"{time.monotonic() - begun:7.1f} s  {what}" + (f": {', '.join(notes)}" if notes else ""))


def check(holds: object, what: str) -> None:
    if not holds:
        for name in (*PLATFORM, *SERVERS):
            say(
                f"--- {name}\n{output('podman', 'logs', '--tail', '15', container(name), fails=True)}"
            )
        sys.exit(f"NOT SO: {what}")


def until(true: Callable[[], object], what: str, wait_s: float = WAIT_S) -> float:
    """Wait for what has to come true, and return the seconds it took."""
    begun = time.monotonic()
    while not true():
        check(time.monotonic() - begun < wait_s, f"{what} within {wait_s:g} s")
        time.sleep(0.2)
    return time.monotonic() - begun


def output(*command: str, fails: bool = False) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if not any(n in line for n in NOISE)]
    if done.returncode and not fails:
        sys.exit(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n"
            + "\n".join(told[-30:])
        )
    return done.stdout + ("\n".join(told) if fails else "")


def compose(*arguments: str, fails: bool = False) -> str:
    return output(*COMPOSE, *arguments, fails=fails)


def bellwether(*arguments: str, fails: bool = False) -> str:
    """Run one command of the platform the way docs/deploy.md tells."""
    return compose("run", "--rm", "-T", "--no-deps", "api", *arguments, fails=fails)


def container(service: str) -> str:
    return f"bellwether_{service}_1"


def inspect(service: str, what: str) -> str:
    return output("podman", "inspect", "--format", what, container(service)).strip()


def inside(service: str, *command: str, fails: bool = False) -> str:
    return output("podman", "exec", container(service), *command, fails=fails).strip()


def call(
    path: str, body: dict[str, Any] | None = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    """Ask the published port; 0 where nobody answers."""
    request = urllib.request.Request(
        URL + path, headers={name.replace("_", "-"): v for name, v in headers.items()}
    )
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


def healthy() -> bool:
    return call("/health")[1].get("status") == "healthy"


def resident(marks: Callable[[list[str]], bool]) -> float:
    """Return the resident megabytes of all processes whose command line has these marks."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marks((folder / "cmdline").read_text().split("\0")):
                told = (folder / "status").read_text().split()
                total += int(told[told.index("VmRSS:") + 1])
        except (OSError, ValueError):
            continue  # it ended meanwhile
    return total / 1024


def is_command(name: str) -> Callable[[list[str]], bool]:
    return lambda line: any(part.endswith("/bin/bellwether") for part in line) and name in line


class Load:
    """Predictions asked for without a pause, and what became of them."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.last_success = time.monotonic()
        self.longest_gap_s = 0.0
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(LOADERS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, first: int) -> None:
        turn = first
        while not self._stopped.is_set():
            turn += 1
            status, answer = call("/predict", {"symbol": SYMBOLS[turn % len(SYMBOLS)]})
            now = time.monotonic()
            with self._lock:
                self.statuses[status] += 1
                if status == 200:
                    self.acknowledged.append(answer["prediction_id"])
                    self.longest_gap_s = max(self.longest_gap_s, now - self.last_success)
                    self.last_success = now
            if status != 200:
                time.sleep(0.05)

    def told(self) -> str:
        return ", ".join(
            f"{n} x {status or 'no answer'}" for status, n in sorted(self.statuses.items())
        )


def come_up() -> None:
    with step("up, until /health answers"):
        compose("up", "--detach")
        until(lambda: call("/health")[0], "/health answers")


def hold_promises() -> None:
    with step("hardening, asked from inside"):
        for name in (*PLATFORM, *SERVERS):
            user = inside(name, "id", "-u")
            check(user != "0", f"{name} runs as {user}, not root")
            check(
                "Read-only" in inside(name, "touch", "/etc/x", fails=True),
                f"{name}: / is read-only",
            )
            status = inside(name, "cat", "/proc/1/status")
            check("CapEff:\t0000000000000000" in status, f"{name} has no capability")
            check("NoNewPrivs:\t1" in status, f"{name} cannot gain privileges")
    with step("health checks of the compose file") as notes:
        for name in (*PLATFORM, *SERVERS):
            until(
                lambda n=name: not output("podman", "healthcheck", "run", container(n), fails=True),
                f"{name} is healthy",
            )
            notes.append(name)
    published = [
        line
        for line in output("podman", "ps", "--format", "{{.Names}} {{.Ports}}").splitlines()
        if "->" in line
    ]
    check(
        published == [f"{container('api')} 127.0.0.1:8000->8000/tcp"],
        f"one port is published: {published}",
    )


def fill() -> None:
    for arguments in (("ingest", "sample"), ("features", "materialize")):
        with step(f"run --rm api {' '.join(arguments)}") as notes:
            notes.append(bellwether(*arguments).splitlines()[0])
    with step("run --rm api train --model linear --no-each") as notes:
        most, stopped = [0.0], threading.Event()

        def look() -> None:
            while not stopped.wait(0.5):
                most[0] = max(most[0], resident(is_command("train")))

        watcher = threading.Thread(target=look)
        watcher.start()
        told = bellwether("train", "--model", "linear", "--no-each")
        stopped.set()
        watcher.join()
        notes.append(f"at most {most[0]:.0f} MB resident")
    for line in told.splitlines():
        if "mirrored" in line:
            say(f"           {line}")
    with step("until /health is healthy"):
        until(healthy, "/health is healthy")


def predict() -> list[str]:
    made = []
    with step("predictions over the published port") as notes:
        for symbol in SYMBOLS:
            status, answer = call("/predict", {"symbol": symbol})
            check(status == 200, f"{symbol} is answered: {status} {answer}")
            made.append(answer["prediction_id"])
        notes.append(f"{len(made)} answered")
    with step("a queued prediction, answered by the worker"):
        status, answer = call("/predict", {"symbol": "AAPL"}, prefer="respond-async")
        check(status == 202, f"it is queued: {status} {answer}")
        until(
            lambda: call(f"/predictions/{answer['prediction_id']}")[0] == 200, "the worker answers"
        )
        made.append(answer["prediction_id"])
    return made


def mirror() -> list[str]:
    with step("run --rm api mirror") as notes:
        told: list[str] = []

        def nothing_waits() -> bool:
            # What MLflow was too slow for waits to be mirrored, and is tried again.
            told.append(bellwether("mirror", fails=True))
            return "to be mirrored" not in told[-1]

        until(nothing_waits, "no run waits to be mirrored", MIRROR_S)
        notes.append(f"after {len(told)} tries: {' '.join(told[-1].split())}")
        runs = inside("mlflow", "/opt/mlflow/bin/python", "-c", RUNS).splitlines()
        check(
            runs and all(" FINISHED " in run for run in runs), f"MLflow has finished runs: {runs}"
        )
        notes.extend(runs)
    return runs


def kill(service: str) -> list[str]:
    """Kill a server under load, and see it back and predictions going on."""
    with step(f"SIGKILL to {service} under load") as notes, Load() as load:
        until(lambda: len(load.acknowledged) > 50, "the load runs")
        before = inspect(service, "{{.State.Pid}}")
        os.kill(int(before), signal.SIGKILL)
        back = until(lambda: running_again(service, before), f"{service} is restarted")
        notes.append(f"restarted after {back:.1f} s")
        until(
            lambda: not output("podman", "healthcheck", "run", container(service), fails=True),
            f"{service} is healthy",
        )
        since = len(load.acknowledged)
        until(lambda: len(load.acknowledged) > since + 100, "predictions go on")
        until(healthy, "/health is healthy")
    say(f"           {load.told()}; longest time without a prediction {load.longest_gap_s:.1f} s")
    return load.acknowledged


def running_again(service: str, before: str) -> bool:
    state, pid = inspect(service, "{{.State.Running}} {{.State.Pid}}").split()
    return state == "true" and pid not in ("0", before)


def measure(when: str) -> None:
    found = {
        name: resident(is_command(mark)) for name, mark in (("api", "serve"), ("worker", "worker"))
    }
    say(
        f"           resident {when}: "
        + ", ".join(f"{name} {mb:.0f} MB" for name, mb in found.items())
    )


def kept() -> dict[str, Any]:
    """Return what has to be there again after the stack was down."""
    return {
        "releases": json.loads(bellwether("releases", "--json")),
        "features": {s: call(f"/feature-store/features/{s}")[1]["features"] for s in SYMBOLS},
        "runs": inside("mlflow", "/opt/mlflow/bin/python", "-c", RUNS).splitlines(),
    }


def away(service: str, seconds: float) -> list[str]:
    """Keep a server away under load for longer than anybody waits, and see predictions go on."""
    with step(f"{service} away for {seconds:g} s under load"), Load() as load:
        until(lambda: len(load.acknowledged) > 50, "the load runs")
        output("podman", "stop", "--time", "0", container(service))
        time.sleep(seconds)
        output("podman", "start", container(service))
        since = len(load.acknowledged)
        until(lambda: len(load.acknowledged) > since + 100, "predictions go on")
        until(healthy, "/health is healthy")
    say(f"           {load.told()}; longest time without a prediction {load.longest_gap_s:.1f} s")
    return load.acknowledged


def end_well() -> None:
    with step("SIGTERM to the platform") as notes:
        for name in PLATFORM:
            begun = time.monotonic()
            output("podman", "stop", "--time", "30", container(name))
            code = inspect(name, "{{.State.ExitCode}}")
            check(code == "0", f"{name} ends by itself, with 0: {code}")
            notes.append(f"{name} ended after {time.monotonic() - begun:.1f} s")


def go_down(*flags: str) -> None:
    with step(" ".join(("down", *flags))):
        compose("down", *flags)
        check(not output("podman", "ps", "-aq"), "no container is left")


def main() -> None:
    """Run it all."""
    come_up()
    measure("before anything is loaded")
    fill()
    hold_promises()
    made = predict()
    mirror()
    measure("with one release")
    for server in ("postgres", "redis"):
        made += kill(server)
        made += away(server, AWAY_S)
    measure("after the load")
    with step("replay of the newest 50") as notes:
        notes.append(bellwether("replay", "--last", "50").splitlines()[0])
    before = kept()
    end_well()
    go_down()
    come_up()
    with step("until /health is healthy"):
        until(healthy, "/health is healthy")
    with step("what was there before the stack went down") as notes:
        missing = [i for i in made if call(f"/predictions/{i}")[0] != 200]
        check(
            not missing,
            f"every acknowledged prediction is there; missing {len(missing)}: {missing[:3]}",
        )
        check(kept() == before, "releases, features and MLflow runs are the same")
        notes += [
            f"{len(made)} predictions",
            f"{len(before['releases'])} releases",
            f"{len(before['runs'])} MLflow runs",
        ]
    predict()
    go_down("--volumes")


if __name__ == "__main__":
    main()
