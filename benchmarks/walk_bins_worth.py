"""Do shared bins cost accuracy? A walk forward with cut points of old rows, beside one that cuts anew.

python benchmarks/walk_bins_worth.py                       # the sample: five symbols, 2000 to 2013
python benchmarks/walk_bins_worth.py --path PANEL.parquet --map symbol=ticker   # symbols of a panel

Both go through the walk forward of the platform: all folds at once, so that they share bins where
they may, and fold by fold, so that each cuts the rows that it trains on. Reported is what sharing
changed in squared error (share of the error without it, positive is better with it) and in calls of
the direction, with 95 % intervals clustered by date, seed by seed and over the mean of seeds. No
worse is said with a margin: the interval's lower end has to lie above minus MARGIN.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bellwether.evaluation.forecast import paired_accuracy
from bellwether.evaluation.intervals import clustered_mean
from bellwether.evaluation.splits import Fold
from bellwether.features.views import view
from bellwether.models import cuts
from bellwether.pipelines.dataset import Dataset, build
from bellwether.pipelines.folds import Place, Recipe, score
from bellwether.pipelines.walk import Walk, folds_of
from views_worth import filled

MARGIN = 0.0005


def arguments() -> argparse.Namespace:
    """Return what is asked."""
    told = argparse.ArgumentParser()
    told.add_argument("--path", type=Path)
    told.add_argument("--symbols", type=int, default=40)
    told.add_argument("--least", type=int, default=3000, help="sessions a symbol must have")
    told.add_argument("--map", action="append", default=[])
    told.add_argument("--adjusted", default="none")
    told.add_argument("--seed", type=int, default=0, help="of the choice of symbols")
    told.add_argument("--seeds", type=int, default=3, help="of the model")
    told.add_argument("--view", default="technical+returns")
    told.add_argument("--first-sessions", type=int, default=504)
    told.add_argument("--test-sessions", type=int, default=504)
    told.add_argument("--least-share", type=int, default=cuts.LEAST_SHARE)
    told.add_argument("--workers", type=int, default=1)
    return told.parse_args()


def said(data: Dataset, folds: list[Fold], seed: int, place: Place, *, apart: bool) -> Any:
    """Return forecast and probability of all test rows, of shape (n, 2)."""
    recipe = Recipe(("lightgbm",), tuple(data.view.model_columns), seed)
    walks = [[fold] for fold in folds] if apart else [folds]
    scored = [s for walk in walks for s in score(data, walk, recipe, place, lambda *_: None, "")]
    return np.vstack([s.told.to_numpy() for s in scored])


def judged(y: Any, dates: Any, anew: Any, shared: Any) -> dict[str, Any]:
    """Compare two walks on the same rows; positive is better with shared bins."""
    base = (y - anew[:, 0]) ** 2
    error = clustered_mean((base - (y - shared[:, 0]) ** 2) / base.mean(), dates)
    calls = [np.sign(told[:, 1] - 0.5).astype(np.int8) for told in (shared, anew)]
    hits = paired_accuracy(dates, y, *calls)
    return {
        "n": error.n,
        "r2_anew": float(1 - base.sum() / (y**2).sum()),
        "error_gain": error.mean,
        "ci": [error.low, error.high],
        "no_worse": bool(error.low is not None and error.low > -MARGIN),
        "hits_gain": hits.mean,
        "hits_ci": [hits.low, hits.high],
    }


def main() -> None:
    """Walk both ways with every seed."""
    args = arguments()
    with tempfile.TemporaryDirectory() as home:
        ports = filled(args, Path(home))
        data = build(ports.lake.symbols(), view(args.view), 1, ports.lake.watermark(), ports)
    how = Walk(1, min_train_dates=args.first_sessions, test_dates=args.test_sessions)
    folds, place = folds_of(data, how), Place(args.workers)
    tested = np.concatenate([fold.test for fold in folds])
    dates = data.rows["decision_at"].dt.replace_time_zone(None).to_numpy()[tested]
    y = data.y[tested]
    cuts.LEAST_SHARE = args.least_share
    drawn = cuts.drawn_from(data.X, [fold.train for fold in folds])
    head = {"rows": len(data.X), "features": data.X.shape[1], "cut_points_of_fold": drawn}
    print(json.dumps(head), flush=True)
    both = []
    for seed in range(args.seeds):
        both.append([said(data, folds, seed, place, apart=apart) for apart in (True, False)])
        print(json.dumps({"seed": seed, **judged(y, dates, *both[-1])}), flush=True)
    mean = np.mean(both, axis=0)
    print(json.dumps({"seeds": "mean forecast", **judged(y, dates, *mean)}))


if __name__ == "__main__":
    main()
