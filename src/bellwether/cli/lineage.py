"""The command that says where a thing comes from."""

from dataclasses import asdict
from typing import Annotated

import typer

from bellwether.cli.frame import edge, ports, say, tell

app = typer.Typer()


@app.command()
def lineage(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Of a release, prediction or run; six characters may do."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say where a release, prediction or run comes from, down to the ingestions.

    Example: bellwether lineage 0199c0ffee
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines import lineage as use

        found = use.run(use.LineageConfig(identifier), wired.ports)
        if as_json:
            tell(asdict(found))
            return
        for line in found.lines():
            say(line)
