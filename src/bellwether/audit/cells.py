"""Comparing two outcomes cell by cell, up to what was known."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.audit.found import KEYS
from bellwether.audit.worlds import Cut
from bellwether.core.errors import InvalidRequest

ROW = "(row)"
"""The name of a difference in which rows there are."""
FLOOR = 1e-12
"""Difference that counts as none, as a share of a feature's typical size: rounding about zero."""
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where one feature differs: its first cell, how many cells, and the sessions of them."""

    feature: str
    symbol: str
    session: date
    known: float | None
    other: float | None
    cells: int
    sessions: int
    rows: tuple[int, ...] = ()


def tidy(frame: object, what: str = "features") -> pl.DataFrame:
    """Return an outcome as symbol, session and float64 columns, sorted.

    Null and NaN are both a missing number. Text is compared by its hash, truth as 0 and 1.

    Raises
    ------
    InvalidRequest
        If it is no frame, lacks symbol or session, repeats a row, or has a column of another kind.
    """
    if not isinstance(frame, pl.DataFrame):
        raise InvalidRequest(what, f"returned {type(frame).__name__}, not a frame")
    missing = [k for k in KEYS if k not in frame.columns]
    if missing:
        raise InvalidRequest(what, f"returned a frame without {', '.join(missing)}")
    if len(frame.columns) == len(KEYS):
        raise InvalidRequest(what, "returned no column beside symbol and session")
    try:
        made = frame.select(
            pl.col("symbol").cast(pl.String),
            pl.col("session").cast(pl.Date),
            *(_number(frame, c) for c in frame.columns if c not in KEYS),
        )
    except pl.exceptions.PolarsError as error:
        raise InvalidRequest(what, str(error).splitlines()[0]) from error
    if made.select(pl.any_horizontal(pl.col(*KEYS).is_null().any())).item():
        raise InvalidRequest(what, "returned rows without symbol or session")
    made = made.sort(KEYS)
    if made.select(pl.struct(KEYS).is_duplicated().any()).item():
        twice = made.filter(pl.struct(KEYS).is_duplicated()).row(0)
        raise InvalidRequest(what, f"returned {twice[0]} {twice[1]} more than once")
    return made


def _number(frame: pl.DataFrame, name: str) -> pl.Expr:
    kind = frame.schema[name]
    column = pl.col(name)
    if kind.is_numeric() or kind in (pl.Boolean, pl.Null):
        return column.cast(pl.Float64).fill_nan(None)
    if kind.is_temporal():
        return column.to_physical().cast(pl.Float64)
    if kind in (pl.String, pl.Categorical) or isinstance(kind, pl.Enum):
        hashed = (column.cast(pl.String).hash(seed=0) // 2048).cast(pl.Float64)
        return pl.when(column.is_not_null()).then(hashed).alias(name)
    raise InvalidRequest("features", f"column {name} holds {kind}; numbers, truth or text needed")


def known(frame: pl.DataFrame, cut: Cut) -> pl.DataFrame:
    """Return the rows up to the cut; with a cut for each symbol only those of the symbols in it."""
    if isinstance(cut, date):
        return frame.filter(pl.col("session") <= cut)
    last = pl.col("symbol").replace_strict(dict(cut), default=date.min, return_dtype=pl.Date)
    return frame.filter(pl.col("session") <= last)


def differences(
    reference: pl.DataFrame, other: pl.DataFrame, cut: Cut, tolerance: float
) -> list[Difference]:
    """List the features whose cells differ up to the cut, each with its first differing cell.

    `known` of a difference is the value in `reference`, `other` that in `other`. Rows that only
    one of them has make a difference of their own, named ROW.
    """
    a, b = known(reference, cut), known(other, cut)
    found = []
    if not a.select(KEYS).equals(b.select(KEYS)):
        found += _rows(a, b)
        a, b = (
            x.join(y.select(KEYS), on=KEYS, how="semi", maintain_order="left")
            for x, y in ((a, b), (b, a))
        )
    for name in a.columns[len(KEYS) :]:
        if name not in b.columns:
            continue
        one, two = a[name].to_numpy(), b[name].to_numpy()
        at = np.flatnonzero(~equal(one, two, tolerance))
        if at.size:
            found.append(_first(name, a, one, two, at))
    lost = [c for c in a.columns if c not in b.columns] if b.height else []
    return found + [_lost(name, a) for name in lost if _tells(a[name])]


def _tells(column: pl.Series) -> bool:
    """Tell whether a column that the other outcome lacks holds anything but nothing."""
    return bool((column.fill_null(0.0) != 0.0).any())


def _lost(name: str, a: pl.DataFrame) -> Difference:
    symbol, session = a.row(-1)[:2]
    return Difference(name, symbol, session, a[name][-1], None, a.height, a["session"].n_unique())


def equal(one: Numbers, two: Numbers, tolerance: float) -> npt.NDArray[np.bool_]:
    """Tell which numbers are the same; missing ones are the same as missing ones."""
    same: npt.NDArray[np.bool_] = (one == two) | (np.isnan(one) & np.isnan(two))
    if tolerance == 0.0:
        return same
    there = np.abs(one[np.isfinite(one)])
    size = float(np.median(there)) if there.size else 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(one - two) <= tolerance * np.abs(one) + FLOOR * size
    close: npt.NDArray[np.bool_] = same | (near & np.isfinite(one) & np.isfinite(two))
    return close


def _first(
    name: str, a: pl.DataFrame, one: Numbers, two: Numbers, at: npt.NDArray[np.int64]
) -> Difference:
    sessions = a["session"].to_numpy()[at]
    order = np.lexsort((at, sessions))
    i = int(at[order[0]])
    symbol, session = a["symbol"][i], a["session"][i]
    return Difference(
        name,
        symbol,
        session,
        number(one[i]),
        number(two[i]),
        len(at),
        len(np.unique(sessions)),
        tuple(int(j) for j in at[order][:64]),
    )


def _rows(a: pl.DataFrame, b: pl.DataFrame) -> list[Difference]:
    gone = a.join(b.select(KEYS), on=KEYS, how="anti").with_columns(here=pl.lit(1.0))
    come = b.join(a.select(KEYS), on=KEYS, how="anti").with_columns(here=pl.lit(0.0))
    odd = pl.concat([x.select(*KEYS, "here") for x in (gone, come)]).sort("session", "symbol")
    symbol, session, here = odd.row(0)
    n = odd["session"].n_unique()
    return [Difference(ROW, symbol, session, here, 1.0 - here, odd.height, n)]


def number(value: float) -> float | None:
    """Return a number as JSON can hold it; None for a missing one."""
    return None if np.isnan(value) else float(value)


def cell(frame: pl.DataFrame, feature: str, symbol: str, session: date) -> float | None:
    """Return one cell; None where the row or the number is missing."""
    row = frame.filter((pl.col("symbol") == symbol) & (pl.col("session") == session))
    if feature == ROW:
        return float(row.height > 0)
    return None if row.height == 0 or feature not in row.columns else row[feature][0]
