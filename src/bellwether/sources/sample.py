"""The sample: five stocks, 2000 to 2013, public domain, read where a data package has them."""

import gzip
import hashlib
import io
from datetime import date, datetime
from importlib.resources import files

import polars as pl

from bellwether.core.calendar import session_calendar
from bellwether.core.errors import InvalidRequest, UnreadableFile
from bellwether.core.ports import SourceBatch, SourceQuery
from bellwether.core.types import Adjustment
from bellwether.sources.checks import accept
from bellwether.sources.shape import asked_for, shaped

PACKAGE = "bokeh_sampledata"
LAST_SESSION = date(2013, 3, 1)


class SampleSource:
    """Raw daily bars of AAPL, FB, GOOG, IBM and MSFT; actions come from their adjusted closes."""

    name = "sample"

    def read(self, query: SourceQuery, known_until: datetime) -> SourceBatch:
        """Read what `query` asks for."""
        place = f"{PACKAGE}:stocks.csv"
        try:
            packed = files(PACKAGE).joinpath("_data", "stocks.csv.gz").read_bytes()
        except (ModuleNotFoundError, FileNotFoundError) as error:
            raise UnreadableFile(place, f"install the package {PACKAGE}") from error
        table = pl.read_csv(io.BytesIO(gzip.decompress(packed)), infer_schema=False)
        table = table.with_columns(
            location=pl.format(f"{place}:{{}}", pl.int_range(2, pl.len() + 2))
        )
        calendar = session_calendar()
        if query.adjusted != Adjustment.NONE:
            raise InvalidRequest("--adjusted", "the sample is as traded; leave the option out")
        rows = asked_for(shaped(table, place, None, None, calendar), query)
        done = accept(rows, self.name, calendar, known_until)
        read = hashlib.sha256(packed).hexdigest()
        return SourceBatch(done.bars, done.rejections, done.remarks, rows.height, fingerprint=read)
