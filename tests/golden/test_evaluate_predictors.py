"""Goyal and Welch (2008) and Rapach, Strauss and Zhou (2010) through `bellwether evaluate predictors`.

Published beside own; data of the 2008 vintage. docs/evaluate.md shows the same tables.
"""

import json
import statistics
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from bellwether.cli.main import app

c = pl.col

# name: data from; in-sample R2bar, out-of-sample R2bar, dRMSE, R2bar from 1965; all in percent
GOYAL_WELCH = {
    "dfy": (1919, -1.18, -3.29, -0.14, -4.15),
    "infl": (1919, -1.00, -4.07, -0.20, -3.56),
    "svar": (1885, -0.76, -27.14, -2.33, -2.44),
    "de": (1872, -0.75, -4.33, -0.31, -4.99),
    "lty": (1919, -0.63, -7.72, -0.47, -12.57),
    "tms": (1920, 0.16, -2.42, -0.07, -2.96),
    "tbl": (1920, 0.34, -3.37, -0.14, -4.90),
    "dfr": (1926, 0.40, -2.16, -0.03, -2.82),
    "dp": (1872, 0.49, -2.06, -0.11, -3.69),
    "dy": (1872, 0.91, -1.93, -0.10, -6.68),
    "ltr": (1926, 0.99, -11.79, -0.76, -18.38),
    "ep": (1872, 1.08, -1.78, -0.08, -1.10),
    "bm": (1921, 3.20, -1.72, -0.01, -12.71),
    "ik": (1947, 6.63, -1.77, 0.07, -1.77),
    "eqis": (1927, 9.15, 2.04, 0.30, -1.00),
}
ELEVEN = ("dfy", "svar", "lty", "tbl", "dfr", "ltr", "bm", "ik", "eqis", "infl", "tms")
REVISED = ("de", "dp", "dy", "ep")  # dividends and earnings differ a little from those of 2008

# first forecast: mean, median, trimmed mean; out-of-sample R2 in percent
RAPACH_STRAUSS_ZHOU = {
    "19651": (3.58, 3.04, 3.51),
    "19761": (1.19, 1.51, 1.23),
    "20001": (3.04, 1.56, 2.98),
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_HOME", str(tmp_path / "home"))


def run(path: Path, predictors: list[str], first: str, *options: str) -> dict[str, Any]:
    columns = ["--date", "date", "--target", "premium", "--predictors", ",".join(predictors)]
    given = ["--frame", str(path), *columns, "--first-forecast", first, *options, "--json"]
    done = CliRunner().invoke(app, ["evaluate", "predictors", *given])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def annual(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    read = pl.read_csv(shared_data / "goyal_welch_2008_annual.csv", infer_schema_length=None)
    total = (c("Index") + c("D12")) / c("Index").shift()
    frame = read.select(
        date="yyyy",
        premium=total.log() - c("Rfree").log1p(),
        dfy=c("BAA") - c("AAA"),
        infl=pl.when(c("yyyy") >= 1919).then("infl"),
        svar="svar",
        de=(c("D12") / c("E12")).log(),
        lty="lty",
        tms=c("lty") - c("tbl"),
        tbl="tbl",
        dfr=c("corpr") - c("ltr"),
        dp=(c("D12") / c("Index")).log(),
        dy=(c("D12") / c("Index").shift()).log(),
        ltr="ltr",
        ep=(c("E12") / c("Index")).log(),
        bm="b/m",
        ik="ik",
        eqis="eqis",
    )
    path = tmp_path_factory.mktemp("annual") / "annual.csv"
    frame.with_columns(pl.exclude("date", "premium").shift()).write_csv(path)
    return path


@pytest.fixture(scope="module")
def own(annual: Path) -> dict[str, tuple[float, float, float, float]]:
    late = run(annual, list(GOYAL_WELCH), "1965")["predictors"]
    found = {}
    for start in {row[0] for row in GOYAL_WELCH.values()}:
        names = [name for name, row in GOYAL_WELCH.items() if row[0] == start]
        told = run(annual, names, str(start + 20))
        assert (told["n"], told["first"], told["last"]) == (
            2005 - start - 19,
            str(start + 20),
            "2005",
        )
        for name, score in told["predictors"].items():
            since_1965 = score if name == "ik" else late[name]
            found[name] = (
                100 * score["r2_is_adj"],
                100 * score["r2_oos_adj"],
                100 * score["rmse_delta"],
                100 * since_1965["r2_oos_adj"],
            )
    return found


@pytest.mark.parametrize("name", ELEVEN)
def test_eleven_predictors_are_the_printed_ones(name: str, own: dict[str, Any]) -> None:
    assert own[name] == pytest.approx(GOYAL_WELCH[name][1:], abs=0.02)


@pytest.mark.parametrize("name", REVISED)
def test_ratios_of_revised_dividends_are_near(name: str, own: dict[str, Any]) -> None:
    assert own[name] == pytest.approx(GOYAL_WELCH[name][1:], abs=0.10)


def test_only_equity_issuing_beat_the_mean(own: dict[str, Any]) -> None:
    assert [name for name, row in own.items() if row[1] > 0] == ["eqis"]
    signs = [(row[1] > 0) == (GOYAL_WELCH[name][2] > 0) for name, row in own.items()]
    assert all(signs)
    errors = [abs(row[1] - GOYAL_WELCH[name][2]) for name, row in own.items()]
    assert statistics.median(errors) < 0.006


def test_all_predictors_at_once_fail_worst(annual: Path) -> None:
    told = run(annual, [n for n in GOYAL_WELCH if n not in ("de", "tms")], "1968", "--kitchen-sink")
    sink = told["kitchen_sink"]["r2_oos"]
    assert sink < -0.5
    assert sink < min(score["r2_oos"] for score in told["predictors"].values())


@pytest.fixture(scope="module")
def quarterly(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    read = pl.read_csv(shared_data / "goyal_welch_2008_quarterly.csv", infer_schema_length=None)
    frame = read.select(
        date="yyyyq",
        premium=c("CRSP_SPvw").log1p() - c("Rfree").log1p(),
        dp=(c("D12") / c("Index")).log(),
        dy=(c("D12") / c("Index").shift()).log(),
        ep=(c("E12") / c("Index")).log(),
        de=(c("D12") / c("E12")).log(),
        svar="svar",
        bm="b/m",
        ntis="ntis",
        tbl="tbl",
        lty="lty",
        ltr="ltr",
        tms=c("lty") - c("tbl"),
        dfy=c("BAA") - c("AAA"),
        dfr=c("corpr") - c("ltr"),
        infl=c("infl").shift(),  # told a month late
        ik="ik",
    )
    path = tmp_path_factory.mktemp("quarterly") / "quarterly.parquet"
    lagged = frame.with_columns(pl.exclude("date", "premium").shift())
    lagged.filter(c("date") >= 19471).write_parquet(path)
    return path


@pytest.mark.parametrize("first", RAPACH_STRAUSS_ZHOU)
def test_combinations_are_near_the_printed_ones(first: str, quarterly: Path) -> None:
    names = [n for n in pl.read_parquet_schema(quarterly) if n not in ("date", "premium")]
    found = [
        run(quarterly, names, first, "--combine", how)["combination"]
        for how in ("mean", "median", "trimmed")
    ]
    assert [100 * f["r2_oos"] for f in found] == pytest.approx(RAPACH_STRAUSS_ZHOU[first], abs=0.35)
    if first == "19651":
        assert all(f["clark_west_p"] < 0.01 for f in found)
        assert 100 * found[0]["r2_oos"] == pytest.approx(3.58, abs=0.15)
