"""The tables of a backtest: by period, by age of the model, by symbol, by size of the forecast."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.backtest.result import Backtest
from bellwether.evaluation import rank_ic
from bellwether.evaluation.calibration_interval import calibration_error
from bellwether.evaluation.crises import crises as in_crises
from bellwether.evaluation.intervals import clustered_mean
from bellwether.evaluation.periods_of_returns import by_year
from bellwether.evaluation.probabilities import calibration_table
from bellwether.evaluation.quantile_spread import quantile_spread
from bellwether.evaluation.rank_ic import MeanOverDates
from bellwether.evaluation.series import until_ruin
from bellwether.evaluation.splits import Fold
from bellwether.pipelines.trades import HELD

FEWEST = 20  # sessions of a year below which a ratio of it says nothing
BLOCK = 5
REPS = 500
HORIZONS = (1, 2, 5, 10, 21, 63)
Row = dict[str, Any]


def folds(walked: Sequence[Fold], record: pl.DataFrame) -> list[Row]:
    """Say what each period was trained on and tested on."""
    counts = dict(record.group_by("fold").len().iter_rows())
    return [
        {
            "number": fold.number,
            "first": str(fold.first)[:10],
            "last": str(fold.last)[:10],
            "train_rows": int(fold.train.size),
            "test_rows": counts.get(fold.number, 0),
        }
        for fold in walked
    ]


def years(record: pl.DataFrame | None, traded: Mapping[str, Backtest], model: str) -> list[Row]:
    """Sum up each calendar year: what every strategy returned, and how the model's calls did.

    Without a record nothing was forecast, and there are no calls.
    """
    said = {} if record is None else _calls_by_year(record, model)
    days = traded[model].market.sessions
    told = {name: {y.year: y for y in by_year(days, a.net)} for name, a in traded.items()}
    rows = []
    for year in sorted({y for one in told.values() for y in one}):
        mine = told[model].get(year)  # None after ruin
        inside = days.astype("datetime64[Y]").astype(int) + 1970 == year
        accuracy, n = said.get(year, (None, 0))
        rows.append(
            {
                "year": year,
                "roi": {name: one[year].roi if year in one else None for name, one in told.items()},
                "sharpe": mine.sharpe if mine and inside.sum() >= FEWEST else None,
                "max_drawdown": mine and mine.max_drawdown,
                "turnover": float(traded[model].turnover[inside].mean()),
                "directional_accuracy": accuracy,
                "n": n,
            }
        )
    return rows


def _calls_by_year(record: pl.DataFrame, model: str) -> dict[int, tuple[float, int]]:
    calls = (
        calls_of(record, model)
        .group_by(pl.col("session").dt.year().alias("year"))
        .agg(accuracy=pl.col("hit").mean(), n=pl.len())
    )
    return {year: (accuracy, n) for year, accuracy, n in calls.iter_rows()}


def calibration(record: pl.DataFrame, model: str, horizon: int) -> list[Row]:
    """Compare said and realised shares of rises, in bins of equal numbers of rows."""
    up, said, when = _moved(record, model)
    rows = calibration_table(up, said, when, strategy="quantile", lags=horizon - 1)
    return [
        {
            "said": b.said,
            "mean": b.realised,
            "low": b.realised_low,
            "high": b.realised_high,
            "n": b.n,
            "few": b.few,
        }
        for b in rows
    ]


def miscalibration(record: pl.DataFrame, model: str, horizon: int, seed: int) -> Row:
    """Say how far said and realised shares are apart, beside what chance alone makes of it."""
    block = max(BLOCK, horizon)
    found = calibration_error(
        *_moved(record, model), seed=seed, strategy="quantile", block=block, reps=REPS
    )
    return asdict(found)


def quantiles(record: pl.DataFrame, model: str, horizon: int) -> tuple[list[Row], Row | None]:
    """Return the mean return of each fifth of the day's forecasts, lowest first, and the spread."""
    found = quantile_spread(
        instants(record),
        record[f"forecast_{model}"].to_numpy(),
        record["log_return"].to_numpy(),
        lags=horizon - 1,
    )
    if found.spread.mean is None:
        return [], None
    rows = [{"fifth": i + 1, **_of_dates(part)} for i, part in enumerate(found.parts)]
    spread = {"t": found.spread.t, "p": found.spread.p, "left_out": found.left_out}
    return rows, {**_of_dates(found.spread), **spread}


def ic_by_horizon(
    record: pl.DataFrame, series: Mapping[str, pl.DataFrame], model: str
) -> list[Row]:
    """Say how today's forecasts rank the returns of the next so many sessions, from the next open.

    A row whose outcome over a horizon is not known, its name having gone before, is not judged there.
    """
    opens = pl.concat([s.select("symbol", "session", "open") for s in series.values()])
    told = record.select("symbol", "session", f=f"forecast_{model}")
    rows = []
    for horizon in HORIZONS:
        ahead = pl.col("open").shift(-1 - horizon) / pl.col("open").shift(-1)
        moved = opens.with_columns(r=ahead.log().over("symbol")).drop("open")
        both = told.join(moved, on=["symbol", "session"], how="inner").drop_nulls()
        (found,) = rank_ic.ic_by_horizon(
            both["session"].to_numpy(), both["f"].to_numpy(), both.select("r").to_numpy(), [horizon]
        )
        if found.ic.mean is not None:
            rows.append({"horizon": horizon, **_of_dates(found.ic), "t": found.ic.t})
    return rows


def degradation(aged: pl.DataFrame, horizon: int) -> list[Row]:
    """Say what models were worth so many periods after their training, over all of them."""
    rows = []
    for (age,), part in aged.sort("age", "session").group_by("age", maintain_order=True):
        called = part.filter(pl.col("calls") > 0)
        hits, calls = called["hits"].to_numpy(), called["calls"].to_numpy()
        error, size = float(part["squared_error"].sum()), float(part["squared_return"].sum())
        ic = part.filter(pl.col("ic").is_finite())
        rows.append(
            {
                "age": age,
                "n": int(part["n"].sum()),
                "sessions": int(part["session"].n_unique()),
                "directional_accuracy": _interval(
                    clustered_mean(
                        np.repeat(hits / calls, calls),
                        np.repeat(called["session"].to_numpy(), calls),
                        lags=horizon - 1,
                    )
                ),
                "information_coefficient": _interval(
                    clustered_mean(ic["ic"].to_numpy(), ic["session"].to_numpy(), lags=horizon - 1)
                ),
                "r2_zero": 1 - error / size if size > 0 else None,
            }
        )
    return rows


def by_symbol(record: pl.DataFrame, account: Backtest, model: str, horizon: int) -> list[Row]:
    """Return each symbol's calls and what trading them earned, the best first."""
    calls = {
        symbol: clustered_mean(
            part["hit"].to_numpy().astype(float), part["session"].to_numpy(), lags=horizon - 1
        )
        for (symbol,), part in calls_of(record, model).group_by("symbol")
    }
    rows = []
    for j, symbol in enumerate(account.market.symbols):
        found = calls.get(symbol)
        rows.append(
            {
                "symbol": symbol,
                "directional_accuracy": None if found is None else _interval(found),
                "pnl_usd": float(account.pnl[j]),
                "traded_usd": float(account.symbol["traded_usd"][j]),
                "costs_usd": float(
                    sum(
                        account.symbol[k][j]
                        for k in ("commission", "spread", "slippage", "impact", "borrow")
                    )
                ),
            }
        )
    return sorted(rows, key=lambda row: -row["pnl_usd"])


def curves(traded: Mapping[str, Backtest]) -> dict[str, Any]:
    """Return every account by session: wealth from 1, exposures, turnover."""
    first = next(iter(traded.values()))
    return {
        "sessions": [str(day) for day in first.market.sessions.astype("datetime64[D]")],
        "strategies": {
            name: {
                "wealth": (a.equity / a.start_usd).tolist(),
                "net": a.net.tolist(),
                "gross_exposure": a.gross_exposure.tolist(),
                "net_exposure": a.net_exposure.tolist(),
                "turnover": a.turnover.tolist(),
            }
            for name, a in traded.items()
        },
    }


def crises(traded: Mapping[str, Backtest], model: str) -> list[Row]:
    """Return what the model and the benchmark made of each crisis that the backtest touches."""
    mine, held = lived(traded[model]), lived(traded[HELD])
    n = min(mine.size, held.size)
    return [
        {
            "name": row.crisis.name,
            "what": row.crisis.what,
            "first": row.crisis.after,
            "last": row.crisis.last,
            "sessions": row.n,
            "whole": row.whole,
            "model": asdict(row.strategy),
            "benchmark": None if row.benchmark is None else asdict(row.benchmark),
        }
        for row in in_crises(traded[model].market.sessions[:n], mine[:n], held[:n])
    ]


def lived(account: Backtest) -> NDArray[np.float64]:
    """Return the net returns of an account up to its ruin."""
    return until_ruin(account.net)


def instants(record: pl.DataFrame) -> NDArray[Any]:
    """Return when each row was decided."""
    return record["decision_at"].dt.replace_time_zone(None).to_numpy()


def calls_of(record: pl.DataFrame, model: str) -> pl.DataFrame:
    """Return the rows with a call and a move: whose, when, `scale`, whether it was right (`hit`)."""
    judged = record.filter((pl.col(f"direction_{model}") != 0) & (pl.col("log_return") != 0))
    hit = pl.col(f"direction_{model}") == pl.col("log_return").sign()
    return judged.select("^(symbol|session|decision_at|scale)$", hit=hit)


def _moved(
    record: pl.DataFrame, model: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]:
    """Return what rose (0 or 1), what was said, and when, of the rows that moved."""
    moved = record.filter(pl.col("log_return") != 0)
    up = (moved["log_return"].to_numpy() > 0).astype(np.float64)
    return up, moved[f"probability_{model}"].cast(pl.Float64).to_numpy(), instants(moved)


def _of_dates(found: MeanOverDates) -> Row:
    low, high = found.interval()
    return {"mean": found.mean, "low": low, "high": high, "n": found.n_dates}


def _interval(found: Any) -> Row:
    return {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}
