"""Commands around the lake: what it holds, what came in when, and keeping it small."""

from dataclasses import asdict
from typing import Annotated

import typer

from bellwether.cli.frame import edge, ports, say, tell

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("check")
def check(as_json: Json = False) -> None:
    """Say what the lake holds and what lies in quarantine.

    Example: bellwether lake check
    """
    with edge(as_json=as_json), ports() as wired:
        kept = wired.ports.lake
        bars = kept.bars()
        reasons = kept.quarantine().group_by("reason").len().sort("reason").rows()
        rows = [
            {"symbol": s[0], "first": s[1], "last": s[2], "bars": s[3], "revised": s[4]}
            for s in _per_symbol(bars)
        ]
        if as_json:
            tell({"symbols": rows, "quarantine": dict(reasons), "watermark": kept.watermark()})
            return
        for row in rows:
            say("{symbol:<8} {first} to {last}  {bars:>6} bars, {revised} revised".format(**row))
        say(f"Quarantine: {', '.join(f'{n} {r}' for r, n in reasons) or 'empty'}.")


def _per_symbol(bars: "object") -> list[tuple[object, ...]]:
    import polars as pl

    frame = bars if isinstance(bars, pl.DataFrame) else pl.DataFrame()
    grouped = frame.group_by("symbol").agg(
        first=pl.col("session").min(),
        last=pl.col("session").max(),
        bars=pl.col("session").n_unique(),
        revised=(pl.col("revision") > 0).sum(),
    )
    return grouped.sort("symbol").rows()


@app.command("quarantine")
def quarantine(as_json: Json = False) -> None:
    """List the rejected records with their place and the reason.

    Example: bellwether lake quarantine
    """
    with edge(as_json=as_json), ports() as wired:
        rows = wired.ports.lake.quarantine().rows(named=True)
        if as_json:
            tell(rows)
            return
        for row in rows:
            say(f"{row['location']}: {row['reason']}: {row['detail']}")
        say(f"{len(rows)} records in quarantine.")


@app.command()
def history(as_json: Json = False) -> None:
    """List the ingestions, oldest first: what was asked, and what changed by it.

    Example: bellwether lake history
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines.asked import in_words, request_in

        rows = wired.ports.ledger.ingestions()
        if as_json:
            tell([{**asdict(row), "request": request_in(row)} for row in rows])
            return
        for row in rows:
            read = f", sha256 {row.content[:12]}" if row.content else ""
            say(
                f"{row.finished_at:%Y-%m-%d %H:%M:%S}  {row.source:<8}  {row.added:>8,} added "
                f"{row.revised:>7,} revised {row.unchanged:>8,} unchanged {row.rejected:>6,} rejected"
            )
            say(f"    watermark {row.watermark.isoformat()}, {in_words(row)}{read}")
        say(f"{len(rows)} ingestions.")


@app.command()
def compact(as_json: Json = False) -> None:
    """Rewrite small files as large ones and drop what killed writers left behind.

    Nothing that anybody could read changes; it may run while others read and write.

    Example: bellwether lake compact
    """
    with edge(as_json=as_json), ports() as wired:
        done = wired.ports.lake.compact(wired.ports.wall.now())
        if as_json:
            tell(asdict(done))
            return
        say(
            f"{done.files_before:,} files before, {done.files_after:,} after; "
            f"{done.orphans_dropped:,} rows dropped that no ingestion had finished."
        )
