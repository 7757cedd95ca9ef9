"""Commands around the trial ledger."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwether.cli.frame import edge, ports, say, tell

if TYPE_CHECKING:
    from bellwether.core.ports import TrialRow

SHOWN = (
    *("trial_id", "study_id", "configuration", "created_at", "state", "kind", "model"),
    *("scope", "label"),
)
trials = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@trials.command("list")
def trials_list(
    label: Annotated[
        str | None, typer.Option(help='Only of this label, "open_to_open h=1".')
    ] = None,
    study: Annotated[str | None, typer.Option(help="Only of this run, backtest or search.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Trials to show, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """Count every fit that was ever scored, and show the newest.

    Example: bellwether trials list --json
    """
    with edge(as_json=as_json), ports() as wired:
        found = wired.ports.ledger.trials(label, study)
        by_label: dict[str, set[str]] = {}
        for row in found:
            by_label.setdefault(row.label, set()).add(row.configuration)
        counts = {name: len(tried) for name, tried in sorted(by_label.items())}
        shown = found[::-1][:limit]
        if as_json:
            rows = [_told(row) for row in shown]
            tell({"trials": len(found), "configurations": counts, "newest": rows})
            return
        say(f"{len(found):,} scored fits")
        for name, n in counts.items():
            say(f"  {name}: {n:,} configurations tried")
        for row in shown:
            say(_line(row))


def _told(row: "TrialRow") -> dict[str, Any]:
    """Return a trial as JSON, without its returns."""
    told = {name: getattr(row, name) for name in SHOWN}
    return told | {"metrics": json.loads(row.metrics), "config": json.loads(row.config)}


def _line(row: "TrialRow") -> str:
    sharpe = json.loads(row.metrics).get("sharpe")
    return (
        f"{row.created_at:%Y-%m-%d %H:%M}  {row.kind:<9} {row.model:<22} {row.scope:<8} "
        f"{row.label:<18} {row.state:<9} sharpe {'-' if sharpe is None else f'{sharpe:.2f}'}"
    )
