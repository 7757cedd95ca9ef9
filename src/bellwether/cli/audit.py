"""`bellwether features audit`: look for leaks in the platform's own views or in a user's."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwether.cli.frame import REFUSED, edge, ports, progress_bar, say, tell

if TYPE_CHECKING:
    from bellwether.pipelines.audit_report import AuditReport

Json = Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")]


View = Annotated[
    str | None,
    typer.Option(
        help="A view of the platform, such as technical+returns; or your own in a Python file "
        "(docs/leak-audit.md), which is run as it is. Every view of the platform without it."
    ),
]
Universe = Annotated[
    str | None, typer.Option(help="Look across the members of this universe alone.")
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
    universe: Universe = None,
    as_json: Json = False,
) -> None:
    """Look for leaks: recompute on truncated history and with other futures; name what differs.

    Exit code 0 if green, 3 if there is a leak, 1 if the file cannot be computed.

    Example: bellwether features audit --view my_view.py
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.core.errors import InvalidRequest
        from bellwether.pipelines import audit as use
        from bellwether.pipelines.audit_process import Limits

        config = use.AuditConfig(
            symbols=_listed(symbols),
            path=path,
            seed=seed,
            horizon_sessions=horizon,
            limits=Limits(budget, limit, memory, horizon),
            universe=universe,
            **_subject(view),
        )
        if universe is not None and "name" not in _subject(view):
            raise InvalidRequest("--universe", "goes with a view of the platform: --view section")
        many = use.run_all(config, wired.ports, progress) if view is None else None
        _tell(many, many or [use.run(config, wired.ports, progress)], as_json=as_json)


def _tell(many: "list[AuditReport] | None", reports: "list[AuditReport]", *, as_json: bool) -> None:
    """Tell one report, or those of all views; raise the exit code of a leak."""
    green = all(report.green for report in reports)
    if as_json and many is not None:
        tell({"green": green, "audits": [report.as_json() for report in reports]})
    elif as_json:
        tell(reports[0].as_json())
    else:
        for line in (line for report in reports for line in report.lines()):
            say(line)
    if not green:
        raise typer.Exit(REFUSED)


def _subject(view: str | None) -> dict[str, Any]:
    """Tell a file from a name: files end in .py, or lie in a folder that is named."""
    if view is None:
        return {}
    is_file = view.lower().endswith(".py") or "/" in view or "\\" in view or Path(view).is_file()
    return {"view": Path(view)} if is_file else {"name": view}


def _listed(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    found = tuple(part.strip().upper() for part in text.split(",") if part.strip())
    if not found:
        from bellwether.core.errors import InvalidRequest

        raise InvalidRequest("--symbols", "names no symbol")
    return found
