"""What a backtest amounts to: every figure beside its baselines, with n and interval."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from bellwether.backtest.result import Backtest
from bellwether.backtest.rows import COSTS
from bellwether.core.ports import Ports
from bellwether.evaluation.forecast import forecast_metrics
from bellwether.evaluation.record import PREVAILING, skill
from bellwether.evaluation.trading import trading_metrics
from bellwether.inference.backtest_asked import BacktestConfig
from bellwether.models.factory import BASELINES
from bellwether.pipelines import backtest_tables as tables
from bellwether.pipelines import coverage
from bellwether.pipelines.backtest_question import Question
from bellwether.pipelines.backtest_readings import reading, warnings
from bellwether.pipelines.backtest_walk import Walked
from bellwether.pipelines.backtest_what_if import what_if
from bellwether.pipelines.trades import HELD, Desk

Found = dict[str, Any]


def figured(
    config: BacktestConfig,
    question: Question,
    walked: Walked,
    desk: Desk,
    traded: Mapping[str, Backtest],
    notes: tuple[str, ...],
    ports: Ports,
) -> Found:
    """Return the report of a backtest as JSON, but for its id and hash."""
    record, horizon = walked.record, config.horizon_sessions
    main = traded[config.model]
    judged = {
        name: strategy(record, name, account, horizon, role_of(name, config))
        for name, account in traded.items()
    }
    years = range(record["session"].min().year, record["session"].max().year + 1)  # type: ignore[union-attr]
    shown = skill(_with_returns(record, config, traded), config.model, BASELINES, horizon)
    found: Found = {
        "config": question.told,
        "symbols": sorted(walked.data.series),
        "universe": config.universe,
        "watermark": question.watermark.isoformat(),
        "from": str(record["session"].min()),
        "to": str(record["session"].max()),
        "n": record.height,
        "n_sessions": int(record["session"].n_unique()),
        "n_symbols": int(record["symbol"].n_unique()),
        "folds": tables.folds(walked.folds, record),
        "lag_sessions": desk.rules.lag_sessions,
        "switched_off": list(main.switched_off),
        "strategies": judged,
        "skill": {"shown": shown.shown, "baseline": shown.baseline, "n": shown.n},
        "years": tables.years(record, traded, config.model),
        "calibration": tables.calibration(record, config.model),
        "quantiles": tables.quantiles(record, config.model, horizon),
        "ic_by_horizon": tables.ic_by_horizon(record, walked.data.series, config.model),
        "crises": tables.crises(traded, config.model),
        "degradation": tables.degradation(walked.aged, horizon),
        "by_symbol": tables.by_symbol(record, main, config.model, horizon),
        "curves": tables.curves(traded),
        "survivorship": coverage.note(config.universe, sorted(walked.data.series), years, ports),
        "notes": [*notes, *(r.words() for r in walked.data.refused)],
        "what_if": what_if(desk, config.model) if config.what_if else None,
    }
    found["reading"] = reading(found, config.model, shown)
    found["warnings"] = warnings(found)
    found["summary"] = summary(found, config.model)
    return found


def role_of(name: str, config: BacktestConfig) -> str:
    """Say what part a strategy plays."""
    if name == HELD:
        return "benchmark"
    return "model" if name == config.model else "baseline"


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


def _with_returns(
    record: pl.DataFrame, config: BacktestConfig, traded: Mapping[str, Backtest]
) -> pl.DataFrame:
    """Add the columns that a record of training has; the same account's return for each name."""
    names = [n for n in traded if n != HELD]
    days = pl.Series("session", traded[config.model].market.sessions).cast(pl.Date)
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
