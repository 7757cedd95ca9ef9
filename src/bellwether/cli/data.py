"""Commands around data: ingest, features."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bellwether.cli.frame import FAILED, edge, ports, progress_bar, say, settings, tell

if TYPE_CHECKING:
    from bellwether.pipelines.ingest import IngestReport

app = typer.Typer()
features = typer.Typer(no_args_is_help=True)

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


@features.command("list")
def features_list(as_json: Json = False) -> None:
    """List the features with meaning and unit.

    Example: bellwether features list
    """
    with edge(as_json=as_json):
        from bellwether.features.catalog import technical

        view = technical()
        if as_json:
            tell([_described(f) for f in view.features])
            return
        for f in view.features:
            say(f"{f.name:<18} {f.group:<11} {f.unit:<9} {f.meaning}")
        say(f"{len(view.features)} features, {view.version}")


def _described(feature: "object") -> dict[str, object]:
    from bellwether.features.catalog import Feature

    if not isinstance(feature, Feature):
        raise TypeError(type(feature))
    return {
        "name": feature.name,
        "formula": str(feature.expression),
        "meaning": feature.meaning,
        "unit": feature.unit,
        "group": feature.group,
        "kind": feature.kind.value,
        "warm_up_sessions": feature.warm_up,
        "source": "TA-Lib on the forward-adjusted total-return series",
    }


@features.command("describe")
def features_describe(name: str, as_json: Json = False) -> None:
    """Print one feature's formula, unit and warm-up.

    Example: bellwether features describe rsi_14
    """
    with edge(as_json=as_json):
        from bellwether.core.errors import UnknownName
        from bellwether.features.catalog import technical

        found = {f.name: f for f in technical().features}
        if name not in found:
            raise UnknownName("feature", name, sorted(found))
        row = _described(found[name])
        if as_json:
            tell(row)
            return
        for key, value in row.items():
            say(f"{key:<17} {value}")


@features.command("show")
def features_show(symbol: str, as_json: Json = False) -> None:
    """Print a symbol's newest features; levels are on today's raw scale.

    Example: bellwether features show AAPL
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines import materialize

        row = materialize.newest(symbol.upper(), wired.ports)
        if as_json:
            tell(row)
            return
        for key, value in row.items():
            say(f"{key:<18} {value}")


@features.command("materialize")
def features_materialize(as_json: Json = False) -> None:
    """Compute what is new in the lake and keep it for serving.

    Example: bellwether features materialize
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.pipelines import materialize

        report = materialize.run(wired.ports, progress)
        if as_json:
            tell(asdict(report))
            return
        for line in report.lines():
            say(line)
