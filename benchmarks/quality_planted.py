"""Plant faults of every kind into made panels and print recall and precision by kind.

.venv/bin/python benchmarks/quality_planted.py [--seeds 4] [--each 12]
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.plant import adjusted, market_panel, plant
from tests.planted import Score, score

from bellwether.core.calendar import session_calendar
from bellwether.quality import inspect


def main() -> None:
    """Print one table for unadjusted and one for adjusted prices."""
    told = argparse.ArgumentParser()
    told.add_argument("--seeds", type=int, default=4)
    told.add_argument("--each", type=int, default=12, help="faults of each kind and panel")
    options = told.parse_args()
    for total in (False, True):
        sums: dict[str, list[int]] = {}
        rows, spent = 0, 0.0
        for seed in range(100, 100 + options.seeds):
            bars, _ = market_panel(seed)
            bars, key = plant(adjusted(bars) if total else bars, seed + 1000, options.each)
            begin = time.process_time()
            found = score(inspect(bars, session_calendar()), key)
            spent += time.process_time() - begin
            rows += bars.height
            for kind, s in found.items():
                old = sums.setdefault(kind, [0, 0, 0, 0])
                sums[kind] = [
                    a + b for a, b in zip(old, (s.planted, s.found, s.flags, s.right), strict=True)
                ]
        print(
            f"\n{'adjusted' if total else 'unadjusted'} prices: {rows} bars, {spent:.1f} s of processor"
        )
        print("| kind | planted | recall | flags | precision |\n|---|---|---|---|---|")
        for kind, numbers in sorted(sums.items(), key=lambda item: (item[0] == "all", item[0])):
            s = Score(*numbers)
            print(f"| {kind} | {s.planted} | {s.recall:.2f} | {s.flags} | {s.precision:.2f} |")


if __name__ == "__main__":
    main()
