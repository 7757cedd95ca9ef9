"""Commands that run or ask the service: serve, demo, health, metrics."""

import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from bellwether.cli.frame import FAILED, edge, ports, progress_bar, say, settings, tell

if TYPE_CHECKING:
    from bellwether.api.workers import Worker
    from bellwether.settings import Settings

app = typer.Typer()
metrics = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Host = Annotated[str | None, typer.Option(help="Address to bind.")]
Port = Annotated[int | None, typer.Option(help="Port to bind.")]
Workers = Annotated[
    int | None,
    typer.Option(help="Processes that answer on the one port; PostgreSQL is meant for many."),
]
Number = Annotated[int | None, typer.Option(hidden=True)]
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})


@app.command()
def serve(
    host: Host = None,
    port: Port = None,
    server_workers: Workers = None,
    fd: Number = None,
    link: Number = None,
) -> None:
    """Serve predictions over HTTP.

    Example: bellwether serve --port 8000 --server-workers 4
    """
    with edge():
        chosen = settings(host=host, port=port, server_workers=server_workers)
        worker = None
        if fd is not None and link is not None:
            from bellwether.api.workers import Worker

            worker = Worker(fd, link)
        elif chosen.server_workers > 1:
            _supervise(chosen)
        _serve(chosen, worker)


@app.command()
def demo(
    host: Host = None,
    port: Port = None,
    once: Annotated[bool, typer.Option(help="Stop before serving.")] = False,
) -> None:
    """Ingest the sample, compute features, train, and serve; what exists already is kept.

    Example: bellwether demo
    """
    with edge():
        from bellwether.cli.model import print_table
        from bellwether.core.ports import SourceQuery
        from bellwether.pipelines import ingest, materialize, train

        chosen = settings(host=host, port=port)
        with ports(host=host, port=port) as wired, progress_bar(silent=False) as progress:
            say("1/3 Data: five stocks, 2000 to 2013, from an installed sample.")
            config = ingest.IngestConfig("sample", SourceQuery(), chosen.quality_bar)
            _lines(ingest.run(config, wired.ports, progress).lines())
            say("2/3 Features.")
            _lines(materialize.run(wired.ports, progress).lines())
            say("3/3 Models, each judged only on what came after its training.")
            say(
                "    The gates are asked in report mode: they tell, and a model without skill is labelled."
            )
            asked = train.TrainConfig(
                workers=chosen.workers, quality_bar=chosen.quality_bar, by=chosen.acting
            )
            found = train.run(asked, wired.ports, progress)
            _lines(found.lines())
            print_table(found.outcome["table"])
        if not once and chosen.server_workers > 1:
            _supervise(chosen)
        if not once:
            _serve(chosen)


def _lines(lines: list[str]) -> None:
    for line in lines:
        say(f"    {line}")


def _serve(chosen: "Settings", worker: "Worker | None" = None) -> None:
    """Serve in this process: on a socket of its own, or as one of several workers.

    A database that is away does not keep the door shut: callers are told, until it is there.
    """
    from bellwether import telemetry
    from bellwether.api.app import create_app
    from bellwether.api.server import serve as run
    from bellwether.bootstrap import bootstrap
    from bellwether.inference.keeping import kept_fresh, started
    from bellwether.inference.service import PredictionService

    telemetry.configure(chosen.log_format, secrets=chosen.secrets)
    named = {name.strip() for name in chosen.allowed_hosts.split(",") if name.strip()}
    with ExitStack() as stack:

        def build() -> PredictionService:
            wired = bootstrap(chosen)
            stack.callback(wired.close)
            return PredictionService(wired.ports)

        service = stack.enter_context(started(build))
        stack.enter_context(kept_fresh(service, chosen.refresh_s))
        app = create_app(service, allowed_hosts=LOOPBACK | {chosen.host} | named)
        if worker is not None:
            worker.run(app)
        else:
            run(app, chosen.host, chosen.port, on_ready=lambda: _say_serving(chosen, chosen.port))


def _supervise(chosen: "Settings") -> NoReturn:
    """Serve in processes of their own, and leave with their exit status."""
    from bellwether import telemetry
    from bellwether.api.server import listen
    from bellwether.api.workers import Supervisor
    from bellwether.settings import child_environment

    telemetry.configure(chosen.log_format, secrets=chosen.secrets)
    listener = listen(chosen.host, chosen.port)
    port = listener.getsockname()[1]
    program = (sys.executable, "-m", "bellwether", "serve")
    address = ("--host", chosen.host, "--port", str(port))
    supervisor = Supervisor(
        listener,
        chosen.server_workers,
        lambda fd, link: (*program, *address, "--fd", str(fd), "--link", str(link)),
        child_environment({}),
        chosen.home.resolve() / "run" / f"metrics-{os.getpid()}",
    )
    raise typer.Exit(supervisor.run(on_ready=lambda: _say_serving(chosen, port)))


def _say_serving(chosen: "Settings", port: int) -> None:
    shown = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    say(f"serving on http://{shown}:{port}")
    sys.stdout.flush()  # who waits for this line may read it through a pipe


@app.command()
def health(as_json: Json = False) -> None:
    """Ask the embedded stores and releases how they are.

    Example: bellwether health --json
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.core.errors import BellwetherError
        from bellwether.inference.service import PredictionService

        with suppress(BellwetherError):  # told below
            wired.ports.sentiment.ping()  # a model loads longer than parts may take to answer
        found: dict[str, Any] = PredictionService(wired.ports).health()
        if as_json:
            tell(found)
        else:
            say(found["status"])
            for name, part in found["components"].items():
                say(f"  {name:<9} {part['status']:<9} {part['detail']}")
        if found["status"] == "down":
            raise typer.Exit(FAILED)


@metrics.command("list")
def metrics_list(
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option(help="Print the table of docs/metrics.md.")] = False,
) -> None:
    """List every family that /metrics tells.

    Example: bellwether metrics list --markdown
    """
    from bellwether import telemetry

    if as_json:
        tell([asdict(family) for family in telemetry.families()])
    elif markdown:
        say(telemetry.markdown().rstrip())
    else:
        for family in telemetry.families():
            say(f"{family.name:<52} {family.kind:<10} {family.meaning}")
