"""A day of live bars for 500 symbols, with two consumers that are killed in turn."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests import servers
from tests.program import Program
from tests.waiting import until

from bellwether.bootstrap import Wired, bootstrap
from bellwether.core.calendar import session_calendar
from bellwether.core.ports import BarFeed, SourceQuery
from bellwether.features.catalog import technical
from bellwether.pipelines import ingest, live, materialize
from bellwether.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SYMBOLS = [f"S{i:03d}" for i in range(500)]
LAST = date(2024, 6, 28)
HISTORY, DAYS, KILLS = 260, 2, 8
VIEW = technical().version


def market() -> pl.DataFrame:
    """Random bars with the odd split, dividend and missing session."""
    rng = np.random.default_rng(5)
    sessions = session_calendar().between(date(2023, 1, 3), LAST)[-HISTORY - DAYS :]
    n, k = len(sessions), len(SYMBOLS)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (n, k)), axis=0))
    open_ = close * np.exp(rng.normal(0, 0.01, (n, k)))
    frame = pl.DataFrame(
        {
            "symbol": SYMBOLS * n,
            "date": np.repeat(np.array(sessions, dtype="datetime64[D]"), k),
            "open": open_.ravel(),
            "high": (np.maximum(open_, close) * 1.01).ravel(),
            "low": (np.minimum(open_, close) * 0.99).ravel(),
            "close": close.ravel(),
            "volume": rng.integers(0, 10_000_000, n * k).astype(float),
            "split_ratio": rng.choice([1.0, 2.0], n * k, p=[0.998, 0.002]),
            "dividend_usd": rng.choice([0.0, 0.1], n * k, p=[0.99, 0.01]),
        }
    )
    return frame.filter(pl.Series(rng.random(n * k) > 0.003))


def filled(settings: Settings, *files: Path) -> Wired:
    wired = bootstrap(settings)
    for path in files:
        query = SourceQuery(path=str(path), label="vendor")
        ingest.run(ingest.IngestConfig("files", query), wired.ports)
    return wired


def kill_in_turn(feed: BarFeed, sent: int, **environment: str) -> list[int]:
    """Work the feed empty with two consumers, killing one and then the other; what waited then."""

    def consumer(name: str) -> Program:
        arguments = ("live", "consume", "--name", name, "--batch", "20")
        return Program("consuming as", *arguments, **environment)

    def at_most(bars: int) -> Callable[[], bool]:
        return lambda: sum(state.waiting for state in feed.states()) <= bars

    running = [consumer("one"), consumer("two")]
    left = []
    try:
        for kill in range(KILLS):
            until(at_most(sent * (KILLS - kill) // (KILLS + 1)), "bars to be consumed", 120)
            running[kill % 2].kill()
            left.append(sum(state.waiting for state in feed.states()))
            running[kill % 2] = consumer(("one", "two")[kill % 2])
        until(at_most(0), "the feed to be empty", 120)
    finally:
        codes = [program.stop() for program in running]
    assert codes == [0, 0]
    return left


def test_a_day_of_live_bars_survives_its_consumers(
    tmp_path: Path, redis_server: servers.Redis
) -> None:
    bars = market()
    live_from = bars["date"].unique().sort()[-DAYS]
    history, days = tmp_path / "history.parquet", tmp_path / "days.parquet"
    bars.filter(pl.col("date") < live_from).write_parquet(history)
    bars.filter(pl.col("date") >= live_from).write_parquet(days)
    settings = Settings(home=tmp_path / "home", redis_url=redis_server.url, redis_timeout_s=5.0)
    wired, batch = (
        filled(settings, history),
        filled(Settings(home=tmp_path / "batch"), history, days),
    )
    materialize.run(batch.ports)
    feed = wired.ports.feed
    assert feed is not None

    sent = live.publish(str(days), "vendor", wired.ports, feed).sent
    left = kill_in_turn(
        feed,
        sent,
        BELLWETHER_HOME=str(settings.home),
        BELLWETHER_REDIS_URL=redis_server.url,
        BELLWETHER_REDIS_TIMEOUT_S="5",
        BELLWETHER_LIVE_LEASE_S="1",
    )

    assert sent > 0.99 * DAYS * len(SYMBOLS)
    assert min(left) > 0
    assert len(set(left)) == KILLS
    for symbol, online in zip(SYMBOLS, wired.ports.online.get_many(SYMBOLS, VIEW), strict=True):
        built = batch.ports.online.held(symbol, VIEW)
        assert online is not None, symbol
        assert built is not None, symbol
        assert online.values == built.values, symbol
        assert (online.session, online.last_close) == (built.session, built.last_close)
    assert wired.ports.lake.bars()["revision"].to_list() == [0] * bars.height
    wired.close()
    batch.close()
