"""`bellwether features audit`: look for leaks in the platform's own chain or in a user's view."""

from pathlib import Path
from typing import Annotated

import typer

from bellwether.cli.frame import REFUSED, edge, ports, progress_bar, say, tell

Json = Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")]


View = Annotated[
    Path | None,
    typer.Option(help="Your own view, a Python file (docs/leak-audit.md); it is run as it is."),
]
Bars = Annotated[Path | None, typer.Option(help="Bars of this file or folder, not the lake's.")]
Budget = Annotated[float, typer.Option(min=1.0, help="Seconds after which no more cuts are asked.")]
Limit = Annotated[
    float, typer.Option(min=1.0, help="Seconds that each process of a view may take.")
]


def audit(  # noqa: PLR0913, PLR0917 - one option a thing a user may want to say
    view: View = None,
    symbols: Annotated[str | None, typer.Option(help="Only these, such as AAPL,IBM.")] = None,
    path: Bars = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws symbols, cuts and futures.")] = 0,
    budget: Budget = 45.0,
    limit: Limit = 300.0,
    memory: Annotated[int, typer.Option(min=512, help="Memory of a view, in MB.")] = 8192,
    horizon: Annotated[int, typer.Option(min=1, help="Sessions the platform's label spans.")] = 1,
    as_json: Json = False,
) -> None:
    """Look for leaks: recompute on truncated history and with other futures; name what differs.

    Exit code 0 if green, 3 if there is a leak, 1 if the file cannot be computed.

    Example: bellwether features audit --view my_view.py
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.pipelines import audit as use
        from bellwether.pipelines.audit_process import Limits

        config = use.AuditConfig(
            view=view,
            symbols=_listed(symbols),
            path=path,
            seed=seed,
            horizon_sessions=horizon,
            limits=Limits(budget, limit, memory, horizon),
        )
        report = use.run(config, wired.ports, progress)
        if as_json:
            tell(report.as_json())
        else:
            for line in report.lines():
                say(line)
        if not report.green:
            raise typer.Exit(REFUSED)


def _listed(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    found = tuple(part.strip().upper() for part in text.split(",") if part.strip())
    if not found:
        from bellwether.core.errors import InvalidRequest

        raise InvalidRequest("--symbols", "names no symbol")
    return found
