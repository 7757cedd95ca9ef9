"""The same signals in vectorbt and backtesting.py; runs in an environment of its own, asked by lines."""

import json
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from backtesting import Backtest, Strategy

warnings.filterwarnings("ignore")
FOLDER = Path(sys.argv[1])
FEES = 0.001
TOLD = {p.stem: np.load(p) for p in FOLDER.glob("*.npy")}
DAYS = pd.date_range("1980-01-01", periods=len(TOLD["open"]))
TABLES = {name: pd.DataFrame(values, index=DAYS) for name, values in TOLD.items()}


def late(table: np.ndarray) -> np.ndarray:
    """Move decisions to the session in which they are filled."""
    return np.vstack([np.full((1, table.shape[1]), np.nan), table[:-1]])


def changes(held: np.ndarray, size: float) -> np.ndarray:
    before = np.vstack([np.zeros(held.shape[1]), held[:-1]])
    return np.where(held == before, np.nan, size * held)


LATE_TOP = pd.DataFrame(late(TOLD["top"]), index=DAYS)
LATE_CROSSOVER = pd.DataFrame(late(changes(TOLD["crossover"], 0.95)), index=DAYS)


def by_vectorbt(close: Any, size: Any, price: Any, *, shared: bool) -> Any:
    return vbt.Portfolio.from_orders(
        close,
        size=size,
        size_type="targetpercent",
        price=price,
        fees=FEES,
        init_cash=1e6,
        cash_sharing=shared,
        group_by=shared,
        call_seq="auto" if shared else "default",
        freq="D",
    )


def vectorbt_top() -> dict[str, Any]:
    begun = time.perf_counter()
    done = by_vectorbt(TABLES["close"], LATE_TOP, TABLES["open"], shared=True)
    value = done.value()
    done.max_drawdown()
    took = time.perf_counter() - begun
    path = str(FOLDER / "path.out.npy")
    np.save(path, np.asarray(value))
    count = len(done.order_records)
    return {"seconds": took, "final": float(value.iloc[-1]), "path": path, "orders": count}


def vectorbt_crossover() -> dict[str, Any]:
    begun = time.perf_counter()
    done = by_vectorbt(TABLES["close"], LATE_CROSSOVER, TABLES["open"], shared=False)
    total = done.total_return()
    done.max_drawdown()
    took = time.perf_counter() - begun
    return {"seconds": took, "final": float(total.mean()), "orders": len(done.order_records)}


def vectorbt_one(symbol: int) -> dict[str, Any]:
    close, size, price = (t[symbol] for t in (TABLES["close"], LATE_CROSSOVER, TABLES["open"]))
    done = by_vectorbt(close, size, price, shared=False)
    return {"final": float(done.value().iloc[-1])}


class Crossover(Strategy):
    """Hold 95% of equity while the fast mean is above the slow one."""

    def init(self) -> None:
        self.held = self.I(lambda: self.data.Held, plot=False)

    def next(self) -> None:
        wanted = self.held[-1]
        if wanted and not self.position:
            self.buy(size=0.95)
        elif not wanted and self.position:
            self.position.close()


def backtesting_one(symbol: int) -> dict[str, Any]:
    open_, close, held = (TOLD[n][:, symbol] for n in ("open", "close", "crossover"))
    # in units so small that whole numbers of them are fractions of shares
    unit = 1e-6
    columns = {"Open": open_, "Close": close, "High": np.maximum(open_, close)}
    frame = pd.DataFrame({**columns, "Low": np.minimum(open_, close)}, index=DAYS) * unit
    frame = frame.assign(Volume=1.0, Held=held)
    begun = time.perf_counter()
    run = Backtest(frame, Crossover, cash=1e6, commission=FEES)
    stats = run.run()
    took = time.perf_counter() - begun
    return {"seconds": took, "final": float(stats["_equity_curve"]["Equity"].iloc[-1])}


def peak() -> dict[str, Any]:
    return {"mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        answer = globals()[asked.pop("what")](**asked)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
