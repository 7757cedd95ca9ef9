"""Where a sequence model finds the past in a row."""

import numpy as np
import pytest

from bellwether.core.errors import InvalidRequest
from bellwether.features.catalog import technical
from bellwether.models.recurrent import said, shares, window


def names(columns: tuple[str, ...]) -> list[list[str]]:
    return [[columns[i] for i in step] for step in window(columns)]


def test_lags_are_steps_oldest_first_and_features_channels() -> None:
    columns = ("a", "a_lag_2", "x", "b_lag_1", "b", "a_lag_1", "b_lag_2", "c", "c_lag_1")

    assert names(columns) == [["a_lag_2", "b_lag_2"], ["a_lag_1", "b_lag_1"], ["a", "b"]]


def test_a_gap_in_the_lags_ends_them() -> None:
    assert names(("a", "a_lag_1", "a_lag_3")) == [["a_lag_1"], ["a"]]


def test_without_lags_returns_over_shorter_and_shorter_spans_are_the_steps() -> None:
    assert names(tuple(technical().model_columns)) == [
        [f"return_{n}"] for n in (60, 20, 10, 5, 2, 1)
    ]


@pytest.mark.parametrize("columns", [(), ("a", "b"), ("return_1", "x"), ("a_lag_1", "a_lag_2")])
def test_features_without_a_past_are_refused(columns: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest, match="columns: carry no past"):
        window(columns)


def network(rng: np.random.Generator, n: int, steps: int, hidden: int = 3) -> dict[str, np.ndarray]:
    static = np.arange(steps, n)
    return {
        "mean": np.zeros(n),
        "scale": np.ones(n),
        "clip": np.array([5.0]),
        "window": np.arange(steps)[:, np.newaxis],
        "static": static,
        "input": rng.normal(size=(4 * hidden, 1)),
        "recurrent": rng.normal(size=(4 * hidden, hidden)),
        "bias": rng.normal(size=4 * hidden),
        "head": rng.normal(size=hidden + len(static)),
        "level": rng.normal(size=1),
    }


def test_shares_of_two_that_act_together_are_shapley_values() -> None:
    rng = np.random.default_rng(2)
    told = network(rng, 3, 2)
    x = rng.normal(size=3).astype(np.float32)

    base, found = shares(told, x)

    def value(*known: int) -> float:
        z = np.zeros((1, 3))
        z[0, list(known)] = x[list(known)]
        return float(said(z, told)[0])

    first = (value(0) - value() + value(0, 1) - value(1)) / 2
    second = (value(1) - value() + value(0, 1) - value(0)) / 2
    assert base == value()
    assert found == pytest.approx([first, second, value(2) - value()], abs=1e-12)


def test_shares_add_up_and_what_is_at_the_mean_has_none() -> None:
    rng = np.random.default_rng(3)
    told = network(rng, 7, 5)
    x = rng.normal(size=7).astype(np.float32)
    x[[1, 6]] = [np.nan, 0.0]

    base, found = shares(told, x)

    assert found[1] == found[6] == 0
    assert base + found.sum() == pytest.approx(said(np.nan_to_num(x[np.newaxis]), told)[0])
