"""What of forecasts, probabilities and groups is undefined, and what is only warned of."""

import numpy as np
import pytest

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.calibration_interval import calibration_error
from bellwether.evaluation.direction import pesaran_timmermann
from bellwether.evaluation.groups import group_means, group_test
from bellwether.evaluation.probabilities import (
    calibration_table,
)
from bellwether.evaluation.quantile_spread import quantile_spread
from bellwether.evaluation.rank_ic import ic_by_date, ic_by_horizon, mean_over_dates
from bellwether.evaluation.sharpe import (
    min_track_record,
    probabilistic_sharpe,
)

GOOD = np.array([0.01, -0.02, 0.015, 0.03])
DAYS = np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]")


def test_who_says_one_direction_only_cannot_be_tested() -> None:
    found = pesaran_timmermann([1, -1, 1, -1], [1, 1, 1, 1])
    assert (found.hit, found.statistic, found.p, found.n) == (0.5, None, None, 4)
    assert pesaran_timmermann([1, 0, -1], [0, 1, 1]).n == 1


def test_overlapping_labels_are_warned_of() -> None:
    assert pesaran_timmermann(GOOD, GOOD).warning is None
    assert "overlap over 5 sessions" in pesaran_timmermann(GOOD, GOOD, horizon=5).warning


def test_dates_without_a_correlation_are_counted() -> None:
    day = np.repeat([1, 2, 3], 5)
    f = np.concatenate([np.arange(5), np.ones(5), np.arange(5)])
    found = ic_by_date(day, f, np.tile(np.arange(5.0), 3))
    assert (found.values.tolist(), found.undefined) == ([1.0, 1.0], 1)
    assert mean_over_dates(found.values).t is None  # constant


def test_outcomes_may_be_unknown_at_the_end_only() -> None:
    day, f = np.repeat(np.arange(10), 6), np.tile(np.arange(6.0), 10)
    y = np.random.default_rng(0).normal(size=(60, 1))
    y[day >= 7] = np.nan
    assert ic_by_horizon(day, f, y, [2])[0].ic.n_dates == 7
    with pytest.raises(InvalidRequest, match="horizon 1"):
        ic_by_horizon(day, f, y, [1])


def test_ties_that_empty_an_end_leave_the_date_out() -> None:
    found = quantile_spread(np.repeat([1, 2], 5), [1, 1, 1, 1, 1, 1, 2, 3, 4, 5], np.zeros(10))
    assert (found.dates.tolist(), found.left_out) == ([2], 1)


def test_few_dates_are_not_tested() -> None:
    day, which = np.repeat(np.arange(30), 10), np.tile(np.repeat(["a", "b"], 5), 30)
    x = np.random.default_rng(0).normal(size=300)
    found = group_test(group_means(day, which, x), seed=0)
    assert (found.p, found.null_gap, found.n_dates) == (None, None, 30)
    assert found.gap is not None
    assert group_test(group_means(day, which, x), seed=0, min_dates=30).p is not None


def test_groups_that_never_differ_are_not_tested() -> None:
    day, which = np.repeat(np.arange(70), 10), np.tile(np.repeat(["a", "b"], 5), 70)
    found = group_test(group_means(day, which, np.repeat(np.arange(70.0), 10)), seed=0)
    assert (found.wald, found.p, found.gap) == (None, None, 0.0)


def test_thin_bins_say_so() -> None:
    rows = calibration_table([0] * 60 + [1], [0.2] * 60 + [0.9], np.arange(61))
    assert [(r.n, r.few, r.realised_low) for r in rows] == [(60, False, 0.0), (1, True, None)]
    assert calibration_error([0, 1], [0.1, 0.2], [1, 2], seed=0).low is None


def test_a_probability_without_variance_is_none() -> None:
    assert probabilistic_sharpe(0.1, 1, 0, 3) is None
    assert probabilistic_sharpe(1.0, 10, 2.0, 5.0) is None  # 1 - 2 + 1
    assert min_track_record(-0.1, 0, 3) is None
