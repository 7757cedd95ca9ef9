"""Read a user's own table: a column of dates and columns of numbers."""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.core.errors import InvalidRequest, UnknownName, UnreadableFile
from bellwether.pipelines.periods import Period, periods

Floats = NDArray[np.float64]

SUFFIXES = (".csv", ".csv.gz", ".parquet")
ABSENT = ("", "na", "n/a", "nan", "null", "none", ".")
LARGEST = 1e100


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Dates as the file writes them and what they mean; columns with NaN where nothing is known."""

    labels: tuple[str, ...]
    rows: tuple[Period, ...]
    columns: dict[str, Floats]


def read_table(path: Path, dates: str, columns: Sequence[str]) -> Table:
    """Read the columns named; refuse what could only be guessed.

    Raises
    ------
    UnreadableFile
        If the file is missing, empty, of another kind or broken, or a cell is no number.
    UnknownName
        If it has no such column.
    InvalidRequest
        If dates are missing, unreadable, of several forms, twice or out of order; if a column has
        a hole between values, an infinite value or one beyond 1e100, or no value.
    """
    frame = read_frame(path)
    for name in (dates, *columns):
        if name not in frame.columns:
            raise UnknownName("column", name, frame.columns)
    if not frame.height:
        raise UnreadableFile(path.name, "there is a header and no row below it")
    labels = _labels(path.name, frame[dates])
    rows = periods(dates, labels)
    found = {name: _numbers(path.name, frame[name]) for name in dict.fromkeys(columns)}
    for name, values in found.items():
        _whole(name, values, labels)
    return Table(tuple(labels), tuple(rows), found)


def read_frame(path: Path) -> pl.DataFrame:
    """Read a whole file; the cells of a CSV as text, the empty ones as null.

    Raises
    ------
    UnreadableFile
        If the file is missing, empty, of another kind or broken, or two columns have one name.
    """
    if path.is_dir():
        raise UnreadableFile(str(path), "is a folder; name a file")
    if not path.exists():
        raise UnreadableFile(str(path), "there is no such file")
    if not path.name.lower().endswith(SUFFIXES):
        raise UnreadableFile(path.name, f"only files ending in {', '.join(SUFFIXES)} are read")
    try:
        if path.name.lower().endswith(".parquet"):
            return pl.read_parquet(path)
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            content = gzip.decompress(content)
        frame = pl.read_csv(content, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error) as error:
        said = str(error).splitlines()
        raise UnreadableFile(path.name, said[0] if said else "cannot be read") from error
    twice = [name for name in frame.columns if "_duplicated_" in name]
    if twice:
        name = twice[0].rpartition("_duplicated_")[0]
        raise UnreadableFile(path.name, f"two columns are called {name!r}")
    return frame.rename({name: name.strip() for name in frame.columns})


def _labels(file: str, column: pl.Series) -> list[str]:
    if column.null_count():
        row = int(column.is_null().arg_max() or 0) + 1
        raise UnreadableFile(file, f"column {column.name!r} has no date in row {row}")
    if isinstance(column.dtype, pl.Datetime):
        naive = column.dtype.time_zone is None
        if naive and (column.dt.truncate("1d") == column).all():
            column = column.dt.date()
        return [moment.isoformat() for moment in column.to_list()]
    return [str(value).strip() for value in column.to_list()]


def _numbers(file: str, column: pl.Series) -> Floats:
    if column.dtype in (pl.Boolean, pl.Null) or column.dtype.is_numeric():
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
    if column.dtype != pl.String:
        raise UnreadableFile(file, f"column {column.name!r} holds {column.dtype}, not numbers")
    text = column.str.strip_chars()
    absent = text.is_null() | text.str.to_lowercase().is_in(ABSENT)
    numbers = text.cast(pl.Float64, strict=False)
    strange = numbers.is_null() & ~absent
    if strange.any():
        row = int(strange.arg_max() or 0)
        why = f"{text[row]!r} in row {row + 1} of column {column.name!r} is no number"
        raise UnreadableFile(file, why)
    numbers = pl.select(pl.when(absent).then(None).otherwise(numbers)).to_series()
    return numbers.fill_null(np.nan).to_numpy().astype(np.float64)


def _whole(name: str, values: Floats, labels: Sequence[str]) -> None:
    there = np.flatnonzero(~np.isnan(values))
    if not there.size:
        raise InvalidRequest(name, "holds no number")
    large = np.flatnonzero(np.abs(values) > LARGEST)
    if large.size:
        value, when = values[large[0]], labels[large[0]]
        raise InvalidRequest(name, f"holds {value:g} at {when}, which cannot be squared")
    holes = there[0] + np.flatnonzero(np.isnan(values[there[0] : there[-1]]))
    if holes.size:
        raise InvalidRequest(
            name,
            f"is missing at {labels[holes[0]]}, between {labels[there[0]]} and "
            f"{labels[there[-1]]} where it is known; fill it by a stated rule or cut the sample",
        )
