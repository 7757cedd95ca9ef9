"""Backward adjustment against the adjusted closes that vendors ship."""

import importlib.util
import sys
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from bellwether.core.calendar import session_calendar
from bellwether.core.ports import SourceQuery
from bellwether.features.export import Reinvest, adjust_backward
from bellwether.sources.sample import SampleSource

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "adjustment_vendors.py"


@pytest.fixture(scope="module")
def vendors() -> ModuleType:
    spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[SCRIPT.stem] = module
    spec.loader.exec_module(module)
    return module


def test_alpha_vantage_is_reproduced_but_for_one_symbol(
    vendors: ModuleType, shared_data: Path
) -> None:
    """309 symbols, 12,046 dividends, 269 splits.

    Zebra's adjusted close counts both of its splits twice, the second time a session early.
    """
    found = vendors.agreement("av", vendors.alpha_vantage(shared_data), Reinvest.EX_CLOSE)

    assert (found.symbols, found.symbol_days, found.splits) == (309, 1_032_884, 269)
    assert list(found.symbols_outside) == ["ZBRA"]
    assert found.within_rounding > 0.9988
    assert found.within_1e5 > 0.995
    assert found.day_factors_within_1e6 > 0.9999


def test_yahoo_is_reproduced_on_every_day(vendors: ModuleType, shared_data: Path) -> None:
    found = vendors.agreement("etf46", vendors.etf46(shared_data), Reinvest.PREVIOUS_CLOSE)

    assert (found.symbols, found.symbol_days, found.dividends) == (46, 265_977, 5_360)
    assert (found.within_rounding, found.symbols_outside) == (1.0, {})


def test_dividends_read_out_of_an_adjusted_close_lead_back_to_it(
    vendors: ModuleType, shared_data: Path
) -> None:
    found = vendors.agreement("stocknet", vendors.stocknet(shared_data), Reinvest.PREVIOUS_CLOSE)

    assert (found.symbols, found.symbol_days, found.dividends) == (70, 39_799, 506)
    assert found.within_rounding > 0.99
    assert found.within_1e5 == 1.0


def test_each_vendor_has_a_rule_of_its_own(vendors: ModuleType, shared_data: Path) -> None:
    """The other rule misses the same closes by more than any rounding."""
    found = vendors.agreement("etf46", vendors.etf46(shared_data), Reinvest.EX_CLOSE)

    assert found.within_rounding < 0.6


def test_the_sample_is_reproduced_exactly() -> None:
    """Its adjusted closes carry full precision: splits, dividends and one special dividend."""
    import gzip
    import io
    from importlib.resources import files

    packed = files("bokeh_sampledata").joinpath("_data", "stocks.csv.gz").read_bytes()
    told = pl.read_csv(io.BytesIO(gzip.decompress(packed)), try_parse_dates=True)
    known_until = session_calendar().close_of(date(2013, 3, 1))
    bars = SampleSource().read(SourceQuery(), known_until).bars

    for (symbol,), mine in bars.group_by("symbol"):
        back = adjust_backward(mine.sort("session"), date(2013, 3, 1)).select("session", "close")
        theirs = told.filter(pl.col("Ticker") == symbol).select(session="Date", adj="Adj Close")
        both = back.join(theirs, on="session").sort("session")
        ratio = both["adj"].to_numpy() / both["close"].to_numpy()
        assert both.height == back.height
        assert np.abs(ratio / ratio[-1] - 1).max() < 1e-12
