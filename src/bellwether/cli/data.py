"""The command that brings data in."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bellwether.cli.frame import FAILED, edge, ports, progress_bar, say, settings, tell

if TYPE_CHECKING:
    from bellwether.pipelines.ingest import IngestReport

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Source = Annotated[
    str,
    typer.Argument(help="sample, or --path files, universe, actions, quotes, texts or sectors."),
]
Columns = Annotated[
    list[str] | None, typer.Option("--map", help="Our column = yours, such as close=Last.")
]
Label = Annotated[str | None, typer.Option("--as", help="Keep the bars under this source's name.")]
Adjusted = Annotated[str, typer.Option(help="What prices hold already: none, splits or total.")]
Name = Annotated[str | None, typer.Option(help="Name of the universe; else the file's own name.")]


@app.command()
def ingest(  # noqa: PLR0913, PLR0917 - one option a thing a user may want to say
    source: Source = "sample",
    symbols: Annotated[str | None, typer.Option(help="Only these, such as AAPL,IBM.")] = None,
    path: Annotated[Path | None, typer.Option(help="A CSV or Parquet file, or a folder.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"])] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"])] = None,
    columns: Columns = None,
    zone: Annotated[str | None, typer.Option(help="Zone of times written without one.")] = None,
    label: Label = None,
    adjusted: Adjusted = "none",
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Bring facts into the lake; what breaks a rule goes to quarantine, with its line.

    Example: bellwether ingest files --path prices.csv --map close=Last
    Example: bellwether ingest universe --path membership.csv --name sp500
    Example: bellwether ingest texts --path headlines.csv --zone UTC
    """
    with edge(as_json=as_json):
        from bellwether.core.ports import SourceQuery
        from bellwether.pipelines import ingest as use

        query = SourceQuery(
            symbols=_listed(symbols),
            path=None if path is None else str(path),
            first=first.date() if first else None,
            last=last.date() if last else None,
            columns=_mapped(columns),
            zone=zone,
            adjusted=adjusted,
            label=label,
            name=name,
        )
        asked = use.IngestConfig(source, query, settings().quality_bar)
        with ports() as wired, progress_bar(silent=as_json) as progress:
            report = use.run(asked, wired.ports, progress)
        _show(report, as_json=as_json)
        if report.accepted == 0:
            raise typer.Exit(FAILED)


def _show(report: "IngestReport", *, as_json: bool) -> None:
    if as_json:
        tell(asdict(report))
        return
    for line in report.lines():
        say(line)


def _listed(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(part.strip().upper() for part in text.split(",") if part.strip())


def _mapped(pairs: list[str] | None) -> dict[str, str] | None:
    from bellwether.core.errors import InvalidRequest

    if not pairs:
        return None
    for pair in pairs:
        if "=" not in pair:
            raise InvalidRequest("--map", f"{pair!r} is not of the form ours=theirs")
    return {ours.strip(): theirs.strip() for ours, theirs in (p.split("=", 1) for p in pairs)}
