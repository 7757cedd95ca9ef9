"""The grammar and the choice: stable names, bounded false ones, fitted on the past alone."""

import numpy as np
import pytest

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.choosing import rule
from bellwether.evaluation.selection import select
from bellwether.evaluation.splits import Fold
from bellwether.features.catalog import technical
from bellwether.features.generate import Grammar, candidates
from bellwether.pipelines.choosing import Reader
from bellwether.pipelines.generated import chosen_in

DAYS = np.arange("2020-01-01", "2022-01-01", dtype="datetime64[D]").astype("datetime64[us]")


def test_names_are_stable_and_say_how_they_are_made() -> None:
    few, many = candidates(technical().features, 30), candidates(technical().features, 600)

    assert few.columns == many.columns[:30]
    assert len(set(many.columns)) == 600
    assert few.columns[0] == "return_1__lag_1"
    assert {"rsi_14__place_60", "return_1__over__return_2"} <= set(many.columns)
    assert "sma_20" not in " ".join(many.columns).replace("__", " ").split()  # a level, in USD


def test_the_grammar_is_what_is_declared() -> None:
    only_lags = Grammar((3,), (), (), (), (), ratios=False, products=False, comparisons=False)

    view = candidates(technical().features[:2], 100, only_lags)

    assert view.columns == ("return_1__lag_3", "return_2__lag_3")
    assert view.features[0].warm_up == 4


@pytest.mark.parametrize("n", [0, -1, 5001, True])
def test_a_number_out_of_range_is_refused(n: int) -> None:
    with pytest.raises(InvalidRequest):
        candidates(technical().features, n)


def panel(seed: int, columns: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    dates = np.repeat(DAYS, 5)
    shock = np.repeat(rng.normal(size=DAYS.size), 5)  # what all symbols of a day share
    y = shock + rng.normal(size=dates.size)
    return rng.normal(size=(dates.size, columns)), y, dates


def test_what_tells_something_is_found_and_its_copy_is_not() -> None:
    X, y, dates = panel(0)
    X[:, 7] += 0.4 * y
    X[:, 8] = 2 * X[:, 7] + 1
    X[:, 9] = 3.0
    X[::3, 10] = np.nan

    found = select(X, y, dates)

    assert found.chosen.tolist() == [7]
    assert found.ic[7] > 0.2
    assert np.isnan(found.ic[9])


def test_noise_is_rarely_chosen() -> None:
    chosen = [select(*panel(seed)).chosen.size for seed in range(20)]

    assert sum(n > 0 for n in chosen) <= 3  # a share of 0.1 of false ones is allowed


def test_a_fold_shows_its_training_rows_and_no_others() -> None:
    """What the choice sees of test rows is poison: it would raise, or change the choice."""
    X, y, dates = panel(1)
    X[:, 3] += 0.5 * y
    train, test = np.arange(2000), np.arange(2100, y.size)
    fold = Fold(0, train, test, dates[2100], dates[-1])
    times = np.column_stack([dates, dates + np.timedelta64(1, "D")])
    poisoned_X, poisoned_y, poisoned = X.copy(), y.copy(), times.copy()
    poisoned_X[2000:], poisoned_y[2000:] = np.inf, np.nan
    poisoned[2000:] = np.datetime64("NaT")
    reader = Reader("ridge", tuple(f"c{j}" for j in range(X.shape[1])))

    for asked in (None, rule("ic"), rule("mi:1"), rule("stability:1"), rule("permutation:1")):
        clean = chosen_in(fold, X, y, times, reader, asked)
        seen = chosen_in(fold, poisoned_X, poisoned_y, poisoned, reader, asked)

        assert clean.tolist() == seen.tolist() == [3]


def test_what_cannot_be_judged_is_refused() -> None:
    X, y, dates = panel(2, 3)
    with pytest.raises(InvalidRequest, match="shapes"):
        select(X[:-1], y, dates)
    with pytest.raises(InvalidRequest, match="finite"):
        select(X, np.where(np.arange(y.size) == 5, np.nan, y), dates)
    with pytest.raises(InvalidRequest, match="30 needed"):
        select(X[:50], y[:50], dates[:50])
    with pytest.raises(InvalidRequest, match="most"):
        select(X, y, dates, most=0)
