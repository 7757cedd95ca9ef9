"""`bellwether lake export`: adjusted bars as a file, as vendors ship them."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from bellwether.cli.frame import edge, ports, progress_bar, say, tell

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def export(
    out: Annotated[Path, typer.Option(help="The file to write, .csv or .parquet.")],
    symbol: Annotated[str | None, typer.Argument(help="One symbol, such as AAPL.")] = None,
    symbols: Annotated[str | None, typer.Option(help="Several, such as AAPL,IBM.")] = None,
    adjust: Annotated[
        str, typer.Option(help="What goes into the prices: none, splits or total.")
    ] = "total",
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="What was known then; default is now."),
    ] = None,
    reinvest: Annotated[
        str,
        typer.Option(help="Dividends at the previous-close (Yahoo) or ex-close (Alpha Vantage)."),
    ] = "previous-close",
    as_json: Json = False,
) -> None:
    """Write bars adjusted backward to a date, as vendors ship them; without a symbol, all.

    Example: bellwether lake export AAPL --adjust total --as-of 2012-12-31 --out aapl.csv
    """
    with edge(as_json=as_json):
        from bellwether.pipelines import export as use

        config = use.ExportConfig(
            out=out,
            symbols=_asked(symbol, symbols),
            adjust=adjust,
            as_of=as_of.date() if as_of else None,
            reinvest=reinvest,
        )
        with ports() as wired, progress_bar(silent=as_json) as progress:
            report = use.run(config, wired.ports, progress)
        if as_json:
            tell(asdict(report))
            return
        for line in report.lines():
            say(line)


def _asked(symbol: str | None, symbols: str | None) -> tuple[str, ...] | None:
    text = ",".join(part for part in (symbol, symbols) if part is not None)
    found = tuple(part.strip().upper() for part in text.split(",") if part.strip())
    if not found and (symbol is not None or symbols is not None):
        from bellwether.core.errors import InvalidRequest

        raise InvalidRequest("--symbols", "names no symbol")
    return found or None
