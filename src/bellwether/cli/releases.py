"""`bellwether releases`: which there are, and what each says of itself."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bellwether.cli.frame import edge, ports, say, tell, wide

releases = typer.Typer(invoke_without_command=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@releases.callback()
def releases_list(context: typer.Context, as_json: Json = False) -> None:
    """List releases, newest first; `show` prints the model card of one.

    Example: bellwether releases
    """
    if context.invoked_subcommand is not None:
        return
    with edge(as_json=as_json), ports() as wired:
        from bellwether.inference.standing import UNASKED, standings

        stand = standings(wired.ports.ledger)
        rows = [
            asdict(r) | asdict(stand.get(r.release_id, UNASKED))
            for r in wired.ports.ledger.releases()
        ]
        if as_json:
            tell(rows)
            return
        for r in rows:
            say(
                f"{r['release_id']}  {r['created_at']:%Y-%m-%d %H:%M}  {r['model']:<22} "
                f"h={r['horizon_sessions']}  {r['state']:<8}  "
                f"{'skill shown' if r['skill_shown'] else 'no skill shown'}  {', '.join(r['symbols'])}"
            )
        say(f"{len(rows)} releases.")


@releases.command("show")
def releases_show(
    release: Annotated[str, typer.Argument(help="Its id; six letters will do.")],
    report: Annotated[
        Path | None, typer.Option(help="Write it with pictures to this file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the model card of a release: data, features, figures with intervals, skill, limits.

    Example: bellwether releases show r54e01 --report card.html
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines.model_card import card

        found = card(release, wired.ports)
        if report is not None:
            report.write_text(found.page(), encoding="utf-8")
        if as_json:
            tell(found.found)
            return
        for line in found.lines(wide()):
            say(line)
        if report is not None:
            say(f"Report: {report}")
