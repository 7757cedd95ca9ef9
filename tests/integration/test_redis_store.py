"""Vectors in a real Redis: what damaged, foreign and forgotten things do to them."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import redis
import uvloop
from tests import servers
from tests.waiting import until

from bellwether.core.clock import FixedClock
from bellwether.core.errors import ConfigError, SchemaViolation, StorageError, Unavailable
from bellwether.core.types import FeatureVector
from bellwether.events.inprocess import InProcessBus
from bellwether.events.redis_bus import RedisBus
from bellwether.featurestore.cached import CachedOnlineStore
from bellwether.featurestore.codec import encode, key_of
from bellwether.featurestore.redis_store import RedisOnlineStore
from bellwether.links.redis import RedisLink

ROOT = Path(__file__).parents[2]
VIEW = "daily@3f2a"
NOW = datetime(2024, 1, 2, 21, tzinfo=UTC)
ONE = FeatureVector("ABC", date(2024, 1, 2), VIEW, NOW, bytes(range(24)), 10.0)
KEY = key_of("ABC", VIEW)
RAW = encode(ONE, NOW)


@pytest.fixture(autouse=True)
def client(redis_server: servers.Redis) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_server.port) as made:
        made.flushall()
        yield made


@pytest.fixture
def link(redis_server: servers.Redis) -> Iterator[RedisLink]:
    made = RedisLink(redis_server.url, timeout_s=5.0)
    yield made
    made.close()


@pytest.fixture
def bus() -> InProcessBus:
    return InProcessBus()


@pytest.fixture
def store(link: RedisLink, bus: InProcessBus) -> Iterator[RedisOnlineStore]:
    made = RedisOnlineStore(link, bus, FixedClock(NOW), expire_days=3)
    yield made
    made.close()


def read(store: RedisOnlineStore) -> FeatureVector | None:
    (many,) = store.get_many(["ABC"], VIEW)
    assert asyncio.run(one(store)) == many
    return many


async def one(store: RedisOnlineStore) -> FeatureVector | None:
    return await store.fetch("ABC", VIEW)


def test_a_vector_leaves_when_nobody_renewed_it(
    store: RedisOnlineStore, client: redis.Redis
) -> None:
    store.put([ONE])

    assert client.keys() == [b"bw:{ABC}:daily@3f2a"]
    assert 3 * 86_400 - 60 <= int(str(client.ttl(KEY))) <= 3 * 86_400


DAMAGED = {
    "cut short": RAW[:-1],
    "of a year that never comes": RAW[:3] + b"\xff\xff\xff\x7f" + RAW[7:],
    "with a flipped bit": RAW[:-3] + bytes([RAW[-3] ^ 1]) + RAW[-2:],
    "empty": b"",
    "foreign": b"something else altogether, and longer than a header",
    "a piece": RAW[:20],
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_value_is_missing_until_any_vector_is_put(
    store: RedisOnlineStore, client: redis.Redis, damaged: bytes
) -> None:
    client.set(KEY, damaged)
    assert read(store) is None
    assert store.entries("ABC") == []
    older = replace(ONE, session=date(2023, 12, 29))

    store.put([older, replace(ONE, symbol="DEF")])

    assert read(store) == older


def test_a_key_of_another_kind_is_missing_and_is_written_over(
    store: RedisOnlineStore, client: redis.Redis
) -> None:
    client.hset(KEY, "a", "b")
    assert read(store) is None
    assert store.entries("ABC") == []
    assert store.census().entries == {}

    store.put([ONE])

    assert read(store) == ONE


def test_what_a_later_version_wrote_is_not_read_and_loses_only_to_newer_vectors(
    store: RedisOnlineStore, client: redis.Redis
) -> None:
    later = RAW[:2] + b"\x02" + RAW[3:] + b"more"
    client.set(KEY, later)

    assert read(store) is None
    store.put([replace(ONE, session=date(2024, 1, 1))])
    assert client.get(KEY) == later

    newer = replace(ONE, session=date(2024, 1, 3))
    store.put([newer])
    assert read(store) == newer


def test_a_server_that_forgot_the_script_is_told_again(
    store: RedisOnlineStore, client: redis.Redis
) -> None:
    store.put([ONE])
    client.script_flush()
    newer = replace(ONE, session=date(2024, 1, 3))

    store.put([newer, ONE, replace(ONE, symbol="DEF")])

    assert read(store) == newer
    assert client.dbsize() == 2


def test_a_vector_that_is_no_vector_is_refused_before_anything_is_written(
    store: RedisOnlineStore, client: redis.Redis
) -> None:
    with pytest.raises(SchemaViolation):
        store.put([ONE, replace(ONE, symbol="DEF", values=b"odd")])

    assert client.dbsize() == 0


def test_it_is_told_whose_vectors_changed_and_of_no_other(
    store: RedisOnlineStore, bus: InProcessBus
) -> None:
    heard: list[bytes] = []
    bus.subscribe("features", heard.append, lambda _: None)

    store.put([ONE, replace(ONE, symbol="DEF"), replace(ONE, view="other@1")])
    store.put([replace(ONE, session=date(2024, 1, 1)), replace(ONE, symbol="GHI")])
    store.put([replace(ONE, session=date(2024, 1, 1))])
    store.put([replace(ONE, symbol=f"S{i}") for i in range(1001)])

    assert heard[:2] == [b'["ABC","DEF"]', b'["GHI"]']
    assert [message.count(b",") + 1 for message in heard[2:]] == [500, 500, 1]


def test_reads_asked_for_together_travel_together(
    store: RedisOnlineStore, client: redis.Redis
) -> None:
    store.put([replace(ONE, symbol=f"S{i}") for i in range(40)])
    client.config_resetstat()

    async def read_all() -> list[FeatureVector | None]:
        await store.fetch("S0", VIEW)
        return await asyncio.gather(*(store.fetch(f"S{i % 40}", VIEW) for i in range(400)))

    found = asyncio.run(read_all())

    assert [v and v.symbol for v in found] == [f"S{i % 40}" for i in range(400)]
    assert client.info("commandstats")["cmdstat_mget"]["calls"] == 3  # alone, the first, the rest


def test_a_read_never_joins_a_trip_that_is_already_out(store: RedisOnlineStore) -> None:
    """Else it could be given what was there before it was asked."""

    async def write_between() -> FeatureVector | None:
        early = asyncio.create_task(store.fetch("ABC", VIEW))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # it is out
        await asyncio.to_thread(store.put, [ONE])
        late = await store.fetch("ABC", VIEW)
        await early
        return late

    for _ in range(20):
        assert asyncio.run(write_between()) == ONE


def test_what_is_no_symbol_hurts_only_who_asks_for_it(store: RedisOnlineStore) -> None:
    store.put([ONE])

    async def read_all() -> list[object]:
        asked = [store.fetch(symbol, VIEW) for symbol in ("ABC", 7, "ABC")]
        return await asyncio.gather(*asked, return_exceptions=True)

    first, wrong, last = asyncio.run(read_all())

    assert first == last == ONE
    assert isinstance(wrong, TypeError)


def test_it_reads_on_the_servers_event_loop_too(store: RedisOnlineStore) -> None:
    store.put([ONE])

    async def read_twice() -> list[FeatureVector | None]:
        return [await store.fetch("ABC", VIEW), await store.fetch("ABC", "none")]

    assert [uvloop.run(read_twice()) for _ in range(2)] == [[ONE, None]] * 2
    assert asyncio.run(read_twice()) == [ONE, None]


def test_a_closed_store_says_so(store: RedisOnlineStore) -> None:
    async def close_while_reading() -> None:
        await store.fetch("ABC", VIEW)
        pending = [asyncio.create_task(store.fetch("ABC", VIEW)) for _ in range(3)]
        await asyncio.sleep(0)
        store.close()
        for result in await asyncio.gather(*pending, return_exceptions=True):
            assert result is None or isinstance(result, Unavailable)
        with pytest.raises(Unavailable, match="closed"):
            await store.fetch("ABC", VIEW)

    asyncio.run(close_while_reading())


def test_the_census_is_counted_again_when_it_is_old(
    link: RedisLink, bus: InProcessBus, client: redis.Redis
) -> None:
    now = [0.0]
    store = RedisOnlineStore(link, bus, FixedClock(NOW), monotonic=lambda: now[0])
    assert store.census().entries == {}
    store.put([ONE])
    client.set("bw:unrelated", "x")
    assert store.census().entries == {}

    now[0] = 5.0

    assert store.census().entries == {VIEW: 1}
    assert store.census().size_bytes == 37 + 24
    assert store.census().kind == "redis"


def test_a_put_in_one_process_empties_the_memory_of_another(redis_server: servers.Redis) -> None:
    links = [RedisLink(redis_server.url, timeout_s=5.0) for _ in range(2)]
    buses = [RedisBus(link) for link in links]
    here, there = (
        CachedOnlineStore(RedisOnlineStore(link, bus, FixedClock(NOW)), bus)
        for link, bus in zip(links, buses, strict=True)
    )
    here.put([ONE])
    until(lambda: there.get_many(["ABC"], VIEW) and there.held("ABC", VIEW))
    newer = replace(ONE, session=date(2024, 1, 3))

    here.put([newer])

    until(lambda: there.held("ABC", VIEW) != ONE)
    assert there.get_many(["ABC"], VIEW) == [newer]
    for store in (here, there):
        store.close()
    for link in links:
        link.close()


WRITER = """
import sys
from dataclasses import replace
from datetime import timedelta
from tests.integration.test_redis_store import NOW, ONE
from bellwether.core.clock import FixedClock
from bellwether.events.inprocess import InProcessBus
from bellwether.featurestore.redis_store import RedisOnlineStore
from bellwether.links.redis import RedisLink

store = RedisOnlineStore(RedisLink(sys.argv[1], timeout_s=5.0), InProcessBus(), FixedClock(NOW))
days = list(range(int(sys.argv[2]), 200, 2))
for day in days + days[::-1]:
    store.put([replace(ONE, symbol=f"S{i}", session=ONE.session + timedelta(days=day))
               for i in range(10)])
"""


def test_processes_that_write_at_once_leave_the_newest(
    redis_server: servers.Redis, store: RedisOnlineStore
) -> None:
    command = [sys.executable, "-c", WRITER, redis_server.url]
    running = [subprocess.Popen([*command, str(n)], cwd=ROOT) for n in range(2)]

    assert [process.wait(60) for process in running] == [0, 0]

    found = store.get_many([f"S{i}" for i in range(10)], VIEW)
    assert {v and v.session for v in found} == {ONE.session + timedelta(days=199)}


def test_every_error_of_the_library_is_one_of_ours() -> None:
    kinds = [
        kind
        for kind in vars(redis.exceptions).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ]
    assert len(kinds) > 30

    for kind in kinds:
        fresh = RedisLink("redis://127.0.0.1:1")
        with pytest.raises(StorageError), fresh.guard():
            raise made(kind)


def made(kind: type[Exception]) -> Exception:
    try:
        return kind("told")
    except (TypeError, ValueError, IndexError):
        return kind("1 127.0.0.1:1")


def test_name_password_and_database_of_the_address_are_used(
    redis_server: servers.Redis, client: redis.Redis, bus: InProcessBus
) -> None:
    client.acl_setuser(
        "reader", enabled=True, passwords=["+p@ss"], keys="*", channels="*", commands=["+@all"]
    )
    at = f"127.0.0.1:{redis_server.port}/3"
    right, wrong = (
        RedisOnlineStore(RedisLink(f"redis://reader:{word}@{at}"), bus, FixedClock(NOW))
        for word in ("p%40ss", "guess")
    )

    right.put([ONE])

    assert read(right) == ONE
    assert client.info("keyspace").keys() == {"db3"}
    with pytest.raises(Unavailable, match="password"):
        wrong.get_many(["ABC"], VIEW)
    with pytest.raises(Unavailable, match="password"):
        asyncio.run(one(wrong))
    client.acl_deluser("reader")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://x",
        "redis://h:notaport/0",
        "127.0.0.1:6379",
        "redis://h/0?decode_responses=true",
        "redis://h/0?socket_timeout=60",
        "redis://h/0?max_connections=many",
    ],
)
def test_an_address_that_cannot_be_used_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigError, match="redis_url"):
        RedisLink(url)


@pytest.mark.parametrize("url", ["redis://h/1", "unix:///tmp/redis"])
def test_a_cluster_has_one_database_and_no_socket_file(url: str) -> None:
    with pytest.raises(ConfigError, match="cluster"):
        RedisLink(url, cluster=True)


def test_a_sign_of_life_is_given_or_missed(link: RedisLink) -> None:
    link.ping()

    with pytest.raises(Unavailable):
        RedisLink("redis://127.0.0.1:1").ping()
