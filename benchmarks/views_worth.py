"""Does a view help? Each is added to `technical` and judged out of sample on the same rows.

python benchmarks/views_worth.py                       # the sample: five symbols, 2000 to 2013
python benchmarks/views_worth.py --path PANEL.parquet --map symbol=ticker   # 40 symbols of a panel

Walk-forward: trained on what was known, packed, scored on what came. Reported is what the view
changed in squared error (share of the error without it) and in calls of the direction, with 95 %
intervals clustered by date, and with intervals for as many questions as were asked (Bonferroni).
A view helps where the latter lie above zero. Of its features, those are named that pass the test
of `evaluation/selection.py` on the past of every fold.
"""

import argparse
import json
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bellwether.bootstrap import bootstrap
from bellwether.core.ports import Ports, SourceQuery
from bellwether.core.types import Adjustment
from bellwether.evaluation.forecast import paired_accuracy
from bellwether.evaluation.intervals import clustered_mean
from bellwether.evaluation.selection import select
from bellwether.features.views import view, views
from bellwether.models.base import Forecasts
from bellwether.models.factory import make
from bellwether.models.packed import PackedModel
from bellwether.pipelines import ingest
from bellwether.pipelines.dataset import Dataset, build
from bellwether.pipelines.walk import Walk, folds_of
from bellwether.settings import Settings

BASE = "technical"
KEYS = ["symbol", "session"]
MODELS = ("lightgbm", "linear")
OTHERS = tuple(name for name in views() if name != BASE)
QUESTIONS = len(OTHERS) * len(MODELS)


def filled(args: argparse.Namespace, home: Path) -> Ports:
    """Return a platform with the bars that are asked for."""
    ports = bootstrap(Settings(home=home)).ports
    if args.path is None:
        ingest.run(ingest.IngestConfig("sample", SourceQuery()), ports)
        return ports
    frame = pl.scan_parquet(args.path).select("ticker", "date").collect()
    long = frame.group_by("ticker").len().filter(pl.col("len") >= args.least)["ticker"]
    names = sorted(long.cast(pl.String).to_list())
    order = np.random.default_rng(args.seed).permutation(len(names))[: args.symbols]
    query = SourceQuery(
        symbols=tuple(sorted(names[i] for i in order)),
        path=str(args.path),
        columns=dict(pair.split("=") for pair in args.map),
        adjusted=Adjustment(args.adjusted),
    )
    ingest.run(ingest.IngestConfig("files", query), ports)
    return ports


def on_the_same_rows(found: dict[str, Dataset]) -> dict[str, Dataset]:
    """Keep the decisions that every view can make."""
    keys = found[BASE].rows.select(KEYS)
    for data in found.values():
        keys = keys.join(data.rows.select(KEYS), on=KEYS, how="semi")
    kept = {}
    for name, data in found.items():
        both = data.rows.select(KEYS).with_row_index("at").join(keys, on=KEYS, how="semi")
        at = both["at"].to_numpy()
        kept[name] = replace(data, rows=data.rows[at], X=np.ascontiguousarray(data.X[at]))
    return kept


def scored(data: Dataset, model: str, how: Walk) -> tuple[Any, Forecasts]:
    """Return the test rows and what the model said of them."""
    rows, returns, ups = [], [], []
    for fold in folds_of(data, how):
        fitted = make(model, data.view.model_columns, seed=0).fit(
            np.ascontiguousarray(data.X[fold.train]), data.y[fold.train]
        )
        said = PackedModel(fitted.pack()).predict(np.ascontiguousarray(data.X[fold.test]))
        rows.append(fold.test)
        returns.append(said.log_return)
        ups.append(said.probability_up)
    return np.concatenate(rows), Forecasts(np.concatenate(returns), np.concatenate(ups))


def judged(y: Any, dates: Any, without: Forecasts, with_: Forecasts, lags: int) -> dict[str, Any]:
    """Compare two forecasts of the same rows; positive is better with the view."""
    base = (y - without.log_return) ** 2
    gain = (base - (y - with_.log_return) ** 2) / base.mean()
    hits = paired_accuracy(dates, y, with_.direction(), without.direction(), lags=lags)
    strict = clustered_mean(gain, dates, 1 - 0.05 / QUESTIONS, lags)
    usual = clustered_mean(gain, dates, lags=lags)
    return {
        "n": usual.n,
        "error_gain": usual.mean,
        "ci": [usual.low, usual.high],
        "ci_of_all_questions": [strict.low, strict.high],
        "hits_gain": hits.mean,
        "hits_ci": [hits.low, hits.high],
        "helps": strict.low is not None and strict.low > 0 and (hits.low or -1.0) > 0,
    }


def passing(data: Dataset, base: Dataset, how: Walk) -> dict[str, int]:
    """Count in how many folds each feature of the view passes on the training rows."""
    own = [i for i, n in enumerate(data.view.model_columns) if n not in base.view.model_columns]
    dates = data.rows["decision_at"].dt.replace_time_zone(None).to_numpy()
    counts: Counter[str] = Counter()
    for fold in folds_of(data, how):
        X = data.X[fold.train][:, own]
        for j in select(X, data.y[fold.train], dates[fold.train], most=len(own)).chosen:
            counts[data.view.model_columns[own[j]]] += 1
    return dict(counts.most_common(8))


def arguments() -> argparse.Namespace:
    """Return what is asked."""
    told = argparse.ArgumentParser()
    told.add_argument("--path", type=Path)
    told.add_argument("--symbols", type=int, default=40)
    told.add_argument("--least", type=int, default=3000, help="sessions a symbol must have")
    told.add_argument("--map", action="append", default=[])
    told.add_argument("--adjusted", default="none")
    told.add_argument("--seed", type=int, default=0)
    told.add_argument("--horizon", type=int, default=1)
    told.add_argument("--models", default=",".join(MODELS))
    told.add_argument("--views", default=",".join(OTHERS), help="score these alone")
    told.add_argument("--test-sessions", type=int, default=504)
    return told.parse_args()


def main() -> None:
    """Ask about every view at one horizon, with every model that is named."""
    args = arguments()
    others, models = args.views.split(","), args.models.split(",")
    with tempfile.TemporaryDirectory() as home:
        ports = filled(args, Path(home))
        watermark = ports.lake.watermark()
        assert isinstance(watermark, datetime)
        symbols = ports.lake.symbols()
        asked = {BASE: view(BASE)} | {n: view(f"{BASE}+{n}") for n in OTHERS}
        found = {n: build(symbols, v, args.horizon, watermark, ports) for n, v in asked.items()}
    data = on_the_same_rows(found)
    how = Walk(args.horizon, test_dates=args.test_sessions)
    lags = args.horizon - 1
    print(
        json.dumps(
            {
                "symbols": len(symbols),
                "rows": data[BASE].rows.height,
                "folds": len(folds_of(data[BASE], how)),
                "horizon": args.horizon,
            }
        )
    )
    for model in models:
        at, without = scored(data[BASE], model, how)
        rows = data[BASE].rows[at]
        dates = rows["decision_at"].dt.replace_time_zone(None).to_numpy()
        y = rows["log_return"].to_numpy()
        for name in others:
            _, with_ = scored(data[name], model, how)
            row = judged(y, dates, without, with_, lags)
            print(json.dumps({"view": name, "model": model, **row}), flush=True)
    for name in others:
        print(json.dumps({"view": name, "passes_in_folds": passing(data[name], data[BASE], how)}))


if __name__ == "__main__":
    main()
