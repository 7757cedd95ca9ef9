"""Commands around asynchronous requests: the worker that answers them, and their dead letters."""

import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from bellwether.cli.frame import edge, ports, say, settings, tell

if TYPE_CHECKING:
    from bellwether.bootstrap import Wired
    from bellwether.core.ports import RequestQueue

app = typer.Typer()
requests = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NEEDED = "requests that are not waited for need a Redis server; set its address."
Id = Annotated[str, typer.Argument(help="The id of a request.")]


@app.command()
def worker(
    name: Annotated[
        str | None, typer.Option(help="This worker's name, stable over its restarts.")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve /metrics on this port.", min=1, max=65535)
    ] = None,
) -> None:
    """Answer the requests that wait in the queue until stopped.

    Example: bellwether worker --name worker-1
    """
    with edge():
        import socket

        from bellwether import telemetry
        from bellwether.cli.frame import patiently
        from bellwether.inference.keeping import kept_fresh
        from bellwether.inference.service import PredictionService
        from bellwether.pipelines.requests import Worker

        chosen = settings()
        telemetry.configure(chosen.log_format, secrets=chosen.secrets)
        if metrics_port is not None:
            telemetry.serve_metrics(metrics_port, chosen.host)
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: stopped.set())
        if not chosen.redis_url:
            from bellwether.core.errors import ConfigError

            raise ConfigError("redis_url", NEEDED)
        with patiently(stopped) as wired:
            service = PredictionService(wired.ports)
            consumer = name or socket.gethostname()
            work = Worker(service, wired.ports, _queue_of(wired), consumer, chosen.queue_attempts)
            say(f"working as {consumer}")
            with kept_fresh(service, chosen.refresh_s):
                answered = work.run(stopped.is_set)
            say(f"stopped; {answered} requests answered")


@requests.command("list")
def requests_list(
    limit: Annotated[int, typer.Option(min=1, help="Dead letters to show.")] = 20,
    as_json: Json = False,
) -> None:
    """Count the requests that wait, and show those that were given up.

    Example: bellwether requests list --json
    """
    with edge(as_json=as_json), ports() as wired:
        from dataclasses import asdict

        queue = _queue_of(wired)
        counts, letters = queue.counts(), queue.dead(limit=limit)
        if as_json:
            rows = [asdict(x) | {"body": x.body.decode(errors="replace")} for x in letters]
            tell({**asdict(counts), "dead_letters": rows})
            return
        say(f"{counts.waiting} wait, {counts.taken} are being worked on, {counts.dead} are dead")
        for letter in letters:
            say(f"  {letter.request_id}  {letter.died_at:%Y-%m-%d %H:%M:%S}  {letter.why}")


@requests.command("revive")
def requests_revive(request_id: Id) -> None:
    """Put a dead letter back into the queue.

    Example: bellwether requests revive 0190b1f0-6a3c-7d2e-9c41-2f6f0c9b7a10
    """
    with edge(), ports() as wired:
        from bellwether.core.errors import UnknownName

        if not _queue_of(wired).revive(request_id):
            hint = "bellwether requests list shows them."
            raise UnknownName("dead letter", request_id, hint=hint)
        say(f"{request_id} waits again")


def _queue_of(wired: "Wired") -> "RequestQueue":
    from bellwether.core.errors import ConfigError

    if wired.ports.queue is None:
        raise ConfigError("redis_url", NEEDED)
    return wired.ports.queue
