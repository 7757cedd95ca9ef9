"""Splits and dividends out of an adjusted close."""

from datetime import UTC, datetime

import numpy as np
import polars as pl

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


def test_rounded_closes_give_no_false_action() -> None:
    rng = np.random.default_rng(0)
    raw = np.round(50 * np.cumprod(1 + rng.normal(0, 0.02, 2000)), 2)
    adjusted = np.round(raw * 0.8137, 4)

    found = derive(raw, adjusted)

    assert found.split_ratio.tolist() == [1.0] * 2000
    assert found.dividend_usd.tolist() == [0.0] * 2000


def test_a_dividend_is_found_through_rounding() -> None:
    raw = np.array([100.0, 101.0, 99.0, 99.5])
    adjusted = np.round(np.array([99.0, 99.99, 99.0, 99.5]), 6)

    found = derive(raw, adjusted)

    assert abs(found.dividend_usd[2] - 1.01) < 1e-4
    assert not found.unexplained.any()
