"""Commands around universes: which there are, who was in, and whose bars are missing."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from bellwether.cli.frame import edge, ports, say, tell

universe = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WIDTH = 10


@universe.command("list")
def universe_list(as_json: Json = False) -> None:
    """List the universes with their reach.

    Example: bellwether universe list
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines import coverage

        rows = coverage.listed(wired.ports)
        if as_json:
            tell(rows)
            return
        for row in rows:
            say(
                "{universe:<12} {members:>6,} members now, {names:,} names in {spells:,} spells, "
                "{first} to {newest_change}".format(**row)
            )
        if not rows:
            say("No universe yet. Bring one in with: bellwether ingest universe --path FILE")


@universe.command("members")
def universe_members(
    name: str,
    day: Annotated[datetime, typer.Option("--on", formats=["%Y-%m-%d"], help="A session.")],
    as_json: Json = False,
) -> None:
    """List who was in on a day, as known at its close, by the tickers of that day.

    Example: bellwether universe members sp500 --on 2008-09-12
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines import coverage

        found = coverage.on(name, day.date(), wired.ports)
        if as_json:
            tell({"universe": name, "on": day.date(), "members": found})
            return
        for i in range(0, len(found), WIDTH):
            say(" ".join(f"{symbol:<7}" for symbol in found[i : i + WIDTH]).rstrip())
        say(f"{len(found):,} members of {name} on {day.date()}.")


@universe.command("coverage")
def universe_coverage(
    name: str,
    first: Annotated[int | None, typer.Option("--from", help="First year.")] = None,
    last: Annotated[int | None, typer.Option("--to", help="Last year.")] = None,
    delisting: Annotated[
        str, typer.Option(help="What a delisted share lost: total, nyse (-30%) or nasdaq (-55%).")
    ] = "total",
    as_json: Json = False,
) -> None:
    """Say by year which members have no bars here, and what that may do to a result.

    Example: bellwether universe coverage sp500 --from 1996 --to 2000
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines import coverage

        report = coverage.run(coverage.CoverageConfig(name, delisting, first, last), wired.ports)
        if as_json:
            tell(asdict(report))
            return
        for line in report.lines():
            say(line)
