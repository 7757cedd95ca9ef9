"""Tables as people have them: CSV or Parquet, read without losing the place of a row."""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from bellwether.core.errors import InvalidRequest, UnreadableFile
from bellwether.core.ports import SourceQuery
from bellwether.sources.fingerprint import Fingerprint

SUFFIXES = (".csv", ".csv.gz", ".parquet")
META = ("location", "why")


def tables(query: SourceQuery, read: Fingerprint) -> Iterator[tuple[Path, pl.DataFrame]]:
    """Read the file or every file of the folder at `query.path`.

    A table has the file's columns, `location` and, if it was text, `why` (`malformed_row` where a
    row has another number of fields than the header, else null). The bytes are taken into account in `read`.

    Raises
    ------
    InvalidRequest
        If no path is given, or the zone is none.
    UnreadableFile
        If a file cannot be read at all.
    """
    if query.path is None:
        raise InvalidRequest("--path", "say which file or folder to read")
    _check_zone(query.zone)
    for path in _found(Path(query.path)):
        content = _bytes(path)
        read.add(path.name, content)
        parquet = path.suffix == ".parquet"
        yield path, _parquet(path, content) if parquet else _csv(path, content)


def quoted(rows: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Keep the words of rows that could not be parsed, for whoever has to find the fault."""
    unread = pl.col("why").is_not_null() | ~pl.col("told_number")
    lost = rows.select(unread).to_series()
    if not lost.any():
        return rows.with_columns(told=pl.lit(None, dtype=pl.String))
    words = table.drop("location", "why", strict=False).filter(lost)
    text = pl.struct(pl.all().cast(pl.String, strict=False)).struct.json_encode()
    told = pl.repeat(None, rows.height, dtype=pl.String, eager=True)
    if words.height:
        told = told.scatter(lost.arg_true(), words.select(text).to_series())
    return rows.with_columns(told=told)


def _check_zone(zone: str | None) -> None:
    try:
        _ = None if zone is None else ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidRequest("--zone", f"{zone!r} is no time zone; try America/New_York") from error


def _found(path: Path) -> list[Path]:
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if p.name.lower().endswith(SUFFIXES))
        if not inside:
            raise UnreadableFile(str(path), f"the folder holds no file ending in {SUFFIXES}")
        return inside
    if not path.exists():
        raise UnreadableFile(str(path), "there is no such file or folder")
    if not path.name.lower().endswith(SUFFIXES):
        raise UnreadableFile(str(path), f"only files ending in {', '.join(SUFFIXES)} are read")
    return [path]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path.name, str(error)) from error


def _parquet(path: Path, content: bytes) -> pl.DataFrame:
    try:
        table = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UnreadableFile(path.name, f"no readable Parquet ({error})") from error
    if table.height == 0:
        raise UnreadableFile(path.name, "the file has no rows")
    row = pl.int_range(1, pl.len() + 1)
    return table.drop("why", strict=False).with_columns(
        location=pl.format(path.name + ":row {}", row)
    )


def _csv(path: Path, content: bytes) -> pl.DataFrame:
    text = _decoded(path, content)
    reader = csv.reader(io.StringIO(text, newline=""))
    header = _header(reader, path)
    plain = _plain(text, header, path.name)
    if plain is not None:
        return plain
    width = len(header)
    cells: list[list[str]] = [[] for _ in header]
    places: list[str] = []
    lost: list[str | None] = []
    for row in _rows(reader, path):
        fits = len(row) == width
        for column, cell in zip(cells, row if fits else (row + [""] * width)[:width], strict=True):
            column.append(cell)
        places.append(f"{path.name}:{reader.line_num}")
        lost.append(None if fits else "malformed_row")
    if not places:
        raise UnreadableFile(path.name, "there is a header and no row below it")
    data = {
        name: pl.Series(column, dtype=pl.String) for name, column in zip(header, cells, strict=True)
    }
    return pl.DataFrame(data).with_columns(
        location=pl.Series(places), why=pl.Series(lost, dtype=pl.String)
    )


def _plain(text: str, header: list[str], name: str) -> pl.DataFrame | None:
    """Read at once what has neither quotes nor blank or ragged lines; None where it may have.

    What is read is what the careful way reads, in a tenth of the time.
    """
    text = text.replace("\r\n", "\n")
    rows = text.rstrip("\n").count("\n")
    odd = '"' in text or "\r" in text or "\n\n" in text or text.startswith("\n")
    if odd or not rows or text.count(",") != (rows + 1) * (len(header) - 1):
        return None
    try:
        table = pl.read_csv(
            io.BytesIO(text.encode()),
            infer_schema=False,
            empty_string_is_null=False,
            quote_char=None,
        )
    except pl.exceptions.PolarsError:
        return None
    blank = pl.all_horizontal(pl.all().str.strip_chars() == "")
    short = pl.any_horizontal(pl.all().is_null())
    if table.height != rows or table.select((blank | short).any()).item():
        return None
    table.columns = header
    line = pl.int_range(2, pl.len() + 2)
    why = pl.lit(None, dtype=pl.String)
    return table.with_columns(location=pl.format(name + ":{}", line), why=why)


def _decoded(path: Path, content: bytes) -> str:
    try:
        if path.name.lower().endswith(".gz"):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFile(path.name, str(error)) from error
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UnreadableFile(path.name, "is not UTF-8 text", line) from error


def _header(reader: Any, path: Path) -> list[str]:
    header = next((row for row in _rows(reader, path) if row), None)
    if header is None:
        raise UnreadableFile(path.name, "the file is empty")
    names = [name.strip() for name in header]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise UnreadableFile(path.name, f"two columns are called {twice[0]!r}", reader.line_num)
    return names


def _rows(reader: Any, path: Path) -> Iterator[list[str]]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UnreadableFile(path.name, str(error), reader.line_num) from error
        if any(cell.strip() for cell in row):
            yield row
