"""`bellwether evaluate` with what users type and files hold, good and bad."""

import gzip
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from bellwether.cli.main import app

RNG = np.random.default_rng(4)
YEARS = list(range(1950, 2000))
X = RNG.normal(size=50).cumsum()
Y = 0.02 + 0.01 * X + 0.1 * RNG.normal(size=50)
PREDICTORS = ("--date", "date", "--target", "y", "--first-forecast", "1970")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_HOME", str(tmp_path / "home"))


def table(path: Path, **columns: Any) -> Path:
    frame = pl.DataFrame({"date": YEARS, "y": Y, "a": X, "b": X[::-1], "c": np.sin(X)} | columns)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    return path


def predictors(path: Path, *options: str, names: str = "a") -> Result:
    given = ["--frame", str(path), *PREDICTORS, "--predictors", names, *options]
    return CliRunner().invoke(app, ["evaluate", "predictors", *given])


def rule(path: Path, *options: str) -> Result:
    columns = ["--date", "date", "--price", "price"]
    return CliRunner().invoke(app, ["evaluate", "rule", "--frame", str(path), *columns, *options])


def priced(path: Path, **columns: Any) -> Path:
    return table(path, price=100 * np.exp(0.01 * X), **columns)


def test_the_contract_of_the_output(tmp_path: Path) -> None:
    done = predictors(table(tmp_path / "f.csv"), "--json", names="a,b")
    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert list(told) == ["n", "first", "last", "predictors", "combination"]
    assert (told["n"], told["first"], told["last"]) == (30, "1970", "1999")
    assert told["combination"] is None
    keys = ["r2_is_adj", "r2_oos", "r2_oos_adj", "rmse_delta", "clark_west_t", "clark_west_p"]
    assert list(told["predictors"]) == ["a", "b"]
    assert all(list(score) == keys for score in told["predictors"].values())
    score = told["predictors"]["a"]
    assert score["r2_oos_adj"] == pytest.approx(1 - (1 - score["r2_oos"]) * 29 / 28)


def test_a_table_for_people_and_files_of_forecasts(tmp_path: Path) -> None:
    for kind in ("csv", "parquet"):
        out = tmp_path / f"told.{kind}"
        given = ("--combine", "trimmed", "--kitchen-sink", "--forecasts", str(out))
        done = predictors(table(tmp_path / "f.csv"), *given, names="a,b,c")
        assert done.exit_code == 0, done.output
        assert "30 forecasts, 1970 to 1999" in done.stdout
        assert "(combination)" in done.stdout
        assert "(kitchen sink)" in done.stdout
        assert "would by chance alone" in done.stdout
        told = pl.read_csv(out) if kind == "csv" else pl.read_parquet(out)
        assert told.height == 30
        assert told["a_mean"][0] == pytest.approx(Y[:20].mean())
        assert told["combination_forecast"].null_count() == 0


DAYS = pl.date_range(date(1950, 1, 1), date(1950, 2, 19), eager=True).to_list()
HOURS = pl.datetime_range(datetime(2000, 1, 1), datetime(2000, 1, 3, 1), "1h", eager=True)  # noqa: DTZ001
FORMS: dict[str, tuple[list[Any], str, str]] = {
    "quarter": ([10 * (1950 + i // 4) + i % 4 + 1 for i in range(50)], "19551", "1955-Q1"),
    "month": ([100 * (1950 + i // 12) + i % 12 + 1 for i in range(50)], "195109", "1951-09"),
    "dashes": ([f"{1950 + i // 12}-{i % 12 + 1:02d}" for i in range(50)], "1951-09", "195109"),
    "day": (DAYS, "1950-01-21", "19500121"),
    "instant": ([f"{t.isoformat()}Z" for t in HOURS], "2000-01-01T20:00", "2000-01-01T20:00:00Z"),
    "moments": (HOURS.to_list(), "2000-01-01T20:00", "2000-01-01T20:00:00Z"),
    "midnights": ([datetime(1950 + i, 1, 1) for i in range(50)], "1970-01-01", "1970"),  # noqa: DTZ001
    "float": ([float(y) for y in YEARS], "1970", "1970-05-05"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["f.csv", "f.parquet"])
def test_dates_as_files_write_them(form: str, kind: str, tmp_path: Path) -> None:
    dates, first, same = FORMS[form]
    path = table(tmp_path / kind, date=dates)
    told = []
    for text in (first, same):
        done = predictors(path, "--first-forecast", text, "--json")
        assert done.exit_code == 0, done.output
        told.append(json.loads(done.stdout))
    assert told[0] == told[1]
    assert told[0]["n"] == 30


def test_a_packed_file_a_late_predictor_and_an_unknown_end(tmp_path: Path) -> None:
    y = [*Y[:-1], None]
    late = [None] * 30 + list(X[30:])
    path = table(tmp_path / "f.csv", y=y, late=late)
    packed = tmp_path / "f.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    refused = predictors(packed, names="a,late")
    assert refused.exit_code == 2
    assert "0 rows are known before the first forecast" in refused.stderr
    done = predictors(packed, "--min-rows", "10", "--json", "--detail", names="a,late")
    told = json.loads(done.stdout)
    assert (told["last"], told["n"]) == ("1998", 29)
    assert (told["predictors"]["late"]["first"], told["predictors"]["late"]["n"]) == ("1990", 9)
    assert told["predictors"]["late"]["rows"] == 19


def with_value(row: int, value: object) -> list[object]:
    return [*X[:row], value, *X[row + 1 :]]


BAD_COLUMNS: dict[str, tuple[dict[str, Any], str]] = {
    "hole": ({"a": with_value(9, None)}, "a: is missing at 1959, between 1950 and 1999"),
    "hole in target": ({"y": with_value(9, None)}, "y: is missing at 1959"),
    "infinite": ({"a": with_value(9, float("inf"))}, "a: holds inf at 1959"),
    "huge": ({"a": with_value(9, 1e300)}, "a: holds 1e+300 at 1959"),
    "word": ({"a": [*map(str, X[:-1]), "high"]}, "'high' in row 50 of column 'a' is no number"),
    "constant": ({"a": [3.5] * 50}, "a: is 3.5 in every row"),
    "empty": ({"a": [None] * 50}, "a: holds no number"),
    "twice": ({"date": [1950, *YEARS[:-1]]}, "'1950' comes twice, in rows 1 and 2"),
    "order": ({"date": YEARS[::-1]}, "is out of order: '1998' in row 2 comes after '1999'"),
    "forms": ({"date": [*map(str, YEARS[:-1]), "1999-01-01"]}, "mixes forms"),
    "no date": ({"date": [*map(str, YEARS[:-1]), "soon"]}, "'soon' in row 50 is no date"),
    "month 13": ({"date": [*range(195001, 195050), 195099]}, "'195013' in row 13 is no date"),
    "date missing": ({"date": [*YEARS[:-1], None]}, "has no date in row 50"),
}


@pytest.mark.parametrize("fault", BAD_COLUMNS)
@pytest.mark.parametrize("kind", ["f.csv", "f.parquet"])
def test_a_bad_column_is_refused_by_name(fault: str, kind: str, tmp_path: Path) -> None:
    columns, why = BAD_COLUMNS[fault]
    done = predictors(table(tmp_path / kind, **columns))
    assert (done.exit_code, done.stdout) == (2, "")
    assert why in done.stderr


BAD_OPTIONS: dict[tuple[str, ...], str] = {
    ("--first-forecast", "1900"): "--first-forecast: 1900 comes before the data",
    ("--first-forecast", "2050"): "--first-forecast: 2050 comes after the data",
    ("--first-forecast", "1951"): "a: 1 rows are known before the first forecast, at least 3",
    ("--first-forecast", "soon"): "--first-forecast: 'soon' is no date",
    ("--window", "some"): "--window: 'some' is neither expanding nor a number of rows",
    ("--window", "2"): "--window: is 2, at least 3 rows needed",
    ("--window", "30"): "a: 20 rows are known before the first forecast, at least 30 needed",
    ("--restrict", "both"): "--restrict: 'both' is none of none, sign:+",
    ("--combine", "average"): "--combine: 'average' is none of none, mean",
    ("--combine", "trimmed"): "--combine: trimmed drops two of the forecasts",
    ("--horizon", "0"): "--horizon: is 0, at least 1 needed",
    ("--horizon", "19"): "a: 2 rows are known before the first forecast",
    ("--hac-lags", "-1"): "--hac-lags: is -1, must not be negative",
    ("--hac-lags", "30"): "--hac-lags: is 30 for 30 forecasts",
    ("--mean", "any"): "--mean: 'any' is none of same, all",
    ("--min-rows", "2"): "--min-rows: is 2, at least 3 needed",
    ("--predictors", "a,zz"): "There is no column 'zz'. Known: date, y, a, b, c",
    ("--predictors", ","): "--predictors: names no column",
    ("--predictors", "a,a"): "--predictors: names 'a' twice",
    ("--predictors", "a,y"): "--predictors: 'y' is the target itself",
    ("--date", "y"): "--date: 'y' is also the target or a predictor",
    ("--kitchen-sink", "--restrict", "sign:+"): "--kitchen-sink: has several slopes",
    ("--forecasts", "told.txt"): "--forecasts: told.txt must end in .csv or .parquet",
    ("--forecasts", "nowhere/told.csv"): "--forecasts: the folder nowhere does not exist",
}


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=" ".join)
def test_a_bad_option_is_refused_by_name(options: tuple[str, ...], tmp_path: Path) -> None:
    done = predictors(table(tmp_path / "f.csv"), *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert BAD_OPTIONS[options] in done.stderr
    told = predictors(table(tmp_path / "f.csv"), *options, "--json")
    assert (told.exit_code, told.stderr) == (2, "")
    assert BAD_OPTIONS[options] in json.loads(told.stdout)["detail"]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("f.csv", b"", "f.csv: "),
        ("f.csv", b"date,y,a\n", "there is a header and no row below it"),
        ("f.csv", b"date,a,a\n1950,1,2\n", "two columns are called 'a'"),
        ("f.csv", b"date,y,a\n1950,\xff\xfe,2\n", "f.csv: "),
        ("f.csv", b"date,y,a\n1950,1,2,3\n", "f.csv: "),
        ("f.parquet", b"PAR1 and no more", "f.parquet: "),
        ("f.csv.gz", b"no gzip at all", "f.csv.gz: "),
        ("f.csv.gz", gzip.compress(b"date,y,a\n1950,1,2\n" * 99, mtime=0)[:-20], "f.csv.gz: "),
        ("f.xlsx", b"x", "only files ending in .csv, .csv.gz, .parquet are read"),
    ],
)
def test_a_bad_file_is_refused(name: str, content: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    done = predictors(path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert why in done.stderr


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    assert "there is no such file" in predictors(tmp_path / "none.csv").stderr
    assert "is a folder" in predictors(tmp_path).stderr


def test_an_outcome_that_never_varies_has_no_r2(tmp_path: Path) -> None:
    told = json.loads(predictors(table(tmp_path / "f.csv", y=[0.5] * 50), "--json").stdout)
    assert told["predictors"]["a"]["r2_oos"] is None
    assert told["predictors"]["a"]["r2_is_adj"] is None
    assert told["predictors"]["a"]["clark_west_p"] is None
    assert told["predictors"]["a"]["rmse_delta"] == 0


def test_a_rule_for_people_and_for_programs(tmp_path: Path) -> None:
    path = priced(tmp_path / "f.csv")
    options = ("--rule", "sma:1,5", "--bootstrap", "block", "--reps", "20", "--cost-bps", "5")
    done = rule(path, *options)
    assert done.exit_code == 0, done.output
    assert "sma:1,5, held while it says so; 1950 to 1999" in done.stdout
    assert "Share of 20 block series as good" in done.stdout
    told = json.loads(rule(path, *options, "--json").stdout)
    assert (told["first"], told["last"], told["base"]["n"]) == ("1950", "1999", 49)
    assert told["n_buy"] + told["n_sell"] <= 45
    assert told["strategy"]["net_mean"] < told["strategy"]["mean"]


def test_a_rule_that_never_speaks_has_no_means(tmp_path: Path) -> None:
    path = table(tmp_path / "f.csv", price=[7.3] * 50)
    for text in ("sma:1,5", "sma:3,7,0.01", "channel:5", "filter:0.1"):
        told = json.loads(
            rule(path, "--rule", text, "--bootstrap", "ar1", "--reps", "3", "--json").stdout
        )
        assert (told["n_buy"], told["n_sell"]) == (0, 0)
        assert told["mean_buy"] is told["t_diff"] is told["bootstrap"]["buy"] is None
        assert told["strategy"]["break_even_bps"] is None


BAD_RULES: dict[tuple[str, ...], str] = {
    ("--rule", "ema:1,5"): "--rule: 'ema:1,5' is none of: sma:S,L[,band]",
    ("--rule", "sma:5"): "--rule: 'sma:5' is none of",
    ("--rule", "sma:5,5"): "the first length must be below the second",
    ("--rule", "sma:0,5"): "'0' is no number of rows",
    ("--rule", "sma:1,5,2"): "'2' is no share below 1",
    ("--rule", "sma:1,5,nan"): "'nan' is no share below 1",
    ("--rule", "filter:0"): "'0' is no share below 1",
    ("--rule", "sma:1,500"): "--price: 50 rows are too few for sma:1,500",
    ("--hold", "ever"): "--hold: 'ever' is neither variable nor a number of rows",
    ("--hold", "0"): "--hold: is 0, at least 1 needed",
    ("--hold", "40"): "--price: 50 rows are too few",
    ("--delay", "-1"): "--delay: is -1, must not be negative",
    ("--cost-bps", "-3"): "--cost-bps: is -3.0, must be from 0 to 10000",
    ("--cost-bps", "nan"): "--cost-bps: is nan",
    ("--side", "short"): "--side: 'short' is none of both, long",
    ("--warm-up", "after"): "--warm-up: 'after' is none of inside, before",
    ("--bootstrap", "garch"): "--bootstrap: 'garch' is none of random-walk, ar1, block",
    ("--bootstrap", "ar1", "--reps", "0"): "--reps: is 0, must be from 1 to 100000",
    ("--bootstrap", "ar1", "--seed", "-1"): "--seed: is -1, must not be negative",
    ("--from", "2050"): "--from, --to: no price lies between them; the file has 1950 to 1999",
    ("--to", "1940"): "no price lies between them",
    ("--from", "soon"): "--from: 'soon' is no date",
    ("--price", "close"): "There is no column 'close'",
    ("--price", "date"): "--price: 'date' is the column of dates",
}  # fmt: skip


@pytest.mark.parametrize("options", BAD_RULES, ids=" ".join)
def test_a_bad_rule_is_refused_by_name(options: tuple[str, ...], tmp_path: Path) -> None:
    done = rule(priced(tmp_path / "f.csv"), "--rule", "sma:1,5", *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert BAD_RULES[options] in done.stderr


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (0.0, "price: is 0 at 1959; a price is positive"),
        (-1.0, "price: is -1 at 1959"),
        (None, "price: is missing at 1959"),
        (float("inf"), "price: holds inf at 1959"),
    ],
)
def test_a_bad_price_is_refused(value: float | None, why: str, tmp_path: Path) -> None:
    prices = [*np.exp(X[:9]), value, *np.exp(X[10:])]
    done = rule(table(tmp_path / "f.csv", price=prices), "--rule", "sma:1,5")
    assert (done.exit_code, done.stdout) == (2, "")
    assert why in done.stderr
