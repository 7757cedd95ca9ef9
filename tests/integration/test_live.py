"""Live bars reach the lake and the online store, with the bits that a batch build gives."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
import redis
from tests import servers
from tests.feeds import FeedRoom, MemoryFeed
from typer.testing import CliRunner

from bellwether.bootstrap import Wired, bootstrap
from bellwether.cli.main import app
from bellwether.core.ports import LakeBatch, ReleaseRow, RunRow, SourceQuery
from bellwether.core.types import FeatureVector
from bellwether.features.catalog import FeatureView, technical
from bellwether.features.history import as_known, newest_vector
from bellwether.features.views import view
from bellwether.pipelines import ingest
from bellwether.pipelines.live import LiveConsumer
from bellwether.settings import Settings
from bellwether.telemetry import LIVE_VECTORS

SYMBOLS = ("AAPL", "FB", "IBM")
UNTIL = date(2013, 2, 14)
VIEW = technical()
Row = dict[str, object]


class Live:
    """A platform with history up to `UNTIL`, and a feed to send it more."""

    def __init__(self, wired: Wired) -> None:
        self.ports = wired.ports
        self.room = FeedRoom(shards=4, capacity=10_000, lease_s=60.0)
        self.sender = MemoryFeed(self.room)
        sample = self.ports.sources["sample"].read(
            SourceQuery(symbols=SYMBOLS), self.ports.wall.now()
        )
        self.rest = sample.bars.filter(pl.col("session") > UNTIL)
        self.days = self.rest["session"].unique().sort().to_list()

    def rows(self, day: date) -> list[Row]:
        told = self.rest.filter(pl.col("session") == day)
        columns = ("open", "high", "low", "close", "volume", "split_ratio", "dividend_usd")
        rows = told.select("symbol", pl.col("session").cast(pl.String).alias("date"), *columns)
        return [{**row, "source": "sample"} for row in rows.iter_rows(named=True)]

    def send(self, *rows: Row | bytes) -> None:
        for row in rows:
            body = row if isinstance(row, bytes) else json.dumps(row).encode()
            symbol = "AAPL" if isinstance(row, bytes) else str(row.get("symbol"))
            self.sender.publish([(symbol, body)])

    def consumer(self, name: str = "one") -> "Consumer":
        return Consumer(self, name)

    def batch(self, symbol: str, read: FeatureView = VIEW) -> FeatureVector:
        bars = self.ports.lake.bars([symbol])
        frame = as_known(read, bars, self.ports.calendar, self.ports.clock.now())
        mark = self.ports.lake.watermark()
        assert mark is not None
        return newest_vector(read, frame, mark)

    def online(self, symbol: str, read: FeatureView = VIEW) -> FeatureVector:
        vector = self.ports.online.held(symbol, read.version)
        assert vector is not None
        return vector

    def check(self, *symbols: str, read: FeatureView = VIEW) -> None:
        for symbol in symbols or SYMBOLS:
            online, batch = self.online(symbol, read), self.batch(symbol, read)
            assert (online.session, online.last_close) == (batch.session, batch.last_close)
            assert online.values == batch.values, symbol


class Consumer:
    """One consumer, which works until the feed is empty."""

    def __init__(self, live: Live, name: str) -> None:
        self.feed = MemoryFeed(live.room)
        self._live = live
        self._consumer = LiveConsumer(live.ports, self.feed, name, every_s=3600.0)

    def drain(self) -> None:
        rounds = itertools.count()
        self._consumer.run(lambda: next(rounds) > 0 and not self._waits(), lambda _: None)

    def _waits(self) -> bool:
        return any(state.waiting for state in self.feed.states())


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    wired = bootstrap(Settings(home=tmp_path, clock="system"))
    query = SourceQuery(symbols=SYMBOLS, last=UNTIL)
    ingest.run(ingest.IngestConfig("sample", query), wired.ports)
    yield Live(wired)
    wired.close()


def pushed() -> float:
    return sum(
        s.value
        for f in LIVE_VECTORS.collect()
        for s in f.samples
        if s.labels.get("how") == "pushed" and s.name.endswith("_total")
    )


def test_new_bars_are_pushed_and_equal_the_batch(live: Live) -> None:
    consumer = live.consumer()
    consumer.drain()
    before = pushed()
    for day in live.days[:4]:
        live.send(*live.rows(day))
        consumer.drain()
        live.check()
    live.send(*(row for day in live.days[4:] for row in live.rows(day)))  # sessions in one batch
    consumer.drain()
    live.check()
    assert pushed() - before == 5 * len(SYMBOLS)
    assert {row.source for row in live.ports.ledger.ingestions()} == {"sample", "live"}


def released(live: Live, name: str, *symbols: str) -> None:
    """Record a release of a view, as training does."""
    now, read = live.ports.wall.now(), view(name)
    run = RunRow(name, name, now, now, now, json.dumps({"view": read.version}), "{}", mirrored=True)
    row = ReleaseRow(name, name, now, "linear", "panel", len(name), symbols)
    live.ports.ledger.record_run(run, [row])


def test_one_push_feeds_every_view_that_a_release_reads(live: Live) -> None:
    released(live, "technical+ranges", *SYMBOLS)
    released(live, "section+regime", *SYMBOLS)  # across symbols: with the next materialisation
    consumer = live.consumer()
    consumer.drain()
    before = pushed()
    live.send(*live.rows(live.days[0]))
    consumer.drain()
    live.check(read=view("technical+ranges"))
    live.check()
    released(live, "calendar", "IBM")  # while the consumer runs
    live.send(*live.rows(live.days[1]))
    consumer.drain()
    for read in (VIEW, view("technical+ranges"), view("calendar")):
        live.check(read=read)

    assert pushed() - before == 2 * len(SYMBOLS)
    names = {e.vector.view for e in live.ports.online.entries("IBM")}
    assert names == {VIEW.version, view("technical+ranges").version, view("calendar").version}


def test_a_bar_sent_again_changes_nothing(live: Live) -> None:
    consumer = live.consumer()
    live.send(*live.rows(live.days[0]), *live.rows(live.days[0]))
    consumer.drain()
    mark = live.ports.lake.watermark()
    live.send(*live.rows(live.days[0]))
    live.consumer("two").drain()
    live.check()
    assert live.ports.lake.watermark() == mark
    assert live.ports.lake.bars(["IBM"], first=live.days[0])["revision"].to_list() == [0]


@pytest.mark.parametrize("back", [0, 3])
def test_a_correction_is_what_the_batch_makes_of_it(live: Live, back: int) -> None:
    consumer = live.consumer()
    live.send(*(row for day in live.days[:4] for row in live.rows(day)))
    consumer.drain()
    wrong = live.rows(live.days[3 - back])[0]
    live.send({**wrong, "volume": 12_345.0})
    consumer.drain()
    live.check()
    live.send(*live.rows(live.days[4]))
    consumer.drain()
    live.check()
    told = live.ports.lake.bars([str(wrong["symbol"])], first=live.days[3 - back])
    assert told["revision"].max() == 1


def test_what_others_ingest_meanwhile_is_seen(live: Live) -> None:
    consumer = live.consumer()
    live.send(*live.rows(live.days[0]))
    consumer.drain()
    skipped = live.rest.filter(pl.col("session") == live.days[1])
    past = live.ports.lake.bars(["IBM"], first=UNTIL, last=UNTIL).drop("ingested_at", "revision")
    changed = past.with_columns(volume=pl.col("volume") * 2)
    live.ports.lake.append(LakeBatch(bars=skipped), live.ports.wall.now())
    live.ports.lake.append(LakeBatch(bars=changed), live.ports.wall.now())
    live.send(*live.rows(live.days[2]))
    consumer.drain()
    live.check()


def test_splits_and_dividends_and_gaps(live: Live) -> None:
    consumer = live.consumer()
    first, second, third = (live.rows(day) for day in (live.days[0], live.days[2], live.days[3]))
    live.send(*({**row, "split_ratio": 2.0, "dividend_usd": 0.5} for row in first))
    consumer.drain()
    live.send(*second)
    consumer.drain()
    live.check()
    live.send(*({**row, "dividend_usd": 1.25} for row in third))
    consumer.drain()
    live.check()


def test_an_action_told_in_advance_is_applied(live: Live) -> None:
    consumer = live.consumer()
    live.send(*live.rows(live.days[0]))
    consumer.drain()
    day = live.days[1]
    told = {"source": "actions", "knowledge_basis": "stated", "adjustment": "none"}
    known = live.ports.calendar.close_of(live.days[0])
    action = pl.DataFrame(
        {
            "symbol": ["IBM"],
            "session": [day],
            "kind": ["split"],
            "value": [4.0],
            "adjustment": ["none"],
            "source": ["exchange"],
            "event_time": [live.ports.calendar.close_of(day)],
            "knowledge_time": [known],
            "knowledge_basis": [told["knowledge_basis"]],
        }
    ).with_columns(pl.col("event_time", "knowledge_time").cast(pl.Datetime("us", "UTC")))
    live.ports.lake.append(LakeBatch(actions=action), live.ports.wall.now())
    live.send(*live.rows(day))
    consumer.drain()
    live.check()
    assert live.ports.lake.bars(["IBM"], first=day)["split_ratio"].to_list() == [4.0]


def test_a_new_symbol_begins(live: Live) -> None:
    consumer = live.consumer()
    for day in live.days[:3]:
        live.send(*({**row, "symbol": "NEW"} for row in live.rows(day)[:1]))
        consumer.drain()
        live.check("NEW")
    assert live.online("NEW").session == live.days[2]


def test_bad_messages_go_to_quarantine_and_hold_nothing_up(live: Live) -> None:
    good = live.rows(live.days[0])
    bad: list[Row | bytes] = [
        b"",
        b"no json",
        b"[1, 2]",
        b'{"symbol": "AAPL"}',
        b'{"symbol": "\xff"}',
        {**good[0], "open": None, "date": "2013-02-19"},
        {**good[0], "close": float("nan"), "date": "2013-02-20"},
        {**good[0], "high": 0.01, "date": "2013-02-21"},
        {**good[0], "volume": -5, "date": "2013-02-22"},
        {**good[0], "date": "2013-02-23"},
        {**good[0], "date": str(date.today() + timedelta(days=400))},  # noqa: DTZ011 - far ahead
        {**good[0], "date": 20130225, "open": "high", "source": ""},
        {**good[0], "symbol": "no ticker at all, and far too long"},
        {**good[0], "symbol": None},
        {**good[0], "date": {"of": "what"}, "source": 7},
    ]
    live.send(*bad[:7], *good, *bad[7:])
    live.consumer().drain()
    live.check()
    kept = live.ports.lake.quarantine()
    assert kept.height == len(bad)
    assert kept["location"].str.starts_with("live:").all()
    assert set(kept["reason"]) >= {"malformed_row", "not_a_session", "negative_volume"}


def test_a_correction_in_one_batch_comes_after_what_it_corrects(live: Live) -> None:
    row = live.rows(live.days[0])[0]
    live.send(row, {**row, "close": row["open"]}, {**row, "low": -1.0})
    live.consumer().drain()
    told = live.ports.lake.bars([str(row["symbol"])], first=live.days[0])
    assert told["close"].to_list() == [row["close"], row["open"]]
    assert live.ports.lake.quarantine()["reason"].to_list() == ["non_positive_price"]
    live.check(str(row["symbol"]))


def test_one_killed_after_the_lake_is_made_up_for(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    live.send(*live.rows(live.days[0]))
    one = live.consumer()
    with monkeypatch.context() as patch:
        patch.setattr(type(live.ports.online), "put", _raising(Killed))
        with pytest.raises(Killed):
            one.drain()
    assert live.ports.lake.bars(["IBM"])["session"].max() == live.days[0]
    live.consumer("one").drain()
    live.check()


def _raising(error: type[BaseException]) -> Callable[..., None]:
    def put(*_: object) -> None:
        raise error

    return put


def test_the_command_line(tmp_path: Path, redis_server: servers.Redis) -> None:
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
    bars = tmp_path / "bars.csv"
    bars.write_text(
        "symbol,date,open,high,low,close,volume\n"
        "ABC,2024-01-08,10,11,9,10,100\nABC,2024-01-07,10,11,9,10,100\n"
    )
    env = {"BELLWETHER_HOME": str(tmp_path / "home"), "BELLWETHER_REDIS_URL": redis_server.url}
    run = CliRunner().invoke

    sent = run(app, ["live", "publish", "--path", str(bars), "--as", "me", "--json"], env=env)
    told = run(app, ["live", "status", "--json"], env=env)
    missing = run(app, ["live", "publish", "--path", "nowhere.csv"], env=env)
    alone = run(app, ["live", "status"], env={**env, "BELLWETHER_REDIS_URL": ""})

    assert sent.exit_code == 0, sent.output
    assert json.loads(sent.stdout)["sent"] == 1
    assert len(json.loads(sent.stdout)["rejected"]) == 1
    assert json.loads(told.stdout)["waiting"] == 1
    assert missing.exit_code == 2
    assert "no such file" in missing.output
    assert alone.exit_code == 2
    assert "redis_url" in alone.output
