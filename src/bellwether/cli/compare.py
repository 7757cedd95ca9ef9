"""`bellwether compare`: models beside each other on what all of them were judged on."""

from pathlib import Path
from typing import Annotated

import typer

from bellwether.cli.frame import edge, ports, progress_bar, say, tell, wide

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")]
Named = Annotated[
    list[str],
    typer.Argument(
        metavar="ID[:MODEL]..",
        help="Runs, releases or backtests, by id or its first six letters; ID:MODEL means another "
        "of its models, ID:all all of them.",
    ),
]


@app.command()
def compare(
    named: Named,
    report: Annotated[
        Path | None, typer.Option(help="Write it with pictures to this file.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is drawn at random.")] = 0,
    as_json: Json = False,
) -> None:
    """Set models beside each other, and beside the baselines of the first, on what all share.

    Intervals are clustered by date; Diebold-Mariano for pairs, and which may be the best; residuals
    by the state of the market and by period; learning curves of runs that made them.

    Example: bellwether compare 01a2128e:all --report comparison.html
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.pipelines import compare as use

        done = use.run(use.CompareConfig(tuple(named), seed), wired.ports, progress)
        if report is not None:
            report.write_text(done.page(), encoding="utf-8")
        if as_json:
            tell(done.found)
            return
        for line in done.lines(wide()):
            say(line)
        if report is not None:
            say(f"Report: {report}")
