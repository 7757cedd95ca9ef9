"""Forecast comparison against numbers worked by hand, and against statsmodels."""

import math

import numpy as np
import polars as pl
import pytest
from scipy import stats
from statsmodels.api import OLS
from statsmodels.tsa.stattools import diebold_mariano_test

from bellwether.evaluation.clark_west import clark_west
from bellwether.evaluation.comparison import (
    clark_west_by_date,
    diebold_mariano,
    giacomini_white,
)
from bellwether.evaluation.losses import date_losses

Y = np.array([0.010, -0.004, 0.006, -0.012, 0.003, 0.008, -0.002, 0.005, 0.001, -0.007])
F = np.array([0.004, -0.001, -0.002, -0.003, 0.002, 0.001, 0.001, 0.003, 0.001, -0.002])
D = Y**2 - (Y - F) ** 2


def test_diebold_mariano_on_ten_dates() -> None:
    one, three = diebold_mariano(D, 1), diebold_mariano(D, 3)

    assert (one.statistic, one.p) == pytest.approx((1.8824443, 0.0924449), abs=1e-7)
    assert (three.statistic, three.p) == pytest.approx((2.4930010, 0.0342529), abs=1e-7)
    assert (one.weights, three.weights) == ("rectangular", "bartlett")


def test_diebold_mariano_by_hand_where_the_rectangular_variance_holds() -> None:
    # d = 1 2 3 4 5 6 7 8: mean 4.5, g0 = 42 / 8 = 5.25, g1 = 26.25 / 8 = 3.28125,
    # S = 11.8125, DM = 4.5 / sqrt(S / 8), and the factor of h = 2 is (8 + 1 - 4 + 2 / 8) / 8
    found = diebold_mariano(np.arange(1.0, 9.0), 2)

    assert found.statistic == pytest.approx(4.5 / math.sqrt(11.8125 / 8) * math.sqrt(5.25 / 8))
    assert (found.weights, found.lags, found.n, found.mean) == ("rectangular", 1, 8, 4.5)


def test_diebold_mariano_agrees_with_statsmodels() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=300)
    a, b = y + rng.normal(size=300), y + 1.1 * rng.normal(size=300)
    theirs = diebold_mariano_test(y, a, b, lags=0, horizon=1, harvey_adj=True)
    ours = diebold_mariano((y - a) ** 2 - (y - b) ** 2)
    bartlett = diebold_mariano_test(Y, 0 * Y, F, lags=2, horizon=3, harvey_adj=True)

    assert (ours.statistic, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert diebold_mariano(D, 3).statistic == pytest.approx(bartlett.statistic)


def test_giacomini_white_on_ten_dates() -> None:
    found = giacomini_white(D)

    assert (found.statistic, found.p) == pytest.approx((2.0475031, 0.3592447), abs=1e-7)
    assert (found.df, found.n, found.reliable) == (2, 9, False)


def test_giacomini_white_is_n_times_the_r2_of_a_regression_of_ones() -> None:
    rng = np.random.default_rng(2)
    d, x = rng.normal(0.1, 1, 200), rng.normal(size=(200, 3))
    regression = OLS(np.ones(200), x * d[:, None], hasconst=False).fit()
    found = giacomini_white(d, instruments=x)

    assert found.statistic == pytest.approx(200 * regression.rsquared)
    assert found.p == pytest.approx(stats.chi2.sf(found.statistic, 3))


def test_clark_west_on_ten_dates_and_on_a_panel_of_them() -> None:
    found = clark_west_by_date(np.arange(10), Y, np.zeros(10), F)
    twice = clark_west_by_date(
        np.tile(np.arange(10), 2), np.tile(Y, 2), np.zeros(20), np.tile(F, 2)
    )

    assert (found.statistic, found.p) == pytest.approx((2.2585793, 0.0119548), abs=1e-7)
    assert found.statistic == pytest.approx(clark_west(Y, np.zeros(10), F).t)
    assert (twice.statistic, twice.n) == (pytest.approx(found.statistic), 10)


def test_losses_of_a_small_panel_by_hand() -> None:
    record = pl.DataFrame(
        {
            "decision_at": [2, 1, 1, 2],
            "log_return": [0.0, 0.02, -0.01, -0.03],
            "forecast_a": [0.01, 0.0, 0.0, -0.01],
            "forecast_b": [0.0, 0.02, -0.02, 0.0],
            "direction_a": [1, 0, -1, -1],
            "direction_b": [1, 1, 1, 1],
        }
    )
    squared, miss = date_losses(record, ["a", "b"]), date_losses(record, ["b", "a"], "miss")

    assert squared.dates.tolist() == [1, 2]
    assert squared.of("a") == pytest.approx([2.5e-4, 2.5e-4])
    assert squared.of("b") == pytest.approx([0.5e-4, 4.5e-4])
    assert squared.against("a")[:, 0] == pytest.approx([2e-4, -2e-4])
    assert miss.values.tolist() == [[0.5, 0.25], [1.0, 0.0]]
    assert miss.rows.tolist() == [2, 1]
    assert date_losses(record, ["a"], "absolute").of("a") == pytest.approx([0.015, 0.015])
