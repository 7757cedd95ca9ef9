"""How the bars of each symbol arrived: one adjustment a symbol, and what is refused for it."""

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from bellwether.core.ports import Ports
from bellwether.core.types import FeatureVector, Rejection
from bellwether.features.catalog import FeatureView
from bellwether.features.needs import Refusal, refusals

MIXES = "mixed_adjustment"


def unmixed(bars: pl.DataFrame, ports: Ports) -> tuple[pl.DataFrame, tuple[Rejection, ...]]:
    """Part the bars (schema BARS_IN) that may join the lake from those on another adjustment.

    A series whose earlier bars are as traded and whose later ones are not steps where they meet,
    and no factor would tell. So a source keeps the adjustment that it told a symbol with first.
    """
    held = sorted(set(ports.lake.symbols()) & set(bars["symbol"].unique().to_list()))
    if not held:
        return bars, ()
    key = ["symbol", "source"]
    kept = ports.lake.bars(held, every_source=True)
    first = kept.group_by(key).agg(pl.col("adjustment").first().alias("held"))
    joined = bars.join(first, on=key, how="left", maintain_order="left")
    other = (pl.col("held") != pl.col("adjustment")).fill_null(value=False)
    refused = joined.filter(other)
    return (
        joined.filter(~other).drop("held"),
        tuple(_rejection(row) for row in refused.iter_rows(named=True)),
    )


def _rejection(row: Mapping[str, object]) -> Rejection:
    detail = (
        f"{row['symbol']} is in the lake as {row['held']!r} and is told here as "
        f"{row['adjustment']!r}: a source keeps one adjustment a symbol; name the other with --as"
    )
    place = f"{row['symbol']} {row['session']}"
    return Rejection(str(row["source"]), place, MIXES, detail, f"{place} {row['adjustment']}")


def refused_in(view: FeatureView, adjustments: Mapping[str, str]) -> tuple[Refusal, ...]:
    """Say which features of `view` are refused to which of the symbols, and why."""
    return refusals(view.columns, [f.needs for f in view.features], adjustments)


def refused_vectors(view: FeatureView, vectors: Iterable[FeatureVector]) -> tuple[Refusal, ...]:
    """Say the same by the newest vectors; a symbol that still warms up is not in it."""
    told = {v.symbol: view.adjustment_of(np.frombuffer(v.values, dtype="<f8")) for v in vectors}
    return refused_in(view, {s: a for s, a in told.items() if a is not None})
