"""`bellwether evaluate`: forecasts and rules of your own, judged as the literature does."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bellwether.cli.frame import edge, say, tell

if TYPE_CHECKING:
    from bellwether.evaluation.plan import Plan
    from bellwether.evaluation.rule_record import Trial

evaluate = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, as fractions.")]


@evaluate.command()
def predictors(  # noqa: PLR0913, PLR0917 - one argument an option of the command's contract
    frame: Annotated[Path, typer.Option(help="The table: .csv, .csv.gz or .parquet.")],
    date: Annotated[str, typer.Option(help="Its column of dates, in order.")],
    target: Annotated[str, typer.Option(help="Its column of outcomes.")],
    predictors: Annotated[
        str, typer.Option(help="Columns known when the outcome's period begins, such as dp,ep.")
    ],
    first_forecast: Annotated[str, typer.Option(help="Date of the first forecast.")],
    window: Annotated[str, typer.Option(help="Rows of each fit: expanding, or how many.")] = (
        "expanding"
    ),
    restrict: Annotated[
        str,
        typer.Option(help="none, sign:+, sign:-, nonnegative, both:+ or both:-."),
    ] = "none",
    combine: Annotated[
        str, typer.Option(help="The predictors together: none, mean, median or trimmed.")
    ] = "none",
    kitchen_sink: Annotated[
        bool, typer.Option("--kitchen-sink", help="Add one regression on all of them.")
    ] = False,
    horizon: Annotated[int, typer.Option(help="Rows that an outcome spans.")] = 1,
    hac_lags: Annotated[
        int | None, typer.Option(help="Lags in Clark-West's variance; default horizon - 1.")
    ] = None,
    mean: Annotated[
        str,
        typer.Option(help="The benchmark's rows: same as the fit's, or all with an outcome."),
    ] = "same",
    min_rows: Annotated[
        int | None,
        typer.Option(help="Let a predictor with fewer rows begin when it has them."),
    ] = None,
    forecasts: Annotated[
        Path | None, typer.Option(help="Write every forecast to this .csv or .parquet.")
    ] = None,
    detail: Annotated[bool, typer.Option("--detail", help="More numbers in the JSON.")] = False,
    as_json: Json = False,
) -> None:
    """Forecast by each predictor alone, and score it out of sample against the prevailing mean.

    Example: bellwether evaluate predictors --frame annual.csv --date yyyy --target premium
    --predictors dp,ep --first-forecast 1965 --json
    """
    with edge(as_json=as_json):
        from bellwether.pipelines import evaluate_predictors as use

        config = use.PredictorsConfig(
            frame=frame,
            date=date,
            target=target,
            predictors=tuple(p.strip() for p in predictors.split(",") if p.strip()),
            first_forecast=first_forecast,
            plan=_plan(window, restrict, combine, horizon, hac_lags, mean, min_rows),
            kitchen_sink=kitchen_sink,
            forecasts=forecasts,
        )
        report = use.run(config, detail=detail)
        if as_json:
            tell(report.as_json())
            return
        for line in report.lines():
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

    if window != "expanding" and not (window.isascii() and window.isdigit() and int(window) > 0):
        raise InvalidRequest("--window", f"{window!r} is neither expanding nor a number of rows")
    rows = None if window == "expanding" else int(window)
    try:
        return Plan(0, rows, restrict, combine, horizon, hac_lags, mean, min_rows)
    except InvalidRequest as error:
        raise InvalidRequest(OPTIONS[error.field], error.why) from error


@evaluate.command()
def rule(  # noqa: PLR0913, PLR0917 - one argument an option of the command's contract
    frame: Annotated[Path, typer.Option(help="The table: .csv, .csv.gz or .parquet.")],
    date: Annotated[str, typer.Option(help="Its column of dates, in order.")],
    price: Annotated[str, typer.Option(help="Its column of closes.")],
    rule: Annotated[
        str,
        typer.Option(help="sma:S,L[,band], channel:L[,band], filter:size or momentum:L."),
    ],
    hold: Annotated[
        str, typer.Option(help="variable: until the rule changes its mind; or rows, such as 10.")
    ] = "variable",
    since: Annotated[str | None, typer.Option("--from", help="First date.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Last date.")] = None,
    delay: Annotated[int, typer.Option(help="Rows between signal and first return earned.")] = 0,
    cost_bps: Annotated[float, typer.Option(help="Cost of trading all, one way.")] = 0.0,
    side: Annotated[str, typer.Option(help="both, or long: out of the market on sells.")] = "both",
    warm_up: Annotated[
        str, typer.Option(help="Averages begin inside the sample, or before it.")
    ] = "inside",
    bootstrap: Annotated[
        str, typer.Option(help="Compare with simulated series: none, random-walk, ar1 or block.")
    ] = "none",
    reps: Annotated[int, typer.Option(help="Simulated series.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 0,
    as_json: Json = False,
) -> None:
    """Follow a trading rule over a price series, and compare what followed buys, sells and all.

    Example: bellwether evaluate rule --frame djia.csv --date date --price Close --rule sma:1,50
    --from 1897-01-01 --to 1986-12-31
    """
    with edge(as_json=as_json):
        from bellwether.pipelines import evaluate_rule as use

        config = use.RuleConfig(
            frame=frame,
            date=date,
            price=price,
            trial=_trial(rule, hold, delay, cost_bps, side),
            since=since,
            until=until,
            warm_up=warm_up,
            null=None if bootstrap == "none" else bootstrap,
            reps=reps,
            seed=seed,
        )
        report = use.run(config)
        if as_json:
            tell(report.as_json())
            return
        for line in report.lines():
            say(line)


def _trial(rule: str, hold: str, delay: int, cost_bps: float, side: str) -> "Trial":
    from bellwether.core.errors import InvalidRequest
    from bellwether.evaluation.rule_record import Trial
    from bellwether.evaluation.rules import read_rule
    from bellwether.pipelines.evaluate_rule import OPTIONS

    if hold != "variable" and not (hold.isascii() and hold.isdigit()):
        raise InvalidRequest("--hold", f"{hold!r} is neither variable nor a number of rows")
    rows = None if hold == "variable" else int(hold)
    try:
        return Trial(read_rule(rule), rows, delay, cost_bps, side)
    except InvalidRequest as error:
        raise InvalidRequest(OPTIONS[error.field], error.why) from error
