"""Commands around features: list, describe, show, materialize, build and diff."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwether.cli.frame import edge, ports, progress_bar, say, tell

if TYPE_CHECKING:
    from bellwether.bootstrap import Wired

features = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@features.command("list")
def features_list(
    name: Annotated[
        str | None,
        typer.Option("--view", help="One view, or several: technical+returns; all without it."),
    ] = None,
    markdown: Annotated[bool, typer.Option(help="Print the tables of docs/features.md.")] = False,
    as_json: Json = False,
) -> None:
    """List the features of every view with meaning and unit.

    Example: bellwether features list --view returns
    """
    with edge(as_json=as_json):
        from bellwether.features import describe
        from bellwether.features.views import view, views

        if markdown:
            say(describe.markdown().rstrip())
            return
        chosen = tuple(views().values()) if name is None else (view(name),)
        if as_json:
            tell([describe.described(f, v) for v in chosen for f in v.features])
            return
        for v in chosen:
            for f in v.features:
                say(f"{f.name:<28} {f.group:<11} {f.unit:<15} {f.meaning}")
            say(f"{len(v.features)} features, {v.version}")


@features.command("describe")
def features_describe(name: str, as_json: Json = False) -> None:
    """Print one feature's formula, unit, source, lineage, and what the newest release made of it.

    Example: bellwether features describe rsi_14
    """
    with edge(as_json=as_json):
        from bellwether.core.errors import UnknownName
        from bellwether.features.describe import described
        from bellwether.features.views import views

        found = {f.name: (f, v) for v in views().values() for f in v.features}
        if name not in found:
            raise UnknownName("feature", name, sorted(found))
        with ports() as wired:
            row = described(*found[name]) | {"importance": _importance(name, wired)}
        if as_json:
            tell(row)
            return
        for key, value in row.items():
            say(f"{key:<17} {value}")


def _importance(name: str, wired: "Wired") -> dict[str, Any] | None:
    """Return the share that the newest release's forecasts owe to a feature; None if it reads none."""
    releases = wired.ports.ledger.releases()
    if not releases:
        return None
    manifest: dict[str, Any] = wired.ports.releases.load(releases[0].release_id).manifest
    share = manifest.get("importance", {}).get(name)
    told = manifest.get("importance_over_time") or {"features": {}}
    by_fold = told["features"].get(name, {}).get("by_fold")
    found = {"release": releases[0].release_id, "share": share, "by_fold": by_fold}
    return None if share is None else found


@features.command("show")
def features_show(
    symbol: str,
    name: Annotated[
        str, typer.Option("--view", help="A view, or several: technical+returns.")
    ] = "technical",
    universe: Annotated[
        str | None, typer.Option(help="Look across the members of this universe alone.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print a symbol's newest features; levels are on today's raw scale.

    Example: bellwether features show AAPL --view technical+section
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines import materialize

        row = materialize.newest(symbol.upper(), wired.ports, name, universe)
        if as_json:
            tell(row)
            return
        for key, value in row.items():
            say(f"{key:<18} {value}")


@features.command("materialize")
def features_materialize(as_json: Json = False) -> None:
    """Compute what is new in the lake, of every view that a release reads, and keep it for serving.

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


@features.command("build")
def features_build(
    name: Annotated[
        str, typer.Argument(help="A view, such as returns, or several: technical+returns.")
    ],
    universe: Annotated[
        str | None, typer.Option(help="Look across the members of this universe alone.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build a view over the whole lake, with a sketch of its values.

    Example: bellwether features build section --universe sp500
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.pipelines import build

        report = build.run(build.BuildConfig(name, universe), wired.ports, progress)
        if as_json:
            tell(asdict(report))
            return
        for line in report.lines():
            say(line)


@features.command("diff")
def features_diff(
    builds: Annotated[list[str], typer.Argument(help="One view, or two versions.")],
    first: Annotated[
        str | None, typer.Option("--from", help="Watermark of the older build.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Watermark of the newer build.")] = None,
    as_json: Json = False,
) -> None:
    """Say what differs between two builds: formulas, rows, and values to the bit.

    Example: bellwether features diff technical
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines import diff

        report = diff.run(wired.ports, builds, _instant(first, "--from"), _instant(last, "--to"))
        if as_json:
            tell(asdict(report))
            return
        for line in report.lines():
            say(line)


def _instant(text: str | None, option: str) -> datetime | None:
    from bellwether.core.errors import InvalidRequest

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(option, f"{text!r} is no instant in ISO 8601") from error
    if moment.tzinfo is None:
        raise InvalidRequest(option, f"{text!r} names no zone; end it with Z or an offset")
    return moment
