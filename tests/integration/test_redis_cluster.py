"""Everything that uses Redis, over a cluster of three nodes."""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest
import redis
from tests import servers
from tests.waiting import until

from bellwether.core.clock import FixedClock
from bellwether.core.errors import Unavailable
from bellwether.core.types import FeatureVector, QueueCounts
from bellwether.events.redis_bus import RedisBus
from bellwether.events.redis_queue import RedisRequestQueue
from bellwether.featurestore.cached import CachedOnlineStore
from bellwether.featurestore.redis_store import RedisOnlineStore
from bellwether.links.redis import RedisLink

VIEW = "daily@3f2a"
NOW = datetime(2024, 1, 2, 21, tzinfo=UTC)
ONE = FeatureVector("ABC", date(2024, 1, 2), VIEW, NOW, bytes(range(24)), 10.0)
BOUNDS = [(0, 5460), (5461, 10_922), (10_923, 16_383)]


@dataclass
class Node(servers.Redis):
    """A server that can be part of a cluster."""

    bus_port: int = 0

    def says(self, *words: str | int) -> bytes:
        """Send it one command."""
        with redis.Redis(port=self.port) as client:
            return bytes(client.execute_command(*words))


def node(stack: ExitStack) -> Node:
    folder = Path(tempfile.mkdtemp(prefix="bellwether-redis-", dir="/tmp"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    port, bus_port = servers.free_port(), servers.free_port()
    bind = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    cluster = ["--cluster-enabled", "yes", "--cluster-port", str(bus_port)]
    command = [servers.program("redis-server"), *bind, *cluster]
    made = Node(command, port, folder / "log", bus_port=bus_port)
    made.start()
    stack.callback(made.kill)
    return made


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    with ExitStack() as stack:
        made = [node(stack) for _ in BOUNDS]
        for one, (first, last) in zip(made, BOUNDS, strict=True):
            one.says("CLUSTER", "ADDSLOTSRANGE", first, last)
            made[0].says("CLUSTER", "MEET", "127.0.0.1", one.port, one.bus_port)
        for one in made:
            until(partial(whole, one), "the cluster")
        yield made


def whole(one: Node) -> bool:
    """Say whether a node knows the others and serves."""
    said = one.says("CLUSTER", "INFO")
    return b"cluster_state:ok" in said and b"cluster_known_nodes:3" in said


@pytest.fixture
def link(nodes: list[Node]) -> Iterator[RedisLink]:
    for one in nodes:
        one.says("FLUSHALL")
    made = RedisLink(nodes[0].url, cluster=True, timeout_s=5.0)
    yield made
    made.close()


@pytest.fixture
def bus(link: RedisLink) -> Iterator[RedisBus]:
    made = RedisBus(link)
    yield made
    made.close()


def test_vectors_lie_on_all_nodes_and_are_read_together(link: RedisLink, bus: RedisBus) -> None:
    link.ping()
    store = RedisOnlineStore(link, bus, FixedClock(NOW))
    vectors = [replace(ONE, symbol=f"S{i}") for i in range(1500)]
    names = [v.symbol for v in vectors]
    older = replace(ONE, symbol="S0", session=date(2023, 12, 29))
    other = replace(ONE, symbol="S0", view="other@1")

    store.put(vectors)
    store.put([older, other])

    assert store.get_many([*names, "none", "S7"], VIEW) == [*vectors, None, vectors[7]]
    assert [entry.vector for entry in store.entries("S0")] == [other, vectors[0]]
    assert store.census().entries == {VIEW: 1500, "other@1": 1}

    async def read() -> list[FeatureVector | None]:
        return await asyncio.gather(*(store.fetch(name, VIEW) for name in [*names[:64], "none"]))

    for _ in range(2):
        assert asyncio.run(read()) == [*vectors[:64], None]
    store.close()


def test_every_node_has_its_part(nodes: list[Node], link: RedisLink, bus: RedisBus) -> None:
    store = RedisOnlineStore(link, bus, FixedClock(NOW))

    store.put([replace(ONE, symbol=f"S{i}") for i in range(300)])

    for one in nodes:
        with redis.Redis(port=one.port) as client:
            assert 50 < int(str(client.dbsize())) < 150


def test_a_message_reaches_who_listens_at_any_node(nodes: list[Node], bus: RedisBus) -> None:
    links = [RedisLink(one.url, cluster=True, timeout_s=5.0) for one in nodes]
    buses = [RedisBus(link) for link in links]
    stores = [
        CachedOnlineStore(RedisOnlineStore(link, ear, FixedClock(NOW)), ear)
        for link, ear in zip(links, buses, strict=True)
    ]
    stores[0].put([ONE])
    for store in stores:
        until(lambda store=store: store.get_many(["ABC"], VIEW) and store.held("ABC", VIEW))

    bus.publish("features", b'["ABC"]')

    for store in stores:
        until(lambda store=store: store.held("ABC", VIEW) is None)
        store.close()
    for link in links:
        link.close()


def test_requests_are_queued_taken_and_buried(link: RedisLink) -> None:
    queue = RedisRequestQueue(link, capacity=3)
    for name in ("a", "b"):
        queue.submit(name, name.encode())

    first, second = queue.take("w", 5, 0)
    queue.done(first)
    queue.bury(second, "why", NOW)
    found: list[str] = []
    thread = threading.Thread(
        target=lambda: found.extend(r.request_id for r in queue.take("w", 5, 10))
    )
    thread.start()
    queue.submit("c", b"c")
    thread.join(10)

    assert found == ["c"]
    assert queue.counts() == QueueCounts(0, 1, 1)
    assert queue.revive("b")
    assert queue.is_waiting("b")


def test_a_cluster_that_is_not_there_is_unavailable() -> None:
    port = servers.free_port()
    link = RedisLink(f"redis://127.0.0.1:{port}", cluster=True, timeout_s=0.25)
    bus = RedisBus(link)
    store = RedisOnlineStore(link, bus, FixedClock(NOW))

    with pytest.raises(Unavailable):
        store.get_many(["ABC"], VIEW)
    with pytest.raises(Unavailable):
        store.put([ONE])

    async def read() -> None:
        with pytest.raises(Unavailable):
            await store.fetch("ABC", VIEW)

    asyncio.run(read())
    store.close()
    bus.close()
    link.close()
