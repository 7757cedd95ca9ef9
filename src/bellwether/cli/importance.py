"""What moved a release's model, fold after fold."""

from typing import Annotated, Any

import typer

from bellwether.cli.frame import edge, ports, say, tell

FOLDS_SHOWN = 12

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def importance(
    release: Annotated[str | None, typer.Argument(help="A release; the newest without it.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Features to print.")] = 10,
    as_json: Json = False,
) -> None:
    """Print what moved a release's model in each fold, what it was worth, and what was chosen.

    Example: bellwether features importance --most 20
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines import moved

        found = moved.of_release(release, wired.ports)
        if as_json:
            tell(found)
            return
        for line in moved.lines(found):
            say(line)
        if found["importance"] is not None:
            print_importance(found["importance"], most)


def print_importance(found: dict[str, Any], most: int = 10) -> None:
    """Print what moved a model over the folds, the most first; its share by fold in per cent."""
    say("")
    told = [f"{fold['from'][:7]} to {fold['to'][:7]}" for fold in found["folds"]]
    say(f"Folds: {', '.join(told[-FOLDS_SHOWN:])}")
    say(f"{'what moved it':<28} {'share':>6} {'R2 lost':>9}  {'95 % interval':>20}  by fold, %")
    shown = sorted(found["features"].items(), key=lambda f: (-f[1]["share"], -f[1]["r2_lost"]))
    for name, f in shown[:most]:
        span = "-" if f["low"] is None else f"{f['low']:+.4f} to {f['high']:+.4f}"
        folds = " ".join(f"{100 * s:.0f}" for s in f["by_fold"][-FOLDS_SHOWN:])
        say(f"{name:<28} {f['share']:>6.1%} {f['r2_lost']:>+9.4f}  {span:>20}  {folds}")
