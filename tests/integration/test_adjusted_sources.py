"""Bars that arrive adjusted: what they cannot tell is refused by name, from the file to the answer."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest
from tests.served import served
from typer.testing import CliRunner

from bellwether.bootstrap import bootstrap
from bellwether.cli.main import app
from bellwether.core.asof import as_of
from bellwether.core.calendar import session_calendar
from bellwether.core.clock import FixedClock
from bellwether.core.errors import InvalidRequest, MissingRecord, StorageError, UnknownName
from bellwether.core.ports import Ports, SourceQuery
from bellwether.core.types import PredictionRequest
from bellwether.features.adjust import adjust_forward, bars_in_order
from bellwether.features.catalog import technical
from bellwether.features.history import BAR_KEYS, feature_frame
from bellwether.features.labels import open_to_open
from bellwether.features.stream import StreamEngine
from bellwether.inference.service import PredictionService
from bellwether.models.explain import contributions
from bellwether.models.factory import make
from bellwether.models.packed import PackedModel
from bellwether.pipelines import export, ingest, materialize, replay, train
from bellwether.pipelines.dataset import build
from bellwether.settings import Settings
from bellwether.sources.files import FilesSource

CLOSE = session_calendar().close_of(date(2013, 3, 1))
NEEDS_VOLUME = ("mfi_14", "obv_slope_20", "ad_slope_20", "volume_ratio_20", "vwap_distance_20")
TIES = ("di_spread_14", "adx_14", "aroon_25")  # they ask whether two moves are equal
LEVELS = ("sma_20", "ema_26", "bollinger_upper", "bollinger_lower", "atr_14")


def wired(home: Path) -> Ports:
    made = bootstrap(Settings(home=home)).ports
    return replace(made, clock=FixedClock(CLOSE))


def told(ports: Ports, path: Path, adjusted: str) -> ingest.IngestReport:
    query = SourceQuery(path=str(path), adjusted=adjusted)
    return ingest.run(ingest.IngestConfig("files", query), ports)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    ports = wired(tmp_path_factory.mktemp("raw"))
    query = SourceQuery(("AAPL", "FB", "IBM", "MSFT"), first=date(2004, 7, 1))
    ingest.run(ingest.IngestConfig("sample", query), ports)
    yield ports
    ports.log.close()


@pytest.fixture(scope="module")
def mixed(raw: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """Microsoft as traded, Apple adjusted for splits, IBM for both."""
    folder = tmp_path_factory.mktemp("mixed")
    for symbol, how in (("MSFT", "none"), ("AAPL", "splits"), ("IBM", "total")):
        config = export.ExportConfig(folder / f"{symbol}.parquet", (symbol,), how)
        export.run(config, raw)
    ports = wired(folder / "home")
    for symbol, how in (("MSFT", "none"), ("AAPL", "splits"), ("IBM", "total")):
        report = told(ports, folder / f"{symbol}.parquet", how)
        assert (report.added, report.rejected) == (2182, 0)
        assert [r for r in report.remarks if "adjusted" in r.reason] == []
    materialize.run(ports)
    asked = train.TrainConfig(model="linear", against=(), each=False, test_sessions=800)
    train.run(asked, ports)
    yield ports
    ports.log.close()


def features_of(symbol: str, ports: Ports) -> pl.DataFrame:
    watermark = ports.lake.watermark()
    assert watermark is not None
    return materialize.features_of(symbol, technical(), watermark, ports)


@pytest.mark.parametrize(("symbol", "refused"), [("MSFT", 0), ("AAPL", 7), ("IBM", 12)])
def test_refused_features_are_missing_in_all_sessions_and_no_other_is(
    raw: Ports, mixed: Ports, symbol: str, refused: int
) -> None:
    """What is left is what as-traded bars give, since ratios survive every adjustment."""
    plain, adjusted = features_of(symbol, raw), features_of(symbol, mixed)
    missing = [c for c in technical().columns if adjusted[c].is_nan().all()]

    assert len(missing) == refused
    for name in set(technical().columns) - set(missing):
        near = np.isclose(adjusted[name], plain[name], rtol=1e-6, atol=1e-9, equal_nan=True)
        assert near.mean() > (0.9 if name in TIES else 0.999999), name
    if symbol == "MSFT":
        assert adjusted.select(technical().columns).equals(plain.select(technical().columns))
    if symbol == "IBM":
        assert set(missing) == {*NEEDS_VOLUME, *LEVELS, "obv", "vwap_20"}


@pytest.mark.parametrize("symbol", ["MSFT", "AAPL", "IBM"])
def test_history_and_stream_agree_to_the_bit(mixed: Ports, symbol: str) -> None:
    history = features_of(symbol, mixed).select(technical().columns).to_numpy()
    engine = StreamEngine(technical(), mixed.calendar)
    bars = bars_in_order(as_of(mixed.lake.bars([symbol]), CLOSE, BAR_KEYS))

    streamed = np.vstack([engine.push(bar) for bar in bars])

    assert np.ascontiguousarray(history).tobytes() == streamed.tobytes()


def test_reports_name_what_is_refused_and_to_how_many(mixed: Ports) -> None:
    built = materialize.run(mixed)
    outcome = json.loads(mixed.ledger.runs()[0].outcome)

    found = {(r.adjustment, r.need): (r.symbols, r.features) for r in built.refused}
    assert found["total", "volume"][0] == ("IBM",)
    assert set(found["total", "volume"][1]) >= set(NEEDS_VOLUME)
    assert found["splits", "price levels"] == (("AAPL",), (*LEVELS[:4], "vwap_20", "atr_14"))
    assert found["splits", "volume levels"] == (("AAPL",), ("obv",))
    assert any("1 symbol (IBM)" in line and "mfi_14" in line for line in built.lines())
    assert {(r["adjustment"], r["need"]) for r in outcome["refused"]} == set(found)
    again = train.run(
        train.TrainConfig(model="linear", against=(), each=False, test_sessions=800), mixed
    )
    assert again.reused
    assert any("mfi_14" in line for line in again.lines())


def test_training_keeps_the_rows_and_leaves_holes(mixed: Ports) -> None:
    watermark = mixed.lake.watermark()
    assert watermark is not None
    data = build(["IBM", "MSFT"], technical(), 1, watermark, mixed)
    columns = list(technical().model_columns)
    holes = np.isnan(data.X).any(axis=1)

    assert set(data.rows.filter(pl.Series(holes))["symbol"]) == {"IBM"}
    assert {columns[i] for i in np.flatnonzero(np.isnan(data.X).any(axis=0))} == set(NEEDS_VOLUME)
    assert (data.rows["symbol"] == "IBM").sum() == (data.rows["symbol"] == "MSFT").sum()


@pytest.mark.parametrize("symbols", [("IBM", "MSFT"), ("IBM",)])
@pytest.mark.parametrize("model", ["lightgbm", "xgboost", "linear"])
def test_every_model_learns_from_holes_and_explains_them(
    mixed: Ports, model: str, symbols: tuple[str, ...]
) -> None:
    watermark = mixed.lake.watermark()
    assert watermark is not None
    data = build(symbols, technical(), 1, watermark, mixed)
    X, y = np.ascontiguousarray(data.X[-1500:]), data.y[-1500:]
    fitted = make(model, technical().model_columns, seed=0).fit(X, y)
    row = X[np.isnan(X).any(axis=1)][-1]

    said = PackedModel(fitted.pack()).predict(row.reshape(1, -1))
    base, shares = contributions(fitted.explainer(), row)

    assert abs(base + shares.sum() - said.log_return[0]) < 1e-6


def test_a_series_whose_adjustment_changes_ends_there(raw: Ports) -> None:
    """In both engines and in the labels, and nothing before it is touched."""
    bars = as_of(raw.lake.bars(["IBM"]), CLOSE, BAR_KEYS).head(200)
    later = pl.int_range(pl.len()) >= 150
    broken = bars.with_columns(
        adjustment=pl.when(later).then(pl.lit("total")).otherwise("adjustment")
    )
    view, calendar = technical(), raw.calendar
    series = adjust_forward(broken, calendar)
    engine = StreamEngine(view, calendar)

    history = feature_frame(view, series).select(view.columns).to_numpy()
    plain = feature_frame(view, adjust_forward(bars, calendar)).select(view.columns).to_numpy()
    streamed = np.vstack([engine.push(bar) for bar in bars_in_order(broken)])
    labels = open_to_open(series, 1, calendar)["log_return"]

    assert np.ascontiguousarray(history).tobytes() == streamed.tobytes()
    assert history[:150].tobytes() == plain[:150].tobytes()
    assert np.isnan(history[150:]).all()
    assert (labels.head(148).null_count(), labels.tail(52).null_count()) == (0, 52)


def test_answers_say_so_and_replay(mixed: Ports) -> None:
    service = PredictionService(mixed)

    ibm = asyncio.run(service.answer(PredictionRequest("IBM", explain=True)))
    apple = asyncio.run(service.answer(PredictionRequest("AAPL")))
    msft = asyncio.run(service.answer(PredictionRequest("MSFT")))

    lacking = {"features_refused_adjusted_source", "price_level_is_adjusted"}
    assert lacking <= set(ibm.degraded)
    assert lacking <= set(apple.degraded)
    assert not lacking & set(msft.degraded)
    assert {n for n, x in ibm.features.items() if x is None} == set(NEEDS_VOLUME)
    assert None not in apple.features.values()
    assert ibm.explanation is not None
    assert abs(sum(ibm.explanation.values()) - np.log1p(ibm.expected_return)) < 1e-6
    assert {ibm.explanation[n] for n in NEEDS_VOLUME} == {0.0}
    assert replay.run(mixed, limit=3).mismatches == ()


def test_a_missing_feature_is_null_over_http(mixed: Ports) -> None:
    with (
        served(PredictionService(mixed)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        answer = client.post("/predict", json={"symbol": "IBM", "explain": True}).json()
        stored = client.get(f"/predictions/{answer['prediction_id']}").json()
        shown = client.get("/feature-store/features/IBM").json()

    for features in (answer["features"], stored["features"], shown["features"]):
        assert features["mfi_14"] is None
        assert features["rsi_14"] is not None
    assert "price_level_is_adjusted" in shown["degraded"]


def test_the_newest_features_of_one_symbol(mixed: Ports) -> None:
    row = materialize.newest("IBM", mixed)

    assert row["sma_20"] is None
    assert "IBM" in str(row["refused"])
    assert "refused" not in materialize.newest("MSFT", mixed)


def test_a_symbol_keeps_one_adjustment(mixed: Ports, tmp_path: Path) -> None:
    config = export.ExportConfig(tmp_path / "a.csv", ("MSFT",), "total")
    export.run(config, mixed)

    report = told(mixed, tmp_path / "a.csv", "total")

    assert (report.accepted, report.reasons) == (0, {"mixed_adjustment": 2182})
    assert "a source keeps one adjustment" in report.rejections[0].detail


SPLITTING = [(f"2024-01-{d:02}", 100.0 if d < 10 else 50.0) for d in (2, 3, 4, 5, 8, 9, 10, 11)]


def written(path: Path, rows: list[tuple[str, float]], **columns: dict[str, float]) -> Path:
    head = ",".join(["date,open,high,low,close,volume", *columns])
    lines = [
        ",".join([d, *[str(p)] * 4, "10", *(str(c.get(d, 0)) for c in columns.values())])
        for d, p in rows
    ]
    path.write_text("\n".join([head, *lines]))
    return path


def remarks(path: Path, adjusted: str) -> set[str]:
    query = SourceQuery(path=str(path), adjusted=adjusted)
    return {r.reason for r in FilesSource().read(query, CLOSE.replace(year=2026)).remarks}


def test_prices_that_speak_against_what_is_said_are_remarked(tmp_path: Path) -> None:
    flat = [(day, 50.0) for day, _ in SPLITTING]
    split = {"2024-01-10": 2.0}
    steps = written(tmp_path / "steps.csv", SPLITTING, split_ratio=split)
    smooth = written(tmp_path / "smooth.csv", flat, split_ratio=split)

    assert remarks(steps, "none") == set()
    assert remarks(smooth, "none") == {"looks_adjusted"}
    assert remarks(smooth, "splits") == set()
    assert remarks(steps, "splits") == {"looks_unadjusted"}
    assert remarks(steps, "total") == {"looks_unadjusted"}


def test_reverse_splits_are_judged_too(tmp_path: Path) -> None:
    rows = [(day, 10.0 if price == 100.0 else 40.0) for day, price in SPLITTING]
    steps = written(tmp_path / "steps.csv", rows, split_ratio={"2024-01-10": 0.25})

    assert remarks(steps, "none") == set()
    assert remarks(steps, "total") == {"looks_unadjusted"}


def test_dividends_of_their_day_beside_split_adjusted_prices(tmp_path: Path) -> None:
    flat = [(day, 50.0) for day, _ in SPLITTING]
    split = {"2024-01-10": 2.0}
    wrong = {"2024-01-03": 1.0, "2024-01-11": 0.5}
    right = {"2024-01-03": 0.5, "2024-01-11": 0.5}
    told_wrong = written(tmp_path / "w.csv", flat, split_ratio=split, dividend=wrong)
    told_right = written(tmp_path / "r.csv", flat, split_ratio=split, dividend=right)

    assert remarks(told_wrong, "splits") == {"dividends_look_unadjusted"}
    assert remarks(told_right, "splits") == set()


def test_an_adjusted_close_beside_prices_said_to_be_adjusted(tmp_path: Path) -> None:
    other = {day: 40.0 for day, _ in SPLITTING}
    same = dict(SPLITTING)
    off = written(tmp_path / "off.csv", SPLITTING[:6], adj_close=other)
    fine = written(tmp_path / "fine.csv", SPLITTING[:6], adj_close=same)

    assert remarks(off, "total") == {"looks_unadjusted"}
    assert remarks(fine, "total") == set()


def test_a_dividend_that_eats_the_close_before_is_rejected(tmp_path: Path) -> None:
    path = written(tmp_path / "d.csv", SPLITTING[:5], dividend={"2024-01-04": 100.0})
    until = CLOSE.replace(year=2026)

    batch = FilesSource().read(SourceQuery(path=str(path)), until)
    shipped = FilesSource().read(SourceQuery(path=str(path), adjusted="total"), until)

    assert [r.reason for r in batch.rejections] == ["bad_dividend"]
    assert shipped.rejections == ()


@pytest.mark.parametrize("source", ["files", "sample"])
def test_an_adjustment_that_does_not_exist(raw: Ports, tmp_path: Path, source: str) -> None:
    path = written(tmp_path / "a.csv", SPLITTING)
    query = SourceQuery(path=str(path), adjusted="dividends")

    with pytest.raises(InvalidRequest, match="--adjusted"):
        ingest.run(ingest.IngestConfig(source, query), raw)


def test_export_is_as_of_its_date(raw: Ports, tmp_path: Path) -> None:
    """Apple split two for one on 2005-02-28, and closed at 32.30 on the first day here."""
    closes = {}
    for day in (date(2005, 2, 25), date(2005, 3, 6), date(2013, 3, 1)):
        out = tmp_path / f"{day}.csv"
        report = export.run(export.ExportConfig(out, ("AAPL",), as_of=day), raw)
        assert report.as_of <= day
        closes[day] = pl.read_csv(out)["close"][0]

    assert closes[date(2005, 2, 25)] == 32.30
    assert closes[date(2005, 3, 6)] == 32.30 / 2
    assert 32.30 / 2 * 0.95 < closes[date(2013, 3, 1)] < 32.30 / 2


def test_export_refuses_with_words(raw: Ports, mixed: Ports, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    wrong = {
        "--adjust": export.ExportConfig(out, ("IBM",), "dividends"),
        "--reinvest": export.ExportConfig(out, ("IBM",), reinvest="never"),
        "--out": export.ExportConfig(tmp_path / "a.xls", ("IBM",)),
        "after the last closed": export.ExportConfig(out, ("IBM",), as_of=date(2013, 3, 2)),
        "before the calendar": export.ExportConfig(out, ("IBM",), as_of=date.min),
    }
    for words, config in wrong.items():
        with pytest.raises(InvalidRequest, match=words):
            export.run(config, raw)
    with pytest.raises(InvalidRequest, match="--adjust: IBM: none"):
        export.run(export.ExportConfig(out, ("IBM",), "none"), mixed)
    with pytest.raises(InvalidRequest, match="--as-of: IBM"):
        export.run(export.ExportConfig(out, ("IBM",), as_of=date(2012, 1, 3)), mixed)
    with pytest.raises(UnknownName):
        export.run(export.ExportConfig(out, ("NONE",)), raw)
    with pytest.raises(MissingRecord):
        export.run(export.ExportConfig(out, ("FB",), as_of=date(2001, 1, 3)), raw)
    with pytest.raises(StorageError):
        export.run(export.ExportConfig(tmp_path / "no" / "a.csv", ("FB",)), raw)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_HOME", str(tmp_path / "home"))
    path = written(tmp_path / "abc.csv", SPLITTING, split_ratio={"2024-01-10": 2.0})
    run = CliRunner()

    done = run.invoke(app, ["ingest", "files", "--path", str(path), "--adjusted", "total"])
    assert done.exit_code == 0, done.output
    assert "prices step at 1 of 1 told splits" in done.output
    out = tmp_path / "out.csv"
    asked = ["lake", "export", "abc", "--out", str(out)]
    assert run.invoke(app, asked).exit_code == 0
    assert pl.read_csv(out)["adjustment"].unique().to_list() == ["total"]
    refused = run.invoke(app, [*asked, "--adjust", "none"])
    assert (refused.exit_code, "cannot be known" in refused.output) == (2, True)
    assert run.invoke(app, ["lake", "export", ",", "--out", str(out)]).exit_code == 2
