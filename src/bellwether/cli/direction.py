"""`bellwether evaluate direction`: calls of a direction, with and without texts."""

from datetime import datetime
from typing import Annotated

import typer

from bellwether.cli.frame import edge, named_list, ports, progress_bar, say, tell

DAY = ["%Y-%m-%d"]

TrainFrom = Annotated[datetime, typer.Option(formats=DAY, help="First day trained on.")]
TrainTo = Annotated[
    datetime | None, typer.Option(formats=DAY, help="Last day trained on; else until the test.")
]
TestFrom = Annotated[datetime, typer.Option(formats=DAY, help="First day called.")]
TestTo = Annotated[datetime, typer.Option(formats=DAY, help="Last day called.")]
Symbols = Annotated[str | None, typer.Option(help="Only these, such as AAPL,IBM.")]
View = Annotated[str, typer.Option(help="Views that are read.")]
Models = Annotated[str, typer.Option(help="Models, such as linear,lightgbm.")]
Band = Annotated[str, typer.Option(help="Returns in percent between which a day is left out.")]
Horizon = Annotated[int, typer.Option(min=1, max=252, help="Sessions from close to close.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, as fractions.")]
Seed = Annotated[int, typer.Option(help="Seed of models and intervals.")]


def direction(  # noqa: PLR0913, PLR0917 - one argument an option of the command's contract
    train_from: TrainFrom,
    test_from: TestFrom,
    test_to: TestTo,
    train_to: TrainTo = None,
    symbols: Symbols = None,
    view: View = "technical+section+text",
    model: Models = "linear,random_forest",
    dead_band: Band = "0,0",
    horizon: Horizon = 1,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train on the days before a date and call the direction after it, with and without texts.

    Reads the lake: ingest prices and texts first. Calls are judged from close to close, beside
    always up and the contrarian rule of five sessions, with intervals that count days.

    Example: bellwether evaluate direction --train-from 2014-01-01 --test-from 2014-10-01
    --test-to 2014-12-31 --dead-band=-0.5,0.55 --json
    """
    with edge(as_json=as_json):
        from bellwether.pipelines import evaluate_direction as use

        down, up = _band(dead_band)
        config = use.DirectionConfig(
            train_first=train_from.date(),
            train_last=train_to.date() if train_to else None,
            test_first=test_from.date(),
            test_last=test_to.date(),
            symbols=named_list(symbols),
            view=view,
            models=named_list(model, upper=False) or (),
            down=down,
            up=up,
            horizon=horizon,
            seed=seed,
        )
        with ports() as wired, progress_bar(silent=as_json) as progress:
            report = use.run(config, wired.ports, progress)
        if as_json:
            tell(report.as_json())
            return
        for line in report.lines():
            say(line)


def _band(text: str) -> tuple[float, float]:
    from bellwether.core.errors import InvalidRequest

    try:
        down, up = (float(part) / 100 for part in text.split(","))
    except ValueError as error:
        raise InvalidRequest("--dead-band", f"{text!r} is not of the form -0.5,0.55") from error
    return down, up
