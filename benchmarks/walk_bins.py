"""Walk forward with shared bins, beside the obvious loop that has LightGBM bin anew in each fold.

python benchmarks/walk_bins.py                           # 550,000 rows x 60 features, 5 rounds
python benchmarks/walk_bins.py --names 500 --rounds 1    # 5.5 million rows: 1.3 GB of features

The panel is a block bootstrap of the sample's feature vectors with their labels: each name strings
together blocks of 60 sessions of symbols and places drawn by lot, and every value is moved by about
a hundredth of itself, so that values differ as those of a panel do. Six folds, expanding.

`walk` is the platform's own: `pipelines.folds.score` with the model `lightgbm`, packed and scored as
ever. The loops train with the same parameters on the same rows, and score with LightGBM:

- `loop`: a `lightgbm.Dataset` for each training, as `fit` of its estimators makes one: two a fold,
  of the return and of the direction;
- `lean`: one a fold, of which both are trained.

`fit` is one `fit` of the last fold, the panel in memory, as `lean` does it. Each runs in a process
of its own, in turn; told are medians of ratios of rounds, wall and processor time, and the peak of
resident memory.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl

from bellwether.bootstrap import bootstrap
from bellwether.core.ports import SourceQuery
from bellwether.evaluation.splits import Fold, walk_forward
from bellwether.features.views import view
from bellwether.models.lgbm import LightGBM
from bellwether.pipelines import folds as folds_of_platform
from bellwether.pipelines import ingest
from bellwether.pipelines.dataset import Dataset, build
from bellwether.pipelines.folds import Place, Recipe, score
from bellwether.settings import Settings

VIEW = "technical+returns"
BLOCK = 60
LOOPS = ("loop", "lean")
START = np.datetime64("1970-01-01T21:00", "us")
DAY = np.timedelta64(1, "D")
AT_ONCE = 1 << 17


def drawn(folder: Path, names: int, sessions: int, seed: int) -> None:
    """Draw the panel, ordered by session and name, and write it into a folder."""
    with tempfile.TemporaryDirectory() as home:
        ports = bootstrap(Settings(home=Path(home))).ports
        ingest.run(ingest.IngestConfig("sample", SourceQuery()), ports)
        base = build(ports.lake.symbols(), view(VIEW), 1, ports.lake.watermark(), ports)
    order = base.rows.with_row_index("at").sort("symbol", "session")["at"].to_numpy()
    X, y = base.X[order], base.y[order]
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, len(X) - BLOCK, size=(names, -(-sessions // BLOCK)))
    at = (starts[:, :, None] + np.arange(BLOCK)).reshape(names, -1)[:, :sessions].T.ravel()
    wide = np.lib.format.open_memmap(
        folder / "X.npy", "w+", dtype=np.float32, shape=(len(at), X.shape[1])
    )
    for i in range(0, len(at), AT_ONCE):
        some = X[at[i : i + AT_ONCE]]
        wide[i : i + AT_ONCE] = some * (1 + 0.01 * rng.standard_normal(some.shape, np.float32))
    wide.flush()
    np.save(folder / "y.npy", np.where(y == 0, 1e-9, y)[at])  # each row tells a direction


def panel(folder: Path, names: int, folds: int) -> tuple[Dataset, list[Fold]]:
    """Return the panel as the platform holds one, and its folds."""
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    sessions = len(X) // names
    day = START + np.arange(sessions) * DAY
    decided = np.repeat(day, names)
    rows = pl.DataFrame(
        {
            "session": decided.astype("datetime64[D]"),
            "decision_at": decided,
            "label_known_at": decided + DAY,
            "log_return": y,
        }
    ).with_columns(pl.col("decision_at", "label_known_at").dt.replace_time_zone("UTC"))
    block = sessions // (folds + 1)
    cut = walk_forward(
        decided, decided + DAY, min_train_dates=sessions - folds * block, test_dates=block
    )
    return Dataset(view(VIEW), rows, X, {}), cut


def model() -> LightGBM:
    """Return the model of both: the platform's, with as many trees and threads as are asked for."""
    args = arguments()
    return LightGBM(seed=0, n_trees=args.trees, threads=args.threads)


def walk(data: Dataset, folds: list[Fold]) -> list[Any]:
    """Walk as the platform does."""
    folds_of_platform.make = lambda *_, **__: model()
    recipe = Recipe(("lightgbm",), tuple(data.view.model_columns), 0)
    scored = score(data, folds, recipe, Place(), lambda *_: None, "")
    return [s.told.to_numpy() for s in scored]


def trained(X: Any, y: Any, train: Any, *, lean: bool) -> tuple[Any, Any]:
    """Train on the rows of one fold, which are the first of the panel."""
    how = model()
    params, n_trees = how._params, how._trees  # noqa: SLF001 - the very same
    seen = X[: len(train)]
    assert train[-1] == len(train) - 1
    data = lgb.Dataset(seen, y[train], params=params)
    first = lgb.train({**params, "objective": "regression"}, data, n_trees)
    up = (y[train] > 0).astype(float)
    if lean:
        data.set_label(up)
    else:
        data = lgb.Dataset(seen, up, params=params)
    return first, lgb.train({**params, "objective": "binary"}, data, n_trees)


def loop(data: Dataset, folds: list[Fold], *, lean: bool) -> list[Any]:
    """Walk as one would with LightGBM alone."""
    said = []
    for fold in folds:
        first, second = trained(data.X, data.y, fold.train, lean=lean)
        test = data.X[fold.test]
        said.append(np.column_stack([first.predict(test), second.predict(test)]))
    return said


def fit(data: Dataset, folds: list[Fold]) -> list[Any]:
    """Fit the last fold, and nothing else."""
    trained(data.X, data.y, folds[-1].train, lean=True)
    return []


def alone(side: str, folder: Path, names: int, n_folds: int) -> dict[str, Any]:
    """Run one side in this process, and tell what it took."""
    data, folds = panel(folder, names, n_folds)
    run = {"walk": walk, "loop": partial(loop, lean=False), "lean": partial(loop, lean=True)}
    begun, spent = time.perf_counter(), time.process_time()
    said = {**run, "fit": fit}[side](data, folds)
    wall, cpu = time.perf_counter() - begun, time.process_time() - spent
    told = {
        "side": side,
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "peak_mb": peak_mb(),
    }
    if said:
        y = data.y[np.concatenate([fold.test for fold in folds])]
        forecast = np.vstack(said)[:, 0]
        told["r2"] = round(float(1 - ((y - forecast) ** 2).sum() / (y**2).sum()), 6)
    return told


def peak_mb() -> int:
    """Return the most memory that was resident; `ru_maxrss` would count the parent's too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def ratios(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return medians of the walk's share of each loop's time, and of its memory over one fit's."""
    told: dict[str, Any] = {
        f"walk/{other} {what}": round(
            float(np.median([r["walk"][what] / r[other][what] for r in rounds])), 3
        )
        for other in rounds[0]
        if other in LOOPS
        for what in ("wall_s", "cpu_s")
    }
    peaks = {side: np.median([r[side]["peak_mb"] for r in rounds]) for side in ("walk", "fit")}
    return told | {"walk/fit peak": round(float(peaks["walk"] / peaks["fit"]), 3)}


def arguments() -> argparse.Namespace:
    """Return what is asked."""
    told = argparse.ArgumentParser()
    told.add_argument("--names", type=int, default=50)
    told.add_argument("--sessions", type=int, default=11_000)
    told.add_argument("--folds", type=int, default=6)
    told.add_argument("--rounds", type=int, default=5)
    told.add_argument("--sides", default=",".join(("walk", *LOOPS, "fit")))
    told.add_argument("--trees", type=int, default=200)
    told.add_argument("--threads", type=int, default=1)
    told.add_argument("--seed", type=int, default=0)
    told.add_argument(
        "--alone", help="one side, in this process", nargs=2, metavar=("SIDE", "FOLDER")
    )
    return told.parse_args()


def main() -> None:
    """Draw the panel once; run the sides in turn, each in its own process."""
    args = arguments()
    if args.alone:
        side, folder = args.alone
        print(json.dumps(alone(side, Path(folder), args.names, args.folds)))
        return
    sides, rounds = args.sides.split(","), []
    with tempfile.TemporaryDirectory() as folder:
        drawn(Path(folder), args.names, args.sessions, args.seed)
        shape = np.load(Path(folder) / "X.npy", mmap_mode="r").shape
        print(json.dumps({"rows": shape[0], "features": shape[1], "folds": args.folds}), flush=True)
        size = [f"--{n}={getattr(args, n)}" for n in ("names", "folds", "trees", "threads")]
        for at in range(args.rounds):
            found = {}
            for side in sides if at % 2 == 0 else sides[::-1]:
                command = [sys.executable, __file__, "--alone", side, folder, *size]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                found[side] = json.loads(done.stdout.splitlines()[-1])
                print(json.dumps(found[side]), flush=True)
            rounds.append(found)
    print(json.dumps(ratios(rounds)))


if __name__ == "__main__":
    main()
