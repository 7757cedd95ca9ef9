"""A walk-forward record read as figures: each beside the baselines, with n and interval."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from bellwether.core.types import Skill
from bellwether.evaluation.forecast import forecast_metrics, paired_accuracy
from bellwether.evaluation.trading import trading_metrics

PREVAILING = "historical_mean"
MIN_SKILL_DATES = 60
Figures = dict[str, Any]


def figures(record: pl.DataFrame, model: str, horizon: int) -> Figures:
    """Score one model on the rows of a record (whole panel, or one symbol).

    Trading figures are of an equal-weight book over the symbols of each session, net of costs.
    """
    single = record["symbol"].n_unique() <= 1
    found = forecast_metrics(
        dates=record["decision_at"].dt.replace_time_zone(None).to_numpy(),
        log_return=record["log_return"].to_numpy(),
        forecast=record[f"forecast_{model}"].to_numpy(),
        probability_up=record[f"probability_{model}"].to_numpy(),
        direction=record[f"direction_{model}"].to_numpy(),
        prevailing_mean=record[f"forecast_{PREVAILING}"].to_numpy(),
        lags=horizon - 1,
        ic="time" if single else "cross_section",
    )
    book = record.group_by("session").agg(
        net=pl.col(f"net_{model}").mean(), turnover=pl.col(f"turnover_{model}").mean()
    )
    book = book.sort("session")
    traded = trading_metrics(book["net"].to_numpy(), book["turnover"].to_numpy())
    keep = ("sharpe", "sortino", "max_drawdown", "roi", "turnover")
    return {**found, **{name: traded[name] for name in keep}}


def skill(record: pl.DataFrame, model: str, baselines: Sequence[str], horizon: int) -> Skill:
    """Compare a model's calls with the best baseline's on one symbol.

    They beat it only where the 95 % interval of the paired difference, clustered by date, lies above
    zero over at least 60 dates. That is not yet skill: whether skill is shown the gates say, and
    `shown` is False here.
    """
    mine = figures(record, model, horizon) if record.height else {"directional_accuracy": None}
    if mine["directional_accuracy"] is None or mine["directional_accuracy_ci"] is None:
        return Skill(mine["directional_accuracy"], None, None, record.height, None, None, False)
    low, high = mine["directional_accuracy_ci"]
    scored = {b: figures(record, b, horizon)["directional_accuracy"] for b in baselines}
    called = {b: a for b, a in scored.items() if a is not None}
    best = max(called, key=lambda b: called[b]) if called else None
    beats = False
    if best is not None and record["session"].n_unique() >= MIN_SKILL_DATES:
        difference = paired_accuracy(
            record["decision_at"].dt.replace_time_zone(None).to_numpy(),
            record["log_return"].to_numpy(),
            record[f"direction_{model}"].to_numpy(),
            record[f"direction_{best}"].to_numpy(),
            lags=horizon - 1,
        )
        beats = difference.low is not None and difference.low > 0
    return Skill(
        mine["directional_accuracy"],
        low,
        high,
        record.height,
        best,
        called[best] if best is not None else None,
        shown=False,
        beats_baseline=beats,
    )


def reading(table: dict[str, Figures], model: str, calls: Skill) -> str:
    """Say in one sentence what the figures mean for a model."""
    mine = table[model]
    accuracy = mine["directional_accuracy"]
    if accuracy is None:
        return f"{model} made no call that could be judged."
    best = calls.baseline or "no baseline"
    verdict = (
        f"more often than {best} beyond chance"
        if calls.beats_baseline
        else f"no more often than {best} beyond chance"
    )
    against_mean = mine["r2_oos"]
    mean = (
        ""
        if against_mean is None
        else (
            f" Its squared error is {abs(against_mean):.2%} "
            f"{'below' if against_mean > 0 else 'above'} that of the prevailing mean."
        )
    )
    return (
        f"Over {mine['n']:,} out-of-sample decisions {model} was right {accuracy:.1%} of the time "
        f"against {calls.baseline_accuracy or float('nan'):.1%} for {best}: {verdict}.{mean}"
    )


def residuals(record: pl.DataFrame, model: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return fold numbers, residuals and scales of a record's rows, as calibration needs them."""
    return (
        record["fold"].to_numpy(),
        (record["log_return"] - record[f"forecast_{model}"]).to_numpy(),
        record["scale"].to_numpy(),
    )
