"""Commands that run or ask the service: serve, demo, health."""

import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwether.cli.frame import FAILED, edge, ports, progress_bar, say, settings, tell

if TYPE_CHECKING:
    from bellwether.bootstrap import Wired
    from bellwether.settings import Settings

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Host = Annotated[str | None, typer.Option(help="Address to bind.")]
Port = Annotated[int | None, typer.Option(help="Port to bind.")]
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})


@app.command()
def serve(host: Host = None, port: Port = None) -> None:
    """Serve predictions over HTTP.

    Example: bellwether serve --port 8000
    """
    with edge():
        chosen = settings(host=host, port=port)
        with ports(host=host, port=port) as wired:
            _serve(wired, chosen)


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
        with ports(host=host, port=port) as wired:
            with progress_bar(silent=False) as progress:
                say("1/3 Data: five stocks, 2000 to 2013, from an installed sample.")
                config = ingest.IngestConfig("sample", SourceQuery())
                _lines(ingest.run(config, wired.ports, progress).lines())
                say("2/3 Features.")
                _lines(materialize.run(wired.ports, progress).lines())
                say("3/3 Models, each judged only on what came after its training.")
                found = train.run(train.TrainConfig(workers=chosen.workers), wired.ports, progress)
                _lines(found.lines())
                print_table(found.outcome["table"])
            if not once:
                _serve(wired, chosen)


def _lines(lines: list[str]) -> None:
    for line in lines:
        say(f"    {line}")


def _serve(wired: "Wired", chosen: "Settings") -> None:
    from bellwether import telemetry
    from bellwether.api.app import create_app
    from bellwether.api.server import serve as run
    from bellwether.inference.service import PredictionService

    telemetry.configure(chosen.log_format)
    service = PredictionService(wired.ports, wired.standing)
    stopped = threading.Event()
    refresher = threading.Thread(
        target=_refresh, args=(service, stopped, chosen.refresh_s), name="refresh", daemon=True
    )
    refresher.start()
    shown = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    try:
        run(
            create_app(service, allowed_hosts=LOOPBACK | {chosen.host}),
            chosen.host,
            chosen.port,
            on_ready=lambda: say(f"serving on http://{shown}:{chosen.port}"),
        )
    finally:
        stopped.set()
        refresher.join()


def _refresh(service: Any, stopped: threading.Event, every_s: float) -> None:
    from bellwether.core.errors import BellwetherError
    from bellwether.telemetry import get_logger

    while not stopped.wait(every_s):
        try:
            service.refresh()
        except BellwetherError as error:
            get_logger(__name__).warning("refresh_failed", why=str(error))


@app.command()
def health(as_json: Json = False) -> None:
    """Ask the embedded stores and releases how they are.

    Example: bellwether health --json
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.inference.service import PredictionService

        found: dict[str, Any] = PredictionService(wired.ports, wired.standing).health()
        if as_json:
            tell(found)
        else:
            say(found["status"])
            for name, part in found["components"].items():
                say(f"  {name:<9} {part['status']:<9} {part['detail']}")
        if found["status"] == "down":
            raise typer.Exit(FAILED)
