"""Commands around models: train, backtest, releases, mirror, predict, replay."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwether.cli.frame import FAILED, REFUSED, edge, ports, progress_bar, say, settings, tell
from bellwether.cli.gates import Rules, Skill, policy_file, skill_mode
from bellwether.cli.importance import print_importance
from bellwether.models.names import BASELINES, MODELS

if TYPE_CHECKING:
    from bellwether.pipelines.train import TrainReport

app = typer.Typer()


def _unless_none(text: str) -> str | None:
    return None if text == "none" else text


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[
    str,
    typer.Option(
        help=f"Model to release: {', '.join(MODELS)}, or a baseline: {', '.join(BASELINES)}."
    ),
]
Against = Annotated[
    str, typer.Option(help="Models judged beside it, such as linear,xgboost; or all.")
]
Each = Annotated[bool, typer.Option(help="Judge a model of its own for every symbol too.")]
Universe = Annotated[
    str | None, typer.Option(help="Only names while they were members of this universe.")
]
Ignore = Annotated[
    bool,
    typer.Option("--ignore-quality", help="Train below the quality bar too; answers say so."),
]
Generate = Annotated[
    int | None,
    typer.Option(help="Try so many generated features, chosen inside folds, beside the model."),
]
View = Annotated[
    str, typer.Option(help="Features that are read: a view, or several as technical+returns.")
]
Search = Annotated[
    str | None,
    typer.Option(
        parser=_unless_none,
        metavar="KIND",
        help="Search the model inside each training set: none, grid, random or bayes.",
    ),
]
WindowSessions = Annotated[
    int | None, typer.Option(min=1, help="Train on the newest so many sessions; all by default.")
]
Embargo = Annotated[
    int,
    typer.Option(min=0, help="Sessions kept free between the last outcome trained on and a test."),
]
Select = Annotated[
    str | None,
    typer.Option(
        parser=_unless_none,
        metavar="METHOD[:K]",
        help="Choose features inside each training set: ic, mi, mrmr, stability, permutation or "
        "contributions; mi:20 takes the best 20, mi:5% what passes with 5% false ones (10% alone).",
    ),
]
Winsorise = Annotated[
    float | None,
    typer.Option(min=0.1, help="Draw training targets in to so many robust deviations."),
]
First = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="First session that is forecast."),
]
Step = Annotated[
    str | None, typer.Option(help="Length of a test period by the calendar: 1y, 1q, 6m.")
]
Window = Annotated[
    str | None, typer.Option(help="Length of the past that trains, such as 10y; all by default.")
]
Curve = Annotated[
    bool, typer.Option("--learning-curve", help="Judge the model on ever shorter pasts too.")
]
Symbol = Annotated[str, typer.Argument(help="Such as AAPL.")]


@app.command()
def train(  # noqa: PLR0913, PLR0917 - one option a thing a user may want to say
    symbols: Annotated[str | None, typer.Option(help="Only these, such as AAPL,IBM.")] = None,
    model: Model = "lightgbm",
    against: Against = "linear",
    horizon: Annotated[int, typer.Option(help="Sessions ahead.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of all that is random.")] = 0,
    each: Each = True,
    universe: Universe = None,
    ignore_quality: Ignore = False,
    winsorise: Winsorise = None,
    generate: Generate = None,
    search: Search = None,
    select: Select = None,
    window_sessions: WindowSessions = None,
    embargo: Embargo = 0,
    trials: Annotated[int, typer.Option(help="Configurations that a search tries.")] = 50,
    view: View = "technical",
    skill: Skill = None,
    policy: Rules = None,
    first: First = None,
    step: Step = None,
    window: Window = None,
    learning_curve: Curve = False,
    as_json: Json = False,
) -> None:
    """Train and judge models walk-forward beside baselines, pack a release, and ask the gates of it.

    Exit code 3 where the bars are below the quality bar (`bellwether quality` shows them), or a gate
    of the declared policy refuses: the release is kept, and does not answer. Without a policy or
    --skill the gates are asked too, and only tell.

    Example: bellwether train --model linear --horizon 5 --skill require
    """
    asked = dict(locals())  # options are named as what they ask for
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.pipelines import train as use

        config = use.TrainConfig(**_given(asked))
        _told(use.run(config, wired.ports, progress), as_json=as_json)


def _given(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what a run is asked, with what this machine's settings say of it."""
    from bellwether.pipelines.gates import declared

    found = settings()
    symbols, first = asked.pop("symbols"), asked.pop("first")
    rules = declared(policy_file(asked.pop("policy")), skill_mode(asked.pop("skill")))
    del asked["as_json"]
    return asked | {
        "symbols": tuple(s.strip().upper() for s in symbols.split(",")) if symbols else None,
        "against": _named(asked["against"]),
        "horizon_sessions": asked.pop("horizon"),
        "embargo_sessions": asked.pop("embargo"),
        "first": None if first is None else first.date(),
        "workers": found.workers,
        "quality_bar": found.quality_bar,
        "policy": rules,
        "by": found.acting,
    }


def _told(report: "TrainReport", *, as_json: bool) -> None:
    """Print what a run found; ends with 3 where a gate refused."""
    if as_json:
        tell(report.as_json())
    else:
        for line in report.lines():
            say(line)
        print_table(report.outcome["table"])
        if "importance" in report.outcome:
            print_importance(report.outcome["importance"])
    if report.refused:
        raise typer.Exit(REFUSED)


def _named(against: str) -> tuple[str, ...]:
    from bellwether.models.factory import available

    return (
        available()
        if against == "all"
        else tuple(a.strip() for a in against.split(",") if a.strip())
    )


def print_table(table: dict[str, dict[str, Any]]) -> None:
    """Print models beside baselines, one row each."""
    say(
        f"{'model':<22} {'n':>6} {'accuracy':>8} {'95 % interval':>15} {'r2_oos':>8} "
        f"{'brier':>6} {'sharpe':>7} {'roi':>8} {'max dd':>7}"
    )
    for name, f in table.items():
        interval = f.get("directional_accuracy_ci")
        span = "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
        cells = [
            _cell(f.get("directional_accuracy"), 8, 3),
            f"{span:>15}",
            _cell(f.get("r2_oos"), 8, 4),
            _cell(f.get("brier"), 6, 4),
            _cell(f["sharpe"], 7, 2),
            _cell(f["roi"], 8, 2),
            _cell(f["max_drawdown"], 7, 2),
        ]
        say(f"{name:<22} {f.get('n', '-'):>6} {' '.join(cells)}")


def _cell(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:>{width}.{digits}f}"


@app.command()
def mirror(as_json: Json = False) -> None:
    """Push the training runs that MLflow does not have yet; exit code 1 while any has to wait.

    Example: bellwether mirror
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.pipelines import mirror as use

        report = use.run(wired.ports, progress)
        if as_json:
            tell(asdict(report))
        else:
            for line in report.lines():
                say(line)
        if report.waiting:
            raise typer.Exit(FAILED)


@app.command()
def predict(
    symbol: Symbol,
    headline: Annotated[list[str] | None, typer.Option(help="A news headline; repeatable.")] = None,
    horizon: Annotated[int, typer.Option(help="Sessions ahead.")] = 1,
    explain: Annotated[bool, typer.Option(help="Add what each feature contributes.")] = False,
    as_json: Json = False,
) -> None:
    """Predict one symbol; the prediction is stored before it is printed.

    Example: bellwether predict AAPL --headline "Strong earnings" --json
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.core.types import PredictionRequest
        from bellwether.inference.service import PredictionService

        service = PredictionService(wired.ports)
        request = PredictionRequest(
            symbol.upper(), horizon, tuple(headline or ()), user_id="cli", explain=explain
        )
        p = asyncio.run(service.answer(request))
        if as_json:
            tell(asdict(p))
            return
        span = (
            "no interval"
            if p.interval is None
            else (
                f"{p.interval.coverage:.0%} interval {p.interval.lower:.2f} to {p.interval.upper:.2f}"
            )
        )
        say(
            f"{p.symbol} after {p.as_of}: {p.last_price:.2f} USD, {p.direction} with "
            f"probability {p.probability_up:.3f} of a rise over {p.horizon_sessions} session(s)"
        )
        say(f"expected {p.expected_return:+.3%}, {p.predicted_price:.2f} USD, {span}")
        say(_skill_in_words(asdict(p.skill)))
        for reason in p.degraded:
            say(f"note: {reason}")
        say(f"stored as {p.prediction_id}, release {p.release}")


def _skill_in_words(k: dict[str, Any]) -> str:
    if k["ci_low"] is None:
        return "skill: never judged out of sample"
    head = "skill shown" if k["shown"] else "no skill shown"
    return (
        f"{head}: right {k['directional_accuracy']:.1%} of {k['n']} times out of sample "
        f"({k['ci_low']:.1%} to {k['ci_high']:.1%}), {k['baseline']} {k['baseline_accuracy']:.1%}"
    )


@app.command()
def replay(
    prediction_ids: Annotated[
        list[str] | None, typer.Argument(help="Ids; none for --last.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest to replay.")] = 1000,
    as_json: Json = False,
) -> None:
    """Compute stored predictions again from the bars of then, and compare every bit.

    Example: bellwether replay --last 1000
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.pipelines import replay as use

        report = use.run(wired.ports, prediction_ids or None, last, progress)
        if as_json:
            tell(asdict(report))
        else:
            for line in report.lines():
                say(line)
        if report.mismatches:
            raise typer.Exit(FAILED)
