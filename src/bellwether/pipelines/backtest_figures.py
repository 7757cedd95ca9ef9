"""What a backtest amounts to: every figure beside its baselines, with n and interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from bellwether.backtest.result import Backtest
from bellwether.backtest.rows import COSTS
from bellwether.core.ports import Ports
from bellwether.evaluation.forecast import forecast_metrics
from bellwether.evaluation.record import PREVAILING, skill
from bellwether.evaluation.splits import Fold
from bellwether.evaluation.trading import trading_metrics
from bellwether.pipelines import backtest_tables as tables
from bellwether.pipelines import coverage
from bellwether.pipelines.backtest_readings import reading, warnings
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

    def role_of(self, name: str) -> str:
        """Say what part a strategy plays."""
        if name == HELD:
            return "benchmark"
        return "model" if name == self.model else "baseline"


def figured(judged: Judged, desk: Desk, traded: Mapping[str, Backtest], ports: Ports) -> Found:
    """Return the report of a backtest as JSON, but for its id and hash."""
    record, horizon, model = judged.record, judged.horizon_sessions, judged.model
    main = traded[model]
    years = range(record["session"].min().year, record["session"].max().year + 1)  # type: ignore[union-attr]
    shown = skill(_with_returns(record, traded), model, judged.baselines, horizon)
    found: Found = {
        "config": judged.asked,
        "symbols": sorted(judged.series),
        "universe": judged.universe,
        "watermark": judged.watermark.isoformat(),
        "from": str(record["session"].min()),
        "to": str(record["session"].max()),
        "n": record.height,
        "n_sessions": int(record["session"].n_unique()),
        "n_symbols": int(record["symbol"].n_unique()),
        "folds": tables.folds(judged.folds, record),
        "lag_sessions": desk.rules.lag_sessions,
        "switched_off": list(main.switched_off),
        "strategies": {
            name: strategy(record, name, account, horizon, judged.role_of(name))
            for name, account in traded.items()
        },
        "skill": {"shown": shown.shown, "baseline": shown.baseline, "n": shown.n},
        "years": tables.years(record, traded, model),
        "calibration": tables.calibration(record, model),
        "quantiles": tables.quantiles(record, model, horizon),
        "ic_by_horizon": tables.ic_by_horizon(record, judged.series, model),
        "crises": tables.crises(traded, model),
        "degradation": tables.degradation(judged.aged, horizon),
        "by_symbol": tables.by_symbol(record, main, model, horizon),
        "curves": tables.curves(traded),
        "survivorship": coverage.note(judged.universe, sorted(judged.series), years, ports),
        "notes": list(judged.notes),
        "what_if": what_if(desk, model) if judged.what_if else None,
    }
    found["reading"] = reading(found, model, shown)
    found["warnings"] = warnings(found)
    found["summary"] = summary(found, model)
    return found


def strategy(record: pl.DataFrame, name: str, account: Backtest, horizon: int, role: str) -> Found:
    """Return the figures of one strategy: forecasts, returns net and gross, costs, what was refused."""
    alive = account.ruined_at + 1 if account.ruined_at is not None else len(account.equity)
    net, turnover = account.net[:alive], account.turnover[:alive]
    forecasts = {} if name == HELD else forecast_figures(record, name, horizon)
    gross = trading_metrics(account.gross[:alive], turnover)
    costs = {kind: float(account.session[kind].sum()) for kind in COSTS}
    traded_usd = float(account.session["traded_usd"].sum())
    return {
        "role": role,
        "metrics": {**forecasts, **trading_metrics(net, turnover)},
        "gross": {k: gross[k] for k in ("sharpe", "roi", "cagr", "max_drawdown")},
        "costs_usd": costs,
        "cost_bps_of_traded": 1e4 * sum(costs.values()) / traded_usd if traded_usd > 0 else None,
        "traded_usd": traded_usd,
        "end_usd": float(account.equity[-1]),
        "start_usd": account.start_usd,
        "exposure": {
            "gross": float(account.gross_exposure.mean()),
            "net": float(account.net_exposure.mean()),
        },
        "counts": {kind: int(values.sum()) for kind, values in account.counts.items()},
        "ruined_at": None
        if account.ruined_at is None
        else str(account.market.sessions[account.ruined_at]),
    }


def forecast_figures(record: pl.DataFrame, name: str, horizon: int) -> Found:
    """Score the forecasts of one model."""
    single = record["symbol"].n_unique() <= 1
    return forecast_metrics(
        dates=record["decision_at"].dt.replace_time_zone(None).to_numpy(),
        log_return=record["log_return"].to_numpy(),
        forecast=record[f"forecast_{name}"].to_numpy(),
        probability_up=record[f"probability_{name}"].to_numpy(),
        direction=record[f"direction_{name}"].to_numpy(),
        prevailing_mean=record[f"forecast_{PREVAILING}"].to_numpy(),
        lags=horizon - 1,
        ic="time" if single else "cross_section",
    )


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
        "skill_shown": found["skill"]["shown"],
        "reading": found["reading"],
        "lag_sessions": found["lag_sessions"],
        "strategies": {
            name: {k: s["metrics"].get(k) for k in keep} for name, s in found["strategies"].items()
        },
    }
