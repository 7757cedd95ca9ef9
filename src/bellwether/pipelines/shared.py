"""What several records share: the rows that all were judged on, and the sessions that all traded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.core.errors import InsufficientHistory, MissingRecord
from bellwether.evaluation.record import PREVAILING
from bellwether.evaluation.residuals import States, states_of
from bellwether.evaluation.rivals import FEWEST, Ground
from bellwether.pipelines.records import MARKET
from bellwether.pipelines.subjects import Source, Subject

KEYS = ("symbol", "session")
SAME = 1e-9
"""Log returns that are nearer than this are one outcome."""


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """The common ground of records.

    Attributes
    ----------
    ground : Ground
        What all are judged on.
    record : DataFrame
        The shared rows of the first source.
    rows : mapping of str to array of int
        By source: the numbers of its rows that are shared, in the order of `record`.
    states : mapping
        State of the market and period of each shared row.
    notes : tuple of str
        What was left out, and in what the sources differ.
    """

    ground: Ground
    record: pl.DataFrame
    rows: Mapping[str, NDArray[np.int64]]
    states: States
    notes: tuple[str, ...]


def shared(named: Sequence[Subject]) -> Shared:
    """Find the rows of the same symbol, session and outcome in all records.

    Raises
    ------
    MissingRecord
        If the first record has no prevailing mean, against which all are held.
    InsufficientHistory
        If no row is shared.
    """
    sources = list({s.source.source_id: s.source for s in named}.values())
    first = sources[0]
    if f"forecast_{PREVAILING}" not in first.judged.record.columns:
        raise MissingRecord(PREVAILING, f"the {first.kind} {first.source_id}", "bellwether train")
    both = first.judged.record.select(*KEYS, "log_return", n_0=pl.row_index())
    before, unlike = both.height, 0
    for i, source in enumerate(sources[1:], 1):
        told = source.judged.record.select(
            *KEYS, y=pl.col("log_return"), **{f"n_{i}": pl.row_index()}
        )
        both = both.join(told, on=KEYS, how="inner", maintain_order="left")
        near = (pl.col("y") - pl.col("log_return")).abs() <= SAME
        unlike += both.filter(~near).height
        both = both.filter(near).drop("y")
    if both.height == 0:
        raise InsufficientHistory("comparison: dates on which all were judged", 0, FEWEST)
    rows = {s.source_id: both[f"n_{i}"].to_numpy() for i, s in enumerate(sources)}
    record = first.judged.record[rows[first.source_id]]
    sessions = _sessions(sources, record)
    ground = Ground(
        record["decision_at"].dt.replace_time_zone(None).to_numpy(),
        record["log_return"].to_numpy(),
        record[f"forecast_{PREVAILING}"].to_numpy(),
        sessions["session"].to_numpy().astype("datetime64[D]"),
        record["symbol"].n_unique(),
        first.horizon,
    )
    notes = _notes(sources, record, before, unlike)
    return Shared(ground, record, rows, _states(record, first.judged.books), notes)


def _sessions(sources: Sequence[Source], record: pl.DataFrame) -> pl.DataFrame:
    """Return the sessions that all traded, from the first shared decision to the last."""
    ends = pl.col("session").is_between(record["session"].min(), record["session"].max())
    days = sources[0].judged.books.select("session").filter(ends)
    for source in sources[1:]:
        days = days.join(source.judged.books.select("session"), on="session", how="semi")
    return days.sort("session")


def _states(record: pl.DataFrame, books: pl.DataFrame) -> States:
    """Label each shared row by the state of the market before its session, and by period."""
    if MARKET not in books.columns:
        books = books.with_columns(pl.lit(0.0).alias(MARKET))
    days = books["session"].to_numpy().astype("datetime64[D]")
    at = np.searchsorted(days, record["session"].to_numpy().astype("datetime64[D]"))
    at = np.minimum(at, len(days) - 1)
    found: dict[str, Any] = {}
    for kind, (labels, names) in states_of(days, books[MARKET].to_numpy()).items():
        told = labels[at]
        if (told >= 0).any():
            found[kind] = (told, names)
    return found


def _notes(
    sources: Sequence[Source], record: pl.DataFrame, before: int, unlike: int
) -> tuple[str, ...]:
    """Say what was left out, and in what the sources differ."""
    told = []
    if record.height < before or any(s.judged.record.height > record.height for s in sources):
        most = max(s.judged.record.height for s in sources)
        told.append(
            f"Judged on the {record.height:,} rows that all share; the longest record has {most:,}."
        )
    if unlike:
        told.append(f"{unlike:,} rows are left out, whose outcome was told differently since.")
    names = [set(s.judged.record["symbol"].unique()) for s in sources]
    if any(one != names[0] for one in names):
        told.append(
            "The universes differ: forecasts are judged on shared symbols, net returns are of "
            "each one's own book."
        )
    if len({s.kind == "backtest" for s in sources}) > 1:
        told.append(
            "Backtests trade one account, training runs each symbol alone with equal weight: their "
            "net returns differ by that too."
        )
    if len(sources) > 1:
        told.append(f"R2 is against the prevailing mean of the {sources[0].kind} named first.")
    return tuple(told)
