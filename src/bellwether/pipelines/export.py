"""Write adjusted bars as vendors ship them, as of a stated date."""

import os
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

from bellwether.core.asof import as_of
from bellwether.core.errors import InvalidRequest, MissingRecord, StorageError, UnknownName
from bellwether.core.ports import Ports, Progress, quiet
from bellwether.core.types import Adjustment
from bellwether.features.export import Reinvest, adjust_backward
from bellwether.features.history import BAR_KEYS

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """What is exported; no symbols means all, no date the last closed session."""

    out: Path
    symbols: tuple[str, ...] | None = None
    adjust: str = Adjustment.TOTAL
    as_of: date | None = None
    reinvest: str = Reinvest.PREVIOUS_CLOSE


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written; `empty` are symbols that had no bars yet."""

    out: str
    as_of: date
    adjust: str
    reinvest: str
    symbols: tuple[str, ...]
    empty: tuple[str, ...]
    rows: int

    def lines(self) -> list[str]:
        """Say it in words."""
        head = (
            f"Wrote {self.rows:,} bars of {len(self.symbols)} symbols to {self.out}, adjustment "
            f"{self.adjust}, as of {self.as_of}."
        )
        return [head, *(f"No bars by then: {', '.join(self.empty)}." for _ in self.empty[:1])]


def run(config: ExportConfig, ports: Ports, progress: Progress = quiet) -> ExportReport:
    """Write what was known at the close of a session; the file appears whole or not at all.

    Raises
    ------
    InvalidRequest
        If an option cannot be used, or bars that arrived adjusted cannot give what is asked.
    UnknownName
        If a symbol has no bars.
    MissingRecord
        If there is nothing to write.
    StorageError
        If the file cannot be written.
    """
    adjust, reinvest = _checked(config)
    last, known_at = _moment(config.as_of, ports)
    symbols = _symbols(config.symbols, ports)
    parts, empty = [], []
    for done, symbol in enumerate(symbols):
        told = ports.lake.bars([symbol])
        raw = told.filter(pl.col("adjustment") != Adjustment.NONE).height == 0
        # what arrived adjusted holds what came later, whenever it says that it was known
        bars = as_of(told, known_at if raw else ports.clock.now(), BAR_KEYS)
        if bars.filter(pl.col("session") <= last).height:
            parts.append(_adjusted(symbol, bars, last, adjust, reinvest))
        else:
            empty.append(symbol)
        progress("Adjusting", done + 1, len(symbols))
    if not parts:
        raise MissingRecord("bar", f"{', '.join(symbols)} by {last}", "bellwether ingest")
    frame = pl.concat(parts)
    _write(frame, config.out)
    full = tuple(s for s in symbols if s not in empty)
    return ExportReport(
        str(config.out), last, adjust.value, reinvest.value, full, tuple(empty), frame.height
    )


def _adjusted(
    symbol: str, bars: pl.DataFrame, last: date, adjust: Adjustment, reinvest: Reinvest
) -> pl.DataFrame:
    try:
        return adjust_backward(bars, last, adjust, reinvest)
    except InvalidRequest as error:
        option = {"adjust": "--adjust", "as_of": "--as-of"}.get(error.field, error.field)
        raise InvalidRequest(option, f"{symbol}: {error.why}") from error


def _checked(config: ExportConfig) -> tuple[Adjustment, Reinvest]:
    if config.adjust not in list(Adjustment):
        why = f"{config.adjust!r} is none of {', '.join(Adjustment)}"
        raise InvalidRequest("--adjust", why)
    if config.reinvest not in list(Reinvest):
        why = f"{config.reinvest!r} is none of {', '.join(Reinvest)}"
        raise InvalidRequest("--reinvest", why)
    if config.out.suffix.lower() not in SUFFIXES:
        raise InvalidRequest("--out", f"{config.out}: a name ends in {' or '.join(SUFFIXES)}")
    return Adjustment(config.adjust), Reinvest(config.reinvest)


def _moment(day: date | None, ports: Ports) -> tuple[date, datetime]:
    """Return the last session by `day`, and its close: what was known then is exported."""
    now = ports.clock.now()
    newest = ports.calendar.last_closed(now)
    if day is None:
        return newest, now
    if day > newest:
        raise InvalidRequest("--as-of", f"{day} lies after the last closed session, {newest}")
    sessions = ports.calendar.between(date.min, day)
    if not sessions:
        raise InvalidRequest("--as-of", f"{day} lies before the calendar begins")
    return sessions[-1], ports.calendar.close_of(sessions[-1])


def _symbols(asked: tuple[str, ...] | None, ports: Ports) -> tuple[str, ...]:
    known = ports.lake.symbols()
    for symbol in asked or ():
        if symbol not in known:
            raise UnknownName("symbol", symbol, known, "Ingest its bars first.")
    if not known:
        raise MissingRecord("bar", "any symbol", "bellwether ingest sample")
    return tuple(dict.fromkeys(asked)) if asked else tuple(known)


def _write(frame: pl.DataFrame, out: Path) -> None:
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            if out.suffix.lower() == ".csv":
                frame.write_csv(file)
            else:
                frame.write_parquet(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageError("export", f"{out}: {error.strerror or error}") from error
