"""Materialised features as a Delta table: one row a symbol, session, view and watermark."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from deltalake import write_deltalake

from bellwether.core.ports import FeatureBuild
from bellwether.core.types import FeatureVector
from bellwether.links.delta import ALONE, DeltaTables

TABLE = "features"
KEYS = ("symbol", "session", "last_close")
DTYPES: dict[str, Any] = {
    "symbol": pl.String,
    "session": pl.Date,
    "last_close": pl.Float64,
    "values": pl.Binary,
    "view": pl.String,
    "watermark": pl.String,
}


BUILDS = "feature_builds"
BUILD_DTYPES: dict[str, Any] = {
    "view": pl.String,
    "watermark": pl.String,
    "formulas": pl.String,
    "sketch": pl.Binary,
}
MARK = "%Y%m%dT%H%M%S.%f"


class DeltaFeatureStore:
    """The FeatureStore port on Delta Lake; each view and watermark is one partition, written whole."""

    def __init__(self, url: str, storage_options: Mapping[str, str] | None = None) -> None:
        self._tables = DeltaTables("lake", url, storage_options)

    def write(self, frame: pl.DataFrame, view: str, watermark: datetime) -> int:
        """Keep `frame`; return rows added. The same (view, watermark) is written once."""
        mark = _mark(watermark)
        columns = frame.columns[len(KEYS) :]
        vectors = np.ascontiguousarray(frame.select(columns).to_numpy(), dtype="<f8")
        packed = pl.Series("values", [row.tobytes() for row in vectors], dtype=pl.Binary)
        rows = frame.select(KEYS).with_columns(packed, view=pl.lit(view), watermark=pl.lit(mark))
        return self._tables.settle(lambda: self._write(rows, view, mark))

    def _write(self, rows: pl.DataFrame, view: str, mark: str) -> int:
        # the commit is refused if another came after this look, or both would add their rows
        table = self._tables.open(TABLE) or self._tables.create(
            TABLE, pl.DataFrame(schema=DTYPES), ["view", "watermark"]
        )
        if _of(self._tables.scan(table, DTYPES), view, mark).select(pl.len()).collect().item():
            return 0
        write_deltalake(table, rows.to_arrow(), mode="append", commit_properties=ALONE)
        return rows.height

    def latest(
        self, view: str, watermark: datetime, symbol: str | None = None
    ) -> list[FeatureVector]:
        """Return the newest vector of each symbol, or of one, of one materialisation."""
        wanted = pl.lit(value=True) if symbol is None else pl.col("symbol") == symbol
        with self._tables.guard():
            rows = (
                self._rows(view, watermark)
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
        with self._tables.guard():
            rows = self._rows(view, watermark).filter(pl.col("symbol") == symbol)
            return rows.select("session", "last_close", "values").sort("session").collect()

    def note(self, build: FeatureBuild) -> None:
        """Keep what is known of a build; the same (view, watermark) is kept once."""
        row = {
            "view": [build.view],
            "watermark": [_mark(build.watermark)],
            "formulas": [json.dumps(dict(build.formulas))],
            "sketch": [build.sketch],
        }
        self._tables.settle(lambda: self._note(pl.DataFrame(row, schema=BUILD_DTYPES)))

    def _note(self, row: pl.DataFrame) -> int:
        table = self._tables.open(BUILDS) or self._tables.create(
            BUILDS, pl.DataFrame(schema=BUILD_DTYPES), []
        )
        known = _of(self._tables.scan(table, BUILD_DTYPES), row["view"][0], row["watermark"][0])
        if known.select(pl.len()).collect().item():
            return 0
        write_deltalake(table, row.to_arrow(), mode="append", commit_properties=ALONE)
        return 1

    def builds(self) -> list[FeatureBuild]:
        """List the builds that were noted, by view and watermark."""
        with self._tables.guard():
            rows = self._tables.scan(self._tables.open(BUILDS), BUILD_DTYPES).collect()
        return [
            FeatureBuild(
                r["view"],
                datetime.strptime(r["watermark"], MARK).replace(tzinfo=UTC),
                json.loads(r["formulas"]),
                r["sketch"],
            )
            for r in rows.sort("view", "watermark").iter_rows(named=True)
        ]

    def _rows(self, view: str, watermark: datetime) -> pl.LazyFrame:
        return _of(self._tables.scan(self._tables.open(TABLE), DTYPES), view, _mark(watermark))


def _of(rows: pl.LazyFrame, view: str, mark: str) -> pl.LazyFrame:
    return rows.filter((pl.col("view") == view) & (pl.col("watermark") == mark))


def _mark(watermark: datetime) -> str:
    return watermark.astimezone(UTC).strftime(MARK)
