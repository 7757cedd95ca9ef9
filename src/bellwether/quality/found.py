"""How detectors tell what they found: plain columns, made into the schema FLAGS at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from bellwether.core.schemas import FLAG_SEVERITIES, FLAGS, check
from bellwether.quality.panel import Ints, Panel

MOST = 1e6
SCHEMA = {
    "symbol": pl.String,
    "session": pl.Date,
    "kind": pl.String,
    "field": pl.String,
    "severity": pl.String,
    "score": pl.Float64,
    "detail": pl.String,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: the row it is about and what is said of it."""

    row: int
    kind: str
    field: str
    severity: str
    score: float
    detail: str


def frame_of(panel: Panel, findings: Sequence[Finding]) -> pl.DataFrame:
    """Turn findings into flags, unordered."""
    rows: Ints = np.array([f.row for f in findings], dtype=np.int64)
    columns = {
        "symbol": panel.names_of(rows),
        "session": pl.Series(panel.session[rows].astype("datetime64[ms]")).cast(pl.Date),
        "kind": [f.kind for f in findings],
        "field": [f.field for f in findings],
        "severity": [f.severity for f in findings],
        "score": np.nan_to_num([min(float(f.score), MOST) for f in findings], nan=0.0),
        "detail": [f.detail for f in findings],
    }
    return pl.DataFrame(columns, schema=SCHEMA)


def settle(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Put flags in order; of two about the same thing the more severe stands."""
    flags = pl.concat([pl.DataFrame(schema=SCHEMA), *frames])
    rank = pl.col("severity").replace_strict(
        {name: i for i, name in enumerate(FLAG_SEVERITIES)}, return_dtype=pl.Int32
    )
    flags = (
        flags.with_columns(rank=rank)
        .sort(
            ["symbol", "session", "kind", "field", "rank", "score"], descending=[False] * 5 + [True]
        )
        .unique(["symbol", "session", "kind", "field"], keep="first", maintain_order=True)
    )
    return check(flags.drop("rank"), FLAGS)


def price(x: float) -> str:
    """Write a price as a person would."""
    return f"{x:.6g}"
