"""Commands around the trial ledger."""

import json
from typing import Annotated

import typer

from bellwether.cli.frame import edge, ports, say, tell

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
            rows = [
                {
                    "trial_id": row.trial_id,
                    "study_id": row.study_id,
                    "configuration": row.configuration,
                    "created_at": row.created_at,
                    "state": row.state,
                    "kind": row.kind,
                    "model": row.model,
                    "scope": row.scope,
                    "label": row.label,
                    "metrics": json.loads(row.metrics),
                    "config": json.loads(row.config),
                }
                for row in shown
            ]
            tell({"trials": len(found), "configurations": counts, "newest": rows})
            return
        say(f"{len(found):,} scored fits")
        for name, n in counts.items():
            say(f"  {name}: {n:,} configurations tried")
        for row in shown:
            sharpe = json.loads(row.metrics).get("sharpe")
            told = "-" if sharpe is None else f"{sharpe:.2f}"
            say(
                f"{row.created_at:%Y-%m-%d %H:%M}  {row.kind:<9} {row.model:<22} {row.scope:<8} "
                f"{row.label:<18} {row.state:<9} sharpe {told}"
            )
