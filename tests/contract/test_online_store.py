"""Every online store keeps the one contract."""

import asyncio
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import servers

from bellwether.core.clock import FixedClock
from bellwether.core.ports import EventBus, OnlineStore
from bellwether.core.types import FeatureVector
from bellwether.events.inprocess import InProcessBus
from bellwether.events.redis_bus import RedisBus
from bellwether.featurestore.cached import CachedOnlineStore
from bellwether.featurestore.online import InProcessOnlineStore
from bellwether.featurestore.redis_store import RedisOnlineStore
from bellwether.links.redis import RedisLink

NOW = datetime(2024, 1, 2, 21, 0, 0, 123456, tzinfo=UTC)
WALL = FixedClock(NOW)
VIEW = "daily@3f2a"
NAN_WITH_A_PAYLOAD = bytes.fromhex("efbeaddeadbef47f")
ONE = FeatureVector(
    symbol="ABC",
    session=date(2024, 1, 2),
    view=VIEW,
    watermark=NOW,
    values=struct.pack("<3d", 0.1, -0.0, 5e-324) + NAN_WITH_A_PAYLOAD,
    last_close=10.1,
)
ODD = [
    "BRK.B",
    "BF-B",
    "^GSPC",
    "EURUSD=X",
    "A",
    "AB",
    "*",
    "[A]",
    "A?",
    "\\",
    "{A}",
    "}",
    "{",
    "%",
]
ODD += ["%7B", "A:B", " ", "", "é", "\N{SNOWMAN}", "A\nB", "X" * 20_000]
DAY = timedelta(days=1)
KINDS = ["in-process", "redis", "cached-in-process", "cached-redis"]


@contextmanager
def opened(kind: str, server: servers.Redis) -> Iterator[OnlineStore]:
    """Build an empty store of `kind`; one with a memory listens already."""
    with redis.Redis(port=server.port) as client:
        client.flushall()
    link = RedisLink(server.url, timeout_s=5.0)
    shared = kind.endswith("redis")
    bus: EventBus = RedisBus(link) if shared else InProcessBus()
    store: OnlineStore = RedisOnlineStore(link, bus, WALL) if shared else InProcessOnlineStore(WALL)
    if kind.startswith("cached"):
        store = CachedOnlineStore(store, bus)
        listening = threading.Event()
        bus.subscribe("features", lambda _: None, lambda _: listening.set())
        assert listening.wait(10)
    yield store
    store.close()
    bus.close()
    link.close()


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, redis_server: servers.Redis) -> Iterator[OnlineStore]:
    with opened(request.param, redis_server) as made:
        yield made


def get(store: OnlineStore, symbol: str = "ABC", view: str = VIEW) -> FeatureVector | None:
    """Read by every way there is; they agree."""
    (many,) = store.get_many([symbol], view)
    assert asyncio.run(fetch(store, symbol, view)) == many
    assert store.held(symbol, view) in {None, many}
    return many


async def fetch(store: OnlineStore, symbol: str, view: str = VIEW) -> FeatureVector | None:
    return await store.fetch(symbol, view)


def test_a_vector_comes_back_bit_for_bit(store: OnlineStore) -> None:
    store.put([ONE])

    assert get(store) == ONE
    assert store.entries("ABC")[0].vector == ONE


def test_what_is_not_there_is_none_and_nothing_is_nothing(store: OnlineStore) -> None:
    store.put([])

    assert get(store) is None
    assert store.get_many([], VIEW) == []
    assert store.entries("ABC") == []
    assert store.away() is None


@pytest.mark.parametrize(
    ("change", "replaces"),
    [
        ({"session": ONE.session - DAY, "watermark": NOW + 9 * DAY}, False),
        ({"watermark": NOW - timedelta(microseconds=1)}, False),
        ({"watermark": NOW - timedelta(seconds=2**32)}, False),
        ({}, True),
        ({"watermark": NOW + timedelta(microseconds=1)}, True),
        ({"session": ONE.session + DAY, "watermark": NOW - 9 * DAY}, True),
        ({"session": date(9999, 12, 31)}, True),
        ({"session": date(1, 1, 1)}, False),
    ],
)
def test_an_older_vector_never_replaces_a_newer_one(
    store: OnlineStore, change: dict[str, object], *, replaces: bool
) -> None:
    store.put([ONE])
    assert get(store) == ONE
    other = replace(ONE, last_close=99.0, **change)

    store.put([other])

    assert get(store) == (other if replaces else ONE)


def test_the_last_microsecond_counts_in_any_century(store: OnlineStore) -> None:
    late = replace(ONE, watermark=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    early = replace(ONE, watermark=datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC))

    store.put([late, replace(late, watermark=late.watermark - timedelta(microseconds=1))])
    store.put([early])

    assert get(store) == late


def test_versions_of_a_view_lie_side_by_side(store: OnlineStore) -> None:
    older = replace(ONE, view="daily@0000", session=ONE.session - DAY)
    weekly = replace(ONE, view="weekly@3f2a", session=ONE.session - 2 * DAY)

    store.put([older, ONE, weekly])

    assert [e.vector for e in store.entries("ABC")] == [ONE, older, weekly]
    assert {e.written_at for e in store.entries("ABC")} == {NOW}
    assert get(store, view="daily@0000") == older
    assert get(store, view="daily") is None
    assert store.census().entries == {"daily@0000": 1, VIEW: 1, "weekly@3f2a": 1}
    assert store.census().size_bytes >= 3 * len(ONE.values)


def test_no_symbol_is_taken_for_another(store: OnlineStore) -> None:
    vectors = [replace(ONE, symbol=s, last_close=float(i)) for i, s in enumerate(ODD)]

    store.put(vectors)

    assert store.get_many(ODD, VIEW) == vectors
    assert [get(store, symbol) for symbol in ODD] == vectors
    assert [[e.vector for e in store.entries(symbol)] for symbol in ODD] == [[v] for v in vectors]
    assert store.census().entries == {VIEW: len(ODD)}
    assert get(store, "\ud800") is None


def test_many_are_read_in_the_order_asked_for(store: OnlineStore) -> None:
    vectors = [replace(ONE, symbol=f"S{i}", last_close=float(i)) for i in range(10_000)]
    asked = [*(f"S{i}" for i in reversed(range(10_050))), "S1", "S1"]
    there = {v.symbol: v for v in vectors}

    store.put(vectors)

    assert store.get_many(asked, VIEW) == [there.get(symbol) for symbol in asked]


def test_an_empty_vector_and_a_long_one_are_kept(store: OnlineStore) -> None:
    store.put([replace(ONE, values=b"")])
    assert get(store) == replace(ONE, values=b"")

    long = replace(ONE, values=bytes(8 * 65_535))
    store.put([long])
    assert get(store) == long


def test_readers_at_the_same_time_each_get_their_own(store: OnlineStore) -> None:
    vectors = {f"S{i}": replace(ONE, symbol=f"S{i}", last_close=float(i)) for i in range(50)}
    store.put(list(vectors.values()))

    async def read() -> list[FeatureVector | None]:
        asked = [fetch(store, f"S{i % 60}") for i in range(300)]
        return await asyncio.gather(*asked)

    for _ in range(2):  # a loop that ended takes nothing with it
        assert asyncio.run(read()) == [vectors.get(f"S{i % 60}") for i in range(300)]


def test_a_reader_that_gives_up_hurts_no_other(store: OnlineStore) -> None:
    store.put([ONE])

    async def read() -> list[FeatureVector | None]:
        tasks = [asyncio.create_task(fetch(store, "ABC")) for _ in range(8)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        return await asyncio.gather(*tasks[1::2])

    assert asyncio.run(read()) == [ONE] * 4


def test_the_census_counts_what_is_kept(store: OnlineStore) -> None:
    store.put([replace(ONE, symbol=f"S{i}") for i in range(2500)])

    census = store.census()

    assert census.entries == {VIEW: 2500}
    assert census.size_bytes >= 2500 * len(ONE.values)


def test_writers_at_the_same_time_leave_the_newest(store: OnlineStore) -> None:
    def write(start: int) -> None:
        for i in range(start, 400, 4):
            store.put([replace(ONE, session=ONE.session + i * DAY, last_close=float(i))])

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    kept = get(store)
    assert kept is not None
    assert kept.last_close == 399.0


Put = tuple[int, int, int]  # symbol, session, microsecond
PUTS = st.lists(st.lists(st.tuples(*[st.integers(0, 2)] * 3), max_size=4), max_size=8)


@pytest.mark.parametrize("kind", KINDS)
def test_in_whatever_order_the_newest_stays(kind: str, redis_server: servers.Redis) -> None:
    with opened(kind, redis_server) as store:
        round_ = iter(range(10**6))

        @settings(max_examples=40, suppress_health_check=list(HealthCheck))
        @given(PUTS)
        def law(calls: list[list[Put]]) -> None:
            view = f"v@{next(round_)}"
            newest: dict[str, FeatureVector] = {}
            for call in calls:
                vectors = [vector(one, view) for one in call]
                store.put(vectors)
                for v in vectors:
                    known = newest.get(v.symbol)
                    if known is None or (known.session, known.watermark) <= (
                        v.session,
                        v.watermark,
                    ):
                        newest[v.symbol] = v
                assert store.get_many(["0", "1", "2"], view) == [newest.get(s) for s in "012"]

        law()


def vector(put: Put, view: str) -> FeatureVector:
    symbol, session, micros = put
    return replace(
        ONE,
        symbol=str(symbol),
        view=view,
        session=ONE.session + session * DAY,
        watermark=NOW + timedelta(microseconds=micros),
        values=struct.pack("<3d", *put),
    )
