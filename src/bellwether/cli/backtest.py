# ruff: noqa: ARG001 - what was said is read by name, all at once
"""`bellwether backtest`: train, forecast and trade period by period, and judge what came out."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwether.cli.frame import edge, named_list, ports, progress_bar, say, settings, tell
from bellwether.models.names import MODELS

if TYPE_CHECKING:
    from bellwether.bootstrap import Wired
    from bellwether.core.ports import Progress
    from bellwether.inference.backtest_asked import BacktestConfig
    from bellwether.pipelines.backtest import BacktestReport

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")]
Symbols = Annotated[str | None, typer.Argument(help="Such as AAPL, or AAPL,IBM; all by default.")]
First = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="First session that is forecast."),
]
Last = Annotated[
    datetime | None,
    typer.Option("--to", formats=["%Y-%m-%d"], help="Last session that is forecast."),
]
Universe = Annotated[
    str | None, typer.Option(help="Only names while they were members of this universe.")
]
Step = Annotated[str, typer.Option(help="Length of a test period: 1y, 1q, 6m.")]
Window = Annotated[
    str | None, typer.Option(help="Length of the past that trains, such as 10y; all by default.")
]
Embargo = Annotated[
    int,
    typer.Option(min=0, help="Sessions kept free between the last outcome trained on and a test."),
]
Strategy = Annotated[
    str,
    typer.Option(help="long_short, long_only (every call), quantile or top_k (highest, lowest)."),
]
Without = Annotated[
    str | None,
    typer.Option(help="Realism to switch off, such as impact,borrow; every report says so."),
]
Lag = Annotated[
    int, typer.Option(min=0, help="1 fills at the next open; 0 trades the past, and is stamped.")
]
Model = Annotated[
    str, typer.Option(help=f"One of {', '.join(MODELS)}; all baselines stand beside it.")
]
View = Annotated[str, typer.Option(help="Features it reads, such as technical+returns.")]
Stored = Annotated[bool, typer.Option(help="Judge what was really predicted; train nothing.")]
Days = Annotated[
    int | None,
    typer.Option(min=1, max=100_000, help="Only print so many sessions of the released record."),
]


SAID_AS = {
    "horizon": "horizon_sessions",
    "lag": "lag_sessions",
    "rebalance": "rebalance_sessions",
    "capital": "capital_usd",
    "min_train": "min_train_sessions",
    "embargo": "embargo_sessions",
}
ASKED = (
    *("universe", "model", "view", "horizon_sessions", "first", "last", "step", "window"),
    *("min_train_sessions", "embargo_sessions", "strategy", "quantile", "top"),
    *("rebalance_sessions", "capital_usd"),
    *("lag_sessions", "without", "seed", "workers", "dask", "what_if"),
)


@app.command()
def backtest(  # noqa: PLR0913, PLR0917 - one option a thing a user may want to say
    context: typer.Context,
    symbols: Symbols = None,
    universe: Universe = None,
    first: First = None,
    last: Last = None,
    step: Step = "1y",
    window: Window = None,
    embargo: Embargo = 0,
    model: Model = "lightgbm",
    view: View = "technical",
    horizon: Annotated[int, typer.Option(min=1, help="Sessions ahead.")] = 1,
    strategy: Strategy = "long_short",
    quantile: Annotated[float, typer.Option(help="Share of names on each side.")] = 0.2,
    top: Annotated[int, typer.Option(min=1, help="Names on each side for top_k.")] = 10,
    rebalance: Annotated[int, typer.Option(min=1, help="Decide every so many sessions.")] = 1,
    capital: Annotated[float, typer.Option(help="USD to begin with.")] = 1_000_000.0,
    lag: Lag = 1,
    without: Without = None,
    min_train: Annotated[int, typer.Option(help="Decision dates before the first period.")] = 504,
    seed: Annotated[int, typer.Option(help="Seed of all that is random.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.")] = None,
    dask: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
    what_if: Annotated[
        bool, typer.Option(help="Trade again without each piece of realism.")
    ] = True,
    report: Annotated[Path | None, typer.Option(help="Write the tear sheet to this file.")] = None,
    stored: Stored = False,
    days: Days = None,
    as_json: Json = False,
) -> None:
    """Walk forward: train on what was known, forecast the next period, trade it after costs.

    A killed run goes on where it stood. `--days` prints the record of the released model instead.

    Example: bellwether backtest --from 2005-01-01 --to 2012-12-31 --step 1y --report out.html
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        named = named_list(symbols)
        if days is not None:
            _released(named, days, wired, as_json=as_json)
            return
        config = _config(context.params, named)
        done = _done(config, wired, progress, stored=stored)
        _shown(done, report, as_json=as_json)


def _config(asked: dict[str, Any], symbols: tuple[str, ...] | None) -> "BacktestConfig":
    """Turn what was said on the command line into a backtest."""
    from bellwether.inference.backtest_asked import BacktestConfig

    chosen = settings()
    named = {SAID_AS.get(name, name): value for name, value in asked.items()}
    kept = {name: value for name, value in named.items() if name in ASKED}
    for end in ("first", "last"):
        kept[end] = None if kept[end] is None else kept[end].date()
    kept["without"] = named_list(kept["without"], upper=False) or ()
    kept["workers"] = kept["workers"] or chosen.workers
    kept["dask"] = kept["dask"] or chosen.dask or None
    return BacktestConfig(**kept | {"symbols": symbols})


def _done(
    config: "BacktestConfig", wired: "Wired", progress: "Progress", *, stored: bool
) -> "BacktestReport":
    from bellwether.pipelines import backtest as use
    from bellwether.pipelines import backtest_stored

    judge = backtest_stored.run if stored else use.run
    return judge(config, wired.ports, progress)


def _shown(done: "BacktestReport", report: Path | None, *, as_json: bool) -> None:
    """Print what came out, and write the tear sheet where one was asked for."""
    if report is not None:
        report.write_text(done.page(), encoding="utf-8")
    if as_json:
        tell(done.found)
        return
    for line in done.lines():
        say(line)
    if report is not None:
        say(f"Tear sheet: {report}")


def _released(symbols: tuple[str, ...] | None, days: int, wired: Any, *, as_json: bool) -> None:
    """Print the stored walk-forward of one symbol's released model."""
    from bellwether.cli.model import print_table
    from bellwether.core.errors import InvalidRequest
    from bellwether.inference.service import PredictionService

    if symbols is None or len(symbols) != 1:
        raise InvalidRequest("--days", "needs one symbol")
    found: dict[str, Any] = PredictionService(wired.ports).backtest(symbols[0], days)
    if as_json:
        tell(found)
        return
    say(f"{found['symbol']}, {found['from']} to {found['to']}, release {found['release']}")
    print_table({found["model"]: found["metrics"], **found["baselines"]})
