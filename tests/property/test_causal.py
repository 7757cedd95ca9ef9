"""What reads only the past never alarms, and what reads one session ahead always does."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwether.audit.causal import audit
from bellwether.audit.found import Panel, Subject
from bellwether.audit.hunt import Effort

SMALL = Effort(special=1, special_runs=6, staggered_runs=2, sweeps=1, clones=30, gappy_cuts=1)
SESSIONS = 320


def panel(seed: int) -> Panel:
    rng = np.random.default_rng(seed)
    days = [date(2020, 1, 1) + timedelta(days=i) for i in range(int(SESSIONS * 1.5))]
    days = [d for d in days if d.weekday() < 5][:SESSIONS]
    parts = []
    for symbol, start in (("A", 0), ("B", 0), ("C", 60)):
        n = len(days) - start
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, n)))
        parts.append(
            pl.DataFrame(
                {
                    "symbol": [symbol] * n,
                    "session": days[start:],
                    "open": close * np.exp(rng.normal(0, 0.005, n)),
                    "high": close * 1.02,
                    "low": close * 0.98,
                    "close": close,
                    "volume": np.exp(rng.normal(10, 1, n)),
                    "split_ratio": np.where(rng.random(n) < 0.01, 2.0, 1.0),
                    "dividend_usd": np.where(rng.random(n) < 0.02, 0.1, 0.0),
                    "knowledge_time": [
                        datetime(d.year, d.month, d.day, 21, tzinfo=UTC) for d in days[start:]
                    ],
                }
            )
        )
    return Panel(pl.concat(parts))


def _steps() -> dict[str, object]:
    return {
        "lag": lambda x, n: x.shift(n),
        "mean": lambda x, n: x.rolling_mean(n + 1),
        "deviation": lambda x, n: x.rolling_std(n + 2),
        "ewm": lambda x, n: x.ewm_mean(span=n + 1),
        "highest": lambda x, n: x.rolling_max(n + 1),
        "change": lambda x, n: x / x.shift(n + 1) - 1,
        "so far": lambda x, _: x.cum_max(),
        "sum": lambda x, _: x.cum_sum(),
        "filled": lambda x, _: x.forward_fill(),
        "skew": lambda x, n: x.rolling_skew(n + 4),
    }


STEPS = _steps()
columns = st.sampled_from(["open", "high", "low", "close", "volume", "split_ratio", "dividend_usd"])
chains = st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(1, 30)), max_size=3)


def built(column: str, chain: list[tuple[str, int]]) -> pl.Expr:
    value = pl.col(column).cast(pl.Float64)
    for name, n in chain:
        value = STEPS[name](value, n)  # type: ignore[operator]
    return value.over("symbol")


@settings(max_examples=12)
@given(columns, chains, st.sampled_from(["plain", "ranked"]), st.integers(0, 10_000))
def test_what_reads_the_past_never_alarms(
    column: str, chain: list[tuple[str, int]], form: str, seed: int
) -> None:
    value = built(column, chain)

    def features(p: Panel) -> pl.DataFrame:
        made = p.bars.select("symbol", "session", x=value)
        return made.with_columns(r=pl.col("x").rank().over("session")) if form == "ranked" else made

    assert audit(Subject(features), panel(seed), seed, SMALL, lambda: False).found.alarms == []


@settings(max_examples=12)
@given(st.sampled_from(["open", "close", "volume"]), st.integers(1, 80), st.integers(0, 10_000))
def test_what_reads_ahead_always_does(column: str, ahead: int, seed: int) -> None:
    value = (pl.col(column).shift(-ahead) / pl.col(column)).over("symbol")
    subject = Subject(lambda p: p.bars.select("symbol", "session", x=value))

    found = audit(subject, panel(seed), seed, SMALL, lambda: False).found

    assert {a.feature for a in found.alarms} == {"x"}
    assert found.alarms[0].ahead is not None
