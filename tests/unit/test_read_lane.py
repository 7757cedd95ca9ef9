"""What a lane of reads does while all is well, when a trip fails, and after it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime

import pytest
import redis
from prometheus_client import REGISTRY

from bellwether.core.errors import StorageError, Unavailable
from bellwether.core.types import FeatureVector
from bellwether.featurestore.codec import encode
from bellwether.featurestore.lane import ReadLane
from bellwether.links.redis import RedisLink

NOW = datetime(2024, 1, 2, tzinfo=UTC)
ONE = FeatureVector("A", date(2024, 1, 2), "v", NOW, bytes(16), 1.0)
RAW = encode(ONE, NOW)
Values = list[bytes | None]
Outcome = Exception | None


class Script:
    """A reader whose trips come out as told; None is well, and so is whatever was not told."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.trips: list[tuple[str, int]] = []
        self.connected = False

    def start(
        self,
        keys: Sequence[bytes],
        deadline: float,  # noqa: ARG002 - the protocol's signature
        take: Callable[[Values], None],
        failed: Callable[[Exception], None],
    ) -> bool:
        if not self.connected:
            return False
        error = self.outcome("start", keys)
        loop = asyncio.get_running_loop()
        loop.call_soon(*((take, [RAW] * len(keys)) if error is None else (failed, error)))
        return True

    async def mget(
        self,
        keys: Sequence[bytes],
        deadline: float,  # noqa: ARG002 - the protocol's signature
        take: Callable[[Values], None],
    ) -> None:
        error = self.outcome("mget", keys)
        await asyncio.sleep(0)
        if error is not None:
            raise error
        self.connected = True
        take([RAW] * len(keys))

    def outcome(self, way: str, keys: Sequence[bytes]) -> Outcome:
        self.trips.append((way, len(keys)))
        return self.outcomes.pop(0) if self.outcomes else None

    async def close(self) -> None:
        self.connected = False

    @property
    def ways(self) -> list[str]:
        return [way for way, _ in self.trips]


class Link(RedisLink):
    """A link to nowhere, with a reader that is scripted."""

    def __init__(self, script: Script) -> None:
        super().__init__("redis://127.0.0.1:1")
        self.script = script

    def reader(self) -> Script:
        return self.script


def ride(script: Script, act: Callable[[ReadLane], Awaitable[object]]) -> Link:
    """Let `act` use a lane over `script`."""
    link = Link(script)

    async def run() -> None:
        await act(ReadLane(link))

    asyncio.run(run())
    return link


async def ask(lane: ReadLane, symbol: str = "A") -> FeatureVector | None:
    return await lane.ask(symbol, "v")


def test_after_the_first_trip_none_needs_a_task() -> None:
    async def act(lane: ReadLane) -> None:
        assert [await ask(lane) for _ in range(4)] == [ONE] * 4

    script = Script()
    ride(script, act)

    assert script.ways == ["mget", "start", "start", "start"]


async def burst(lane: ReadLane, *symbols: str) -> None:
    await asyncio.gather(*(ask(lane, symbol) for symbol in symbols))


def test_who_asks_meanwhile_travels_together_next() -> None:
    async def act(lane: ReadLane) -> None:
        await ask(lane)
        await burst(lane, "A", "B", "A", "C")

    script = Script()
    ride(script, act)

    assert script.trips == [("mget", 1), ("start", 1), ("start", 3)]


def test_once_there_is_company_who_asks_in_one_turn_travels_together() -> None:
    async def act(lane: ReadLane) -> None:
        await burst(lane, "A", "B")
        await burst(lane, "A", "B", "A", "C")
        await ask(lane)
        await ask(lane)

    script = Script()
    ride(script, act)

    assert script.trips == [("mget", 2), ("start", 3), ("start", 1), ("start", 1)]


def test_every_trip_is_accounted_for() -> None:
    async def act(lane: ReadLane) -> None:
        for _ in range(40):
            await burst(lane, "A", "B")

    before = accounts()
    ride(Script(), act)

    seconds, symbols, size = (b - a for a, b in zip(before, accounts(), strict=True))
    assert (seconds, symbols, size) == (40, 80, 80 * len(RAW))


def accounts() -> list[float]:
    names = ("read_seconds_count", "read_batch_symbols_sum", "read_bytes_total")
    labels: list[dict[str, str]] = [{"operation": "fetch"}, {}, {}]
    return [
        REGISTRY.get_sample_value(f"bellwether_online_store_{name}", label) or 0.0
        for name, label in zip(names, labels, strict=True)
    ]


def test_a_lost_connection_is_asked_once_more_with_care() -> None:
    async def act(lane: ReadLane) -> None:
        assert [await ask(lane) for _ in range(3)] == [ONE] * 3

    script = Script(None, redis.ConnectionError("cut"))
    link = ride(script, act)

    assert script.ways == ["mget", "start", "mget", "start"]
    assert link.breaker.away is None


def test_a_server_that_was_too_slow_is_not_asked_again() -> None:
    async def act(lane: ReadLane) -> None:
        await ask(lane)
        with pytest.raises(Unavailable, match="slow"):
            await ask(lane)
        assert [await ask(lane) for _ in range(2)] == [ONE] * 2

    script = Script(None, redis.TimeoutError("slow"))
    ride(script, act)

    assert script.ways == ["mget", "start", "mget", "start"]


def test_failures_open_the_breaker_and_then_nobody_is_asked() -> None:
    async def act(lane: ReadLane) -> None:
        await ask(lane)
        for _ in range(5):
            with pytest.raises(Unavailable):
                await ask(lane)

    script = Script(None, *[redis.TimeoutError("slow")] * 9)
    link = ride(script, act)

    assert script.ways == ["mget", "start", "mget", "mget"]
    assert link.breaker.away == "slow"


def test_a_breaker_that_others_opened_is_heeded() -> None:
    async def act(lane: ReadLane) -> None:
        await ask(lane)
        for _ in range(3):
            with pytest.raises(Unavailable), link_of(lane).guard():
                raise redis.ConnectionError("away")
        with pytest.raises(Unavailable):
            await ask(lane)

    script = Script()
    ride(script, act)

    assert script.ways == ["mget"]


def link_of(lane: ReadLane) -> RedisLink:
    return lane._link


@pytest.mark.parametrize("first", [True, False])
def test_a_fault_of_our_own_is_told_and_the_lane_goes_on(*, first: bool) -> None:
    async def act(lane: ReadLane) -> None:
        if not first:
            await ask(lane)
        with pytest.raises(StorageError, match="ZeroDivisionError"):
            await ask(lane)
        assert [await ask(lane) for _ in range(2)] == [ONE] * 2

    script = Script(*([] if first else [None]), ZeroDivisionError())
    ride(script, act)

    assert script.ways[-2:] == ["mget", "start"]


def test_a_refusal_is_an_error_and_not_an_absence() -> None:
    async def act(lane: ReadLane) -> None:
        await ask(lane)
        with pytest.raises(StorageError, match="may not") as told:
            await ask(lane)
        assert not isinstance(told.value, Unavailable)

    link = ride(Script(None, redis.exceptions.NoPermissionError("you may not")), act)

    assert link.breaker.away is None
