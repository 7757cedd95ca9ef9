"""Which sector a symbol is in, and the first session at whose close that was known."""

import pandera.polars as pa
import polars as pl

from bellwether.core.schemas import FACT, KEPT, TOLD_BY

SECTORS_IN = pa.DataFrameSchema(
    {
        **FACT,
        "known_from": pa.Column(pl.Date),
        "sector": pa.Column(pl.String, pa.Check.str_length(1, 64)),
        **TOLD_BY,
    },
    strict=True,
    name="sectors_in",
    metadata={"keys": ["symbol", "known_from"]},
)
"""A symbol is in `sector` from the close of the session `known_from` until its next row."""

SECTORS = pa.DataFrameSchema(
    {**SECTORS_IN.columns, **KEPT},
    strict=True,
    name="sectors",
    metadata={"keys": ["symbol", "known_from", "source", "revision"]},
)
"""Sectors in the lake, every revision; the last one of a symbol and session holds."""


def newest(told: pl.DataFrame) -> pl.DataFrame:
    """Return symbol, sector and known_from as the last revision says, by symbol and session.

    Examples
    --------
    >>> from datetime import date
    >>> day = [date(2020, 1, 2)] * 2
    >>> rows = {"symbol": ["A", "A"], "known_from": day, "sector": ["oil", "it"], "revision": [0, 1]}
    >>> newest(pl.DataFrame(rows))["sector"].to_list()
    ['it']
    """
    last = told.sort("symbol", "known_from", "revision").unique(
        ["symbol", "known_from"], keep="last", maintain_order=True
    )
    return last.select("symbol", "sector", "known_from")
