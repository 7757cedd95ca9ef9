"""What each model costs: CPU seconds to fit, bytes packed, microseconds a row.

python benchmarks/models.py [ROWS]      # 20,000 rows of 45 features by default, 20 names a day
"""

import sys
import time

import numpy as np

from bellwether.features.catalog import technical
from bellwether.models.factory import BASELINES, available, make
from bellwether.models.packed import PackedModel


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    columns = technical().model_columns
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, len(columns))).astype(np.float32)
    X[rng.random(X.shape) < 0.02] = np.nan
    y = 0.001 * np.nan_to_num(X[:, 2]).astype(float) + rng.normal(scale=0.02, size=n)
    day = np.datetime64("2000-01-03", "us") + np.arange(n) // 20 * np.timedelta64(1, "D")
    times = np.column_stack([day, day + np.timedelta64(1, "D")])
    print(f"{n:,} rows, {len(columns)} features; CPU seconds, least of the calls")
    print(f"{'model':<24}{'fit s':>8}{'kB':>8}{'1 row us':>10}{'1,000 rows us':>15}")
    for name in (*available(), *BASELINES):
        make(name, columns, seed=0, rounds=2).fit(X[:500], y[:500], None, times[:500])  # imports
        begun = time.process_time()
        content = make(name, columns, seed=0).fit(X, y, None, times).pack()
        spent = time.process_time() - begun
        packed = PackedModel(content)
        one, many = (least(packed, X[:rows]) for rows in (1, 1000))
        print(f"{name:<24}{spent:>8.2f}{len(content) / 1000:>8.0f}{one:>10.0f}{many:>15.0f}")


def least(packed: PackedModel, X: np.ndarray) -> float:
    """Return the microseconds of the fastest of many calls."""
    found = np.inf
    for _ in range(100):
        begun = time.perf_counter()
        packed.predict(X)
        found = min(found, time.perf_counter() - begun)
    return found * 1e6


if __name__ == "__main__":
    main()
