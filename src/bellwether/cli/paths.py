"""`bellwether evaluate paths`: how far the figures of models spread over histories."""

from typing import TYPE_CHECKING, Annotated

import typer

from bellwether.cli.frame import edge, ports, progress_bar, say, settings, tell
from bellwether.models.names import MODELS

if TYPE_CHECKING:
    from bellwether.pipelines.paths import PathsReport

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def paths(  # noqa: PLR0913, PLR0917 - one option a thing a user may want to say
    symbols: Annotated[str | None, typer.Option(help="Only these, such as AAPL,IBM.")] = None,
    model: Annotated[str, typer.Option(help=f"One of {', '.join(MODELS)}.")] = "lightgbm",
    against: Annotated[str, typer.Option(help="Models beside it, such as ridge,xgboost.")] = "",
    folds: Annotated[int, typer.Option(help="Runs that the dates are cut into.")] = 6,
    tested: Annotated[int, typer.Option(help="Runs that a split tests.")] = 2,
    horizon: Annotated[int, typer.Option(help="Sessions ahead.")] = 1,
    embargo: Annotated[
        int | None,
        typer.Option(min=0, help="Sessions kept free after each tested run; 1 % by default."),
    ] = None,
    universe: Annotated[
        str | None, typer.Option(help="Only names while they were members of this universe.")
    ] = None,
    view: Annotated[str, typer.Option(help="Features that are read.")] = "technical",
    seed: Annotated[int, typer.Option(help="Seed of all that is random.")] = 0,
    as_json: Json = False,
) -> None:
    """Show how far figures spread over the histories of a combinatorial purged cross-validation.

    It trains on the future of what it tests: no score to choose a model by, and none is released.

    Example: bellwether evaluate paths --model ridge --folds 6 --tested 2
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.pipelines import paths as use
        from bellwether.pipelines.train_config import TrainConfig

        here = settings()
        asked = TrainConfig(
            symbols=tuple(s.strip().upper() for s in symbols.split(",")) if symbols else None,
            model=model,
            against=tuple(a.strip() for a in against.split(",") if a.strip()),
            horizon_sessions=horizon,
            seed=seed,
            workers=here.workers,
            quality_bar=here.quality_bar,
            universe=universe,
            view=view,
        )
        config = use.PathsConfig(asked, folds, tested, embargo)
        _show(use.run(config, wired.ports, progress), as_json=as_json)


def _show(report: "PathsReport", *, as_json: bool) -> None:
    if as_json:
        tell(report.as_json())
        return
    for line in report.lines():
        say(line)
    say("")
    say(f"{'model':<22} {'figure':<20} {'5 %':>8} {'25 %':>8} {'50 %':>8} {'75 %':>8} {'95 %':>8}")
    for model, found in report.spreads.items():
        for name, spread in found.items():
            if spread is None:
                continue
            cells = " ".join(f"{q:>8.4f}" for q in spread.quantiles)
            say(f"{model:<22} {name:<20} {cells}")
