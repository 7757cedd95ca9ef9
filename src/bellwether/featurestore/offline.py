"""Materialised features as a Delta table: one row a symbol, session, view and watermark."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from bellwether.core.errors import StorageError
from bellwether.core.types import FeatureVector

KEYS = ("symbol", "session", "last_close")


class DeltaFeatureStore:
    """The FeatureStore port on Delta Lake; each view and watermark is one partition, written whole."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/features"

    def write(self, frame: pl.DataFrame, view: str, watermark: datetime) -> int:
        """Keep `frame`; return rows added. The same (view, watermark) is written once."""
        mark = _mark(watermark)
        if self._rows(view, mark).select(pl.len()).collect().item():
            return 0
        columns = frame.columns[len(KEYS) :]
        vectors = np.ascontiguousarray(frame.select(columns).to_numpy(), dtype="<f8")
        packed = pl.Series("values", [row.tobytes() for row in vectors], dtype=pl.Binary)
        table = frame.select(KEYS).with_columns(packed, view=pl.lit(view), watermark=pl.lit(mark))
        try:
            write_deltalake(
                self._url,
                table.to_arrow(),
                mode="overwrite",
                partition_by=["view", "watermark"],
                predicate=f"view = '{view}' AND watermark = '{mark}'",
            )
        except (DeltaError, OSError) as error:
            raise StorageError("feature store", str(error).splitlines()[0]) from error
        return table.height

    def latest(
        self, view: str, watermark: datetime, symbol: str | None = None
    ) -> list[FeatureVector]:
        """Return the newest vector of each symbol, or of one, of one materialisation."""
        wanted = pl.lit(value=True) if symbol is None else pl.col("symbol") == symbol
        rows = (
            self._rows(view, _mark(watermark))
            .filter(wanted)
            .sort("session")
            .group_by("symbol", maintain_order=True)
            .last()
            .sort("symbol")
            .collect()
        )
        return [
            FeatureVector(r["symbol"], r["session"], view, watermark, r["values"], r["last_close"])
            for r in rows.iter_rows(named=True)
        ]

    def history(self, symbol: str, view: str, watermark: datetime) -> pl.DataFrame:
        """Return one symbol's rows (session, last_close, values as bytes) by session."""
        rows = self._rows(view, _mark(watermark)).filter(pl.col("symbol") == symbol)
        return rows.select("session", "last_close", "values").sort("session").collect()

    def _rows(self, view: str, mark: str) -> pl.LazyFrame:
        try:
            table = DeltaTable(self._url)
        except TableNotFoundError:
            return pl.LazyFrame(
                schema={
                    "symbol": pl.String,
                    "session": pl.Date,
                    "last_close": pl.Float64,
                    "values": pl.Binary,
                    "view": pl.String,
                    "watermark": pl.String,
                }
            )
        except (DeltaError, OSError) as error:
            raise StorageError("feature store", str(error).splitlines()[0]) from error
        return pl.scan_delta(table).filter((pl.col("view") == view) & (pl.col("watermark") == mark))


def _mark(watermark: datetime) -> str:
    return watermark.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%f")
