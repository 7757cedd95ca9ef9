"""Bars with the actions of their session: one history of revisions out of two."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import polars as pl

from bellwether.core.schemas import BARS
from bellwether.lake.revise import NEUTRAL

KEY = ["symbol", "session"]
SOURCES = ["symbol", "source", "adjustment", "ingested_at"]
BY_KIND = {"split": "split_ratio", "dividend": "dividend_usd"}

Row = dict[str, Any]


def with_actions(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Join all revisions of bars with all revisions of the actions that fit them.

    A dividend of an adjusted source is on that source's share basis: its bars have the actions of
    their own source alone, and it lends none.

    A row of the result is a state that could be read at some watermark: `ingested_at` is that of
    the part that came last, `knowledge_time` the later of the parts'. Of several sources of one
    action the newest that tells one counts, the bar's own before others.

    Parameters
    ----------
    bars, actions : DataFrame
        Visible rows of the two tables.

    Returns
    -------
    DataFrame
        Schema BARS, by symbol, session, revision and source.
    """
    adjusted = bars.filter(pl.col("adjustment") != "none")
    lent = actions.filter(pl.col("adjustment") == "none")
    if adjusted.height == 0:
        return _ordered(_joined(bars, lent))
    own = [
        _joined(mine, actions.filter(pl.col("source") == source))
        for (source,), mine in adjusted.group_by("source", maintain_order=True)
    ]
    as_traded = _joined(bars.filter(pl.col("adjustment") == "none"), lent)
    return _ordered(pl.concat([as_traded, *own]))


def _joined(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    neutral = bars.with_columns(split_ratio=pl.lit(1.0), dividend_usd=pl.lit(0.0))
    if actions.height == 0:
        return _columns(neutral)
    touched = actions.select(KEY).unique()
    plain = neutral.join(touched, on=KEY, how="anti")
    concerned = bars.join(touched, on=KEY, how="semi")
    if concerned.height == 0:
        return _columns(plain)
    once, often = _apart(concerned, actions)
    return pl.concat([_columns(plain), _columns(once), _columns(often)])


def together(bars: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Keep the bars that make one series of each symbol.

    Bars as traded are facts, and any source may fill in for another. Adjusted ones are on a basis
    of their vendor's and come from one source: the one that told the symbol first.

    Parameters
    ----------
    bars : DataFrame
        Rows of the table of bars.
    told : DataFrame
        Columns SOURCES of all bars of these symbols.
    """
    first = told.sort("ingested_at", "source").group_by("symbol", maintain_order=True).first()
    led = first.select("symbol", lead="source", basis="adjustment")
    joined = bars.join(led, on="symbol", how="left", maintain_order="left")
    facts = (pl.col("basis") == "none") & (pl.col("adjustment") == "none")
    return joined.filter(facts | (pl.col("source") == pl.col("lead"))).drop("lead", "basis")


def _apart(bars: pl.DataFrame, actions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Join at once what was told once and in time; walk through the rest in its order."""
    told = actions.group_by(KEY).agg(
        split=pl.col("value").filter(pl.col("kind") == "split").first(),
        dividend=pl.col("value").filter(pl.col("kind") == "dividend").first(),
        kinds=pl.col("kind").n_unique(),
        rows=pl.len(),
        came=pl.col("ingested_at").max(),
        learned=pl.col("knowledge_time").max(),
        basis=pl.col("knowledge_basis").sort_by("knowledge_time", "kind").last(),
    )
    told = told.join(bars.group_by(KEY).agg(n=pl.len()), on=KEY, how="inner")
    joined = bars.join(told, on=KEY, how="left", maintain_order="left")
    simple = (
        (pl.col("n") == 1)
        & (pl.col("rows") == pl.col("kinds"))
        & (pl.col("came") <= pl.col("ingested_at"))
    )
    once = joined.filter(simple).with_columns(
        split_ratio=pl.col("split").fill_null(1.0),
        dividend_usd=pl.col("dividend").fill_null(0.0),
        knowledge_time=pl.max_horizontal("knowledge_time", "learned"),
        knowledge_basis=pl.when(pl.col("learned") > pl.col("knowledge_time"))
        .then("basis")
        .otherwise("knowledge_basis"),
    )
    rest = joined.filter(~simple)
    keys = rest.select(KEY).unique()
    states = list(_states(rest.select(bars.columns), actions.join(keys, on=KEY, how="semi")))
    often = pl.DataFrame(states, schema=dict(_columns(once).schema))
    return once, often


def _states(bars: pl.DataFrame, actions: pl.DataFrame) -> Iterator[Row]:
    acted: dict[tuple[Any, ...], list[Row]] = {}
    for row in actions.sort("ingested_at", "revision").iter_rows(named=True):
        acted.setdefault((row["symbol"], row["session"]), []).append(row)
    ordered = bars.sort(*KEY, "source", "ingested_at", "revision").iter_rows(named=True)
    for key, told in groupby(ordered, key=lambda r: (r["symbol"], r["session"], r["source"])):
        yield from _history(list(told), acted[key[0], key[1]])


def _history(bars: list[Row], actions: list[Row]) -> Iterator[Row]:
    """Yield every state of one source's bar of one session, in the order of watermarks."""
    marks = sorted({r["ingested_at"] for r in (*bars, *actions)})
    last: Row | None = None
    for mark in marks:
        there = [b for b in bars if b["ingested_at"] <= mark]
        if not there:
            continue
        bar = there[-1]
        known = [a for a in actions if a["ingested_at"] <= mark]
        counted = {kind: _counted(known, kind, bar["source"]) for kind in BY_KIND}
        parts = [bar, *(a for a in counted.values() if a)]
        learned = max(p["knowledge_time"] for p in parts)
        if last is not None:
            learned = max(learned, last["knowledge_time"])
        basis = max(parts, key=lambda p: p["knowledge_time"])["knowledge_basis"]
        values = {BY_KIND[kind]: a["value"] if a else NEUTRAL[kind] for kind, a in counted.items()}
        if last is not None and all(last[k] == v for k, v in {**bar_told(bar), **values}.items()):
            continue
        last = {
            **{k: bar[k] for k in BARS.columns if k in bar},
            **values,
            "ingested_at": mark,
            "knowledge_time": learned,
            "knowledge_basis": basis,
            "revision": 0 if last is None else last["revision"] + 1,
        }
        yield last


def bar_told(bar: Row) -> Row:
    """Return what of a bar a revision may change."""
    return {k: bar[k] for k in ("open", "high", "low", "close", "volume", "adjustment")}


def _counted(actions: list[Row], kind: str, source: str) -> Row | None:
    """Return the action of one kind that counts; None where none was ever told."""
    newest = {a["source"]: a for a in actions if a["kind"] == kind}
    standing = [a for a in newest.values() if a["value"] != NEUTRAL[kind]]
    own = [a for a in standing if a["source"] == source]
    candidates = own or standing or list(newest.values())
    return max(candidates, key=lambda a: a["ingested_at"], default=None)


def _columns(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(list(BARS.columns))


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    return _columns(frame).sort("symbol", "session", "revision", "source")
