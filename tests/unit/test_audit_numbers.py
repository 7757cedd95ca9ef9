"""The statistics of the audit, against numbers by hand, and its bad inputs."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from bellwether.audit.cells import differences, tidy
from bellwether.audit.chain import fold_alarms
from bellwether.audit.numbers import auc, clustered_error, null_error, too_good
from bellwether.core.errors import InvalidRequest

DAYS = [date(2020, 1, 1) + timedelta(days=i) for i in range(400)]


def test_auc_by_hand_with_ties() -> None:
    x = np.array([1.0, 2.0, 2.0, 3.0])
    up = np.array([False, False, True, True])

    assert auc(x, up) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert np.isnan(auc(x, np.ones(4, dtype=bool)))


@pytest.mark.parametrize(("up", "down", "error"), [(130, 120, 0.0366), (1300, 1200, 0.0116)])
def test_the_error_without_skill(up: int, down: int, error: float) -> None:
    assert null_error(up, down) == pytest.approx(error, abs=5e-5)


def test_the_error_grows_with_rows_that_move_together() -> None:
    rng = np.random.default_rng(0)
    dates = np.repeat(np.arange(300), 10)
    up = np.repeat(rng.random(300) < 0.5, 10)
    x = np.repeat(rng.normal(size=300), 10) + 0.01 * rng.normal(size=3000)

    assert clustered_error(x, up, dates) > 2.5 * null_error(int(up.sum()), int((~up).sum()))
    alone = clustered_error(rng.normal(size=3000), up, np.arange(3000))
    assert alone == pytest.approx(null_error(int(up.sum()), int((~up).sum())), rel=0.1)


def rows(quality: float, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(seed)
    symbols = ["A", "B", "C"]
    keys = pl.DataFrame(
        {"symbol": [s for s in symbols for _ in DAYS], "session": DAYS * len(symbols)}
    )
    market = np.tile(rng.normal(size=len(DAYS)), len(symbols))
    label = 0.01 * (market + rng.normal(size=keys.height))
    slow = np.cumsum(rng.normal(size=keys.height)) * 0.1
    x = quality * 100 * label + slow
    return keys.with_columns(x=pl.Series(x)), keys.with_columns(label=pl.Series(label))


def test_a_feature_that_holds_the_label_is_too_good() -> None:
    found = too_good(*rows(2.0, 0), np.random.default_rng(0))

    assert [a.kind for a in found.alarms] == ["too_good"]
    assert "AUC" in found.alarms[0].sentence


def test_a_slow_feature_without_skill_is_not() -> None:
    told = [too_good(*rows(0.0, seed), np.random.default_rng(seed)).alarms for seed in range(20)]

    assert told == [[]] * 20


def test_too_few_dates_are_not_judged() -> None:
    features, labels = rows(5.0, 0)
    early = pl.col("session") < DAYS[50]

    found = too_good(features.filter(early), labels.filter(early), np.random.default_rng(0))

    assert found.alarms == []


def test_folds_that_overlap_are_named() -> None:
    table = pl.DataFrame(
        {
            "symbol": ["A"] * 6,
            "session": DAYS[:6],
            "decision_at": DAYS[:6],
            "label_known_at": DAYS[2:8],
        }
    )

    assert fold_alarms(table, [([0, 1], [3, 4])]) == []
    (alarm,) = fold_alarms(table, [([0, 1, 2], [3, 4])])
    assert alarm.session == DAYS[2]
    assert fold_alarms(table, [([], [1])]) == []


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (3, "not a frame"),
        (pl.DataFrame({"symbol": ["A"], "x": [1.0]}), "without session"),
        (pl.DataFrame({"symbol": ["A"], "session": [DAYS[0]]}), "no column"),
        (
            pl.DataFrame({"symbol": ["A"] * 2, "session": [DAYS[0]] * 2, "x": [1, 2]}),
            "more than once",
        ),
        (pl.DataFrame({"symbol": ["A"], "session": [DAYS[0]], "x": [[1]]}), "holds List"),
        (
            pl.DataFrame({"symbol": [None], "session": [DAYS[0]], "x": [1]}),
            "without symbol or session",
        ),
        (pl.DataFrame({"symbol": ["A"], "session": ["soon"], "x": [1]}), "casting"),
    ],
)
def test_outcomes_that_cannot_be_compared(frame: object, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        tidy(frame)


def test_cells_are_compared_as_numbers() -> None:
    keys = {"symbol": ["A"] * 4, "session": DAYS[:4]}
    one = tidy(
        pl.DataFrame({**keys, "x": [1.0, float("nan"), float("inf"), 4.0], "t": list("abcd")})
    )
    two = tidy(
        pl.DataFrame({**keys, "x": [1.0 + 1e-12, None, float("inf"), 5.0], "t": list("abcc")})
    )

    assert differences(one, one, DAYS[3], 0.0) == []
    assert differences(one, two, DAYS[2], 1e-9) == []
    assert [d.feature for d in differences(one, two, DAYS[2], 0.0)] == ["x"]
    found = differences(one, two, DAYS[3], 1e-9)
    assert [(d.feature, d.session, d.cells) for d in found] == [
        ("x", DAYS[3], 1),
        ("t", DAYS[3], 1),
    ]


def test_rows_that_only_one_has_are_a_difference() -> None:
    one = tidy(pl.DataFrame({"symbol": ["A"] * 3, "session": DAYS[:3], "x": [1.0, 2.0, 3.0]}))

    (gone,) = differences(one, one.filter(pl.col("x") != 2.0), DAYS[2], 0.0)
    assert (gone.feature, gone.session, gone.known, gone.other) == ("(row)", DAYS[1], 1.0, 0.0)
