"""`bellwether`: commands, options and their help."""

from typing import Annotated

import typer

from bellwether import __version__
from bellwether.cli import (
    audit,
    backtest,
    compare,
    data,
    export,
    importance,
    jobs,
    lake,
    lineage,
    model,
    paths,
    quality,
    repair,
    requests,
    retrain,
    service,
)
from bellwether.cli.direction import direction
from bellwether.cli.evaluate import evaluate
from bellwether.cli.features import features
from bellwether.cli.frame import edge, say, tell
from bellwether.cli.gates import gates
from bellwether.cli.live import live
from bellwether.cli.releases import releases
from bellwether.cli.sentiment import sentiment
from bellwether.cli.trials import trials
from bellwether.cli.universe import universe

app = typer.Typer(
    name="bellwether",
    help="Self-hosted forecasting for equities that proves its own honesty.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
GROUPS = (
    *(data, quality, repair, model, backtest, compare, lineage, service, requests, jobs, retrain),
)
for group in (module.app for module in GROUPS):
    app.registered_commands += group.registered_commands
lake.app.command("export")(export.export)
features.command("audit")(audit.audit)
evaluate.command("paths")(paths.paths)
features.command("importance")(importance.importance)
app.add_typer(lake.app, name="lake", help="Look into the lake, and keep it small.")
app.add_typer(features, name="features", help="List, describe and build features.")
app.add_typer(live, name="live", help="Bars as they happen, through Redis streams.")
evaluate.command()(direction)
app.add_typer(evaluate, name="evaluate", help="Judge forecasts and rules of your own.")
app.add_typer(gates, name="gates", help="May it be used, and how often the gates err.")
app.add_typer(sentiment, name="sentiment", help="How headlines sound, and how often that is right.")
app.add_typer(releases, name="releases", help="Which there are, and the model card of each.")
app.add_typer(trials, name="trials", help="Every fit that was scored.")
app.add_typer(universe, name="universe", help="Who was in, and whose bars are missing.")
app.add_typer(service.metrics, name="metrics", help="What the server measures.")
app.add_typer(requests.requests, name="requests", help="Requests that wait for an answer.")
app.add_typer(jobs.jobs, name="jobs", help="Runs of work that outlives its process.")
config = typer.Typer(no_args_is_help=True)
app.add_typer(config, name="config", help="Settings in force.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        say(__version__)
        raise typer.Exit
    del context


@config.command("show")
def config_show(as_json: Json = False) -> None:
    """Print every setting, its value and where it came from.

    Example: bellwether config show --json
    """
    from bellwether.settings import SECRETS, load

    with edge(as_json=as_json):
        found, origin = load()
        rows = {
            name: {
                "value": "(hidden)" if name in SECRETS and value else str(value),
                "from": origin[name],
            }
            for name, value in found
        }
        if as_json:
            tell(rows)
            return
        for name, row in rows.items():
            say(f"{name:<18} {row['value']:<40} ({row['from']})")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
