"""The tables of a backtest: by period, by age of the model, by symbol, by size of the forecast."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from bellwether.backtest.result import Backtest
from bellwether.evaluation.intervals import clustered_mean
from bellwether.evaluation.splits import Fold
from bellwether.evaluation.trading import trading_metrics
from bellwether.pipelines.trades import HELD

BINS = 10
MIN_NAMES = 5
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


def years(record: pl.DataFrame, traded: Mapping[str, Backtest], model: str) -> list[Row]:
    """Sum up each calendar year: what every strategy returned, and how the model's calls did."""
    calls = (
        _calls(record, model)
        .group_by(pl.col("session").dt.year().alias("year"))
        .agg(accuracy=pl.col("hit").mean(), n=pl.len())
    )
    said = {year: (accuracy, n) for year, accuracy, n in calls.iter_rows()}
    days = traded[model].market.sessions.astype("datetime64[Y]").astype(int) + 1970
    rows = []
    for year in np.unique(days).tolist():
        inside = days == year
        told = {
            name: trading_metrics(a.net[inside], a.turnover[inside]) for name, a in traded.items()
        }
        accuracy, n = said.get(year, (None, 0))
        rows.append(
            {
                "year": year,
                "roi": {name: m["roi"] for name, m in told.items()},
                "sharpe": told[model]["sharpe"],
                "max_drawdown": told[model]["max_drawdown"],
                "turnover": told[model]["turnover"],
                "directional_accuracy": accuracy,
                "n": n,
            }
        )
    return rows


def calibration(record: pl.DataFrame, model: str) -> list[Row]:
    """Compare said and realised shares of rises, in bins of equal numbers of rows."""
    moved = record.filter(pl.col("log_return") != 0)
    said = moved[f"probability_{model}"].to_numpy()
    if len(said) == 0:
        return []
    edges = np.unique(np.quantile(said, np.linspace(0, 1, BINS + 1)[1:-1]))
    part = np.searchsorted(edges, said, side="right")
    rows = []
    for b in range(len(edges) + 1):
        inside = part == b
        if not inside.any():
            continue
        up = (moved["log_return"].to_numpy()[inside] > 0).astype(float)
        found = clustered_mean(up, moved["session"].to_numpy()[inside])
        rows.append({"said": float(said[inside].mean()), **_interval(found)})
    return rows


def quantiles(record: pl.DataFrame, model: str, horizon: int) -> list[Row]:
    """Return the mean realised return of each fifth of the day's forecasts, lowest first."""
    many = record.filter(pl.len().over("session") >= BINS)
    if many.height == 0:
        return []
    fifth = (
        (pl.col(f"forecast_{model}").rank("ordinal").over("session") - 1)
        * 5
        // pl.len().over("session")
    ).cast(pl.Int32)
    rows = []
    for (number,), part in (
        many.with_columns(fifth=fifth).sort("fifth").group_by("fifth", maintain_order=True)
    ):
        found = clustered_mean(
            part["log_return"].to_numpy(), part["session"].to_numpy(), lags=horizon - 1
        )
        rows.append({"fifth": int(number) + 1, **_interval(found)})
    return rows


def ic_by_horizon(
    record: pl.DataFrame, series: Mapping[str, pl.DataFrame], model: str
) -> list[Row]:
    """Say how today's forecasts rank the returns of the next so many sessions, from the next open."""
    opens = pl.concat([s.select("symbol", "session", "open") for s in series.values()])
    told = record.select("symbol", "session", f=f"forecast_{model}")
    rows = []
    for horizon in HORIZONS:
        ahead = pl.col("open").shift(-1 - horizon) / pl.col("open").shift(-1)
        moved = opens.with_columns(r=ahead.log().over("symbol")).drop("open")
        both = told.join(moved, on=["symbol", "session"], how="inner").drop_nulls()
        many = both.filter(pl.len().over("session") >= MIN_NAMES)
        daily = many.group_by("session").agg(ic=pl.corr(pl.col("f").rank(), pl.col("r").rank()))
        daily = daily.filter(pl.col("ic").is_finite()).sort("session")
        found = clustered_mean(
            daily["ic"].to_numpy(), daily["session"].to_numpy(), lags=horizon - 1
        )
        if found.mean is not None:
            rows.append({"horizon": horizon, **_interval(found)})
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
        for (symbol,), part in _calls(record, model).group_by("symbol")
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


CRISES = (
    ("Crash of 1987", "1987-10-02", "1987-12-04"),
    ("Gulf crisis 1990", "1990-07-16", "1990-10-11"),
    ("Russia and LTCM 1998", "1998-07-17", "1998-10-08"),
    ("Dot-com bust", "2000-03-24", "2002-10-09"),
    ("Financial crisis", "2007-10-09", "2009-03-09"),
    ("Flash crash 2010", "2010-04-23", "2010-07-02"),
    ("Debt downgrade 2011", "2011-07-22", "2011-10-03"),
    ("China and oil 2015-16", "2015-07-20", "2016-02-11"),
    ("End of 2018", "2018-09-20", "2018-12-24"),
    ("Pandemic 2020", "2020-02-19", "2020-03-23"),
    ("Rates 2022", "2022-01-03", "2022-10-12"),
)
"""Falls of the US stock market, from a high close of the S&P 500 to a low one."""


def crises(traded: Mapping[str, Backtest], model: str) -> list[Row]:
    """Return what the model and the benchmark made of each crisis that is covered whole."""
    days = traded[model].market.sessions.astype("datetime64[D]")
    rows = []
    for name, first, last in CRISES:
        low, high = np.datetime64(first, "D"), np.datetime64(last, "D")
        if days[0] > low or days[-1] < high:
            continue
        inside = (days > low) & (days <= high)
        made = {n: float(np.prod(1 + traded[n].net[inside]) - 1) for n in (model, HELD)}
        rows.append(
            {
                "name": name,
                "first": first,
                "last": last,
                "model": made[model],
                "benchmark": made[HELD],
            }
        )
    return rows


def _calls(record: pl.DataFrame, model: str) -> pl.DataFrame:
    judged = record.filter((pl.col(f"direction_{model}") != 0) & (pl.col("log_return") != 0))
    hit = pl.col(f"direction_{model}") == pl.col("log_return").sign()
    return judged.select("symbol", "session", hit=hit)


def _interval(found: Any) -> Row:
    return {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}
