"""The walk-forward: each model is trained on what was known, packed, and scored on what came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from bellwether.backtest.costs import Costs
from bellwether.backtest.simulate import simulate, targets_from_directions
from bellwether.core.ports import Progress
from bellwether.evaluation.calendar_splits import Periods, by_period
from bellwether.evaluation.importance import Weighed
from bellwether.evaluation.splits import Fold, walk_forward
from bellwether.pipelines.dataset import Dataset
from bellwether.pipelines.folds import Kept, Place, Recipe, pieces, score

ADV_SESSIONS = 20
WEIGHED_ROWS = 500
"""Of each test set, by which the features of the first model are weighed."""


@dataclass(frozen=True, slots=True)
class Walk:
    """How the walk-forward is cut; sizes in unique decision dates.

    `winsorise` draws the targets of each fold's training rows in to so many robust deviations.
    `window_dates` forgets what was decided earlier (None: nothing), `embargo_dates` keeps so many
    further dates between the last outcome trained on and a test. With `first`, `step` or `window`
    periods are cut by the calendar instead, as a backtest's are: from the session `first`, each
    `step` long (`1y`), trained on the `window` before it.
    """

    horizon_sessions: int
    min_train_dates: int = 504
    test_dates: int = 252
    seed: int = 0
    workers: int = 1
    winsorise: float | None = None
    window_dates: int | None = None
    embargo_dates: int = 0
    first: date | None = None
    step: str | None = None
    window: str | None = None

    @property
    def by_calendar(self) -> bool:
        """Say whether periods are cut by the calendar."""
        return (self.first, self.step, self.window) != (None, None, None)


def walk(
    data: Dataset,
    models: Sequence[str],
    how: Walk,
    progress: Progress,
    what: str,
    kept: Kept | None = None,
) -> pl.DataFrame:
    """Score every model out of sample, fold by fold; folds that are `kept` are not done again.

    Returns
    -------
    DataFrame
        The record: one row a decision that was judged, with symbol, session, the three times,
        `log_return`, `scale`, `fold`, and for each model m `forecast_m`, `probability_m`,
        `direction_m`, `net_m` (net return of the session, from decisions before it) and
        `turnover_m`.

    Raises
    ------
    InsufficientHistory
        If there is not one fold.
    """
    return weighed_walk(data, models, how, progress, what, kept, rows=0)[0]


def weighed_walk(
    data: Dataset,
    models: Sequence[str],
    how: Walk,
    progress: Progress,
    what: str,
    kept: Kept | None = None,
    *,
    rows: int = WEIGHED_ROWS,
) -> tuple[pl.DataFrame, list[Weighed]]:
    """Walk as `walk` does, and weigh the features of the first model on about `rows` of each test set."""
    folds = folds_of(data, how)
    columns = tuple(data.view.model_columns)
    recipe = Recipe(tuple(models), columns, how.seed, how.winsorise, weighed_rows=rows)
    scored = score(data, folds, recipe, Place(how.workers), progress, what, kept)
    record = pieces(data, folds, [s.told for s in scored]).sort("decision_at", "symbol")
    traded = trade(record, data, models, how.horizon_sessions)
    return traded, [s.weighed for s in scored if s.weighed is not None]


def folds_of(data: Dataset, how: Walk) -> list[Fold]:
    """Cut the rows of `data` by the times that they carry."""
    decided = data.rows["decision_at"].dt.replace_time_zone(None).to_numpy()
    known = data.rows["label_known_at"].dt.replace_time_zone(None).to_numpy()
    days = data.rows["session"].to_numpy().astype("datetime64[D]")
    if not how.by_calendar or days.size == 0:
        return walk_forward(
            decided,
            known,
            min_train_dates=how.min_train_dates,
            test_dates=how.test_dates,
            window_dates=how.window_dates,
            embargo_dates=how.embargo_dates,
        )
    first, last = how.first or days.min().astype(date), days.max().astype(date)
    step, least = how.step or "1y", how.min_train_dates
    periods = Periods(first, last, step, how.window, least, how.embargo_dates)
    return by_period(days, decided, known, periods)


def trade(record: pl.DataFrame, data: Dataset, models: Sequence[str], horizon: int) -> pl.DataFrame:
    """Trade each model's directions symbol by symbol, and put the net returns into the record."""
    traded = []
    for symbol, series in data.series.items():
        mine = record.filter(pl.col("symbol") == symbol)
        if mine.height == 0:
            continue
        traded.append(_trade_symbol(mine, series, models, horizon))
    return pl.concat(traded).sort("decision_at", "symbol")


def _trade_symbol(
    record: pl.DataFrame, series: pl.DataFrame, models: Sequence[str], horizon: int
) -> pl.DataFrame:
    """Trade each model's direction on one symbol: filled at the next open, after costs."""
    sessions = series.select("session")
    dollars = pl.col("close") / pl.col("price_factor") * pl.col("volume") / pl.col("volume_factor")
    market = series.with_columns(
        daily=(pl.col("close") / pl.col("close").shift(1) - 1),
        dollars=dollars.rolling_mean(ADV_SESSIONS, min_samples=1),
    ).with_columns(
        volatility=pl.col("daily").rolling_std(ADV_SESSIONS, min_samples=2).fill_null(0.0)
    )
    for name in models:
        told = sessions.join(
            record.select("session", f"direction_{name}"),
            on="session",
            how="left",
            maintain_order="left",
        )
        direction = told[f"direction_{name}"].fill_null(0).to_numpy()
        result = simulate(
            market["open"].to_numpy(),
            market["close"].to_numpy(),
            targets_from_directions(direction, horizon),
            Costs(),
            volatility=market["volatility"].to_numpy(),
            dollar_volume=np.maximum(market["dollars"].to_numpy(), Costs().capital_usd),
        )
        told = sessions.with_columns(
            pl.Series(f"net_{name}", result.net), pl.Series(f"turnover_{name}", result.turnover)
        )
        record = record.join(told, on="session", how="left", maintain_order="left")
    return record
