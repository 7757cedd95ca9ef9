"""Out-of-sample records of training runs and backtests, kept so that they can be compared later."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from bellwether.backtest.result import Backtest
from bellwether.core.ports import WorkFiles
from bellwether.pipelines.trades import HELD

RECORD, BOOKS = "record.parquet", "books.parquet"
MARKET = "market"
"""Of books: the net return of holding all names, which tells the states of the market apart."""
SAID = ("forecast", "probability", "direction")
ROWS = ("symbol", "session", "decision_at", "label_known_at", "log_return", "scale", "fold")


@dataclass(frozen=True, slots=True)
class Judged:
    """What models said out of sample, and what trading it earned.

    Attributes
    ----------
    record : DataFrame
        One row a decision: `ROWS`, and of each model `forecast_m`, `probability_m`, `direction_m`.
    books : DataFrame
        One row a session, in order: `market`, and of each model `net_m` and `turnover_m`.
    """

    record: pl.DataFrame
    books: pl.DataFrame

    @property
    def models(self) -> tuple[str, ...]:
        """Whose forecasts there are, in the order in which they were judged."""
        return tuple(_models(self.record))


def of_walk(record: pl.DataFrame, models: Sequence[str], market: str) -> Judged:
    """Split the record of a walk-forward that was traded symbol by symbol.

    Books are of equal weight over the symbols of a session; that of the model `market` stands for
    the market.
    """
    nets = [pl.col(f"{kind}_{m}").mean() for m in models for kind in ("net", "turnover")]
    books = record.group_by("session").agg(nets).sort("session")
    if market in models:
        books = books.with_columns(pl.col(f"net_{market}").alias(MARKET))
    return Judged(record.select(*_there(record, ROWS), *_said(models)), books)


def of_accounts(record: pl.DataFrame, traded: Mapping[str, Backtest]) -> Judged:
    """Put a record beside the accounts that traded it; equal weight stands for the market."""
    names = [m for m in _models(record) if m in traded]
    columns = {
        f"{kind}_{m}": getattr(traded[m], kind) for m in names for kind in ("net", "turnover")
    }
    days = pl.Series("session", traded[HELD].market.sessions).cast(pl.Date)
    books = pl.DataFrame({"session": days, MARKET: traded[HELD].net, **columns})
    return Judged(record.select(*_there(record, ROWS), *_said(names)), books)


def only(record: pl.DataFrame, models: Sequence[str]) -> pl.DataFrame:
    """Return a walk-forward's record without what other models said and earned."""
    others = [m for m in _models(record) if m not in models]
    told = [f"{kind}_{m}" for m in others for kind in (*SAID, "net", "turnover")]
    return record.drop(told, strict=False)


def keep(work: str, judged: Judged, files: WorkFiles) -> None:
    """Keep a record under the id of its run or backtest; forecasts are float32 numbers as they were."""
    said = pl.col("^(forecast|probability)_.*$").cast(pl.Float32)
    files.keep(work, BOOKS, _bytes(judged.books))
    files.keep(work, RECORD, _bytes(judged.record.select(*_there(judged.record, ROWS), said)))


def read(work: str, files: WorkFiles) -> Judged | None:
    """Return the record that was kept under an id, or None."""
    told, books = files.read(work, RECORD), files.read(work, BOOKS)
    if told is None or books is None:
        return None
    record = pl.read_parquet(io.BytesIO(told))
    calls = [
        (pl.col(f"probability_{n}") - 0.5).sign().cast(pl.Int8).alias(f"direction_{n}")
        for n in _models(record)
    ]
    wide = pl.col("^(forecast|probability)_.*$").cast(pl.Float64)
    return Judged(record.with_columns(wide).with_columns(calls), pl.read_parquet(io.BytesIO(books)))


def _models(record: pl.DataFrame) -> list[str]:
    found = (c for c in record.columns if c.startswith("forecast_"))
    return [c.removeprefix("forecast_") for c in found]


def _said(models: Sequence[str]) -> list[str]:
    return [f"{kind}_{m}" for m in models for kind in SAID]


def _there(record: pl.DataFrame, names: Sequence[str]) -> list[str]:
    return [name for name in names if name in record.columns]


def _bytes(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out, compression="zstd")
    return out.getvalue()
