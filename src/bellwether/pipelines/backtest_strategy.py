"""What one strategy amounts to: its figures, how sure they are, and what it was beside the market."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.backtest.result import Backtest
from bellwether.backtest.rows import COSTS
from bellwether.evaluation.drawdowns import drawdowns
from bellwether.evaluation.forecast import forecast_metrics
from bellwether.evaluation.record import PREVAILING
from bellwether.evaluation.regimes import (
    DIRECTION,
    VOLATILITY,
    by_regime,
    market_direction,
    volatility_terciles,
)
from bellwether.evaluation.relative import relative
from bellwether.evaluation.risk import risk
from bellwether.evaluation.sharpe import sharpe_record
from bellwether.evaluation.sharpe_difference import sharpe_difference
from bellwether.evaluation.trading import trading_metrics
from bellwether.pipelines.backtest_tables import lived
from bellwether.pipelines.trades import HELD

YEAR = 252
Found = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """What strategies are set beside: the benchmark, and the state of the market before a session.

    `regimes` has labels (one a session, -1 where unknown) and their names, by what they tell apart;
    it is empty where the benchmark was ruined.
    """

    benchmark: Backtest
    regimes: dict[str, tuple[NDArray[np.int8], Sequence[str]]]
    seed: int


def beside(benchmark: Backtest, seed: int) -> Beside:
    """Find the regimes of a market that the equal-weight benchmark stands for, from its past only."""
    market = benchmark.net
    if (market <= -1).any():
        return Beside(benchmark, {}, seed)
    regimes: dict[str, tuple[NDArray[np.int8], Sequence[str]]] = {
        "volatility": (volatility_terciles(market), VOLATILITY),
        "direction": (market_direction(market), DIRECTION),
    }
    return Beside(benchmark, regimes, seed)


def strategy(
    record: pl.DataFrame, name: str, account: Backtest, horizon: int, role: str, beside: Beside
) -> Found:
    """Return the figures of one strategy: forecasts, returns net and gross, costs, what was refused."""
    forecasts = {} if name == HELD else forecast_figures(record, name, horizon)
    found = account_figures(account, role, beside)
    return found | {"metrics": {**forecasts, **found["metrics"]}}


def account_figures(account: Backtest, role: str, beside: Beside) -> Found:
    """Return the figures of an account: returns net and gross, costs, what was refused."""
    alive = account.ruined_at + 1 if account.ruined_at is not None else len(account.equity)
    net, turnover = account.net[:alive], account.turnover[:alive]
    gross = trading_metrics(account.gross[:alive], turnover)
    costs = {kind: float(account.session[kind].sum()) for kind in COSTS}
    traded_usd = float(account.session["traded_usd"].sum())
    return {
        "role": role,
        "metrics": trading_metrics(net, turnover),
        **sureness(account, beside),
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


def sureness(account: Backtest, beside: Beside) -> Found:
    """Return how sure a Sharpe ratio is, how bad it got, and what it was beside the benchmark.

    Ratios and their errors are annual; what is undefined is None.
    """
    net, market = lived(account), lived(beside.benchmark)
    n = min(net.size, market.size)
    same = account is beside.benchmark
    return {
        "sharpe_record": asdict(sharpe_record(net)),
        "risk": asdict(risk(net)),
        "drawdowns": _drawdowns(net, account.market.sessions),
        "relative": None if same else asdict(relative(net[:n], market[:n])),
        "sharpe_difference": None if same else _difference(net[:n], market[:n], beside.seed),
        "regimes": {
            kind: [
                asdict(row) for row in by_regime(net[:n], labels[:n], names, benchmark=market[:n])
            ]
            for kind, (labels, names) in beside.regimes.items()
        },
    }


def _drawdowns(net: NDArray[np.float64], sessions: NDArray[np.datetime64]) -> Found:
    found = drawdowns(net)
    days = [str(day) for day in sessions.astype("datetime64[D]")]
    worst = [
        {
            "depth": one.depth,
            "peak": days[max(one.peak - 1, 0)],
            "trough": days[one.trough - 1],
            "recovery": None if one.recovery is None else days[one.recovery - 1],
            "sessions": one.length,
        }
        for one in found.worst
    ]
    return {
        "longest": found.longest,
        "share_under_water": found.share_under_water,
        "calmar": found.calmar,
        "worst": worst,
    }


def _difference(net: NDArray[np.float64], market: NDArray[np.float64], seed: int) -> Found:
    found = asdict(sharpe_difference(net, market, seed=seed))
    year = math.sqrt(YEAR)
    annual = {k: None if found[k] is None else found[k] * year for k in _ANNUAL}
    return found | annual


_ANNUAL = ("difference", "se", "low", "high")
