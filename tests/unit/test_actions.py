"""Splits and dividends out of an adjusted close."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from bellwether.core.ports import SourceQuery
from bellwether.sources.actions import derive
from bellwether.sources.sample import SampleSource


def test_the_sample_has_its_known_actions() -> None:
    bars = SampleSource().read(SourceQuery(), datetime(2020, 1, 1, tzinfo=UTC)).bars
    counted = bars.group_by("symbol").agg(
        splits=(pl.col("split_ratio") != 1).sum(), dividends=(pl.col("dividend_usd") > 0).sum()
    )

    assert counted.sort("symbol").rows() == [
        ("AAPL", 2, 3),
        ("FB", 0, 0),
        ("GOOG", 0, 0),
        ("IBM", 0, 52),
        ("MSFT", 1, 37),
    ]


@pytest.mark.parametrize("decimals", [2, 3, 4, 6])
def test_rounded_closes_give_no_false_action(decimals: int) -> None:
    rng = np.random.default_rng(0)
    raw = np.round(50 * np.cumprod(1 + rng.normal(0, 0.02, 2000)), 2)
    adjusted = np.round(raw * 0.8137, decimals)

    found = derive(raw, adjusted)

    assert found.split_ratio.tolist() == [1.0] * 2000
    assert found.dividend_usd.tolist() == [0.0] * 2000


def test_closes_kept_in_single_precision_give_no_false_action() -> None:
    rng = np.random.default_rng(1)
    raw = np.round(50 * np.cumprod(1 + rng.normal(0, 0.02, 2000)), 6)
    step = np.round(np.round(raw * 0.9137, 6) * 1.0137, 6)
    single = [x.astype(np.float32).astype(np.float64) for x in (raw, step)]

    found = derive(*single)

    assert found.split_ratio.tolist() == [1.0] * 2000
    assert found.dividend_usd.tolist() == [0.0] * 2000


def test_a_dividend_is_found_through_rounding() -> None:
    raw = np.array([100.0, 101.0, 99.0, 99.5])
    adjusted = np.round(np.array([99.0, 99.99, 99.0, 99.5]), 6)

    found = derive(raw, adjusted)

    assert abs(found.dividend_usd[2] - 1.01) < 1e-4
    assert not found.unexplained.any()


def test_closes_in_single_precision_give_no_false_action() -> None:
    rng = np.random.default_rng(0)
    raw = np.round(50 * np.cumprod(1 + rng.normal(0, 0.02, 2000)), 2)
    single = [p.astype(np.float32).astype(np.float64) for p in (raw, raw * 0.8137)]

    found = derive(*single)

    assert found.split_ratio.tolist() == [1.0] * 2000
    assert found.dividend_usd.tolist() == [0.0] * 2000


@pytest.mark.parametrize("ratio", [2.0, 3.0, 1.5, 1.25, 7.0, 0.5, 0.1, 0.05])
def test_a_simple_ratio_is_a_split_and_exactly_that(ratio: float) -> None:
    raw = np.array([600.0, 600.0, 600.0 / ratio, 600.0 / ratio])
    adjusted = np.full(4, 600.0 / ratio)

    found = derive(raw, adjusted)

    assert found.split_ratio.tolist() == [1.0, 1.0, ratio, 1.0]
    assert found.dividend_usd.tolist() == [0.0] * 4


def test_a_fall_that_no_split_explains_is_left_alone_and_marked() -> None:
    found = derive(np.full(3, 100.0), np.array([100.0, 95.0, 95.0]))

    assert found.split_ratio.tolist() == [1.0, 1.0, 1.0]
    assert found.dividend_usd.tolist() == [0.0, 0.0, 0.0]
    assert found.unexplained.tolist() == [False, True, False]


@pytest.mark.parametrize("n", [0, 1])
def test_too_short_a_history_has_no_actions(n: int) -> None:
    found = derive(np.full(n, 10.0), np.full(n, 9.0))

    assert found.split_ratio.tolist() == [1.0] * n
