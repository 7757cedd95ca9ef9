"""The command that repairs faulty bars."""

from dataclasses import asdict
from typing import Annotated

import typer

from bellwether.cli.frame import edge, ports, progress_bar, say, tell

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def repair(
    symbols: Annotated[str | None, typer.Option(help="Only these, such as AAPL,IBM.")] = None,
    kinds: Annotated[
        str | None, typer.Option(help="Only these kinds, such as decimal_slip.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write new revisions.")] = False,
    as_json: Json = False,
) -> None:
    """Show which faulty bars can be put right exactly, and with --apply do it.

    Example: bellwether repair --symbols AAPL --apply
    """
    with edge(as_json=as_json):
        from bellwether.pipelines import repair as use
        from bellwether.quality.repair_policy import KINDS

        config = use.RepairConfig(
            symbols=_listed(symbols, "--symbols", upper=True),
            kinds=_listed(kinds, "--kinds", upper=False) or KINDS,
            apply=apply,
        )
        with ports() as wired, progress_bar(silent=as_json) as progress:
            report = use.run(config, wired.ports, progress)
        if as_json:
            tell(asdict(report))
            return
        for line in report.lines():
            say(line)


def _listed(text: str | None, option: str, *, upper: bool) -> tuple[str, ...] | None:
    from bellwether.core.errors import InvalidRequest

    if text is None:
        return None
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts:
        raise InvalidRequest(option, "it names nothing")
    return tuple(part.upper() for part in parts) if upper else parts
