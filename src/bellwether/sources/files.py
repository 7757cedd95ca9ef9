"""Bring your own bars: CSV or Parquet, a file a symbol or one long table."""

from datetime import datetime

import polars as pl

from bellwether.core.calendar import session_calendar
from bellwether.core.errors import InvalidRequest
from bellwether.core.ports import SourceBatch, SourceQuery
from bellwether.core.types import Adjustment
from bellwether.sources.checks import accept
from bellwether.sources.fingerprint import Fingerprint
from bellwether.sources.shape import asked_for, shaped
from bellwether.sources.tables import quoted, tables


class FilesSource:
    """Files on this machine. A bad row never stops a file, nor a bad file its neighbours' rows."""

    name = "files"

    def read(self, query: SourceQuery, known_until: datetime) -> SourceBatch:
        """Read the file or folder at `query.path`."""
        if query.adjusted not in list(Adjustment):
            why = f"{query.adjusted!r} is none of {', '.join(Adjustment)}"
            raise InvalidRequest("--adjusted", why)
        calendar = session_calendar()
        parts, read = [], Fingerprint()
        for path, table in tables(query, read):
            stem = path.name.split(".")[0].upper()
            rows = shaped(
                table, path.name, query.columns, query.zone, calendar, stem, query.adjusted
            )
            parts.append(asked_for(quoted(rows, table), query))
        if len({part.schema["told_date"] for part in parts}) > 1:
            parts = [part.with_columns(pl.col("told_date").cast(pl.String)) for part in parts]
        rows = pl.concat(parts).with_columns(order=pl.int_range(pl.len()))
        done = accept(rows, query.label or self.name, calendar, known_until, query.adjusted)
        return SourceBatch(
            done.bars, done.rejections, done.remarks, rows.height, fingerprint=read.value
        )
