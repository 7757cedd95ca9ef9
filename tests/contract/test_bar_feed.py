"""Every feed of live bars keeps the one contract."""

from collections.abc import Callable, Iterator

import pytest
import redis
from tests import servers
from tests.feeds import FeedRoom, MemoryFeed
from tests.waiting import until

from bellwether.core.errors import Overloaded, Unavailable
from bellwether.core.ports import BarFeed
from bellwether.events.inprocess import InProcessBus
from bellwether.events.redis_feed import RedisBarFeed
from bellwether.links.redis import RedisLink

Make = Callable[[], BarFeed]
SHARDS = 4
LEASE_S = 0.2
SYMBOLS = [f"S{i}" for i in range(40)]


@pytest.fixture(params=["memory", "redis"])
def rooms(
    request: pytest.FixtureRequest, redis_server: servers.Redis
) -> Iterator[Callable[..., Make]]:
    """Make a room of consumers with an empty store under them; each call of it is a consumer."""
    links: list[RedisLink] = []

    def memory(capacity: int = 1000, lease_s: float = 60.0) -> Make:
        room = FeedRoom(SHARDS, capacity, lease_s)
        return lambda: MemoryFeed(room)

    def real(capacity: int = 1000, lease_s: float = 60.0) -> Make:
        with redis.Redis(port=redis_server.port) as client:
            client.flushall()
        bus = InProcessBus()
        link = RedisLink(redis_server.url, timeout_s=5.0)
        links.append(link)
        return lambda: RedisBarFeed(link, bus, shards=SHARDS, capacity=capacity, lease_s=lease_s)

    yield real if request.param == "redis" else memory
    for link in links:
        link.close()


def bars(*rounds: int) -> list[tuple[str, bytes]]:
    return [(symbol, f"{symbol}:{n}".encode()) for n in rounds for symbol in SYMBOLS]


def test_bars_of_a_symbol_come_in_the_order_sent(rooms: Callable[..., Make]) -> None:
    feed = rooms()()
    assert feed.hold("a") == frozenset(range(SHARDS))
    feed.publish(bars(1, 2))
    feed.publish(bars(3))

    taken = feed.take("a", 1000, 0)

    for symbol in SYMBOLS:
        mine = [b for b in taken if b.body.startswith(f"{symbol}:".encode())]
        assert [b.body for b in mine] == [f"{symbol}:{n}".encode() for n in (1, 2, 3)]
        assert {b.shard for b in mine} == {feed.shard_of(symbol)}


def test_a_bar_stays_until_it_is_done(rooms: Callable[..., Make]) -> None:
    feed = rooms()()
    feed.publish(bars(1))
    assert feed.take("a", 10, 0) == []  # nothing is held yet
    feed.hold("a")

    first = feed.take("a", 10, 0)
    assert feed.take("a", 10, 0) == first
    assert feed.done("a", first[:4]) == frozenset()
    assert feed.done("a", first[:4]) == frozenset()
    rest = feed.take("a", 100, 0)

    assert first[4:] == rest[:6]
    assert len(rest) == len(SYMBOLS) - 4
    assert sum(s.waiting for s in feed.states()) == len(rest)
    assert feed.take("a", 0, 0) == []


def test_two_consumers_share_and_one_takes_over(rooms: Callable[..., Make]) -> None:
    make = rooms(lease_s=LEASE_S)
    one, two = make(), make()
    one.publish(bars(1))
    assert len(one.hold("one")) == SHARDS

    def shared() -> bool:
        held = one.hold("one"), two.hold("two")
        return {len(h) for h in held} == {SHARDS // 2} and not held[0] & held[1]

    until(shared, "a fair share each")
    left = two.take("two", 1000, 0)
    both = one.take("one", 1000, 0) + left
    assert sorted(b.body for b in both) == sorted(body for _, body in bars(1))

    until(lambda: len(one.hold("one")) == SHARDS, "the share of one that went silent")
    assert [b for b in one.take("one", 1000, 0) if b in left] == left
    assert two.done("two", left) == frozenset(b.shard for b in left)
    assert len(one.take("one", 1000, 0)) == len(SYMBOLS)  # nothing was removed by the dead


def test_a_sign_of_life_keeps_shards(rooms: Callable[..., Make]) -> None:
    make = rooms(lease_s=LEASE_S)
    one, two = make(), make()
    one.hold("one")
    seen: list[int] = []

    def tried() -> bool:
        one.keep("one")
        seen.append(len(two.hold("two")))
        return len(seen) > 20

    until(tried)
    assert set(seen) == {0}  # it never asked to share, and it lives


def test_leaving_frees_at_once(rooms: Callable[..., Make]) -> None:
    make = rooms()
    one, two = make(), make()
    one.hold("one")
    one.leave("one")
    assert len(two.hold("two")) == SHARDS
    assert {s.holder for s in two.states()} == {"two"}


def test_a_full_feed_refuses(rooms: Callable[..., Make]) -> None:
    feed = rooms(capacity=2)()
    feed.publish([("S1", b"1"), ("S1", b"2")])
    with pytest.raises(Overloaded):
        feed.publish([("S1", b"3")])
    feed.hold("a")
    assert [b.body for b in feed.take("a", 10, 0)] == [b"1", b"2"]
    feed.publish([])


def test_a_feed_that_is_away_says_so() -> None:
    link = RedisLink(f"redis://127.0.0.1:{servers.free_port()}")
    feed = RedisBarFeed(link, InProcessBus())
    for call in (
        lambda: feed.publish([("S1", b"1")]),
        lambda: feed.hold("a"),
        lambda: feed.keep("a"),
        feed.states,
    ):
        with pytest.raises(Unavailable):
            call()
    link.close()


def test_what_is_no_bar_has_an_empty_body(redis_server: servers.Redis) -> None:
    link = RedisLink(redis_server.url, timeout_s=5.0)
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
        client.xadd("bw:{bars:0}:stream", {"something": "else"})
    feed = RedisBarFeed(link, InProcessBus(), shards=1)
    feed.hold("a")
    assert [b.body for b in feed.take("a", 10, 0)] == [b""]
    link.close()
