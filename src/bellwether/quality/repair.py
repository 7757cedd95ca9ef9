"""The repair of faulty bars: what can be put right exactly is proposed, the rest is said.

A proposal is made only where the bars leave one value and the evidence for it is strong; it never
smooths, fills or estimates. Evidence may lie later than the bar: a repaired bar is therefore known
from the time of the repair on, and never from its own session.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.errors import InvalidRequest, SchemaViolation
from bellwether.core.schemas import REPAIRS, REPAIRS_LEFT, check
from bellwether.quality.repair_dividends import repair_dividends
from bellwether.quality.repair_policy import KINDS, RepairPolicy
from bellwether.quality.repair_prices import repair_bars, row_slips, unit_stretch
from bellwether.quality.repair_splits import repair_splits
from bellwether.quality.sheet import PRICES, Sheet

NEEDED = (*PRICES, "volume", "split_ratio", "dividend_usd")
OPTIONAL = ("adj_close", "capital_gains")
BASES = ("none", "splits", "total")


@dataclass(frozen=True, slots=True)
class Repairs:
    """What one look at the bars proposes.

    `changes` (schema REPAIRS) has one row a cell; `left` (schema REPAIRS_LEFT) one row a finding
    that looks wrong and is not repaired, with the reason.
    """

    changes: pl.DataFrame
    left: pl.DataFrame


def repair(
    bars: pl.DataFrame, calendar: SessionCalendar, policy: RepairPolicy | None = None
) -> Repairs:
    """Propose the repairs of faulty bars.

    Parameters
    ----------
    bars : DataFrame
        One row a symbol and session, of one source: `symbol`, `session`, `open`, `high`, `low`,
        `close` (USD), `volume` (shares), `split_ratio`, `dividend_usd` (USD per share on the basis
        of the prices), `adjustment` (one value a symbol; "none" where the column is missing).
        `adj_close` (closes with splits and dividends taken out) is used as evidence and repaired
        where it is given, `capital_gains` (USD, a part of the dividend) is used as evidence.
        Null and NaN mean missing; other columns are ignored.
    calendar : SessionCalendar
        Counts sessions between days.
    policy : RepairPolicy, optional
        Which kinds are repaired, and what counts as strong evidence.

    Returns
    -------
    Repairs
        Proposals; nothing in `bars` is changed. `put_right` gives the bars with them.

    Raises
    ------
    SchemaViolation
        If columns are missing or of another type, a symbol has a session twice, or an
        `adjustment` is unknown or changes within a symbol.
    InvalidRequest
        If the policy names a kind that does not exist.
    """
    policy = policy or RepairPolicy()
    unknown = sorted(set(policy.kinds) - set(KINDS))
    if unknown:
        raise InvalidRequest("kinds", f"{unknown[0]!r} is none of {', '.join(KINDS)}")
    checked = _checked(bars)
    sheets = [
        _repaired(_sheet(part, calendar), policy)
        for part in checked.partition_by("symbol", maintain_order=True)
    ]
    return Repairs(_changes(sheets), _left(sheets))


def put_right(bars: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Return `bars`, in their order, with the cells that `changes` (schema REPAIRS) names."""
    out = bars
    for name in changes["field"].unique().sort():
        mine = changes.filter(pl.col("field") == name)
        told = mine.select("symbol", "session", pl.col("becomes").alias("_becomes"))
        out = out.join(told, on=["symbol", "session"], how="left", maintain_order="left")
        out = out.with_columns(pl.coalesce("_becomes", name).alias(name)).drop("_becomes")
    return out


def _checked(bars: pl.DataFrame) -> pl.DataFrame:
    missing = [c for c in ("symbol", "session", *NEEDED) if c not in bars.columns]
    if missing:
        raise SchemaViolation("bars", f"column {missing[0]!r} is missing")
    if bars.schema["symbol"] != pl.String or bars.schema["session"] != pl.Date:
        raise SchemaViolation("bars", "symbol must be String and session Date")
    given = [c for c in (*NEEDED, *OPTIONAL) if c in bars.columns]
    odd = [c for c in given if not bars.schema[c].is_numeric()]
    if odd:
        raise SchemaViolation("bars", f"column {odd[0]!r} is {bars.schema[odd[0]]}, not a number")
    if bars["symbol"].null_count() or bars["session"].null_count():
        raise SchemaViolation("bars", "a symbol or a session is null")
    basis = pl.col("adjustment") if "adjustment" in bars.columns else pl.lit("none")
    out = bars.select(
        "symbol", "session", basis.alias("adjustment"), *(pl.col(c).cast(pl.Float64) for c in given)
    ).sort("symbol", "session")
    if out.select("symbol", "session").is_duplicated().any():
        raise SchemaViolation("bars", "a symbol has two rows of one session; take one revision")
    if not out["adjustment"].is_in(BASES).all():
        raise SchemaViolation("bars", f"an adjustment is none of {', '.join(BASES)}")
    if out.group_by("symbol").agg(n=pl.col("adjustment").n_unique())["n"].max() not in {None, 1}:
        raise SchemaViolation("bars", "a symbol has bars of two adjustments; repair them apart")
    return out


def _sheet(part: pl.DataFrame, calendar: SessionCalendar) -> Sheet:
    names = [c for c in (*NEEDED, *OPTIONAL) if c in part.columns]
    values = {n: part[n].fill_null(np.nan).to_numpy().astype(np.float64) for n in names}
    for name in PRICES:
        column = values[name]
        column[~np.isfinite(column) | (column <= 0)] = np.nan
    split, paid = values["split_ratio"], values["dividend_usd"]
    split[~np.isfinite(split) | (split <= 0)] = 1.0
    paid[~np.isfinite(paid)] = 0.0
    days = part["session"].to_numpy().astype("datetime64[D]")
    position = np.searchsorted(calendar.sessions, days).astype(np.int64)
    return Sheet(part["symbol"][0], days, position, part["adjustment"][0], values)


def _repaired(sheet: Sheet, policy: RepairPolicy) -> Sheet:
    repair_bars(sheet, policy)
    if sheet.basis == "none":  # a split on the wrong day looks like bars off scale
        repair_splits(sheet, policy)
    if "decimal_slip" in policy.kinds:
        row_slips(sheet, policy)
    if sheet.basis == "splits":  # bars off scale look like a split on the wrong day
        repair_splits(sheet, policy)
    if "units_100x" in policy.kinds:
        unit_stretch(sheet, policy)
    repair_dividends(sheet, policy)
    return sheet


def _changes(sheets: list[Sheet]) -> pl.DataFrame:
    rows = []
    for sheet in sheets:
        for (row, name), why in sorted(sheet.changes.items()):
            was, becomes = float(sheet.was[name][row]), float(sheet.values[name][row])
            if was == becomes:
                continue
            told = None if np.isnan(was) else was
            day = sheet.days[row].astype(object)
            rows.append(
                (sheet.symbol, day, name, told, becomes, why.kind, why.evidence, why.confidence)
            )
    return check(pl.DataFrame(rows, schema=REPAIRS_DTYPES, orient="row"), REPAIRS)


def _left(sheets: list[Sheet]) -> pl.DataFrame:
    rows = [
        (s.symbol, s.days[row].astype(object), why.kind, why.evidence)
        for s in sheets
        for row, why in sorted(s.left, key=lambda found: found[0])
    ]
    return check(pl.DataFrame(rows, schema=LEFT_DTYPES, orient="row"), REPAIRS_LEFT)


LEFT_DTYPES = {"symbol": pl.String, "session": pl.Date, "kind": pl.String, "evidence": pl.String}
REPAIRS_DTYPES = {
    "symbol": pl.String,
    "session": pl.Date,
    "field": pl.String,
    "was": pl.Float64,
    "becomes": pl.Float64,
    "kind": pl.String,
    "evidence": pl.String,
    "confidence": pl.Float64,
}
