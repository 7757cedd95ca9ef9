"""What the stored predictions were worth: the report of a backtest, from what was really said."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any

import polars as pl

from bellwether.core.asof import as_of
from bellwether.core.errors import MissingRecord
from bellwether.core.ports import Ports, Progress, quiet
from bellwether.core.schemas import LABELS, check
from bellwether.features.adjust import adjust_forward
from bellwether.features.history import BAR_KEYS
from bellwether.features.labels import open_to_open
from bellwether.inference.backtest_asked import BacktestConfig
from bellwether.models.baselines import BARELY
from bellwether.pipelines.ageing import AGED
from bellwether.pipelines.backtest import BacktestReport, concluded
from bellwether.pipelines.backtest_figures import Judged

STORED = "stored"
BASELINES = ("always_up", "historical_mean", "last_value")
STANDING = ("sample_data_ends", "clock_stands_at")
CALLS = {"up": 1, "flat": 0, "down": -1}


@dataclass(frozen=True, slots=True)
class Kept:
    """Stored predictions that count, one a symbol and session, and what was left out."""

    forecasts: pl.DataFrame
    notes: tuple[str, ...]


def run(config: BacktestConfig, ports: Ports, progress: Progress = quiet) -> BacktestReport:
    """Trade and judge the predictions of one horizon as they lie in the log.

    The first prediction of a symbol and session counts, if it was made before the open from which it
    is judged. `config` says which symbols and horizon, and how it is traded; nothing is trained.

    Raises
    ------
    MissingRecord
        If no stored prediction can be judged yet.
    """
    started, watermark = ports.wall.now(), ports.lake.watermark()
    told = ports.log.forecasts(config.horizon_sessions, config.symbols)
    if watermark is None or told.height == 0:
        raise MissingRecord("prediction", "this horizon", "bellwether predict SYMBOL")
    symbols = told["symbol"].unique().sort().to_list()
    progress("Finding outcomes", 0, 1)
    series = series_of(symbols, watermark, ports)
    labels = pl.concat(
        [
            check(open_to_open(s, config.horizon_sessions, ports.calendar), LABELS)
            for s in series.values()
        ]
    ).filter(pl.col("log_return").is_not_null() & (pl.col("label_known_at") <= ports.clock.now()))
    kept = counted(told, labels)
    record = _beside_baselines(kept.forecasts, labels)
    progress("Finding outcomes", 1, 1)
    if record.height == 0:
        raise MissingRecord("outcome", "any stored prediction", "bellwether ingest")
    asked = _asked(config, symbols, record)
    judged = Judged(
        model=STORED,
        baselines=BASELINES,
        horizon_sessions=config.horizon_sessions,
        record=record,
        series={s: series[s] for s in record["symbol"].unique().sort()},
        folds=(),
        aged=pl.DataFrame(schema=AGED),
        asked=asked,
        universe=None,
        watermark=watermark,
        notes=kept.notes,
        what_if=config.what_if,
    )
    ids = json.dumps([asked, record["prediction_id"].to_list()], sort_keys=True, default=str)
    key = hashlib.sha256(ids.encode()).hexdigest()
    return concluded(judged, config, key, started, ports, progress)


def _asked(config: BacktestConfig, symbols: Sequence[str], record: pl.DataFrame) -> dict[str, Any]:
    asked = {
        k: v for k, v in config.as_json().items() if k not in ("model", "step", "window", "view")
    }
    return asked | {
        "model": STORED,
        "step": "as predicted",
        "symbols": list(symbols),
        "view": "as predicted",
        "code": ", ".join(record["release"].unique().sort().to_list()[:5]),
    }


def series_of(symbols: Sequence[str], watermark: datetime, ports: Ports) -> dict[str, pl.DataFrame]:
    """Return each symbol's adjusted series (schema SERIES) as known now; without bars it is left out."""
    found = {}
    for symbol in symbols:
        bars = ports.lake.bars([symbol]).filter(pl.col("ingested_at") <= watermark)
        known = as_of(bars, ports.clock.now(), BAR_KEYS)
        if known.height:
            found[symbol] = adjust_forward(known, ports.calendar)
    return found


def counted(told: pl.DataFrame, labels: pl.DataFrame) -> Kept:
    """Keep the first prediction of each symbol and session that was made in time.

    Parameters
    ----------
    told : DataFrame
        As `PredictionLog.forecasts` gives them.
    labels : DataFrame
        Schema LABELS, with known outcomes only.
    """
    joined = told.join(labels, on=["symbol", "session"], how="inner", maintain_order="left")
    standing = reduce(
        lambda a, b: a | b, [pl.col("degraded").str.contains(reason) for reason in STANDING]
    )
    in_time = (pl.col("recorded_at") <= pl.col("label_start")) | standing
    timely = joined.filter(in_time)
    first = timely.sort("recorded_at", "prediction_id").unique(
        ["symbol", "session"], keep="first", maintain_order=True
    )
    rehearsed = first.select(standing.sum()).item()
    counts = (
        (told.height - joined.height, "have no outcome yet"),
        (joined.height - timely.height, "were made after the open from which they are judged"),
        (timely.height - first.height, "repeat an earlier one of the same symbol and session"),
    )
    notes = [f"{n:,} of {told.height:,} predictions {why}: left out." for n, why in counts if n]
    if rehearsed:
        notes.append(
            f"{rehearsed:,} predictions were made while the platform's clock stood in the past: they "
            "are a rehearsal."
        )
    return Kept(first, tuple(notes))


def _beside_baselines(forecasts: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Lay predictions out as a record, beside what the outcomes known at each decision say."""
    known = (
        labels.sort("label_known_at")
        .with_columns(
            mean=pl.col("log_return").cum_sum() / pl.int_range(1, pl.len() + 1),
            share=(pl.col("log_return") > 0).cum_sum()
            / (pl.col("log_return") != 0).cum_sum().clip(lower_bound=1),
        )
        .select("label_known_at", "mean", "share")
        .unique("label_known_at", keep="last", maintain_order=True)
    )
    rows = forecasts.sort("decision_at", "symbol").join_asof(
        known, left_on="decision_at", right_on="label_known_at", strategy="backward"
    )
    rows = rows.with_columns(
        pl.col("mean").fill_null(0.0), pl.col("share").fill_null(0.5), fold=pl.lit(0, pl.Int32)
    )
    call = pl.col("direction").replace_strict(CALLS, return_dtype=pl.Int8)
    sides = {
        STORED: (pl.col("expected_return").log1p(), pl.col("probability_up"), call),
        "always_up": (
            pl.col("mean"),
            pl.col("share").clip(lower_bound=BARELY),
            pl.lit(1, pl.Int8),
        ),
        "historical_mean": (
            pl.col("mean"),
            pl.col("share"),
            (pl.col("share") - 0.5).sign().cast(pl.Int8),
        ),
        "last_value": (pl.lit(0.0), pl.lit(0.5), pl.lit(0, pl.Int8)),
    }
    columns = {
        f"{kind}_{name}": said
        for name, three in sides.items()
        for kind, said in zip(("forecast", "probability", "direction"), three, strict=True)
    }
    kept = (*LABELS.columns, "prediction_id", "release", "fold")
    return rows.with_columns(**columns).select(*kept, *columns)
