"""Several models on the same out-of-sample rows: the figures of each, with intervals by date."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bellwether.evaluation.comparison import clark_west_by_date
from bellwether.evaluation.direction import pesaran_timmermann
from bellwether.evaluation.forecast import forecast_metrics
from bellwether.evaluation.gate_earned import block_of
from bellwether.evaluation.intervals import clustered_mean
from bellwether.evaluation.overfitting import MIN_DATES, deflated_sharpe
from bellwether.evaluation.probabilities import calibration_table, expected_calibration_error
from bellwether.evaluation.rank_ic import ic_by_date, mean_over_dates
from bellwether.evaluation.resampling import resampled_means
from bellwether.evaluation.series import Floats, until_ruin
from bellwether.evaluation.sharpe import sharpe_record
from bellwether.evaluation.trading import trading_metrics

FEWEST = 60
"""Dates below which models are not compared."""
REPS = 2000
YEAR = 252
ENDS = (0.025, 0.975)
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What all rivals are judged on.

    Attributes
    ----------
    dates : array of datetime64, shape (n,)
        Decision instant of each row, ascending.
    log_return, prevailing_mean : array, shape (n,)
        What came, and the benchmark's forecast of it, the same for all.
    sessions : array of datetime64[D], shape (n_sessions,)
        Sessions that all traded.
    names : int
        Symbols in the rows.
    horizon : int
        Sessions that a label spans.
    """

    dates: NDArray[Any]
    log_return: Floats
    prevailing_mean: Floats
    sessions: NDArray[Any]
    names: int
    horizon: int


@dataclass(frozen=True, slots=True, eq=False)
class Rival:
    """One model on the ground.

    `forecast`, `probability_up` and `direction` have shape (n,), `net` and `turnover` (n_sessions,).
    `trials` of shape (n_sessions, k) are the net returns of the other trials of the ledger on these
    sessions, `counted` how many configurations were tried on the label, this one too; None where
    nobody chose it among others, as a baseline.
    """

    name: str
    forecast: Floats
    probability_up: Floats
    direction: NDArray[np.int8]
    net: Floats
    turnover: Floats
    trials: Floats | None = None
    counted: int | None = None


def r2_interval(ground: Ground, forecast: Floats, seed: int) -> tuple[float | None, float | None]:
    """Return the 95 % interval of R2 against the prevailing mean; whole blocks of dates are drawn.

    Both sums of squares are drawn on the same dates (stationary bootstrap; Politis and Romano 1994).
    """
    days, member = np.unique(ground.dates, return_inverse=True)
    y = ground.log_return
    sums = np.column_stack(
        [
            np.bincount(member, weights=(y - said) ** 2, minlength=days.size)
            for said in (forecast, ground.prevailing_mean)
        ]
    )
    if days.size < MIN_DATES or not sums[:, 1].any():
        return None, None
    drawn = resampled_means(sums, block_of(days.size, ground.horizon), REPS, seed)
    low, high = np.quantile(1 - drawn[:, 0] / drawn[:, 1], ENDS)
    return float(low), float(high)


def figures_of(ground: Ground, rival: Rival, seed: int) -> Figures:
    """Return what one model's forecasts and trades amount to, as JSON can hold it.

    Those of `forecast_metrics` and of `trading_metrics`; `r2_ci`; Clark and West against the
    prevailing mean; Pesaran and Timmermann; what `ranks`, `beyond_chance`, `edge`, `deflated` and
    `calibration` return; and `sharpe_record`, a year.
    """
    told = forecast_metrics(
        dates=ground.dates,
        log_return=ground.log_return,
        forecast=rival.forecast,
        probability_up=rival.probability_up,
        direction=rival.direction,
        prevailing_mean=ground.prevailing_mean,
        lags=ground.horizon - 1,
        ic="cross_section" if ground.names > 1 else "time",
    )
    nested = clark_west_by_date(
        ground.dates, ground.log_return, ground.prevailing_mean, rival.forecast, ground.horizon
    )
    timed = pesaran_timmermann(ground.log_return, rival.direction, ground.horizon)
    traded = trading_metrics(rival.net, rival.turnover)
    return {
        **told,
        "r2_ci": r2_interval(ground, rival.forecast, seed),
        **ranks(ground, rival),
        "clark_west": asdict(nested),
        "pesaran_timmermann": asdict(timed),
        **beyond_chance(ground, rival),
        **edge(ground, rival),
        **{k: traded[k] for k in ("cagr", "roi", "volatility", "max_drawdown", "turnover")},
        "sharpe_record": asdict(sharpe_record(until_ruin(rival.net))),
        "deflated": deflated(rival),
        **calibration(ground, rival),
    }


def ranks(ground: Ground, rival: Rival) -> Figures:
    """Return the mean rank correlation of forecast and outcome over dates, with `ic_ci`.

    Both are None where too few dates have five names or more, or forecasts do not differ there.
    """
    dated = ic_by_date(ground.dates, rival.forecast, ground.log_return).values
    if np.isfinite(dated).sum() <= ground.horizon:
        return {"ic": None, "ic_ci": None}
    found = mean_over_dates(dated, ground.horizon - 1)
    low, high = found.interval()
    return {"ic": found.mean, "ic_ci": None if low is None else (low, high)}


def beyond_chance(ground: Ground, rival: Rival) -> Figures:
    """Return by how much more often calls were right than their shares of ups give by chance.

    With calls c and outcomes s, 1 for up and 0 for down, the mean of 2 (c - mean c)(s - mean s),
    which is P - P* of Pesaran and Timmermann (1992), with a 95 % interval clustered by date: their
    test takes rows as independent, and names of one date are not.
    """
    called = (rival.direction != 0) & (ground.log_return != 0)
    c, s = rival.direction[called] > 0, ground.log_return[called] > 0
    if not called.any():
        return {"beyond_chance": None, "beyond_chance_ci": None}
    away = 2 * (c - c.mean()) * (s - s.mean())
    found = clustered_mean(away, ground.dates[called], lags=ground.horizon - 1)
    known = found.low is not None and c.any() and not c.all()
    return {
        "beyond_chance": found.mean,
        "beyond_chance_ci": (found.low, found.high) if known else None,
    }


def edge(ground: Ground, rival: Rival) -> Figures:
    """Return what a call earned on average before costs, as a simple return, with `edge_ci`.

    An abstention earned 0; the interval is clustered by date.
    """
    earned = rival.direction * np.expm1(ground.log_return)
    found = clustered_mean(earned, ground.dates, lags=ground.horizon - 1)
    known = found.low is not None and rival.direction.any()
    return {"edge": found.mean, "edge_ci": (found.low, found.high) if known else None}


def deflated(rival: Rival) -> Figures | None:
    """Return the Sharpe ratio deflated by all that was tried, ratios annual; None of a baseline."""
    if rival.counted is None or rival.trials is None or rival.net.size < MIN_DATES:
        return None
    found = asdict(deflated_sharpe(np.column_stack([rival.net, rival.trials]), 0, rival.counted))
    for name in ("sharpe", "luck", "luck_effective"):
        found[name] = None if found[name] is None else found[name] * YEAR**0.5
    return found


def calibration(ground: Ground, rival: Rival) -> Figures:
    """Return what was said and what came, in ten bins of equal numbers of rows, and their distance."""
    moved = ground.log_return != 0
    up, said = (ground.log_return[moved] > 0).astype(np.float64), rival.probability_up[moved]
    rows = calibration_table(
        up, said, ground.dates[moved], strategy="quantile", lags=ground.horizon - 1
    )
    ece = expected_calibration_error(up, said, strategy="quantile")
    return {"ece": ece, "calibration": [asdict(row) for row in rows]}


def table(ground: Ground, rivals: Mapping[str, Rival], seed: int) -> dict[str, Figures]:
    """Return the figures of every model by name."""
    return {name: figures_of(ground, rival, seed) for name, rival in rivals.items()}
