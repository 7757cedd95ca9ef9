"""What a backtest amounts to: every figure beside its baselines, with n and interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from bellwether.backtest.result import Backtest
from bellwether.core.ports import Ports
from bellwether.evaluation.record import skill
from bellwether.evaluation.splits import Fold
from bellwether.pipelines import backtest_tables as tables
from bellwether.pipelines import coverage
from bellwether.pipelines.backtest_readings import reading, warnings
from bellwether.pipelines.backtest_strategy import beside, strategy
from bellwether.pipelines.backtest_tests import significance
from bellwether.pipelines.backtest_what_if import what_if
from bellwether.pipelines.trades import HELD, Desk

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is reported on, wherever its forecasts came from.

    Attributes
    ----------
    model, baselines : str, tuple of str
        Names in the columns of `record`.
    record : DataFrame
        One row a decision: the columns of labels, and three columns a name.
    series : mapping of str to DataFrame
        Each symbol's adjusted series (schema SERIES).
    folds, aged : list, DataFrame
        Periods of a walk-forward, and how their models aged; may be empty.
    asked : dict
        The question as JSON.
    """

    model: str
    baselines: tuple[str, ...]
    horizon_sessions: int
    record: pl.DataFrame
    series: Mapping[str, pl.DataFrame]
    folds: Sequence[Fold]
    aged: pl.DataFrame
    asked: Found
    universe: str | None
    watermark: datetime
    notes: tuple[str, ...]
    what_if: bool = True

    @property
    def seed(self) -> int:
        """Seed of whatever is drawn at random."""
        return int(self.asked.get("seed") or 0)

    def role_of(self, name: str) -> str:
        """Say what part a strategy plays."""
        if name == HELD:
            return "benchmark"
        return "model" if name == self.model else "baseline"


def figured(judged: Judged, desk: Desk, traded: Mapping[str, Backtest], ports: Ports) -> Found:
    """Return the report of a backtest as JSON, but for its id and hash."""
    record, horizon, model = judged.record, judged.horizon_sessions, judged.model
    years = range(record["session"].min().year, record["session"].max().year + 1)  # type: ignore[union-attr]
    held = beside(traded[HELD], judged.seed)
    shown = skill(_with_returns(record, traded), model, judged.baselines, horizon)
    found: Found = {
        **_asked(judged),
        "folds": tables.folds(judged.folds, record),
        "lag_sessions": desk.rules.lag_sessions,
        "switched_off": list(traded[model].switched_off),
        "strategies": {
            name: strategy(record, name, account, horizon, judged.role_of(name), held)
            for name, account in traded.items()
        },
        "skill": {"beats_baseline": shown.beats_baseline, "baseline": shown.baseline, "n": shown.n},
        **_tables(judged, traded),
        "survivorship": coverage.note(judged.universe, sorted(judged.series), years, ports),
        "notes": list(judged.notes),
        "what_if": what_if(desk, model) if judged.what_if else None,
    }
    found["reading"] = reading(found, model, shown)
    found["warnings"] = warnings(found)
    found["summary"] = summary(found, model)
    return found


def _asked(judged: Judged) -> Found:
    """Say what was asked, of whom, and how much there was to judge."""
    record = judged.record
    return {
        "config": judged.asked,
        "symbols": sorted(judged.series),
        "universe": judged.universe,
        "watermark": judged.watermark.isoformat(),
        "from": str(record["session"].min()),
        "to": str(record["session"].max()),
        "n": record.height,
        "n_sessions": int(record["session"].n_unique()),
        "n_symbols": int(record["symbol"].n_unique()),
    }


def _tables(judged: Judged, traded: Mapping[str, Backtest]) -> Found:
    """Return the tables: by year, crisis, age, symbol, size of the forecast, and the tests."""
    record, horizon, model = judged.record, judged.horizon_sessions, judged.model
    fifths, spread = tables.quantiles(record, model, horizon)
    return {
        "years": tables.years(record, traded, model),
        "calibration": tables.calibration(record, model, horizon),
        "calibration_error": tables.miscalibration(record, model, horizon, judged.seed),
        "quantiles": fifths,
        "quantile_spread": spread,
        "tests": significance(record, model, judged.baselines, horizon, judged.seed),
        "ic_by_horizon": tables.ic_by_horizon(record, judged.series, model),
        "crises": tables.crises(traded, model),
        "degradation": tables.degradation(judged.aged, horizon),
        "by_symbol": tables.by_symbol(record, traded[model], model, horizon),
        "curves": tables.curves(traded),
    }


def _with_returns(record: pl.DataFrame, traded: Mapping[str, Backtest]) -> pl.DataFrame:
    """Add the columns that a record of training has; the same account's return for each name."""
    names = [n for n in traded if n != HELD]
    days = pl.Series("session", traded[HELD].market.sessions).cast(pl.Date)
    columns = {f"net_{n}": traded[n].net for n in names} | {
        f"turnover_{n}": traded[n].turnover for n in names
    }
    accounts = pl.DataFrame({"session": days, **{k: np.asarray(v) for k, v in columns.items()}})
    return record.join(accounts, on="session", how="left", maintain_order="left").with_columns(
        pl.col("^(net|turnover)_.*$").fill_null(0.0)
    )


def summary(found: Found, model: str) -> Found:
    """Return what a list of backtests shows."""
    keep = (
        "sharpe",
        "sharpe_ci",
        "roi",
        "cagr",
        "max_drawdown",
        "turnover",
        "directional_accuracy",
    )
    return {
        "from": found["from"],
        "to": found["to"],
        "n": found["n"],
        "model": model,
        "universe": found["universe"],
        "symbols": len(found["symbols"]),
        "beats_baseline": found["skill"]["beats_baseline"],
        "reading": found["reading"],
        "lag_sessions": found["lag_sessions"],
        "strategies": {
            name: {k: s["metrics"].get(k) for k in keep} for name, s in found["strategies"].items()
        },
    }
