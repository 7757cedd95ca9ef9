"""`bellwether evaluate`: forecasts and rules of your own, judged as the literature does."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bellwether.cli.frame import edge, named_list, ports, progress_bar, say, tell

if TYPE_CHECKING:
    from bellwether.evaluation.plan import Plan
    from bellwether.evaluation.rule_record import Trial

evaluate = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, as fractions.")]
Frame = Annotated[Path, typer.Option(help="The table: .csv, .csv.gz or .parquet.")]
Date = Annotated[str, typer.Option(help="Its column of dates, in order.")]
Target = Annotated[str, typer.Option(help="Its column of outcomes.")]
Names = Annotated[
    str, typer.Option(help="Columns known when the outcome's period begins, such as dp,ep.")
]
First = Annotated[str, typer.Option(help="Date of the first forecast.")]
Window = Annotated[str, typer.Option(help="Rows of each fit: expanding, or how many.")]
Restrict = Annotated[str, typer.Option(help="none, sign:+, sign:-, nonnegative, both:+ or both:-.")]
Combine = Annotated[
    str, typer.Option(help="The predictors together: none, mean, median or trimmed.")
]
Sink = Annotated[bool, typer.Option("--kitchen-sink", help="Add one regression on all of them.")]
Horizon = Annotated[int, typer.Option(help="Rows that an outcome spans.")]
Lags = Annotated[
    int | None, typer.Option(help="Lags in Clark-West's variance; default horizon - 1.")
]
Mean = Annotated[
    str, typer.Option(help="The benchmark's rows: same as the fit's, or all with an outcome.")
]
MinRows = Annotated[
    int | None, typer.Option(help="Let a predictor with fewer rows begin when it has them.")
]
Forecasts = Annotated[
    Path | None, typer.Option(help="Write every forecast to this .csv or .parquet.")
]
Detail = Annotated[bool, typer.Option("--detail", help="More numbers in the JSON.")]
Price = Annotated[str, typer.Option(help="Its column of closes.")]
Written = Annotated[
    str, typer.Option(help="sma:S,L[,band], channel:L[,band], filter:size or momentum:L.")
]
Hold = Annotated[
    str, typer.Option(help="variable: until the rule changes its mind; or rows, such as 10.")
]
Since = Annotated[str | None, typer.Option("--from", help="First date.")]
Until = Annotated[str | None, typer.Option("--to", help="Last date.")]
Delay = Annotated[int, typer.Option(help="More rows between signal and first return earned.")]
Cost = Annotated[float, typer.Option(help="Cost of trading all, one way.")]
Side = Annotated[str, typer.Option(help="both, or long: out of the market on sells.")]
WarmUp = Annotated[str, typer.Option(help="Averages begin inside the sample, or before it.")]
Bootstrap = Annotated[
    str, typer.Option(help="Compare with simulated series: none, random-walk, ar1 or block.")
]
Reps = Annotated[int, typer.Option(help="Simulated series.")]
Seed = Annotated[int, typer.Option(help="Seed of all that is random.")]
StrategyFile = Annotated[
    Path, typer.Argument(help="A Python file with a function targets(market).")
]
Symbols = Annotated[str | None, typer.Option(help="Such as AAPL,IBM; all by default.")]
FirstSession = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First session.")
]
LastSession = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session.")
]
Lag = Annotated[
    int, typer.Option(min=0, help="1 fills at the next open; 0 trades the past, and is stamped.")
]
Without = Annotated[
    str | None, typer.Option(help="Realism to switch off, such as impact,borrow; it is said so.")
]
Capital = Annotated[float, typer.Option(help="USD to begin with.")]
Sheet = Annotated[Path | None, typer.Option(help="Write the tear sheet to this file.")]


@evaluate.command()
def predictors(  # noqa: PLR0913, PLR0917 - one argument an option of the command's contract
    frame: Frame,
    date: Date,
    target: Target,
    predictors: Names,
    first_forecast: First,
    window: Window = "expanding",
    restrict: Restrict = "none",
    combine: Combine = "none",
    kitchen_sink: Sink = False,
    horizon: Horizon = 1,
    hac_lags: Lags = None,
    mean: Mean = "same",
    min_rows: MinRows = None,
    forecasts: Forecasts = None,
    detail: Detail = False,
    as_json: Json = False,
) -> None:
    """Forecast by each predictor alone, and score it out of sample against the prevailing mean.

    Example: bellwether evaluate predictors --frame annual.csv --date yyyy --target premium
    --predictors dp,ep --first-forecast 1965 --json
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines import evaluate_predictors as use
        from bellwether.pipelines.evaluated import count_predictors

        named = tuple(p.strip() for p in predictors.split(",") if p.strip())
        plan = _plan(window, restrict, combine, horizon, hac_lags, mean, min_rows)
        columns = (date, target, named)
        config = use.PredictorsConfig(
            frame, *columns, first_forecast, plan, kitchen_sink=kitchen_sink, forecasts=forecasts
        )
        report = use.run(config, detail=detail)
        count_predictors(config, report, wired.ports)
        _show(report.as_json() if as_json else report.lines())


@evaluate.command()
def rule(  # noqa: PLR0913, PLR0917 - one argument an option of the command's contract
    frame: Frame,
    date: Date,
    price: Price,
    rule: Written,
    hold: Hold = "variable",
    since: Since = None,
    until: Until = None,
    delay: Delay = 0,
    cost_bps: Cost = 0.0,
    side: Side = "both",
    warm_up: WarmUp = "inside",
    bootstrap: Bootstrap = "none",
    reps: Reps = 500,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Follow a trading rule over a price series, and compare what followed buys, sells and all.

    Example: bellwether evaluate rule --frame djia.csv --date date --price Close --rule sma:1,50
    --from 1897-01-01 --to 1986-12-31
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines import evaluate_rule as use
        from bellwether.pipelines.evaluated import count_rule

        trial = _trial(rule, hold, delay, cost_bps, side)
        null = None if bootstrap == "none" else bootstrap
        sample = (since, until, warm_up)
        config = use.RuleConfig(frame, date, price, trial, *sample, null, reps, seed)
        report = use.run(config)
        count_rule(config, report, wired.ports)
        _show(report.as_json() if as_json else report.lines())


@evaluate.command()
def strategy(  # noqa: PLR0913, PLR0917 - one option a thing a user may want to say
    file: StrategyFile,
    symbols: Symbols = None,
    first: FirstSession = None,
    last: LastSession = None,
    lag: Lag = 1,
    without: Without = None,
    capital: Capital = 1_000_000.0,
    seed: Seed = 0,
    report: Sheet = None,
    as_json: Json = False,
) -> None:
    """Trade a strategy of your own over the lake's bars, at next opens and after costs.

    FILE defines targets(market): shares of equity, one row a session, decided after its close. A
    strategy whose past targets move with the future is refused (exit code 3).

    Example: bellwether evaluate strategy docs/examples/strategy.py --from 2004-01-01 --report out.html
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.inference.backtest_asked import BacktestConfig
        from bellwether.pipelines import evaluate_strategy as use

        config = BacktestConfig(
            symbols=named_list(symbols),
            first=None if first is None else first.date(),
            last=None if last is None else last.date(),
            lag_sessions=lag,
            without=named_list(without, upper=False) or (),
            capital_usd=capital,
            seed=seed,
        )
        done = use.run(file, config, wired.ports, progress)
        if report is not None:
            report.write_text(done.page(), encoding="utf-8")
        _show(done.found if as_json else done.lines())


def _show(told: dict[str, object] | list[str]) -> None:
    if isinstance(told, dict):
        tell(told)
        return
    for line in told:
        say(line)


def _plan(
    window: str,
    restrict: str,
    combine: str,
    horizon: int,
    hac_lags: int | None,
    mean: str,
    min_rows: int | None,
) -> "Plan":
    from bellwether.core.errors import InvalidRequest
    from bellwether.evaluation.plan import Plan
    from bellwether.pipelines.evaluate_predictors import OPTIONS

    rows = None if window == "expanding" else _rows("--window", window, "expanding")
    try:
        return Plan(0, rows, restrict, combine, horizon, hac_lags, mean, min_rows)
    except InvalidRequest as error:
        raise InvalidRequest(OPTIONS[error.field], error.why) from error


def _trial(rule: str, hold: str, delay: int, cost_bps: float, side: str) -> "Trial":
    from bellwether.core.errors import InvalidRequest
    from bellwether.evaluation.rule_record import Trial
    from bellwether.evaluation.rules import read_rule
    from bellwether.pipelines.evaluate_rule import OPTIONS

    rows = None if hold == "variable" else _rows("--hold", hold, "variable")
    try:
        return Trial(read_rule(rule), rows, delay, cost_bps, side)
    except InvalidRequest as error:
        raise InvalidRequest(OPTIONS[error.field], error.why) from error


def _rows(option: str, text: str, word: str) -> int:
    from bellwether.core.errors import InvalidRequest

    try:
        return int(text)
    except ValueError as error:
        raise InvalidRequest(option, f"{text!r} is neither {word} nor a number of rows") from error
