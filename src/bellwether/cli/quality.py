"""`bellwether quality`: what is wrong with the bars, in words, as JSON, as a page with pictures."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bellwether.cli.frame import REFUSED, edge, ports, progress_bar, say, settings, tell

if TYPE_CHECKING:
    from bellwether.pipelines.quality_report import QualityReport

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")]
PICTURES = 12


@app.command()
def quality(
    symbols: Annotated[str | None, typer.Option(help="Only these, such as AAPL,IBM.")] = None,
    source: Annotated[str | None, typer.Option(help="Only bars of this source.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only sessions from this day on.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with pictures to this file.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Print every flag.")] = False,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 3 where the bars may not be trained on.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look for faults in the bars, and in what was rejected; say whether they may be trained on.

    Example: bellwether quality --symbols AAPL --html quality.html
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.pipelines import quality as use

        config = use.QualityConfig(
            symbols=_listed(symbols),
            source=source,
            since=since.date() if since else None,
            bar=settings().quality_bar,
            drawn=PICTURES if html else 0,
        )
        if html is not None:
            _writable(html)
        report = use.run(config, wired.ports, progress)
        if html is not None:
            _write(report, html)
        if as_json:
            tell(report.as_json())
        else:
            for line in report.lines(None if every else use.SHOWN):
                say(line)
            if html is not None:
                say(f"Written to {html}.")
        if gate and not report.gate.passed:
            raise typer.Exit(REFUSED)


def _listed(text: str | None) -> tuple[str, ...] | None:
    from bellwether.core.errors import InvalidRequest

    if text is None:
        return None
    found = tuple(dict.fromkeys(part.strip().upper() for part in text.split(",") if part.strip()))
    if not found:
        raise InvalidRequest("--symbols", "names no symbol")
    return found


def _writable(path: Path) -> None:
    """Refuse before the work what could not be written after it."""
    from bellwether.core.errors import InvalidRequest

    if path.is_dir():
        raise InvalidRequest("--html", f"{path} is a folder; name a file")
    if not path.parent.is_dir():
        raise InvalidRequest("--html", f"the folder {path.parent} does not exist")


def _write(report: "QualityReport", path: Path) -> None:
    from bellwether.core.errors import InvalidRequest
    from bellwether.reports.quality import page

    drawn = [{"symbol": d.symbol, "sessions": d.sessions, "closes": d.closes} for d in report.drawn]
    text = page(report.as_json(), drawn)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidRequest("--html", f"{path} cannot be written: {error.strerror}") from error
