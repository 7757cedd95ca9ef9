"""Commands around data: ingest and lake."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from bellwether.cli.frame import FAILED, edge, ports, progress_bar, say, settings, tell

app = typer.Typer()
lake = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Source = Annotated[
    str, typer.Argument(help="sample, or with --path files, universe, actions or quotes.")
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
        with ports() as wired, progress_bar(silent=as_json) as progress:
            config = use.IngestConfig(source, query, settings().quality_bar)
            report = use.run(config, wired.ports, progress)
        if as_json:
            tell(asdict(report))
        else:
            for line in report.lines():
                say(line)
        if report.accepted == 0:
            raise typer.Exit(FAILED)


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


@lake.command("check")
def lake_check(as_json: Json = False) -> None:
    """Say what the lake holds and what lies in quarantine.

    Example: bellwether lake check
    """
    with edge(as_json=as_json), ports() as wired:
        kept = wired.ports.lake
        bars = kept.bars()
        reasons = kept.quarantine().group_by("reason").len().sort("reason").rows()
        rows = [
            {"symbol": s[0], "first": s[1], "last": s[2], "bars": s[3], "revised": s[4]}
            for s in _per_symbol(bars)
        ]
        if as_json:
            tell({"symbols": rows, "quarantine": dict(reasons), "watermark": kept.watermark()})
            return
        for row in rows:
            say("{symbol:<8} {first} to {last}  {bars:>6} bars, {revised} revised".format(**row))
        say(f"Quarantine: {', '.join(f'{n} {r}' for r, n in reasons) or 'empty'}.")


def _per_symbol(bars: "object") -> list[tuple[object, ...]]:
    import polars as pl

    frame = bars if isinstance(bars, pl.DataFrame) else pl.DataFrame()
    grouped = frame.group_by("symbol").agg(
        first=pl.col("session").min(),
        last=pl.col("session").max(),
        bars=pl.col("session").n_unique(),
        revised=(pl.col("revision") > 0).sum(),
    )
    return grouped.sort("symbol").rows()


@lake.command("quarantine")
def lake_quarantine(as_json: Json = False) -> None:
    """List the rejected records with their place and the reason.

    Example: bellwether lake quarantine
    """
    with edge(as_json=as_json), ports() as wired:
        rows = wired.ports.lake.quarantine().rows(named=True)
        if as_json:
            tell(rows)
            return
        for row in rows:
            say(f"{row['location']}: {row['reason']}: {row['detail']}")
        say(f"{len(rows)} records in quarantine.")
